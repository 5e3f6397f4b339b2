//! Counters within a merge: whatever is written to one is noted as a difference that came with the link that is at work.
//!
//! Invariant: what is remembered of a record's counters has the values that stand in its table, or in the part that it is parked
//! in.

use std::collections::BTreeMap;

use super::SqliteMerge;
use crate::clock::Stamp;
use crate::id::ColumnId;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::counters;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::{Bounds, Counter, MergeTransaction};
use crate::value::Key;

impl SqliteMerge<'_> {
    pub(super) fn try_counters(&self, entry: &Entry, key: &Key) -> Outcome<BTreeMap<ColumnId, Counter>> {
        entry.counters_of(self.writer, key)
    }

    /// Notes what was written to a record's counters.
    pub(super) fn count(&self, entry: &Entry, key: &Key) -> Outcome<()> {
        if entry.shape.rules.add.is_empty() {
            return Ok(());
        }
        let known = entry.counters_of(self.writer, key)?;
        let now = (self.cut(), self.comes_by);
        for (column, value) in entry.values_counted(self.writer, key)? {
            let mut counter = known.get(&column).cloned().unwrap_or_else(|| Counter::new(value.clone(), now));
            counter.take(value, now, self.bounds()?);
            if known.get(&column) != Some(&counter) {
                entry.put_counter(self.writer, key, column, &counter)?;
            }
        }
        Ok(())
    }

    /// Reading every link costs more than all else here, and none changes before the transaction ends.
    fn bounds(&self) -> Outcome<Bounds> {
        if let Some(bounds) = self.bounds.get() {
            return Ok(bounds);
        }
        let bounds = counters::bounds(self.writer)?;
        self.bounds.set(Some(bounds));
        Ok(bounds)
    }

    pub(super) fn try_note_said(&self, entry: &Entry, key: &Key, said: &[(ColumnId, Stamp)]) -> Outcome<()> {
        let mut known = entry.counters_of(self.writer, key)?;
        for (column, said) in said {
            let Some(counter) = known.get_mut(column) else { continue };
            counter.was_said((self.cut(), self.comes_by), *said);
            entry.put_counter(self.writer, key, *column, counter)?;
        }
        Ok(())
    }
}
