//! How far bundles have got that are applied in several transactions: the table `_packhorse_slices`.
//!
//! Owns its layout. Invariant: what a slice placed and that it did are stored together, so that after a kill none of it is placed
//! again over what the application has made of it since. A bundle's rows go with the transaction that applies the rest of it.

use rusqlite::{Connection, params};

use super::SqliteReplica;
use super::fault::{Fault, Outcome};
use crate::id::LinkId;
use crate::replica::Result;
use crate::varint;

pub(super) const TABLE: &str = "
CREATE TABLE _packhorse_slices (bundle TEXT NOT NULL, part INTEGER NOT NULL, link INTEGER NOT NULL, done BLOB NOT NULL,
    PRIMARY KEY (bundle, part)) WITHOUT ROWID;
";

/// Which records of a bundle are placed already, by their places in it, in ascending order within each slice.
pub(super) fn done(connection: &Connection, bundle: &str) -> Outcome<Vec<u64>> {
    let mut statement =
        connection.prepare_cached("SELECT done FROM _packhorse_slices WHERE bundle = ?1 ORDER BY part")?;
    let mut rows = statement.query([bundle])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (mut bytes, mut at) = (row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, 0);
        while !bytes.is_empty() {
            let step = varint::take(&mut bytes);
            at += step.ok_or_else(|| Fault::Damaged("how far a bundle was applied cannot be read".to_owned()))?;
            all.push(at);
        }
    }
    Ok(all)
}

impl SqliteReplica {
    /// The bundles of which slices are applied, and not the rest.
    pub fn sliced_bundles(&self) -> Result<Vec<String>> {
        let read = || -> Outcome<Vec<String>> {
            let mut statement = self.reader.prepare_cached("SELECT DISTINCT bundle FROM _packhorse_slices")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        };
        read().map_err(self.fault("be read"))
    }
}

/// Notes a slice of a bundle, of which others of its link are not applied in part any more.
pub(super) fn note(connection: &Connection, (link, bundle): (LinkId, &str), done: &[u64]) -> Outcome<()> {
    let sql = "DELETE FROM _packhorse_slices WHERE link = ?1 AND bundle <> ?2";
    connection.prepare_cached(sql)?.execute(params![link.0, bundle])?;
    let (mut bytes, mut before) = (Vec::new(), 0);
    for at in done {
        varint::put(&mut bytes, at - before);
        before = *at;
    }
    let sql = "INSERT INTO _packhorse_slices (bundle, part, link, done)
               SELECT ?1, coalesce(max(part), 0) + 1, ?2, ?3 FROM _packhorse_slices WHERE bundle = ?1";
    connection.prepare_cached(sql)?.execute(params![bundle, link.0, bytes])?;
    Ok(())
}

/// Forgets a bundle that is applied.
pub(super) fn forget(connection: &Connection, bundle: &str) -> Outcome<()> {
    connection.prepare_cached("DELETE FROM _packhorse_slices WHERE bundle = ?1")?.execute([bundle])?;
    Ok(())
}
