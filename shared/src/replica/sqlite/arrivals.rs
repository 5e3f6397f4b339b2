//! Which bundle came at which cut: the table `_packhorse_arrivals`.
//!
//! Owns its layout, and that it does not grow for ever. Invariant: a bundle stands there exactly if its changes are in the
//! database, since both are written in one transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Outcome;
use crate::clock::WallTime;
use crate::id::{Cut, LinkId};
use crate::replica::Arrival;

pub(super) const TABLE: &str = "
CREATE TABLE _packhorse_arrivals (id INTEGER PRIMARY KEY, cut INTEGER NOT NULL UNIQUE, link INTEGER NOT NULL,
    bundle TEXT NOT NULL, at INTEGER NOT NULL);
";

/// How many are kept: years of an unattended service's, a few megabytes.
const KEPT: u32 = 50_000;

/// Notes that the changes of a cut are those of a bundle.
pub(super) fn note(connection: &Connection, cut: Cut, (link, bundle): (LinkId, &str), now: WallTime) -> Outcome<()> {
    let sql = "INSERT INTO _packhorse_arrivals (cut, link, bundle, at) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![cut.0 as i64, link.0, bundle, now.0 as i64])?;
    Ok(())
}

/// The bundle whose changes are those of a cut.
pub(super) fn at(connection: &Connection, cut: Cut) -> Outcome<Option<Arrival>> {
    let mut statement = connection.prepare_cached("SELECT link, bundle, at FROM _packhorse_arrivals WHERE cut = ?1")?;
    let found = statement.query_row([cut.0 as i64], |row| {
        let at = WallTime(row.get::<_, i64>(2)? as u64);
        Ok(Arrival { link: LinkId(row.get(0)?), bundle: row.get(1)?, at })
    });
    Ok(found.optional()?)
}

/// Drops the oldest beyond those that are kept.
pub(super) fn prune(connection: &Connection) -> Outcome<()> {
    let sql = "DELETE FROM _packhorse_arrivals WHERE id <= (SELECT max(id) FROM _packhorse_arrivals) - ?1";
    connection.prepare_cached(sql)?.execute([KEPT])?;
    Ok(())
}
