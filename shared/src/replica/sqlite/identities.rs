//! What records are known by beside their numbers: the table `_packhorse_identities`.
//!
//! Two records with assigned keys that were made apart are one if they have the same values in a unique key that is named
//! for that. Owns which key that is of each table: the one that the configuration names, else that of a join table, whose
//! columns all refer to others. The choice lies in the database, so that a package brings it to the remote.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::catalogue::{Catalogue, Entry};
use super::fault::{Fault, Outcome};
use super::names::{joined, quoted};
use super::schema::{UniqueIndex, unique_indexes};
use crate::id::{ColumnId, TableId};
use crate::replica::{KeyKind, Parent, ReplicaError, TableShape};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_identities (tbl INTEGER PRIMARY KEY, columns TEXT NOT NULL)";

/// The columns that are chosen, by table.
pub(super) type Identities = BTreeMap<TableId, Vec<ColumnId>>;

/// Those that are stored.
pub(super) fn load(connection: &Connection) -> Outcome<Identities> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_identities'";
    if !connection.prepare_cached(there)?.exists([])? {
        return Ok(Identities::new());
    }
    let mut statement = connection.prepare("SELECT tbl, columns FROM _packhorse_identities")?;
    let rows = statement.query_map([], |row| Ok((TableId(row.get(0)?), row.get::<_, String>(1)?)))?;
    let all: Vec<(TableId, String)> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(all.into_iter().map(|(table, columns)| (table, super::capture::listed(&columns))).collect())
}

/// Stores them in place of those before.
pub(super) fn store(connection: &Connection, identities: &Identities) -> Outcome<()> {
    connection.execute_batch(TABLE)?;
    connection.execute("DELETE FROM _packhorse_identities", [])?;
    for (table, columns) in identities {
        let columns: Vec<String> = columns.iter().map(|column| column.0.to_string()).collect();
        let sql = "INSERT INTO _packhorse_identities (tbl, columns) VALUES (?1, ?2)";
        connection.execute(sql, params![table.0, columns.join(",")])?;
    }
    Ok(())
}

/// What a configuration names, by table and column, as it is stored.
pub(super) fn named(
    connection: &Connection,
    catalogue: &Catalogue,
    wanted: &BTreeMap<String, Vec<String>>,
) -> Outcome<Identities> {
    let mut identities = Identities::new();
    for (table, columns) in wanted {
        let refused = |why: String| Fault::Said(ReplicaError::Identity { table: table.clone(), why });
        let entry = catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(table));
        let entry = entry.ok_or_else(|| refused("no such table is synced".to_owned()))?;
        identities.insert(entry.shape.id, columns_of(connection, entry, columns)?.map_err(refused)?);
    }
    Ok(identities)
}

fn columns_of(
    connection: &Connection,
    entry: &Entry,
    wanted: &[String],
) -> Outcome<std::result::Result<Vec<ColumnId>, String>> {
    let shape = &entry.shape;
    if shape.key_kind != KeyKind::Assigned {
        return Ok(Err("its records are known by their key already".to_owned()));
    }
    let mut columns = Vec::new();
    for name in wanted {
        match shape.position(name).and_then(|at| shape.columns.get(at)) {
            Some(column) => columns.push(column.id),
            None => return Ok(Err(format!("it has no column \"{name}\" beside its key"))),
        }
    }
    let indexes = unique_indexes(connection, &shape.name)?;
    let is_unique = indexes.iter().any(|index| is_made_of(index, wanted));
    Ok(if is_unique { Ok(columns) } else { Err(format!("no UNIQUE key is made of {}", wanted.join(", "))) })
}

fn is_made_of<S: AsRef<str>>(index: &UniqueIndex, wanted: &[S]) -> bool {
    let is_wanted = |one: &String| wanted.iter().any(|name| name.as_ref().eq_ignore_ascii_case(one));
    let columns = index.columns.as_ref();
    columns.is_some_and(|columns| columns.len() == wanted.len() && columns.iter().all(is_wanted))
}

/// The statement that finds the key of the record with given values of its table's identity: those that the unique key takes
/// for the same, by whatever collation it compares.
pub(super) fn finding(connection: &Connection, shape: &TableShape) -> Outcome<Option<String>> {
    let columns = shape.identity.iter().filter_map(|id| shape.columns.iter().find(|column| column.id == *id));
    let names: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let mut indexes = unique_indexes(connection, &shape.name)?;
    indexes.retain(|index| is_made_of(index, &names));
    // Of several the one that takes more for the same.
    let index = indexes.iter().max_by_key(|index| index.collations.iter().filter(|name| *name != "BINARY").count());
    let is_it = joined(names.len(), " AND ", |at| {
        let collation = index.and_then(|index| collation_of(index, names[at]));
        let compared = collation.map(|name| format!(" COLLATE {}", quoted(name))).unwrap_or_default();
        format!("{} = ?{}{compared}", quoted(names[at]), at + 1)
    });
    let keys: Vec<String> = shape.keys.iter().map(|key| quoted(key)).collect();
    Ok(Some(format!("SELECT {} FROM {} WHERE {is_it}", keys.join(", "), quoted(&shape.name))))
}

fn collation_of<'i>(index: &'i UniqueIndex, name: &str) -> Option<&'i str> {
    let at = index.columns.as_ref()?.iter().position(|column| column.eq_ignore_ascii_case(name))?;
    index.collations.get(at).map(String::as_str)
}

/// The columns of a join table's unique key: two or more, each of which refers to a record of another table.
pub(super) fn of_join_table(connection: &Connection, shape: &TableShape) -> Outcome<Vec<ColumnId>> {
    let refers = |name: &String| {
        let is_alone =
            |parent: &Parent| matches!(parent.columns.as_slice(), [only] if only.0.eq_ignore_ascii_case(name));
        shape.parents.iter().any(is_alone)
    };
    if shape.key_kind != KeyKind::Assigned || shape.parents.len() < 2 {
        return Ok(Vec::new());
    }
    let indexes = unique_indexes(connection, &shape.name)?;
    let joins = indexes
        .iter()
        .filter_map(|index| index.columns.as_ref())
        .find(|columns| columns.len() > 1 && columns.iter().all(refers));
    let id = |name: &String| shape.position(name).and_then(|at| shape.columns.get(at)).map(|column| column.id);
    Ok(joins.map(|columns| columns.iter().filter_map(id).collect()).unwrap_or_default())
}
