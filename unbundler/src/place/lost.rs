//! Records that a hub has lost with a return to a backup, and whose births some have dropped and others not.
//!
//! The hub may have given their numbers to others since. Owns telling that one without a birth and one with are the same, since
//! both had that number by the hub's word. Invariant: so they are only if whoever has no birth may have dropped that one.

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::link::Extent;
use packhorse_shared::replica::{KeyKind, Placement, Present, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::identity::{number_of, numbered, residence};
use super::united::{shares_a_change, union_told};
use crate::merge::{self, Authority, Past};

impl Placer<'_> {
    /// What this root decided of records that came back, and lost: those remotes know that heard it, and tell.
    pub(super) fn hear_lost_unions(&mut self, bundle: &[TableChanges]) -> Result<()> {
        if self.arrival.authority() != Authority::Here || self.arrival.past != Past::Lost {
            return Ok(());
        }
        let tables = self.transaction.tables();
        for changes in bundle {
            let table = TableShape::named(&tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for record in &changes.records {
                let from = Residence { key: record.key.clone(), birth: record.birth };
                let Some(birth) = union_told(table, changes, record).and_then(|to| to.birth) else { continue };
                let Some(number) = self.transaction.number_of(table, birth)? else { continue };
                let to = Residence { key: Key(vec![Value::Integer(number)]), birth: Some(birth) };
                let standing = self.transaction.find(table, &to.key)?.filter(|present| present.birth == to.birth);
                if let Some(mut present) = standing.filter(|_| self.moves.of(table.id, &from).is_none()) {
                    self.note_union(table, from.clone(), to.clone())?;
                    self.take_in_part(table, &from, &to, &mut present)?;
                    self.tell_unions(table, &to, present)?;
                }
            }
        }
        Ok(())
    }

    /// The same of one that stands here as it was before that was decided: it becomes what it was then, before what is said of it
    /// by that name comes. Else it would be in its own way, or stand twice.
    pub(super) fn become_lost_unions(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        if self.arrival.authority() != Authority::Here || self.arrival.past != Past::Lost {
            return Ok(());
        }
        for changes in bundle {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for record in &changes.records {
                let Some(to) = union_told(table, changes, record) else { continue };
                let from = Residence { key: record.key.clone(), birth: record.birth };
                let Some(birth) = to.birth.filter(|_| self.moves.of(table.id, &from).is_none()) else { continue };
                let told = record.fields.iter().map(|field| field.stamp).max();
                let is_it = |present: &Present| shares_a_change(table, present, &to, bundle);
                if self.transaction.number_of(table, birth)?.is_none()
                    && let Some((key, present)) = self.still_standing(table, &from, told, is_it)?
                {
                    self.become_lost(table, (from, key), present, to)?;
                }
            }
        }
        Ok(())
    }

    fn become_lost(
        &mut self,
        table: &TableShape,
        (from, key): (Residence, Key),
        present: Present,
        told: Residence,
    ) -> Result<()> {
        let theirs = number_of(&told.key).unwrap_or_default();
        let number = match self.transaction.may_adopt(table, theirs)? {
            true => Some(theirs),
            false => self.free_number(table)?,
        };
        let Some(number) = number else { return Ok(()) };
        let to = Residence { key: Key(vec![Value::Integer(number)]), ..told };
        let ours = Residence { key, birth: from.birth };
        match self.become_theirs(table, &ours, &to, present)? {
            Ok(present) => {
                self.note_union(table, from, to.clone())?;
                self.tell_unions(table, &to, present)
            }
            Err(_) => Ok(()),
        }
    }

    /// Whether a record stands here under the number that its hub gave it, and the hub may have lost it: it keeps that until the
    /// hub, which is sent everything, has given it another. Others may know it by that number alone.
    pub(super) fn keeps_lost_number(&self, table: &TableShape, present: &Present) -> bool {
        let columns = table.column_ids().into_iter().chain([ColumnId::EXISTENCE]);
        let mut marks = columns.filter_map(|column| present.marks.get(column));
        self.arrival.owed == Extent::Everything && marks.any(|mark| Some(mark.via) == self.arrival.hub)
    }

    /// Lets a record that waits for its number here stand under one of our own, if our hub may have lost it: there it is only
    /// known by us, and no other end would ever make room for it. Tells whether it stands.
    pub(super) fn keep_for_hub(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<bool> {
        let has_waited = self.arrival.authority() == Authority::Sender && self.arrival.via == LinkId::LOCAL;
        let is_lost = has_waited && self.arrival.owed == Extent::Everything && record.whole && record.dead.is_none();
        let Some((theirs, birth)) = numbered(record).filter(|_| is_lost && of.passage != Passage::Withdrawn) else {
            return Ok(false);
        };
        let left = self.gathered(table, of, record)?.remains;
        let Ok(fields) = self.meant(table, &left, Some((of, record)))? else { return Ok(false) };
        if self.mistaken(table, of, record, &fields)?.is_some() {
            return Ok(false);
        }
        let Some(number) = self.free_number(table)? else { return Ok(false) };
        let key = Key(vec![Value::Integer(number)]);
        self.transaction.begin_part()?;
        if self.transaction.insert(table, &key, &fields)? != Placement::Placed
            || self.lacked_by(table, of, record, &key)?.is_some()
        {
            return self.transaction.take_back_part().map(|()| false);
        }
        self.transaction.keep_part()?;
        let mut marks = merge::marks_left(&left);
        merge::send_whole(&mut marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        self.transaction.unbury(table, &record.key, Some(birth))?;
        self.transaction.mark(table, &key, &Present { birth: Some(birth), marks })?;
        self.placed.records += 1;
        self.note_number(table, theirs, number, birth).map(|()| true)
    }

    /// Keeps the numbers of those without a birth for them: who has dropped it was told that number by a hub, maybe this one
    /// before it lost them.
    pub(super) fn reserve_lost(&mut self, tables: &[TableShape], bundle: &[TableChanges]) {
        for changes in bundle {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            let unborn = changes.records.iter().filter(|record| record.birth.is_none());
            let numbers = unborn.filter_map(|record| number_of(&record.key));
            self.adopted.entry(table.id).or_default().extend(numbers);
        }
    }

    /// Takes a record that is new here by its birth for the one without a birth that had its number, and another one since.
    pub(super) fn is_lost_one(&mut self, table: &TableShape, key: &Key, birth: Stamp) -> Result<bool> {
        let from = Residence { key: key.clone(), birth: None };
        let Some(to) = self.moves.of(table.id, &from).cloned() else { return Ok(false) };
        let standing = self.transaction.find(table, &to.key)?.filter(|present| present.birth == to.birth);
        let Some(present) = standing else { return Ok(false) };
        let unborn = Present { birth: None, ..present.clone() };
        if !self.arrival.is_known_by(&unborn, Some(birth), &table.column_ids()) {
            return Ok(false);
        }
        self.note_union(table, Residence { birth: Some(birth), ..from }, to.clone())?;
        self.tell_unions(table, &to, present)?;
        Ok(true)
    }

    /// The same for one that is referred to: if it is that one, it is found under its number of now from here on.
    pub(super) fn find_lost_one(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        let from = residence(number, Some(birth));
        if self.arrival.authority() != Authority::Sender && self.moves.of(table.id, &from).is_none() {
            self.is_lost_one(table, &from.key, birth)?;
        }
        Ok(())
    }
}
