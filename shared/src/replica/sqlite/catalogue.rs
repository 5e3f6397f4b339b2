//! The synced tables of an open database: their shapes and the statements made for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::bystanders::{self, Bystander};
use super::capture::{LastValues, listed};
use super::counters::{self, CounterRows};
use super::fault::Outcome;
use super::identities;
use super::membership::lint::title_fault;
use super::membership::rows::{self, MemberRows};
use super::metadata::Metadata;
use super::names::{joined, marks_table, quoted, quoted_list, remains_table};
use super::policies;
use super::references;
use super::referring::{Referring, renumbered};
use super::schema::Candidate;
use super::terms;
use crate::clock::Stamp;
use crate::id::{ColumnId, TableId};
use crate::marks::Roster;
use crate::replica::{ColumnShape, KeyKind, Parent, Rules, TableShape};
use crate::value::{Key, Value};

/// Statements on the application's table, as text that the connection's statement cache knows again.
#[derive(Clone, Debug)]
pub(super) struct TableSql {
    /// Whether a record stands under a key.
    pub exists: String,
    /// Every synced value of the record under a key.
    pub values: String,
    /// Takes the record under a key away.
    pub delete: String,
    /// Records with marks later than a cut: key, birth, marks, whether the record stands, values.
    pub changed: String,
    /// Remains later than a cut: key, birth, remains.
    pub remains: String,
    /// Records that lie before every cut, in the order of keys, from the first on or from a key on: key, birth, marks (NULL
    /// if there are none), values.
    pub before_all_cuts: [String; 2],
    /// How many records of either kind changed last at each cut after one, in order of cuts.
    pub counts: [String; 2],
    /// For each foreign key: the key of what the record under a key refers to, if that does not stand.
    pub orphaned: Vec<(Parent, String)>,
    /// For each foreign key: the parent table, and the keys of the records that refer to the parent's record under a key.
    children: Vec<(String, String)>,
    keys: Vec<String>,
    name: String,
}

/// One synced table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub shape: TableShape,
    pub metadata: Metadata,
    pub sql: TableSql,
    pub last: LastValues,
    pub counters: CounterRows,
    /// The columns that are counters by the policy, and those that are counted; in order.
    pub to_count: Vec<ColumnId>,
    pub counted: Vec<ColumnId>,
    pub members: MemberRows,
    /// Whether there are any rows of memberships.
    pub has_members: bool,
    /// The default of each column of the shape, as SQL.
    pub defaults: Vec<String>,
    /// Finds the key of the record with the same identity, if the table has one.
    pub identical: Option<String>,
}

/// Every synced table.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    entries: Vec<Entry>,
    shapes: Arc<[TableShape]>,
    captures: BTreeMap<i64, Vec<ColumnId>>,
    bystanders: Vec<Bystander>,
}

impl Catalogue {
    /// Reads which of the candidates are synced. A synced table that is gone from the database is passed over.
    pub fn load(connection: &Connection, candidates: &[Candidate]) -> Outcome<Self> {
        let mut statement = connection.prepare("SELECT id, name FROM _packhorse_tables ORDER BY id")?;
        let known: Vec<(u32, String)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        let identities = identities::load(connection)?;
        let configured = references::all(connection)?;
        let (policies, told) = (policies::load(connection)?, terms::told(connection)?);
        let counting = counters::in_force(connection)?;
        let mut entries = Vec::new();
        for (id, name) in &known {
            if let Some(candidate) = candidates.iter().find(|candidate| candidate.name.eq_ignore_ascii_case(name)) {
                let synced = |table: &str| known.iter().any(|(_, known)| known.eq_ignore_ascii_case(table));
                let keys_of = |table: &str| candidates.iter().find(|c| c.name == table).map(|c| c.keys.clone());
                let referring = Referring { candidates, configured: &configured, synced: &synced };
                let mut shape = shape(connection, TableId(*id), candidate, &referring)?;
                shape.identity = match identities.get(&shape.id) {
                    Some(columns) => columns.clone(),
                    None => identities::of_join_table(connection, &shape)?,
                };
                shape.rules = policies::rules(&policies, &shape, &told);
                let has_members = rows::are_there(connection, &shape.name)?;
                let identical = identities::finding(connection, &shape)?;
                let counted = counting.iter().filter(|it| it.0 == shape.id).map(|it| it.1).collect();
                let to_count = std::mem::take(&mut shape.rules.add);
                shape.rules.add = to_count.iter().filter(|it| counting.contains(&(shape.id, **it))).copied().collect();
                let fresh = Entry::new(shape, candidate, &keys_of);
                let mut entry = Entry { has_members, identical, to_count, counted, ..fresh };
                // What a hub says is looked at like what a person writes; and the table may have changed since.
                if let Some(title) = &entry.shape.rules.title
                    && title_fault(connection, &entry, title)?.is_some()
                {
                    entry.shape.rules.title = None;
                }
                entries.push(entry);
            }
        }
        let shapes = entries.iter().map(|entry| entry.shape.clone()).collect();
        let is_synced = |table: &str| known.iter().any(|(_, known)| known.eq_ignore_ascii_case(table));
        let bystanders = bystanders::load(connection, &is_synced)?;
        Ok(Self { entries, shapes, captures: captures(connection)?, bystanders })
    }

