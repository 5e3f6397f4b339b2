//! Columns that have come into what a link shares, and since when.
//!
//! A remote that is told that a column is shared no more drops what it has there, and what it had written there with it. If the
//! column comes back before the hub has heard of that, the hub hears of a value that its own sender has not any more. Owns the
//! table `_packhorse_gained`. Leaves telling the value back to the merge.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::replica::Terms;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::terms;

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

/// What has come into what a link shares after a cut.
pub(in super::super) fn since(
    connection: &Connection,
    link: LinkId,
    seen: Cut,
) -> Outcome<BTreeSet<(TableId, ColumnId)>> {
    let sql = "SELECT tbl, col FROM _packhorse_gained WHERE link = ?1 AND since > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found =
        statement.query_map(params![link.0, seen.0 as i64], |row| Ok((TableId(row.get(0)?), ColumnId(row.get(1)?))))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Forgets what was noted of a link: it ends, or its peer begins with all that is shared.
pub(super) fn forget(connection: &Connection, link: LinkId) -> Outcome<()> {
    connection.execute("DELETE FROM _packhorse_gained WHERE link = ?1", [link.0])?;
    Ok(())
}
