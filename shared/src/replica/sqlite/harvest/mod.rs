//! Harvest: turning the raw log into stamped changes (DESIGN section 3).
//!
//! Reads the log in one snapshot, sorted by record, and writes metadata in key order in short transactions, each under
//! a cut of its own that is not yet published; the last of them publishes all. (One cut for a million records could not
//! be split into bundles.) Log rows that were dealt with are cleared away afterwards. A run that was cut short is
//! simply run again.

mod coalesce;
mod count;
mod fold;
mod late;
mod late_keys;
mod meant;
mod read;
mod reborn;
mod stamper;

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use super::bearing;
use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::open::Journal;
use super::quiet;
use super::state::{self, Progress};
use crate::clock::{Reading, WallTime};
use crate::id::ColumnId;
use crate::marks::Roster;
use crate::replica::{Harvested, KeyKind};
use crate::seam::{Step, Steps};
use crate::value::{Key, Value};
use coalesce::Edits;
use fold::{Births, Folded, Known, MarksChange, fold};
use read::{LogReader, Work};
use reborn::Reborn;
use stamper::Stamper;

/// How many records are written under one hold of the write lock: some ten milliseconds.
const RECORDS_PER_LOCK: usize = 2_000;

/// How many bytes of deleted records' last values are kept under one hold of the write lock, and in memory.
const BYTES_PER_LOCK: u64 = 4 << 20;

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
        quiet::correct(writer, now)?;
        clear_away(writer, catalogue, progress.harvested_to, steps)?;
        return Ok(Harvested::default());
    };
    let (floor, latest) = (progress.floor, progress.clock.latest());
    let node = state::identity(writer)?.node;
    let (published, cut, first_row) = (progress.cut, progress.cut, progress.harvested_to + 1);
    let stamper = Stamper { node, published, cut, floor, now, latest, born: latest, first_row };
    let mut run = Run { writer, catalogue, stamper, harvested: Harvested::default(), reborn: Reborn::default(), steps };
    reader.execute_batch("BEGIN")?;
    let done = run.work_through(reader, journal, progress.harvested_to, last);
    reader.execute_batch("ROLLBACK")?;
    done?;
    let (stamper, harvested) = (run.stamper, run.harvested);
    steps.reached(Step::HarvestUnpublished)?;
    publish(writer, progress, &stamper, last)?;
    steps.reached(Step::HarvestPublished)?;
    clear_away(writer, catalogue, last, steps)?;
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
    quiet::note(&transaction, last, stamper.now)?;
    Ok(transaction.commit()?)
}

/// Clears away what was harvested, except its last row: that keeps the log's ids rising. Ids that began anew would count
/// as harvested. Last values go with their rows.
fn clear_away(writer: &mut Connection, catalogue: &Catalogue, harvested_to: i64, steps: &dyn Steps) -> Outcome<()> {
    loop {
        let first = writer.prepare_cached("SELECT min(id) FROM _packhorse_log")?.query_row([], |row| row.get(0))?;
        let Some(first): Option<i64> = first else { return Ok(()) };
        let before = harvested_to.min(first + ROWS_PER_LOCK);
        if before <= first {
            return Ok(());
        }
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        catalogue.entries().iter().try_for_each(|entry| entry.last.clear(&transaction, before))?;
        transaction.prepare_cached("DELETE FROM _packhorse_log WHERE id < ?1")?.execute([before])?;
        transaction.commit()?;
        steps.reached(Step::LogCleared)?;
    }
}

