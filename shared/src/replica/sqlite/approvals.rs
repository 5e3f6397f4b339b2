//! Bundles that wait for a person's word: the table `_packhorse_approvals`.
//!
//! Owns its layout. A bundle's row goes with the transaction that applies it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteReplica;
use super::fault::Outcome;
use crate::clock::WallTime;
use crate::id::LinkId;
use crate::replica::{Approval, Result, Word};

pub(super) const TABLE: &str = "
CREATE TABLE _packhorse_approvals (bundle TEXT PRIMARY KEY, link INTEGER NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL,
    approved INTEGER);
";

const COLUMNS: &str = "bundle, link, why, since, approved";

impl SqliteReplica {
    /// Every bundle that waits for a word, or has one and was not applied yet, the oldest first.
    pub fn approvals(&self) -> Result<Vec<Approval>> {
        let read = || -> Outcome<Vec<Approval>> {
            let sql = format!("SELECT {COLUMNS} FROM _packhorse_approvals ORDER BY since, bundle");
            let mut statement = self.reader.prepare_cached(&sql)?;
            Ok(statement.query_map([], approval)?.collect::<rusqlite::Result<_>>()?)
        };
        read().map_err(self.fault("be read"))
    }

    /// Notes what was decided of a bundle.
    pub fn decide(&mut self, bundle: &str, word: Word) -> Result<()> {
        let sql = "UPDATE _packhorse_approvals SET approved = ?2 WHERE bundle = ?1";
        let decided = self.writer.execute(sql, params![bundle, word == Word::Approved]);
        decided.map(drop).map_err(|error| self.fault("be written")(error.into()))
    }

    /// Forgets bundles that are not there to be applied any more.
    pub fn drop_approvals(&mut self, is_gone: impl Fn(&Approval) -> bool) -> Result<()> {
        for gone in self.approvals()?.iter().filter(|approval| is_gone(approval)) {
            forget(&self.writer, &gone.bundle).map_err(self.fault("be written"))?;
        }
        Ok(())
    }
}

fn approval(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let word = |approved| if approved { Word::Approved } else { Word::Refused };
    Ok(Approval {
        bundle: row.get(0)?,
        link: LinkId(row.get(1)?),
        why: row.get(2)?,
        since: WallTime(row.get::<_, i64>(3)? as u64),
        word: row.get::<_, Option<bool>>(4)?.map(word),
    })
}

/// What is known of a bundle.
pub(super) fn of_bundle(connection: &Connection, bundle: &str) -> Outcome<Option<Approval>> {
    let sql = format!("SELECT {COLUMNS} FROM _packhorse_approvals WHERE bundle = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([bundle], approval).optional()?)
}

/// Lets a bundle wait.
pub(super) fn ask(connection: &Connection, asked: &Approval) -> Outcome<()> {
    let sql = "INSERT OR IGNORE INTO _packhorse_approvals (bundle, link, why, since) VALUES (?1, ?2, ?3, ?4)";
    let since = asked.since.0 as i64;
    connection.prepare_cached(sql)?.execute(params![asked.bundle, asked.link.0, asked.why, since])?;
    Ok(())
}

/// Forgets a bundle.
pub(super) fn forget(connection: &Connection, bundle: &str) -> Outcome<()> {
    connection.prepare_cached("DELETE FROM _packhorse_approvals WHERE bundle = ?1")?.execute([bundle])?;
    Ok(())
}
