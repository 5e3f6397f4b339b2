//! Tables that are synced later than the database was prepared, because a set names them.
//!
//! Invariant: links that share everything share them too, with all that is in them. What was in a table before is known by its
//! key alone, there and here: rows that a migration put into the tables of all nodes are the same.

use rusqlite::Connection;

use super::rows;
use super::switch::Switch;
use super::{load, note_judged, of_link};
use crate::id::{Cut, LinkId};
use crate::link::Role;
use crate::replica::SharedTable;
use crate::replica::sqlite::catalogue::Catalogue;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::prepare::add_table;
use crate::replica::sqlite::schema::{Candidate, candidates};
use crate::replica::sqlite::state::{self, Progress};
use crate::set::Scope;

/// Which of these tables can be synced and are not.
pub(in super::super) fn wanting(found: &[Candidate], catalogue: &Catalogue, named: &[String]) -> Vec<String> {
    let is_named = |name: &str| named.iter().any(|named| named.eq_ignore_ascii_case(name));
    let is_synced = |name: &str| catalogue.named(name).is_some();
    let wanting = found.iter().map(|table| &table.name).filter(|name| is_named(name) && !is_synced(name));
    wanting.cloned().collect()
}

/// Begins to sync tables, within a write transaction in which nothing is unharvested.
pub(in super::super) fn add(connection: &Connection, wanting: &[String]) -> Outcome<()> {
    let (found, _) = candidates(connection)?;
    for table in found.iter().filter(|table| wanting.contains(&table.name)) {
        add_table(connection, table)?;
        rows::create(connection, &table.name, table.keys.len())?;
    }
    let catalogue = Catalogue::load(connection, &found)?;
    let mut progress = Progress::load(connection)?;
    for link in state::links(connection)?.iter().filter(|link| link.state.role() == Role::Remote) {
        if shares_everything(connection, link.id)? {
            progress.cut = owe(connection, &catalogue, wanting, link.id, [link.state.acked(), progress.cut])?;
        }
    }
    note_judged(connection, &mut progress)?;
    progress.store(connection)
}

fn shares_everything(connection: &Connection, link: LinkId) -> Outcome<bool> {
    let membership = of_link(connection, link)?;
    let set = membership.map(|membership| load(connection, membership)).transpose()?;
    Ok(set.is_some_and(|set| set.scope == Scope::Everything))
}

/// Notes that a link's peer lacks all that is in these tables; tells the last cut that this takes.
fn owe(
    connection: &Connection,
    catalogue: &Catalogue,
    tables: &[String],
    link: LinkId,
    [acked, latest]: [Cut; 2],
) -> Outcome<Cut> {
    let mut switch = Switch { connection, link, acked, after: latest };
    for entry in catalogue.entries().iter().filter(|entry| tables.contains(&entry.shape.name)) {
        switch.after = switch.table(entry, None, Some(&SharedTable::all(entry.shape.clone())))?;
    }
    Ok(switch.after)
}