struct Run<'a> {
    writer: &'a mut Connection,
    catalogue: &'a Catalogue,
    stamper: Stamper,
    harvested: Harvested,
    reborn: Reborn,
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
        self.write(works)?;
        self.mark_referring(upto)
    }

    fn write(&mut self, works: Vec<Work>) -> Outcome<()> {
        let mut left = works.as_slice();
        while !left.is_empty() {
            let done = self.write_chunk(left)?;
            left = left.get(done..).unwrap_or_default();
            self.steps.reached(Step::HarvestChunkCommitted)?;
        }
        Ok(())
    }

    /// Writes what fits under one hold of the write lock; tells how many records that was.
    fn write_chunk(&mut self, works: &[Work]) -> Outcome<usize> {
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut roster = state::roster(&transaction)?;
        state::enlist(&transaction, &mut roster, self.stamper.node)?;
        self.stamper.cut = self.stamper.cut.next();
        let mut bounds = None;
        let (mut done, mut bytes) = (0, 0);
        for work in works.iter().take(RECORDS_PER_LOCK) {
            let entry = self.catalogue.at(work.table);
            let (metadata, key) = (&entry.metadata, &work.key);
            let known = metadata.marks(&transaction, key, &roster)?;
            let is_new = known.is_none();
            let bears = entry.shape.bears_numbers();
            let had_another = match is_new || bears || work.edits.born.is_some() {
                true => metadata.last_burial(&transaction, key)?,
                false => None,
            };
            let is_buried = is_new && had_another > Some(self.stamper.published);
            let births = match bears && (work.edits.died.is_some() || had_another.is_some()) {
                true => borne(&transaction, self.catalogue, (entry, key), self.stamper.floor, &roster)?,
                false => Births::default(),
            };
            let last = last_values(&transaction, self.catalogue, (entry, births), &work.edits)?;
            bytes += last.iter().map(|(_, value)| value.size()).sum::<u64>();
            let known = Known { present: known, is_buried, births };
            let mut folded = fold(&entry.shape, known, &work.edits, last, &mut self.stamper);
            if let Some((_, left)) = &mut folded.bury {
                let row = work.edits.died.as_ref().and_then(|death| death.row);
                let at = left.dead.map(|mark| self.stamper.moment_of(mark.stamp, row));
                meant::name(&transaction, self.catalogue, entry, (left, at), &roster)?;
            }
            self.harvested.records += u64::from(folded.bury.is_some() || folded.marks != MarksChange::Keep);
            let is_second = had_another.is_some() || folded.bury.is_some();
            if let Some(born) = work.edits.born.filter(|_| is_second && entry.shape.key_kind == KeyKind::Assigned) {
                self.reborn.note(work.table, key, born.at);
            }
            // One that was withdrawn may have been counted under the key.
            let is_made = is_new && work.edits.born.is_some() && work.edits.died.is_none();
            let is_another = folded.bury.is_some() || is_made;
            store(&transaction, (entry, births), work, folded, &roster)?;
            if !entry.shape.rules.add.is_empty() {
                count::note(&transaction, (entry, work), is_another, (&self.stamper, &mut bounds))?;
            }
            if work.edits.stands {
                late::redirect(&transaction, self.catalogue, entry, key)?;
                if is_new && entry.shape.key_kind == KeyKind::Natural {
                    late_keys::redirect(&transaction, self.catalogue, entry, key)?;
                }
            }
            done += 1;
            if bytes > BYTES_PER_LOCK {
                break;
            }
        }
        state::store_clock(&transaction, self.stamper.latest)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// The births of what stood and stands under a key that bears the numbers of others, which were dealt with before it.
fn borne(
    connection: &Connection,
    catalogue: &Catalogue,
    (entry, key): (&Entry, &Key),
    begun: Reading,
    roster: &Roster,
) -> Outcome<Births> {
    let before = bearing::before(connection, catalogue, (&entry.shape, key), begun, roster)?;
    let now = bearing::now(connection, catalogue, &entry.shape, key, roster)?;
    Ok(Births { before, now })
}

/// The last values of the record that died, if one did and they are needed: under a natural key that stands again it was
/// none.
fn last_values(
    connection: &Connection,
    catalogue: &Catalogue,
    (entry, births): (&Entry, Births),
    edits: &Edits,
) -> Outcome<Vec<(ColumnId, Value)>> {
    let is_another = births.are_of_two();
    // What was made under its key again before that died may have been of the other.
    let died = edits.died.as_ref().filter(|death| !is_another || death.taken.all.is_none());
    let is_gone = !edits.stands || is_another || entry.shape.key_kind == KeyKind::Assigned;
    let Some(row) = died.and_then(|death| death.row).filter(|_| is_gone) else {
        return Ok(Vec::new());
    };
    let captured = |capture, column| catalogue.captured_columns(capture).is_some_and(|known| known.contains(&column));
    entry.last.find(connection, row, captured)
}

fn store(
    connection: &Connection,
    (entry, births): (&Entry, Births),
    work: &Work,
    folded: Folded,
    roster: &Roster,
) -> Outcome<()> {
    let (metadata, key) = (&entry.metadata, &work.key);
    if let Some((birth, remains)) = folded.bury {
        metadata.put_remains(connection, key, birth, &remains, roster)?;
    }
    if folded.unbury {
        metadata.drop_remains(connection, key, births.now, roster)?;
    }
    match folded.marks {
        MarksChange::Keep => Ok(()),
        MarksChange::Put(present) => metadata.put_marks(connection, key, &present, roster),
        MarksChange::Drop => metadata.drop_marks(connection, key),
    }
}
