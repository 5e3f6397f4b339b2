//! The conflicts that were written down: the table `_packhorse_conflicts`.
//!
//! Owns its layout. A value is overruled once: two rows never have the same loser. Whether a conflict is open is read from the
//! field's mark, and written down only before marks are forgotten. A record that gets another number keeps its conflicts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, params};

use super::catalogue::{Catalogue, Entry};
use super::fault::{Fault, Outcome};
use super::metadata::unpack_birth;
use super::state;
use super::values::owned;
use crate::bundle::values;
use crate::clock::{Reading, Stamp, WallTime};
use crate::id::{ColumnId, Cut, LinkId};
use crate::marks::Roster;
use crate::replica::{ConflictState, Matter, Noted, Overruled, SharedTable, Side, Version};
use crate::value::{Key, Value};

pub(super) const TABLE: &str = "
CREATE TABLE _packhorse_conflicts (id INTEGER PRIMARY KEY, link INTEGER NOT NULL, tbl TEXT NOT NULL COLLATE NOCASE,
    record BLOB NOT NULL, birth BLOB, col TEXT NOT NULL COLLATE NOCASE, kept, kept_at INTEGER NOT NULL,
    kept_by INTEGER NOT NULL, lost, lost_at INTEGER NOT NULL, lost_by INTEGER NOT NULL, stands_at INTEGER NOT NULL,
    stands_by INTEGER NOT NULL, theirs INTEGER NOT NULL, noted INTEGER NOT NULL, cut INTEGER,
    refusal INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, UNIQUE (tbl, record, col, lost_at, lost_by));
CREATE INDEX _packhorse_conflicts_by_cut ON _packhorse_conflicts (link, cut);
CREATE INDEX _packhorse_conflicts_unsettled ON _packhorse_conflicts (id) WHERE NOT (refusal OR settled);
";

const COLUMNS: &str = "id, link, tbl, record, birth, col, kept, kept_at, kept_by, lost, lost_at, lost_by, stands_at, \
                       stands_by, theirs, noted, settled";

/// A key as it is stored.
pub(super) fn packed(key: &Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.0.iter().for_each(|value| values::put(&mut bytes, value));
    bytes
}

fn unpacked(mut bytes: &[u8]) -> Outcome<Key> {
    let mut key = Vec::new();
    while !bytes.is_empty() {
        let value = values::take(&mut bytes);
        key.push(value.ok_or_else(|| Fault::Damaged("the key of a conflict cannot be read".into()))?);
    }
    Ok(Key(key))
}

/// A conflict with what tells whether it is open.
struct Stored {
    noted: Noted,
    stands_as: Stamp,
}

