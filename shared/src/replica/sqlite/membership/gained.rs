//! Columns that have come into what a link shares, and since when.
//!
//! A remote that is told that a column is shared no more drops what it has there, and what it had written there with it. If the
//! column comes back before the hub has heard of that, the hub hears of a value that its own sender has not any more. Owns the
//! table `_packhorse_gained`. Leaves telling the value back to the merge.
//!
//! At the remote itself the same table tells in which columns there may be nothing but defaults, since its hub has not told yet
//! what it has there; in the place of our cut stands up to where everything made on the hub's side had come by then.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Reading;
use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::link::Role;
use crate::replica::Terms;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::{state, terms};

/// The table.
pub(in super::super) const TABLE: &str = "
CREATE TABLE _packhorse_gained (link INTEGER NOT NULL, tbl INTEGER NOT NULL, col INTEGER NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (link, tbl, col)) WITHOUT ROWID;
";

/// Notes what a link shares by new terms, from this cut on, and does not by those that it has.
pub(super) fn note(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    now: &Terms,
    since: Cut,
) -> Outcome<()> {
    let sql = "SELECT terms FROM _packhorse_sharing WHERE link = ?1";
    let had: Option<Vec<u8>> = connection.prepare_cached(sql)?.query_row([link.0], |row| row.get(0)).optional()?;
    let Some(had) = had else { return Ok(()) };
    let had = terms::of_bytes(&had)?;
    let sql = "INSERT OR REPLACE INTO _packhorse_gained (link, tbl, col, since) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for entry in catalogue.entries() {
        for column in gained(entry, &had, now) {
            statement.execute(params![link.0, entry.shape.id.0, column.0, since.0 as i64])?;
        }
    }
    Ok(())
}

fn gained(entry: &Entry, had: &Terms, now: &Terms) -> Vec<ColumnId> {
    let columns = |terms: &Terms| terms.columns_of(&entry.shape).unwrap_or_default();
    let before = columns(had);
    let new = columns(now).into_iter().filter(|at| !before.contains(at));
    new.filter_map(|at| entry.shape.columns.get(at)).map(|column| column.id).collect()
}

/// Notes at a remote what its hub shares by new terms and did not before, or could not as the table was not here.
pub(in super::super) fn note_by_hub(
    connection: &Connection,
    (catalogue, had): (&Catalogue, &Terms),
    (here, now): (&Catalogue, &Terms),
) -> Outcome<()> {
    let Some((hub, told)) = hub(connection)? else { return Ok(()) };
    let nothing = Terms { tables: Some(Vec::new()), ..Terms::default() };
    let sql = "INSERT OR REPLACE INTO _packhorse_gained (link, tbl, col, since) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for entry in here.entries() {
        let had = if catalogue.named(&entry.shape.name).is_some() { had } else { &nothing };
        for column in gained(entry, had, now) {
            statement.execute(params![hub.0, entry.shape.id.0, column.0, told.0 as i64])?;
        }
    }
    Ok(())
}

/// The columns of which this node's hub may not have told everything since it shares them.
pub(in super::super) fn untold(connection: &Connection) -> Outcome<BTreeSet<(TableId, ColumnId)>> {
    let Some((hub, told)) = hub(connection)? else { return Ok(BTreeSet::new()) };
    // What does not tell more than before may be a part.
    found(connection, "SELECT tbl, col FROM _packhorse_gained WHERE link = ?1 AND since >= ?2", (hub, told.0))
}

/// The link to this node's hub, and up to where everything made on its side has come.
fn hub(connection: &Connection) -> Outcome<Option<(LinkId, Reading)>> {
    let hub = state::links(connection)?.into_iter().find(|link| link.state.role() == Role::Hub);
    Ok(hub.map(|hub| (hub.id, hub.state.complete_to())))
}

/// What has come into what a link shares after a cut.
pub(in super::super) fn since(
    connection: &Connection,
    link: LinkId,
    seen: Cut,
) -> Outcome<BTreeSet<(TableId, ColumnId)>> {
    found(connection, "SELECT tbl, col FROM _packhorse_gained WHERE link = ?1 AND since > ?2", (link, seen.0))
}

fn found(connection: &Connection, sql: &str, (link, at): (LinkId, u64)) -> Outcome<BTreeSet<(TableId, ColumnId)>> {
    let mut statement = connection.prepare_cached(sql)?;
    let found =
        statement.query_map(params![link.0, at as i64], |row| Ok((TableId(row.get(0)?), ColumnId(row.get(1)?))))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Forgets what was noted of a link: it ends, or its peer begins with all that is shared.
pub(super) fn forget(connection: &Connection, link: LinkId) -> Outcome<()> {
    connection.execute("DELETE FROM _packhorse_gained WHERE link = ?1", [link.0])?;
    Ok(())
}
