//! The beginning and the end of a merge's write transaction.
//!
//! Invariant: what was not committed leaves no trace.

use std::cell::Cell;
use std::collections::BTreeMap;

use rusqlite::Connection;

use super::SqliteMerge;
use super::parking::Part;
use crate::clock::{Reading, WallTime};
use crate::id::LinkId;
use crate::replica::sqlite::SqliteReplica;
use crate::replica::sqlite::fault::{Fault, Outcome};
use crate::replica::sqlite::search;
use crate::replica::sqlite::state::{self, Progress};
use crate::replica::{MergeTransaction, Result};

impl<'a> SqliteMerge<'a> {
    /// Takes over the write transaction that the replica has begun.
    pub fn begun(replica: &'a SqliteReplica, now: WallTime, observed: Reading) -> Result<Self> {
        let load = || Ok((state::roster(&replica.writer)?, Progress::load(&replica.writer)?));
        let (roster, progress) = load().map_err(|fault: Fault| {
            end(&replica.writer);
            fault.at(&replica.path, "be read")
        })?;
        let mut clock = progress.clock;
        clock.observe(observed);
        Ok(Self {
            writer: &replica.writer,
            path: replica.path.clone(),
            catalogue: &replica.catalogue,
            loud: &replica.loud,
            node: replica.identity.node,
            roster,
            progress,
            clock,
            now,
            inserts: BTreeMap::new(),
            updates: BTreeMap::new(),
            unheard: Cell::new(false),
            part: Part::default(),
            comes_by: LinkId::LOCAL,
            bounds: Cell::new(None),
            open: true,
        })
    }
}

impl SqliteMerge<'_> {
    pub(super) fn try_commit(&mut self) -> Outcome<()> {
        self.progress.cut = self.cut();
        self.progress.clock = self.clock;
        self.progress.store(self.writer)?;
        if self.unheard.get() {
            search::rebuild(self.writer)?;
        }
        self.writer.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }
}

/// A transaction that cannot be rolled back now is rolled back with its connection, or was by the error that led here.
fn end(writer: &Connection) {
    let _ = writer.execute_batch("ROLLBACK");
}

impl Drop for SqliteMerge<'_> {
    fn drop(&mut self) {
        if self.open {
            end(self.writer);
        }
    }
}
