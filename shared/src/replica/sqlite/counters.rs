//! What is remembered of counters: a table beside each synced table that has any, and which columns are counted.
//!
//! Owns their layout. Invariant: a column counts from when every record of its table has a row with the value that it had then,
//! at a moment in which nothing was unharvested, and until the policy says no more that it does. Who writes to a record keeps
//! its rows: harvest and merge. Leaves to [`crate::replica::Counter`] what they come to.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params, params_from_iter};

use super::catalogue::{Catalogue, Entry, is_exactly};
use super::fault::Outcome;
use super::holding;
use super::names::{counters_table, joined, key_names, marks_table, quoted};
use super::state;
use super::values::{bind_from, owned};
use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::link::Standing;
use crate::replica::{Bounds, Counter, TableShape};
use crate::value::{Key, Value};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_counters (tbl INTEGER NOT NULL, col INTEGER NOT NULL, \
                     PRIMARY KEY (tbl, col)) WITHOUT ROWID";

/// The statements on one table's counters, as text that the connection's statement cache knows again.
#[derive(Clone, Debug)]
pub(super) struct CounterRows {
    find: String,
    put: String,
    drop: String,
    forget: String,
}

impl CounterRows {
    /// The statements for a table with this many key columns.
    pub fn of(table: &str, keys: usize) -> Self {
        let (counters, names) = (counters_table(table), key_names(keys));
        let is_key = joined(keys, " AND ", |at| format!("k{0} = ?{0}", at + 1));
        let holes = joined(keys + 5, ", ", |at| format!("?{}", at + 1));
        Self {
            find: format!("SELECT col, value, differences, since, via FROM {counters} WHERE {is_key}"),
            put: format!(
                "INSERT OR REPLACE INTO {counters} ({names}, col, value, differences, since, via) VALUES ({holes})"
            ),
            drop: format!("DELETE FROM {counters} WHERE {is_key}"),
            forget: format!("UPDATE {counters} SET differences = x'', since = ?1, via = 0 WHERE differences <> x''"),
        }
    }
}

/// Which columns are counted, in order.
pub(super) fn in_force(connection: &Connection) -> Outcome<BTreeSet<(TableId, ColumnId)>> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_counters'";
    if !connection.prepare_cached(there)?.exists([])? {
        return Ok(BTreeSet::new());
    }
    let mut statement = connection.prepare_cached("SELECT tbl, col FROM _packhorse_counters")?;
    let all = statement.query_map([], |row| Ok((TableId(row.get(0)?), ColumnId(row.get(1)?))))?;
    Ok(all.collect::<rusqlite::Result<_>>()?)
}

/// Begins to count what is to be counted from now on, and forgets what is not any more: within a write transaction in which
/// nothing is unharvested.
pub(super) fn keep_up(connection: &Connection, catalogue: &Catalogue) -> Outcome<()> {
    connection.execute_batch(TABLE)?;
    for entry in catalogue.entries().iter().filter(|entry| entry.counts_otherwise()) {
        let (shape, wanted, counted) = (&entry.shape, &entry.to_count, &entry.counted);
        make(connection, shape)?;
        counted.iter().filter(|it| !wanted.contains(it)).try_for_each(|it| end(connection, shape, *it))?;
        wanted.iter().filter(|it| !counted.contains(it)).try_for_each(|it| begin(connection, shape, *it))?;
    }
    Ok(())
}

fn make(connection: &Connection, shape: &TableShape) -> Outcome<()> {
    let (table, names) = (counters_table(&shape.name), key_names(shape.keys.len()));
    Ok(connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {table} ({names}, col INTEGER NOT NULL, value, differences BLOB NOT NULL, \
         since INTEGER NOT NULL, via INTEGER NOT NULL, PRIMARY KEY ({names}, col)) WITHOUT ROWID"
    ))?)
}

fn begin(connection: &Connection, shape: &TableShape, column: ColumnId) -> Outcome<()> {
    let Some(name) = shape.columns.iter().find(|known| known.id == column).map(|known| quoted(&known.name)) else {
        return Ok(());
    };
    let (table, names, own) = (counters_table(&shape.name), key_names(shape.keys.len()), &shape.keys);
    let keys = joined(own.len(), ", ", |at| format!("t.{}", quoted(&own[at])));
    let whole = joined(own.len(), " AND ", |at| format!("t.{} IS NOT NULL", quoted(&own[at])));
    let is_its =
        joined(own.len(), " AND ", |at| is_exactly(&format!("t.{}", quoted(&own[at])), &format!("m.k{}", at + 1)));
    let sql = format!(
        "INSERT OR REPLACE INTO {table} ({names}, col, value, differences, since, via) \
         SELECT {keys}, ?1, t.{name}, x'', ifnull(m.cut, 0), 0 FROM main.{} t \
         LEFT JOIN main.{} m ON {is_its} WHERE {whole}",
        quoted(&shape.name),
        marks_table(&shape.name)
    );
    connection.execute(&sql, [column.0])?;
    let sql = "INSERT INTO _packhorse_counters (tbl, col) VALUES (?1, ?2)";
    connection.execute(sql, params![shape.id.0, column.0])?;
    Ok(())
}

