//! Harvest: turning the raw log into stamped changes (DESIGN section 3).
//!
//! Reads the log in one snapshot, sorted by record, and writes metadata in key order in short transactions, each under
//! a cut of its own that is not yet published; the last of them publishes all. (One cut for a million records could not
//! be split into bundles.) Log rows that were dealt with are cleared away afterwards. A run that was cut short is
//! simply run again.

mod coalesce;
mod fold;
mod read;

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use super::catalogue::Catalogue;
use super::fault::Outcome;
use super::open::Journal;
use super::state::{self, Progress};
use crate::clock::WallTime;
use crate::replica::Harvested;
use crate::seam::{Step, Steps};
use fold::{Folded, MarksChange, Stamper, fold};
use read::{LogReader, Work};

/// How many records are written under one hold of the write lock: some ten milliseconds.
const RECORDS_PER_LOCK: usize = 2_000;

/// How many log rows are cleared away under one hold of the write lock.
const ROWS_PER_LOCK: i64 = 20_000;

/// Harvests everything that is in the log now.
pub(super) fn harvest(
    writer: &mut Connection,
    reader: &Connection,
    journal: Journal,
    catalogue: &Catalogue,
    now: WallTime,
    steps: &dyn Steps,
) -> Outcome<Harvested> {
    let progress = Progress::load(writer)?;
    let Some(last) = last_row(writer, progress.harvested_to)? else {
        clear_away(writer, progress.harvested_to, steps)?;
        return Ok(Harvested::default());
    };
    let (floor, latest) = (progress.floor, progress.clock.latest());
    let node = state::identity(writer)?.node;
    let stamper = Stamper { node, published: progress.cut, cut: progress.cut, floor, now, latest, born: latest };
    let mut run = Run { writer, catalogue, stamper, harvested: Harvested::default(), steps };
    reader.execute_batch("BEGIN")?;
    let done = run.work_through(reader, journal, progress.harvested_to, last);
    reader.execute_batch("ROLLBACK")?;
    done?;
    let (stamper, harvested) = (run.stamper, run.harvested);
    steps.reached(Step::HarvestUnpublished)?;
    publish(writer, progress, &stamper, last)?;
    steps.reached(Step::HarvestPublished)?;
    clear_away(writer, last, steps)?;
    Ok(harvested)
}

/// The id of the last log row that is not harvested yet.
pub(super) fn last_row(connection: &Connection, harvested_to: i64) -> Outcome<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT max(id) FROM _packhorse_log WHERE id > ?1")?;
    Ok(statement.query_row([harvested_to], |row| row.get(0))?)
}

fn publish(writer: &mut Connection, mut progress: Progress, stamper: &Stamper, last: i64) -> Outcome<()> {
    progress.clock.observe(stamper.latest);
    progress.harvested_to = last;
    progress.cut = stamper.cut;
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    progress.store(&transaction)?;
    Ok(transaction.commit()?)
}

/// Clears away what was harvested, except its last row: that keeps the log's ids rising. Ids that began anew would count
/// as harvested.
fn clear_away(writer: &Connection, harvested_to: i64, steps: &dyn Steps) -> Outcome<()> {
    let first = "SELECT min(id) FROM _packhorse_log";
    while let Some(first) = writer.prepare_cached(first)?.query_row([], |row| row.get::<_, Option<i64>>(0))? {
        let before = harvested_to.min(first + ROWS_PER_LOCK);
        if writer.prepare_cached("DELETE FROM _packhorse_log WHERE id < ?1")?.execute([before])? == 0 {
            break;
        }
        steps.reached(Step::LogCleared)?;
    }
    Ok(())
}

struct Run<'a> {
    writer: &'a mut Connection,
    catalogue: &'a Catalogue,
    stamper: Stamper,
    harvested: Harvested,
    steps: &'a dyn Steps,
}

impl Run<'_> {
    /// With a write-ahead log the reading goes on while chunks are written; with a rollback journal our own reading
    /// would keep us from writing, so everything is read first.
    fn work_through(&mut self, reader: &Connection, journal: Journal, after: i64, upto: i64) -> Outcome<()> {
        let mut log = LogReader::new(reader, self.catalogue)?;
        let chunk = match journal {
            Journal::Wal => RECORDS_PER_LOCK,
            Journal::Rollback => usize::MAX,
        };
        let mut works = Vec::new();
        let mut without_key = BTreeMap::new();
        log.for_each(after, upto, &mut without_key, &mut |work| {
            works.push(work);
            if works.len() < chunk {
                return Ok(());
            }
            self.write(std::mem::take(&mut works))
        })?;
        for (&table, &rows) in &without_key {
            let table = &self.catalogue.at(table).shape.name;
            tracing::warn!(table, rows, "rows with NULL in their key were written; they cannot be synced");
        }
        self.harvested.without_key = without_key.values().sum();
        if journal == Journal::Rollback {
            reader.execute_batch("ROLLBACK; BEGIN")?;
        }
        self.write(works)
    }

    fn write(&mut self, works: Vec<Work>) -> Outcome<()> {
        for chunk in works.chunks(RECORDS_PER_LOCK) {
            let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut roster = state::roster(&transaction)?;
            state::enlist(&transaction, &mut roster, self.stamper.node)?;
            self.stamper.cut = self.stamper.cut.next();
            for work in chunk {
                let entry = self.catalogue.at(work.table);
                let (metadata, key) = (&entry.metadata, &work.key);
                let known = metadata.marks(&transaction, key, &roster)?;
                let buried = known.is_none() && metadata.buried_after(&transaction, key, self.stamper.published)?;
                let folded = fold(&entry.shape, known, buried, &work.edits, &mut self.stamper);
                self.harvested.records += u64::from(folded.bury.is_some() || folded.marks != MarksChange::Keep);
                store(&transaction, entry, work, folded, &roster)?;
            }
            state::store_clock(&transaction, self.stamper.latest)?;
            transaction.commit()?;
            self.steps.reached(Step::HarvestChunkCommitted)?;
        }
        Ok(())
    }
}

fn store(
    connection: &Connection,
    entry: &super::catalogue::Entry,
    work: &Work,
    folded: Folded,
    roster: &crate::marks::Roster,
) -> Outcome<()> {
    let (metadata, key) = (&entry.metadata, &work.key);
    if let Some((birth, remains)) = folded.bury {
        metadata.put_remains(connection, key, birth, &remains, roster)?;
    }
    if folded.unbury {
        metadata.drop_remains(connection, key, None, roster)?;
    }
    match folded.marks {
        MarksChange::Keep => Ok(()),
        MarksChange::Put(present) => metadata.put_marks(connection, key, &present, roster),
        MarksChange::Drop => metadata.drop_marks(connection, key),
    }
}
