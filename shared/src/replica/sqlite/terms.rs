//! The terms of a link in the database: what a hub tells its remote, and what a remote was told.
//!
//! Owns the columns `terms`, `terms_since` and `terms_before` of `_packhorse_sharing`, and the entry `terms` of
//! `_packhorse_state` at a remote. Invariant: what is shared no more is gone from the remote's tables once the terms
//! that say so are taken over.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::catalogue::{Catalogue, Entry};
use super::counters;
use super::fault::{Fault, Outcome};
use super::holding;
use super::identities::{self, Identities};
use super::membership::gained;
use super::names::{marks_table, quoted, remains_table};
use super::policies;
use super::prepare::add_table;
use super::references::{self, Origin};
use super::schema::candidates;
use super::silence::without_triggers;
use super::state::{self, Progress};
use crate::id::{ColumnId, Cut, LinkId, NodeId};
use crate::link::Role;
use crate::marks::{Mark, Marks};
use crate::replica::{SharedColumns, SharedRows, SharedTable, Terms};
use crate::set::{BoundSet, Rows, Scope};

/// What a set means to its remote.
pub(super) fn of_set(connection: &Connection, catalogue: &Catalogue, set: &BoundSet) -> Outcome<Terms> {
    let all = || {
        catalogue.shapes().iter().map(|shape| SharedColumns { table: shape.name.clone(), columns: None, part: false })
    };
    let tables = match &set.scope {
        // Named all the same: one that comes later is new to the remote too.
        Scope::Everything => all().collect(),
        Scope::Tables(tables) => {
            let named = |table: &crate::set::SetTable| SharedColumns {
                table: table.name.clone(),
                columns: table.columns.clone(),
                part: table.rows != Rows::All,
            };
            tables.iter().map(named).collect()
        }
    };
    let mut terms = Terms { tables: Some(tables), ..Terms::default() };
    let shared = |name: &str| {
        catalogue
            .entries()
            .iter()
            .any(|entry| entry.shape.name.eq_ignore_ascii_case(name) && terms.columns_of(&entry.shape).is_some())
    };
    let references = references::all(connection)?.into_iter().filter(|reference| shared(&reference.table)).collect();
    let identities = identities::load(connection)?.into_iter().filter_map(|(table, columns)| {
        let shape = &catalogue.at(catalogue.place_of(table.0.into())?).shape;
        let name = |id| shape.columns.iter().find(|column| column.id == id).map(|column| column.name.clone());
        let names = columns.into_iter().filter_map(name).collect();
        shared(&shape.name).then(|| (shape.name.clone(), names))
    });
    let identities = identities.collect();
    terms.policies = policies::load(connection)?.into_iter().filter(|(table, _)| shared(table)).collect();
    terms.references = references;
    terms.identities = identities;
    Ok(terms)
}

/// As they are kept.
pub(super) fn bytes_of(terms: &Terms) -> Outcome<Vec<u8>> {
    terms.to_bytes().map_err(|error| Fault::Damaged(error.to_string()))
}

/// Reads them as they are kept.
pub(super) fn of_bytes(bytes: &[u8]) -> Outcome<Terms> {
    Terms::from_bytes(bytes).map_err(|error| Fault::Damaged(error.to_string()))
}

/// What a link's peer is to be told, if it was not before this cut; and since when.
pub(super) fn owed(connection: &Connection, link: LinkId, since: Option<Cut>) -> Outcome<Option<(Vec<u8>, Cut)>> {
    let since = since.map_or(-1, |since| since.0 as i64);
    let sql = "SELECT terms, terms_since FROM _packhorse_sharing WHERE link = ?1 AND terms_since > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![link.0, since], |row| Ok((row.get(0)?, Cut(row.get::<_, i64>(1)? as u64))));
    Ok(found.optional()?)
}