fn end(connection: &Connection, shape: &TableShape, column: ColumnId) -> Outcome<()> {
    connection.execute(&format!("DELETE FROM {} WHERE col = ?1", counters_table(&shape.name)), [column.0])?;
    let sql = "DELETE FROM _packhorse_counters WHERE tbl = ?1 AND col = ?2";
    connection.execute(sql, params![shape.id.0, column.0])?;
    Ok(())
}

/// Up to where differences need not be told apart: every link's peer knows of them, and nothing is held that was said before
/// its sender did; and where no bundle has ended yet.
pub(super) fn bounds(connection: &Connection) -> Outcome<Bounds> {
    let links = state::links(connection)?;
    let known = links.iter().filter(|link| link.state.standing() == Standing::Open).map(|link| link.state.answered());
    let known = known.chain(holding::earliest_seen(connection)?).min().unwrap_or(Cut(u64::MAX));
    let told = links.iter().map(|link| link.state.sealed_to()).max().unwrap_or_default();
    Ok(Bounds { known, told })
}

/// Forgets every difference: what peers know of them is not known any more before they have seen what there is at this cut.
pub(super) fn forget_differences(connection: &Connection, catalogue: &Catalogue, cut: Cut) -> Outcome<()> {
    let counting = catalogue.entries().iter().filter(|entry| !entry.shape.rules.add.is_empty());
    counting.map(|entry| &entry.counters.forget).try_for_each(|sql| {
        connection.prepare_cached(sql)?.execute([cut.0 as i64])?;
        Ok(())
    })
}

impl Entry {
    /// The counters of a record.
    pub fn counters_of(&self, connection: &Connection, key: &Key) -> Outcome<BTreeMap<ColumnId, Counter>> {
        let mut counters = BTreeMap::new();
        if self.shape.rules.add.is_empty() {
            return Ok(counters);
        }
        let mut statement = connection.prepare_cached(&self.counters.find)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        while let Some(row) = rows.next()? {
            let packed = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let since = (Cut(row.get::<_, i64>(3)? as u64), LinkId(row.get(4)?));
            counters.insert(ColumnId(row.get(0)?), Counter::unpack((owned(row.get_ref(1)?), since), packed)?);
        }
        Ok(counters)
    }

    /// Stores one.
    pub fn put_counter(&self, connection: &Connection, key: &Key, column: ColumnId, counter: &Counter) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.counters.put)?;
        let after = bind_from(&mut statement, 1, &key.0)?;
        statement.raw_bind_parameter(after, column.0)?;
        statement.raw_bind_parameter(after + 1, &counter.value)?;
        statement.raw_bind_parameter(after + 2, counter.pack())?;
        statement.raw_bind_parameter(after + 3, counter.since.0.0 as i64)?;
        statement.raw_bind_parameter(after + 4, counter.since.1.0)?;
        statement.raw_execute()?;
        Ok(())
    }

    /// Forgets those of a record that stands no more.
    pub fn drop_counters(&self, connection: &Connection, key: &Key) -> Outcome<()> {
        if !self.shape.rules.add.is_empty() {
            connection.prepare_cached(&self.counters.drop)?.execute(params_from_iter(&key.0))?;
        }
        Ok(())
    }

    /// The values of a record's counters, as they stand in its table.
    pub fn values_counted(&self, connection: &Connection, key: &Key) -> Outcome<Vec<(ColumnId, Value)>> {
        let counts = |id: &ColumnId| self.shape.rules.add.contains(id);
        if self.shape.rules.add.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare_cached(&self.sql.values)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        let Some(row) = rows.next()? else { return Ok(Vec::new()) };
        let ids = self.shape.columns.iter().map(|column| column.id).enumerate().filter(|(_, id)| counts(id));
        Ok(ids.map(|(at, id)| Ok((id, owned(row.get_ref(at)?)))).collect::<rusqlite::Result<_>>()?)
    }

    /// Whether other columns are to be counted than are.
    pub fn counts_otherwise(&self) -> bool {
        self.to_count != self.counted
    }
}