    /// The shapes of all.
    pub fn shapes(&self) -> &Arc<[TableShape]> {
        &self.shapes
    }

    /// All, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at a place given by this catalogue.
    pub fn at(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    /// The entry of a table by its name, as the schema writes it.
    pub fn named(&self, table: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.shape.name == table)
    }

    /// The place of the table with this number.
    pub fn place_of(&self, id: i64) -> Option<usize> {
        self.entries.iter().position(|entry| i64::from(entry.shape.id.0) == id)
    }

    /// The entry of a shape of this catalogue.
    pub fn entry(&self, table: &TableShape) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.shape.id == table.id)
    }

    /// For each foreign key that refers to a table: the child table, and the statement that finds the keys of the
    /// children of the record under a key.
    pub fn children_of<'a>(&'a self, parent: &'a TableShape) -> impl Iterator<Item = (&'a TableShape, &'a str)> {
        self.entries.iter().flat_map(|child| {
            let to_parent = child.sql.children.iter().filter(|(table, _)| *table == parent.name);
            to_parent.map(|(_, sql)| (&child.shape, sql.as_str()))
        })
    }

    /// What refers to a column from tables that are not synced.
    pub fn bystanders_of<'a>(&'a self, table: &'a str, column: &'a str) -> impl Iterator<Item = &'a Bystander> {
        self.bystanders.iter().filter(move |bystander| bystander.refers_to(table, column))
    }

    /// The columns that a capture's masks speak of.
    pub fn captured_columns(&self, capture: i64) -> Option<&[ColumnId]> {
        self.captures.get(&capture).map(Vec::as_slice)
    }
}

fn captures(connection: &Connection) -> Outcome<BTreeMap<i64, Vec<ColumnId>>> {
    let mut statement = connection.prepare("SELECT id, columns FROM _packhorse_captures")?;
    let mut rows = statement.query([])?;
    let mut captures = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let list: String = row.get(1)?;
        captures.insert(row.get(0)?, listed(&list));
    }
    Ok(captures)
}

fn shape(connection: &Connection, id: TableId, table: &Candidate, referring: &Referring<'_>) -> Outcome<TableShape> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM _packhorse_columns WHERE tbl = ?1")?;
    let known: Vec<(u32, String)> =
        statement.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let parents: Vec<_> = table.parents.iter().filter(|parent| (referring.synced)(&parent.table)).cloned().collect();
    let columns = table.columns.iter().filter_map(|column| {
        let id = known.iter().find(|known| known.1.eq_ignore_ascii_case(&column.name))?.0;
        let refers_to = referring.of(table, &column.name);
        let pair = referring.pair(table, &column.name, &known).filter(|_| refers_to.is_none());
        let (name, affinity) = (column.name.clone(), column.affinity);
        Some(ColumnShape { id: ColumnId(id), name, affinity, refers_to, pair })
    });
    let columns: Vec<ColumnShape> = columns.collect();
    let names = table.keys.iter().chain(columns.iter().map(|column| &column.name));
    let compared = names.filter(|name| referring.declares(table, name)).cloned().collect();
    Ok(TableShape {
        id,
        name: table.name.clone(),
        keys: table.keys.clone(),
        key_affinities: table.key_affinities.clone(),
        key_kind: table.key_kind,
        key_refers_to: table.keys.iter().map(|key| referring.of(table, key)).collect(),
        compared,
        columns,
        parents,
        identity: Vec::new(),
        rules: Rules::default(),
    })
}

impl Entry {
    /// The key that a record has now which was known by this one, and by its birth if it has one.
    pub fn key_now(&self, connection: &Connection, key: Key, birth: Option<Stamp>, roster: &Roster) -> Outcome<Key> {
        let number = match birth.filter(|_| self.shape.key_kind == KeyKind::Assigned) {
            Some(birth) => self.metadata.number_of(connection, birth, roster)?,
            None => None,
        };
        Ok(number.map_or(key, |number| Key(vec![Value::Integer(number)])))
    }