fn stored(row: &Row<'_>, roster: &Roster) -> Outcome<Stored> {
    let stamp = |at: usize| -> Outcome<Stamp> {
        let reading = Reading(row.get::<_, i64>(at)? as u64);
        let node = roster.node(row.get::<_, i64>(at + 1)? as u64);
        let node = node.ok_or_else(|| Fault::Damaged("a conflict is with a node that is not known".into()))?;
        Ok(Stamp { reading, node })
    };
    let settled: bool = row.get(16)?;
    let noted = Noted {
        id: row.get(0)?,
        link: LinkId(row.get(1)?),
        table: row.get(2)?,
        key: unpacked(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?,
        column: row.get(5)?,
        kept: Version { value: owned(row.get_ref(6)?), stamp: stamp(7)? },
        lost: Version { value: owned(row.get_ref(9)?), stamp: stamp(10)? },
        stands: if row.get(14)? { Side::Theirs } else { Side::Ours },
        noted: WallTime(row.get::<_, i64>(15)? as u64),
        state: if settled { ConflictState::Settled } else { ConflictState::Open },
    };
    Ok(Stored { noted, stands_as: stamp(12)? })
}

/// Every conflict of the tables that are synced, in the order in which they were noted.
pub(super) fn all(connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<Noted>> {
    let sql = format!("SELECT {COLUMNS} FROM _packhorse_conflicts WHERE NOT refusal ORDER BY id");
    judged(connection, catalogue, &sql).map(|all| all.into_iter().map(|stored| stored.noted).collect())
}

/// Every change of those tables that a hub has refused, this node or its own, in the same order.
pub(super) fn refusals(connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<Noted>> {
    let sql = format!("SELECT {COLUMNS} FROM _packhorse_conflicts WHERE refusal ORDER BY id");
    judged(connection, catalogue, &sql).map(|all| all.into_iter().map(|stored| stored.noted).collect())
}

/// How many of each link are open.
pub(super) fn open_by_link(connection: &Connection, catalogue: &Catalogue) -> Outcome<BTreeMap<LinkId, u64>> {
    let mut counts = BTreeMap::new();
    for Stored { noted, .. } in unsettled(connection, catalogue)? {
        if noted.state == ConflictState::Open {
            *counts.entry(noted.link).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Writes down which are settled, before marks are forgotten.
pub(super) fn settle(connection: &Connection, catalogue: &Catalogue) -> Outcome<()> {
    for Stored { noted, .. } in unsettled(connection, catalogue)? {
        if noted.state == ConflictState::Settled {
            let sql = "UPDATE _packhorse_conflicts SET settled = 1 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute([noted.id])?;
        }
    }
    Ok(())
}

fn unsettled(connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<Stored>> {
    judged(
        connection,
        catalogue,
        &format!("SELECT {COLUMNS} FROM _packhorse_conflicts WHERE NOT (refusal OR settled) ORDER BY id"),
    )
}

/// Reads conflicts, each under the key that its record has now and with what has become of it.
fn judged(connection: &Connection, catalogue: &Catalogue, sql: &str) -> Outcome<Vec<Stored>> {
    let roster = state::roster(connection)?;
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut fields: BTreeMap<(String, Vec<u8>, String), Vec<Stored>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut stored = stored(row, &roster)?;
        let table = &stored.noted.table;
        let Some(entry) = catalogue.entries().iter().find(|it| it.shape.name.eq_ignore_ascii_case(table)) else {
            continue;
        };
        let birth = unpack_birth(row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)?, &roster)?;
        stored.noted.key = entry.key_now(connection, stored.noted.key, birth, &roster)?;
        let column = stored.noted.column.to_ascii_lowercase();
        fields.entry((entry.shape.name.clone(), packed(&stored.noted.key), column)).or_default().push(stored);
    }
    let mut all = Vec::new();
    for of_one in fields.into_values() {
        all.extend(judged_field(connection, catalogue, of_one, &roster)?);
    }
    all.sort_by_key(|stored| stored.noted.id);
    Ok(all)
}

/// Of one field: open are the conflicts that its value now has won, and those that what it overruled had won.
fn judged_field(
    connection: &Connection,
    catalogue: &Catalogue,
    mut conflicts: Vec<Stored>,
    roster: &Roster,
) -> Outcome<Vec<Stored>> {
    let now = match conflicts.first() {
        Some(one) => stamp_now(connection, catalogue, &one.noted, roster)?,
        None => return Ok(conflicts),
    };
    let mut standing: BTreeSet<Stamp> = BTreeSet::new();
    standing.extend(match now {
        Now::Changed(stamp) => Some(stamp),
        Now::Unmarked => conflicts.iter().map(|stored| stored.stands_as).max(),
        Now::Gone => None,
    });
    conflicts.sort_by_key(|stored| Reverse(stored.stands_as));
    let mut value = None;
    for Stored { noted, stands_as } in &mut conflicts {
        let is_winner = noted.state == ConflictState::Open && standing.contains(stands_as);
        // What lost once and has won since has lost nothing.
        if is_winner && *value.get_or_insert_with(|| noted.kept.value.clone()) != noted.lost.value {
            standing.insert(noted.lost.stamp);
        } else {
            noted.state = ConflictState::Settled;
        }
    }
    Ok(conflicts)
}

/// How a field stands now.
enum Now {
    /// It was changed last at this stamp.
    Changed(Stamp),
    /// When it was changed is forgotten, or it never was.
    Unmarked,
    /// Its record does not stand, or it has no such column any more.
    Gone,
}

fn stamp_now(connection: &Connection, catalogue: &Catalogue, noted: &Noted, roster: &Roster) -> Outcome<Now> {
    let entry = catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(&noted.table));
    let column = entry.and_then(|entry| Some((entry, column_of(entry, &noted.column)?)));
    let Some((entry, column)) = column else { return Ok(Now::Gone) };
    let mut stands = connection.prepare_cached(&entry.sql.exists)?;
    if !stands.exists(rusqlite::params_from_iter(&noted.key.0))? {
        return Ok(Now::Gone);
    }
    let present = entry.metadata.marks(connection, &noted.key, roster)?;
    Ok(present.and_then(|it| it.marks.get(column)).map_or(Now::Unmarked, |mark| Now::Changed(mark.stamp)))
}

fn column_of(entry: &Entry, name: &str) -> Option<ColumnId> {
    entry.shape.position(name).and_then(|at| entry.shape.columns.get(at)).map(|column| column.id)
}

/// What was overruled in a table since a cut by or against what came over a link, of the columns that it shares, by key: of
/// each field the latest.
pub(super) fn overruled(
    connection: &Connection,
    link: LinkId,
    table: &SharedTable,
    since: Cut,
    roster: &Roster,
) -> Outcome<Vec<Overruled>> {
    let sql = format!(
        "SELECT {COLUMNS}, refusal FROM _packhorse_conflicts WHERE link = ?1 AND cut > ?2 AND tbl = ?3 ORDER BY id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![link.0, since.0 as i64, table.shape.name])?;
    let mut found: BTreeMap<(Key, bool, Option<usize>), Overruled> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (noted, is_refusal): (Noted, bool) = (stored(row, roster)?.noted, row.get(17)?);
        let birth = unpack_birth(row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)?, roster)?;
        let column = table.shape.position(&noted.column).filter(|at| table.columns.contains(at));
        if column.is_none() && !noted.column.is_empty() {
            continue;
        }
        let matter = if is_refusal { Matter::Refusal } else { Matter::Conflict };
        let one = Overruled { key: noted.key.clone(), birth, column, lost: noted.lost, matter };
        found.insert((noted.key, is_refusal, column), one);
    }
    Ok(found.into_values().collect())
}

/// Whether a record's making was refused by this word.
pub(super) fn is_refusal(connection: &Connection, table: &str, word: Stamp, roster: &Roster) -> Outcome<bool> {
    let Some(node) = roster.number(word.node) else { return Ok(false) };
    let sql =
        "SELECT 1 FROM _packhorse_conflicts WHERE refusal AND col = '' AND tbl = ?1 AND kept_at = ?2 AND kept_by = ?3";
    Ok(connection.prepare_cached(sql)?.exists(params![table, word.reading.0 as i64, node as i64])?)
}

/// Lets the conflicts of a record go with it to another number; what stands there as well goes.
pub(super) fn move_number(connection: &Connection, table: &str, from: i64, to: i64) -> Outcome<()> {
    let [from, to] = [from, to].map(|number| packed(&Key(vec![Value::Integer(number)])));
    let sql = "UPDATE OR REPLACE _packhorse_conflicts SET record = ?3 WHERE tbl = ?1 AND record = ?2";
    connection.prepare_cached(sql)?.execute(params![table, from, to])?;
    Ok(())
}
