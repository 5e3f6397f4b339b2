//! Beginning to read and to write, at moments in which nothing is unharvested.

use rusqlite::TransactionBehavior;

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::state::Progress;
use super::{Journal, SqliteReplica, counters, harvest, schema};
use crate::clock::WallTime;
use crate::replica::{Harvested, ReplicaError};
use crate::seam::{Saboteur, is_at_work};

/// How often a moment without unharvested changes is tried for.
pub(super) const QUIET_TRIES: usize = 50;

/// How long the write-ahead log may become before we shorten it ourselves.
const LOG_MAX: u64 = 64 << 20;

impl SqliteReplica {
    /// Moves what is in a long write-ahead log into the database, as far as no reader needs it. The application's own
    /// checkpoints keep the log short as a rule; where nobody but us writes there are none. Holding the write lock keeps
    /// an application's older SQLite from beginning the log anew meanwhile (see [`open::writer`]).
    pub(super) fn shorten_log(&self) -> Outcome<()> {
        let is_short = || std::fs::metadata(self.log_path()).map_or(0, |about| about.len()) < LOG_MAX;
        if self.journal == Journal::Rollback || is_short() {
            return Ok(());
        }
        self.writer.execute_batch("BEGIN IMMEDIATE")?;
        let moved = self.reader.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.writer.execute_batch("ROLLBACK")?;
        Ok(moved?)
    }

    pub(super) fn try_harvest(&mut self, now: WallTime) -> Outcome<Harvested> {
        let writer = &mut self.writer;
        let harvested = harvest::harvest(writer, &self.reader, self.journal, &self.catalogue, now, self.steps)?;
        self.count_what_is_to_be_counted()?;
        Ok(harvested)
    }

    /// Begins to count by a policy that is new, unless the application has written again: then the next harvest does.
    pub(super) fn count_what_is_to_be_counted(&mut self) -> Outcome<()> {
        if !self.catalogue.entries().iter().any(Entry::counts_otherwise) {
            return Ok(());
        }
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if harvest::last_row(&transaction, Progress::load(&transaction)?.harvested_to)?.is_some() {
            return Ok(());
        }
        counters::keep_up(&transaction, &self.catalogue)?;
        transaction.commit()?;
        let (found, _) = schema::candidates(&self.writer)?;
        self.catalogue = Catalogue::load(&self.writer, &found)?;
        Ok(())
    }

    /// Takes the write lock at a moment in which nothing is unharvested.
    pub(super) fn lock_quiet(&mut self, now: WallTime) -> Outcome<()> {
        self.shorten_log()?;
        if is_at_work(Saboteur::SkipHarvest) {
            return Ok(self.writer.execute_batch("BEGIN IMMEDIATE")?);
        }
        for _ in 0..QUIET_TRIES {
            self.try_harvest(now)?;
            self.writer.execute_batch("BEGIN IMMEDIATE")?;
            let progress = Progress::load(&self.writer)?;
            if harvest::last_row(&self.writer, progress.harvested_to)?.is_none() {
                return Ok(());
            }
            self.writer.execute_batch("ROLLBACK")?;
        }
        Err(ReplicaError::Busy { path: self.path.clone() }.into())
    }

    pub(super) fn begin_quiet_read(&mut self, now: WallTime) -> Outcome<()> {
        self.lock_judged(now)?;
        let begun = self.begin_read();
        self.writer.execute_batch("ROLLBACK")?;
        begun
    }

    /// A read transaction begins with its first read, not with BEGIN.
    pub(super) fn begin_read(&self) -> Outcome<()> {
        self.reader.execute_batch("BEGIN")?;
        let read = self.reader.query_row("SELECT count(*) FROM _packhorse_state", [], |_| Ok(()));
        if read.is_err() {
            self.reader.execute_batch("ROLLBACK")?;
        }
        Ok(read?)
    }
}
