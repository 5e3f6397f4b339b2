//! A trial of a set: what would come in and leave at a remote, before anything is changed.
//!
//! Owns the rows of the trial, which lie in temporary tables of a connection of its own that bear the names of the real ones:
//! statements made for those read and write these. Nothing is written to the database, and no lock on it is held.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::first::FirstLook;
use super::fit::fitting;
use super::rows::{self, members_table, shared_keys};
use super::shared_tables;
use crate::id::LinkId;
use crate::link::Role;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::{joined, quoted};
use crate::replica::sqlite::open;
use crate::replica::{MembershipId, SharedRows, SharedTable, Trial, Volume};
use crate::set::BoundSet;

/// The membership that is on trial.
const TRIED: MembershipId = MembershipId(0);

/// What the set would mean, table by table, for a link that shares what it does now; for one that shares nothing if none is
/// given. Tables in which nothing would move are left out.
pub(in super::super) fn run(
    path: &Path,
    catalogue: &Catalogue,
    set: &BoundSet,
    link: Option<LinkId>,
) -> Outcome<Vec<Trial>> {
    let mut connection = open::writer(path)?;
    let plan = fitting(&connection, set, catalogue)?;
    for entry in catalogue.entries() {
        rows::create_temporary(&connection, &entry.shape.name, entry.shape.keys.len())?;
    }
    let behavior = TransactionBehavior::Deferred;
    FirstLook { writer: &mut connection, catalogue, membership: TRIED, behavior }.run(&plan)?;
    let had = link.map(|link| super::sharing(&connection, catalogue, link, Role::Remote)).transpose()?;
    let wanted = shared_tables(set, catalogue, TRIED);
    let mut trials = Vec::new();
    for entry in catalogue.entries() {
        let of = |tables: &[SharedTable]| tables.iter().find(|table| table.shape.id == entry.shape.id).cloned();
        let (had, wanted) = (had.as_deref().and_then(of), of(&wanted));
        let trial = Trial {
            table: entry.shape.name.clone(),
            entering: difference(&connection, entry, wanted.as_ref(), had.as_ref())?,
            leaving: difference(&connection, entry, had.as_ref(), wanted.as_ref())?,
        };
        trials.extend((trial.entering.records + trial.leaving.records > 0).then_some(trial));
    }
    Ok(trials)
}

/// The records that one shares and the other does not.
fn difference(
    connection: &Connection,
    entry: &Entry,
    one: Option<&SharedTable>,
    other: Option<&SharedTable>,
) -> Outcome<Volume> {
    let Some(one) = one else { return Ok(Volume::default()) };
    let shape = &entry.shape;
    let keys: Vec<String> = shape.keys.iter().map(|key| format!("t.{}", quoted(key))).collect();
    let columns = one.columns.iter().filter_map(|at| shape.columns.get(*at));
    let columns = columns.map(|column| format!("t.{}", quoted(&column.name)));
    // About what a bundle takes for it before compression.
    let size = |value: String| format!("ifnull(length(CAST({value} AS BLOB)), 0) + 2");
    let sizes = keys.iter().cloned().chain(columns).map(size).collect::<Vec<_>>().join(" + ");
    let same = joined(keys.len(), " AND ", |at| format!("{} = d.k{}", keys[at], at + 1));
    let without = other.map_or(String::new(), |other| format!(" EXCEPT {}", selection(entry, other.rows)));
    let sql = format!(
        "SELECT count(*), ifnull(sum({sizes}), 0) FROM (SELECT * FROM ({}){without}) d JOIN {} t ON {same}",
        selection(entry, one.rows),
        quoted(&shape.name)
    );
    Ok(connection.query_row(&sql, [], |row| {
        Ok(Volume { records: row.get::<_, i64>(0)? as u64, bytes: row.get::<_, i64>(1)? as u64 })
    })?)
}

/// The keys of the records that are shared.
fn selection(entry: &Entry, rows: SharedRows) -> String {
    let schema = if rows == SharedRows::Members(TRIED) { "temp" } else { "main" };
    shared_keys(&entry.shape, rows, &format!("{schema}.{}", members_table(&entry.shape.name)))
}