/// What a link's peer was told last before its terms changed, if it has not acknowledged those of today.
pub(super) fn still_held_by(connection: &Connection, link: LinkId, acked: Cut) -> Outcome<Option<Terms>> {
    let sql = "SELECT terms_before FROM _packhorse_sharing \
               WHERE link = ?1 AND terms_since > ?2 AND terms_before IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let bytes: Option<Vec<u8>> = statement.query_row(params![link.0, acked.0 as i64], |row| row.get(0)).optional()?;
    bytes.map(|bytes| of_bytes(&bytes)).transpose()
}

/// What this node was told by its hub.
pub(super) fn told(connection: &Connection) -> Outcome<Terms> {
    let sql = "SELECT value FROM _packhorse_state WHERE name = 'terms'";
    let bytes: Option<Vec<u8>> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    bytes.map_or(Ok(Terms::default()), |bytes| of_bytes(&bytes))
}

/// Keeps what the hub says: its own word on references goes before, that on identities does not.
pub(super) fn keep(connection: &Connection, catalogue: &Catalogue, terms: &Terms) -> Outcome<()> {
    let sql = "INSERT OR REPLACE INTO _packhorse_state (name, value) VALUES ('terms', ?1)";
    connection.prepare_cached(sql)?.execute([bytes_of(terms)?])?;
    if !references::are(connection, Origin::Package, &terms.references)? {
        references::replace(connection, Origin::Package, &terms.references)?;
    }
    let identities = identities_here(catalogue, &terms.identities);
    if identities != identities::load(connection)? {
        identities::store(connection, &identities)?;
    }
    if terms.policies != policies::load(connection)? {
        policies::store(connection, &terms.policies)?;
    }
    Ok(())
}

/// What tables are known by, in this database's numbers.
fn identities_here(catalogue: &Catalogue, named: &BTreeMap<String, Vec<String>>) -> Identities {
    let here = named.iter().filter_map(|(table, columns)| {
        let shape = &catalogue.named(table)?.shape;
        let id = |name: &String| shape.position(name).and_then(|at| shape.columns.get(at)).map(|column| column.id);
        Some((shape.id, columns.iter().map(id).collect::<Option<Vec<_>>>()?))
    });
    here.collect()
}