    fn new(shape: TableShape, candidate: &Candidate, keys_of: &dyn Fn(&str) -> Option<Vec<String>>) -> Self {
        let metadata = Metadata::of(&shape.name, shape.keys.len());
        let sql = TableSql::of(&shape, keys_of);
        let default = |column: &ColumnShape| {
            let known = candidate.columns.iter().find(|known| known.name == column.name);
            known.and_then(|known| known.default.clone()).unwrap_or_else(|| "NULL".to_owned())
        };
        let defaults = shape.columns.iter().map(default).collect();
        let last = LastValues::of(&shape);
        let members = MemberRows::of(&shape.name, shape.keys.len());
        let counters = CounterRows::of(&shape.name, shape.keys.len());
        let (to_count, counted) = (Vec::new(), Vec::new());
        let (has_members, identical) = (false, None);
        Self { shape, metadata, sql, last, counters, to_count, counted, members, has_members, defaults, identical }
    }
}

impl TableSql {
    fn of(shape: &TableShape, keys_of: &dyn Fn(&str) -> Option<Vec<String>>) -> Self {
        let name = quoted(&shape.name);
        let keys: Vec<String> = shape.keys.iter().map(|key| quoted(key)).collect();
        let columns = || shape.columns.iter().map(|column| column.name.as_str());
        let is_key = key_condition(&keys, 1);
        let (marks, remains) = (marks_table(&shape.name), remains_table(&shape.name));
        let our_key = joined(keys.len(), ", ", |at| format!("m.k{}", at + 1));
        let matches =
            joined(keys.len(), " AND ", |at| is_exactly(&format!("t.{}", keys[at]), &format!("m.k{}", at + 1)));
        let values: String = columns().map(|column| format!(", t.{}", quoted(column))).collect();
        let list = if shape.columns.is_empty() { "1".to_owned() } else { quoted_list(columns()) };
        Self {
            exists: format!("SELECT 1 FROM {name} WHERE {is_key}"),
            values: format!("SELECT {list} FROM {name} WHERE {is_key}"),
            delete: format!("DELETE FROM {name} WHERE {is_key}"),
            changed: format!(
                "SELECT {our_key}, m.birth, m.marks, t.{} IS NOT NULL{values} FROM {marks} m \
                 LEFT JOIN {name} t ON {matches} WHERE m.cut > ?1 AND m.cut <= ?2",
                keys.first().map_or("rowid", String::as_str)
            ),
            remains: format!("SELECT {our_key}, m.birth, m.remains FROM {remains} m WHERE m.cut > ?1 AND m.cut <= ?2"),
            before_all_cuts: before_all_cuts(&name, &marks, &keys, &values),
            counts: [&marks, &remains]
                .map(|table| format!("SELECT cut, count(*) FROM {table} WHERE cut > ?1 GROUP BY cut ORDER BY cut")),
            orphaned: shape.parents.iter().filter_map(|parent| orphaned(shape, parent, keys_of)).collect(),
            children: shape.parents.iter().map(|parent| child(shape, parent, keys_of)).collect(),
            keys,
            name,
        }
    }

    /// Whether a column of the record under a key holds something else than the default that it was added with.
    pub fn filled(&self, column: &str, default: &str) -> String {
        let (name, column) = (&self.name, quoted(column));
        let is_key = key_condition(&self.keys, 1);
        format!("SELECT {column} IS NOT ({default}) COLLATE BINARY FROM {name} WHERE {is_key}")
    }

    /// Sets a reference of the record under a key right whose record, of this parent (it may be the same table), has moved
    /// from that number; the parent's number comes after the key. `also` is a condition more, beginning with AND.
    pub fn redirect(&self, column: &str, parent: &TableShape, also: &str) -> Option<String> {
        let (name, column) = (&self.name, quoted(column));
        let (parent, parent_key) = (quoted(&parent.name), quoted(parent.keys.first()?));
        let (is_key, table) = (key_condition(&self.keys, 1), self.keys.len() + 1);
        let moved = format!("FROM _packhorse_moved WHERE tbl = ?{table} AND old = {name}.{column}");
        let new = renumbered(&format!("{name}.{column}"), "new");
        Some(format!(
            "UPDATE OR IGNORE {name} SET {column} = (SELECT {new} {moved} ORDER BY new LIMIT 1) WHERE {is_key} \
             AND EXISTS (SELECT 1 {moved}) AND NOT EXISTS (SELECT 1 FROM {parent} AS _packhorse_parent \
             WHERE _packhorse_parent.{parent_key} = {name}.{column}){also}"
        ))
    }

    /// Puts a record with these columns beside its key.
    pub fn insert(&self, columns: &[&str]) -> String {
        let all: Vec<String> = self.keys.iter().cloned().chain(columns.iter().map(|column| quoted(column))).collect();
        let holes = joined(all.len(), ", ", |at| format!("?{}", at + 1));
        format!("INSERT OR ABORT INTO {} ({}) VALUES ({holes})", self.name, all.join(", "))
    }

