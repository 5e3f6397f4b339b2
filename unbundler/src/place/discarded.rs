//! Discarding what is held because a person says so.
//!
//! Invariant: that is decided by an edit made here and now, as everything is that a node decides: so the other end hears of it, and
//! comes to what stands here. What has no other end's word against it (a record that is to be withdrawn, a table that is not here)
//! cannot be discarded.

use std::collections::BTreeSet;

use packhorse_shared::change::{Passage, RecordChange};
use packhorse_shared::replica::{Held, Present, Result, TableShape};
use packhorse_shared::value::Key;

use super::absent::Gathered;
use super::column::{Column, column_of};
use super::handed_on::Goer;
use super::rights::By;
use super::{Item, Placer};

/// Why it is so, as people are told it.
const DISCARDED: &str = "`packhorse held discard` said so";

/// What became of a change that was to be discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// The record stays as it is here, and becomes that elsewhere.
    Undone,
    /// The record does not stand here, and is deleted elsewhere.
    Deleted,
    /// That would delete the record elsewhere, which was not asked for.
    WouldDelete,
    /// It cannot be discarded, for this reason.
    Not(String),
}

impl Discarded {
    /// Whether it is discarded.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Undone | Self::Deleted)
    }
}

/// Whether records may be deleted elsewhere by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayDelete {
    /// They may.
    Yes,
    /// They may not.
    No,
}

impl Placer<'_> {
    /// Discards a held change. `with`: the numbers of all that are discarded with it.
    pub(super) fn discard(&mut self, held: &Held, with: &BTreeSet<i64>, may_delete: MayDelete) -> Result<Discarded> {
        let tables = self.transaction.tables();
        let table = match self.fitting(&tables, &held.change) {
            Ok(table) => table,
            Err(reason) => return Ok(Discarded::Not(reason)),
        };
        let Some(record) = held.change.records.first() else { return Ok(Discarded::Undone) };
        if held.change.passage == Passage::Withdrawn {
            return Ok(Discarded::Not(
                "its hub has taken it off, and it goes once nothing here refers to it".to_owned(),
            ));
        }
        if self.standing_as(table, record)?.is_none()
            && let Some(child) = self.held_child(Goer { table, record }, with)?
        {
            return Ok(Discarded::Not(format!("{child} is held and refers to it: discard that by the same command")));
        }
        let arrival = self.arrival_of(held);
        let here = std::mem::replace(&mut self.arrival, arrival);
        let discarded = self.discard_change((table, &held.change, record), may_delete);
        self.arrival = here;
        let discarded = discarded?;
        if discarded.is_done() {
            self.transaction.release(held.id)?;
            self.held = None;
        }
        Ok(discarded)
    }

    fn discard_change(&mut self, item: Item<'_>, may_delete: MayDelete) -> Result<Discarded> {
        let (table, of, record) = item;
        match self.standing_as(table, record)? {
            Some((key, _)) if record.dead.is_some() => {
                let record = RecordChange { key, fields: Vec::new(), ..record.clone() };
                self.refuse_death((table, of, &record), DISCARDED)?;
                Ok(Discarded::Undone)
            }
            Some((key, present)) => {
                self.keep_fields((table, of, record), &key, present)?;
                Ok(Discarded::Undone)
            }
            None if record.dead.is_some() => Ok(Discarded::Undone),
            None if !record.whole => Ok(Discarded::Not("the record itself is not here".to_owned())),
            None if may_delete == MayDelete::No => Ok(Discarded::WouldDelete),
            None => self.unmake(item, DISCARDED).map(|()| Discarded::Deleted),
        }
    }

    /// The record that a change is of, if it stands here, and its key here.
    pub(super) fn standing_as(&mut self, table: &TableShape, record: &RecordChange) -> Result<Option<(Key, Present)>> {
        let key = self.key_here(table, &record.key, record.birth)?;
        let standing = self.transaction.find(table, &key)?;
        let at_its_key = RecordChange { key: key.clone(), ..record.clone() };
        Ok(standing.filter(|present| self.is_meant(table, present, &at_its_key)).map(|present| (key, present)))
    }

    /// Edits the fields of a change anew, as they are here.
    fn keep_fields(&mut self, (table, of, record): Item<'_>, key: &Key, mut present: Present) -> Result<()> {
        let (values, mark) = (self.transaction.values(table, key)?, self.decided());
        let mut refused = Vec::new();
        for field in &record.fields {
            let Some(Column::Field(at, id)) = column_of(table, of, field) else { continue };
            table.rules.changing_with(id).for_each(|id| present.marks.set(id, mark));
            refused.extend((values.get(at) != Some(&field.value)).then(|| (at, field.value.clone(), field.stamp)));
        }
        present.marks.fold(&table.column_ids());
        self.transaction.mark(table, key, &present)?;
        self.refused_fields(table, (key, &present), (&refused, &values), DISCARDED)
    }

    /// Deletes elsewhere a record that does not stand here.
    pub(super) fn unmake(&mut self, (table, of, record): Item<'_>, why: &str) -> Result<()> {
        let Gathered { birth, remains, .. } = self.gathered(table, of, record)?;
        self.refuse_making((table, of, record), birth, (remains, true), (By::Person, why))?;
        // It never stood here, so that nothing else tells that its sender has it and is to hear of this.
        self.has_spoken_of(table, of, record);
        self.note_all_spoken_of()
    }
}