/// What this node shares with its hub.
pub(super) fn shared_with_hub(connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<SharedTable>> {
    let terms = told(connection)?;
    let shared = catalogue.shapes().iter().filter_map(|shape| {
        let columns = terms.columns_of(shape)?;
        Some(SharedTable { shape: shape.clone(), columns, rows: SharedRows::All })
    });
    Ok(shared.collect())
}

/// Takes over new terms, within a write transaction in which nothing is unharvested: what is shared no more goes from the
/// tables, what is shared newly is captured, and owed. Tells the tables that are shared and that this database does not have.
/// Done twice it changes nothing.
pub(super) fn take_over(
    connection: &Connection,
    catalogue: &Catalogue,
    node: NodeId,
    terms: &Terms,
) -> Outcome<Vec<String>> {
    let before = told(connection)?;
    if before == *terms {
        return Ok(Vec::new());
    }
    for entry in catalogue.entries() {
        let (had, now) = (before.columns_of(&entry.shape), terms.columns_of(&entry.shape));
        if had.is_some() && now.is_none() {
            clear(connection, entry, node)?;
            continue;
        }
        let (had, now) = (had.unwrap_or_default(), now.unwrap_or_default());
        reset(connection, entry, &without(&had, &now))?;
        owe(connection, entry, node, &without(&now, &had))?;
    }
    let lacking = add_tables(connection, catalogue, terms)?;
    let (found, _) = candidates(connection)?;
    let here = Catalogue::load(connection, &found)?;
    gained::note_by_hub(connection, (catalogue, &before), (&here, terms))?;
    keep(connection, &here, terms)?;
    counters::keep_up(connection, &Catalogue::load(connection, &found)?)?;
    Ok(lacking)
}

/// Those of these columns that are not among the others.
fn without(of: &[usize], others: &[usize]) -> Vec<usize> {
    of.iter().copied().filter(|at| !others.contains(at)).collect()
}

/// Begins to sync the tables that are shared newly; tells those that this database does not have.
fn add_tables(connection: &Connection, catalogue: &Catalogue, terms: &Terms) -> Outcome<Vec<String>> {
    let (found, _) = candidates(connection)?;
    let mut lacking = Vec::new();
    for shared in terms.tables.iter().flatten() {
        let is_it = |name: &String| name.eq_ignore_ascii_case(&shared.table);
        if catalogue.entries().iter().any(|entry| is_it(&entry.shape.name)) {
            continue;
        }
        match found.iter().find(|candidate| is_it(&candidate.name)) {
            Some(candidate) => drop(add_table(connection, candidate)?),
            None => lacking.push(shared.table.clone()),
        }
    }
    Ok(lacking)
}

/// Empties a table that is shared no more. What its hub would not take any more is not kept for it either.
fn clear(connection: &Connection, entry: &Entry, node: NodeId) -> Outcome<()> {
    let name = &entry.shape.name;
    let tables = [quoted(name), marks_table(name), remains_table(name)];
    // Nor does what waited to be placed there.
    for held in holding::held(connection, node)?.iter().filter(|held| held.change.table.eq_ignore_ascii_case(name)) {
        holding::release(connection, held.id)?;
    }
    without_triggers(connection, || {
        tables.iter().try_for_each(|table| Ok(connection.execute(&format!("DELETE FROM {table}"), []).map(drop)?))
    })
}

/// Gives columns that are shared no more their defaults, and forgets their marks.
fn reset(connection: &Connection, entry: &Entry, columns: &[usize]) -> Outcome<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let shape = &entry.shape;
    let default = |at: &usize| {
        let column = shape.columns.get(*at)?;
        Some(format!("{} = {}", quoted(&column.name), entry.defaults.get(*at)?))
    };
    let sets = columns.iter().filter_map(default).collect::<Vec<_>>().join(", ");
    let sql = format!("UPDATE {} SET {sets}", quoted(&shape.name));
    without_triggers(connection, || Ok(connection.execute(&sql, []).map(drop)?))?;
    let (dropped, all) = (ids(entry, columns), shape.column_ids());
    change_marks(connection, entry, |marks| marks.forget(&dropped, &all))
}

/// What was written here and behind this node in columns that are shared from now on is owed to the hub: while they were not
/// it was passed over. What the hub's records took as a default meanwhile is nobody's word.
fn owe(connection: &Connection, entry: &Entry, node: NodeId, columns: &[usize]) -> Outcome<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let (mut progress, gained) = (Progress::load(connection)?, ids(entry, columns));
    progress.cut = progress.cut.next();
    let hub = state::links(connection)?.into_iter().find(|link| link.state.role() == Role::Hub).map(|link| link.id);
    let is_word = |mark: &Mark| match mark.via {
        LinkId::LOCAL => mark.stamp.node == node,
        via => Some(via) != hub,
    };
    change_marks(connection, entry, |marks| {
        for &column in &gained {
            let mark = marks.get(column).filter(is_word);
            let owed = mark.map(|mark| Mark { cut: progress.cut, via: LinkId::LOCAL, ..mark });
            owed.into_iter().for_each(|mark| marks.set(column, mark));
        }
    })?;
    progress.store(connection)
}

fn ids(entry: &Entry, columns: &[usize]) -> Vec<ColumnId> {
    columns.iter().filter_map(|at| entry.shape.columns.get(*at)).map(|column| column.id).collect()
}

fn change_marks(connection: &Connection, entry: &Entry, mut change: impl FnMut(&mut Marks)) -> Outcome<()> {
    let roster = state::roster(connection)?;
    let mut statement = connection.prepare_cached(entry.metadata.all_keys())?;
    let found = statement.query_map([], |row| entry.metadata.key(row))?;
    for key in found.collect::<rusqlite::Result<Vec<_>>>()? {
        let Some(mut present) = entry.metadata.marks(connection, &key, &roster)? else { continue };
        change(&mut present.marks);
        entry.metadata.put_marks(connection, &key, &present, &roster)?;
    }
    Ok(())
}