    /// Changes these columns of the record under a key; the key's holes come last.
    pub fn update(&self, columns: &[&str]) -> String {
        let sets = joined(columns.len(), ", ", |at| format!("{} = ?{}", quoted(columns[at]), at + 1));
        format!("UPDATE OR ABORT {} SET {sets} WHERE {}", self.name, key_condition(&self.keys, columns.len() + 1))
    }
}

/// The records that lie before every cut, without marks or with those of a package: all, and those after a key. (Row values
/// compare as the key's own index does.)
fn before_all_cuts(name: &str, marks: &str, keys: &[String], values: &str) -> [String; 2] {
    let own = joined(keys.len(), ", ", |at| format!("t.{}", keys[at]));
    let whole = joined(keys.len(), " AND ", |at| format!("t.{} IS NOT NULL", keys[at]));
    let matches = joined(keys.len(), " AND ", |at| format!("m.k{} = t.{}", at + 1, keys[at]));
    let holes = joined(keys.len(), ", ", |at| format!("?{}", at + 1));
    let later = format!(" AND ({own}) > ({holes})");
    ["", later.as_str()].map(|later| {
        format!(
            "SELECT {own}, m.birth, m.marks{values} FROM {name} t LEFT JOIN {marks} m ON {matches} \
             WHERE {whole}{later} AND ifnull(m.cut, 0) = 0 ORDER BY {own}"
        )
    })
}

/// The key of what a record refers to by a foreign key, if that does not stand. A NULL in the reference refers to nothing.
fn orphaned(
    shape: &TableShape,
    parent: &Parent,
    keys_of: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Option<(Parent, String)> {
    let parent_keys = keys_of(&parent.table)?;
    let here = |key: &String| parent.columns.iter().find(|(_, there)| there.eq_ignore_ascii_case(key));
    let matching: Option<Vec<&str>> = parent_keys.iter().map(|key| here(key).map(|(here, _)| here.as_str())).collect();
    let reference = matching.filter(|reference| reference.len() == parent.columns.len())?;
    let keys: Vec<String> = shape.keys.iter().map(|key| format!("c.{}", quoted(key))).collect();
    let column = |at: usize| format!("c.{}", quoted(reference[at]));
    // As SQLite compares it with a number.
    let number = |at: usize| match shape.compares(reference[at]) {
        true => format!("CAST({} AS NUMERIC)", column(at)),
        false => column(at),
    };
    let refers = joined(reference.len(), " AND ", |at| format!("{} IS NOT NULL", column(at)));
    let sql = format!(
        "SELECT {} FROM {} c WHERE {} AND {refers} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
        joined(reference.len(), ", ", number),
        quoted(&shape.name),
        key_condition(&keys, 1),
        quoted(&parent.table),
        joins(parent),
    );
    Some((parent.clone(), sql))
}

/// The keys of the records of `shape` that refer to the parent's record under a key, without that record itself.
fn child(shape: &TableShape, parent: &Parent, keys_of: &dyn Fn(&str) -> Option<Vec<String>>) -> (String, String) {
    let parent_keys: Vec<String> =
        keys_of(&parent.table).unwrap_or_default().iter().map(|key| format!("p.{}", quoted(key))).collect();
    let told = shape.keys.iter().map(|key| format!("c.{}", quoted(key))).collect::<Vec<_>>().join(", ");
    let other = if parent.table == shape.name {
        let same = shape.keys.iter().map(|key| format!("c.{0} IS p.{0}", quoted(key))).collect::<Vec<_>>();
        format!(" AND NOT ({})", same.join(" AND "))
    } else {
        String::new()
    };
    let sql = format!(
        "SELECT {told} FROM {} p JOIN {} c ON {} WHERE {}{other}",
        quoted(&parent.table),
        quoted(&shape.name),
        joins(parent),
        key_condition(&parent_keys, 1)
    );
    (parent.table.clone(), sql)
}

fn joins(parent: &Parent) -> String {
    let pairs = parent.columns.iter().map(|(here, there)| format!("p.{} = c.{}", quoted(there), quoted(here)));
    pairs.collect::<Vec<_>>().join(" AND ")
}

/// `"a" = ?f AND "b" = ?(f+1) ...`, exactly.
fn key_condition(keys: &[String], first: usize) -> String {
    joined(keys.len(), " AND ", |at| is_exactly(&keys[at], &format!("?{}", first + at)))
}

/// A key as it is written, also where the column's own collation, whose index finds the row, takes 'a' for 'A': marks
/// and logs know records by what is written, and two ends must mean the same record.
pub(super) fn is_exactly(column: &str, value: &str) -> String {
    format!("{column} = {value} AND {column} = {value} COLLATE BINARY")
}
