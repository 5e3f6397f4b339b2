//! Identity: which record here a change is about, and which number that has here (DESIGN section 6).
//!
//! A record with an assigned key is known by its birth first and by its number second. What a remote has made gets a number
//! of the hub's own, which is confirmed to it; the hub's number stands at the remote, whose record takes it, and whoever
//! holds it there moves away. Owns the translation of a bundle's numbers, in keys and references, into those of this
//! database, before anything of it is placed. Invariant: two births never become one record, and a number that was given
//! to one is not given to another.

use std::collections::BTreeMap;

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{KeyKind, Placement, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use crate::merge::Authority;

/// The records that were given another number than their sender knows, and whom that is to be confirmed.
pub(super) type Confirms = BTreeMap<(TableId, Key), Stamp>;

/// A place in a bundle: table and record.
type Place = (usize, usize);

/// What of a record refers to another.
#[derive(Clone, Copy)]
enum Part {
    Field(usize),
    Key(usize),
}

impl Placer<'_> {
    /// A bundle in this database's numbers; None if it is so already.
    pub(super) fn identify(&mut self, bundle: &[TableChanges]) -> Result<Option<Vec<TableChanges>>> {
        let tables = self.transaction.tables();
        if self.arrival.authority() == Authority::Sender {
            self.each_born(&tables, bundle, &mut |placer, table, record, _| {
                placer.follow(table, record, is_confirmation(table, bundle, record))
            })?;
        }
        let mut numbers: BTreeMap<Place, i64> = BTreeMap::new();
        self.each_born(&tables, bundle, &mut |placer, table, record, place| {
            let Some((theirs, birth)) = numbered(record) else { return Ok(()) };
            let ours = placer.number_here(table, record, theirs, birth)?;
            numbers.extend((ours != theirs).then_some((place, ours)));
            Ok(())
        })?;
        let references = self.references_here(&tables, bundle)?;
        if numbers.is_empty() && references.is_empty() {
            return Ok(None);
        }
        let mut identified = bundle.to_vec();
        for ((table, record), number) in numbers {
            if let Some(record) = record_at(&mut identified, (table, record)) {
                record.key = Key(vec![Value::Integer(number)]);
            }
        }
        for (place, part, number) in references {
            let Some(record) = record_at(&mut identified, place) else { continue };
            let value = match part {
                Part::Field(at) => record.fields.get_mut(at).map(|field| &mut field.value),
                Part::Key(at) => record.key.0.get_mut(at),
            };
            value.into_iter().for_each(|value| *value = Value::Integer(number));
        }
        Ok(Some(identified))
    }

    /// Goes through the records with a birth in tables with assigned keys.
    fn each_born(
        &mut self,
        tables: &[TableShape],
        bundle: &[TableChanges],
        each: &mut dyn FnMut(&mut Self, &TableShape, &RecordChange, Place) -> Result<()>,
    ) -> Result<()> {
        for (at, changes) in bundle.iter().enumerate() {
            let table = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table));
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for (number, record) in changes.records.iter().enumerate() {
                each(self, table, record, (at, number))?;
            }
        }
        Ok(())
    }

    /// The hub's number stands: our record of that birth takes it.
    fn follow(&mut self, table: &TableShape, record: &RecordChange, is_confirmation: bool) -> Result<()> {
        let Some((theirs, birth)) = numbered(record) else { return Ok(()) };
        let ours = self.transaction.number_of(table, birth)?;
        if ours.is_none() && is_confirmation {
            return self.renumber_held(table, theirs, birth);
        }
        if ours == Some(theirs) {
            return Ok(());
        }
        if let Some(ours) = ours
            && self.rejoin(table, ours, theirs, birth)?
        {
            return Ok(());
        }
        self.make_room(table, theirs, birth)?;
        match ours {
            Some(ours) => self.take_number(table, ours, theirs, birth),
            None => Ok(()),
        }
    }

    /// Whoever holds a number that the hub has given to another moves to one of our own, until the hub gives it its own.
    fn make_room(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(number)]))?;
        let Some(other) = standing.and_then(|present| present.birth) else { return Ok(()) };
        if self.arrival.is_same(Some(other), Some(birth)) {
            return Ok(());
        }
        let Some(free) = self.free_number(table)? else { return Ok(()) };
        if self.transaction.renumber(table, number, free)? == Placement::Placed {
            self.note_number(table, number, free, other)?;
        }
        Ok(())
    }

    fn take_number(&mut self, table: &TableShape, from: i64, to: i64, birth: Stamp) -> Result<()> {
        let (old, new) = (Key(vec![Value::Integer(from)]), Key(vec![Value::Integer(to)]));
        let standing = self.transaction.find(table, &old)?;
        let Some(present) = standing.filter(|present| present.birth == Some(birth)) else {
            return self.move_remains(table, &old, &new, birth);
        };
        if self.transaction.renumber(table, from, to)? != Placement::Placed {
            return Ok(());
        }
        let mut present = present;
        // Nodes behind us that know the record by its birth follow in their turn.
        present.marks.set(ColumnId::EXISTENCE, self.arrival.mark(birth));
        self.transaction.mark(table, &new, &present)?;
        self.note_number(table, from, to, birth)
    }

    fn move_remains(&mut self, table: &TableShape, from: &Key, to: &Key, birth: Stamp) -> Result<()> {
        let left = self.transaction.remains(table, from)?;
        let Some(left) = left.into_iter().find(|left| left.birth == Some(birth)) else { return Ok(()) };
        self.transaction.bury(table, to, left.birth, &left.remains)?;
        self.transaction.unbury(table, from, left.birth)
    }

    pub(super) fn note_number(&mut self, table: &TableShape, from: i64, to: i64, birth: Stamp) -> Result<()> {
        let residence = |number| Residence { key: Key(vec![Value::Integer(number)]), birth: Some(birth) };
        self.transaction.note_move(table, &residence(from), &residence(to))
    }

    /// The number that a change's record has here, or is given now.
    fn number_here(&mut self, table: &TableShape, record: &RecordChange, theirs: i64, birth: Stamp) -> Result<i64> {
        let standing = self.transaction.find(table, &record.key)?;
        if standing.is_some_and(|present| self.arrival.is_same(present.birth, Some(birth))) {
            return Ok(theirs);
        }
        if let Some(ours) = self.transaction.number_of(table, birth)? {
            self.confirm_again(table, theirs, ours, birth)?;
            return Ok(ours);
        }
        if self.arrival.authority() == Authority::Sender {
            return Ok(theirs);
        }
        if let Some(given) = self.transaction.given_number(table, theirs, birth)? {
            self.confirm_again(table, theirs, given, birth)?;
            self.will_confirm(table, given, birth);
            return Ok(given);
        }
        if self.arrival.is_forgotten(record) {
            return Ok(theirs);
        }
        if self.transaction.may_adopt(table, theirs)? {
            self.adopted.entry(table.id).or_default().insert(theirs);
            return Ok(theirs);
        }
        let Some(free) = self.free_number(table)? else { return Ok(theirs) };
        self.note_number(table, theirs, free, birth)?;
        self.will_confirm(table, free, birth);
        Ok(free)
    }

    /// A number for a record, none of those that others of the same bundle keep and do not stand under yet.
    pub(super) fn free_number(&mut self, table: &TableShape) -> Result<Option<i64>> {
        let adopted = self.adopted.entry(table.id).or_default();
        self.transaction.free_number(table, adopted)
    }

    fn will_confirm(&mut self, table: &TableShape, number: i64, birth: Stamp) {
        if self.arrival.authority() == Authority::Here {
            self.confirms.insert((table.id, Key(vec![Value::Integer(number)])), birth);
        }
    }

    /// Whoever still speaks of another number although it was confirmed (it comes from a backup) is told again.
    fn confirm_again(&mut self, table: &TableShape, theirs: i64, ours: i64, birth: Stamp) -> Result<()> {
        if ours == theirs || self.arrival.authority() != Authority::Here {
            return Ok(());
        }
        let key = Key(vec![Value::Integer(ours)]);
        let Some(mut present) = self.transaction.find(table, &key)? else { return Ok(()) };
        let told = present.marks.own(ColumnId::EXISTENCE);
        if self.arrival.is_same(present.birth, Some(birth)) && told.is_none_or(|told| self.arrival.knew(told)) {
            // It may have been forgotten here, but is all by which they know it.
            present.birth = Some(birth);
            present.marks.set(ColumnId::EXISTENCE, self.confirmation(birth));
            self.transaction.mark(table, &key, &present)?;
        }
        Ok(())
    }

    /// The mark by which a number is confirmed to everybody, also to whom the record came from.
    pub(super) fn confirmation(&self, birth: Stamp) -> Mark {
        Mark { stamp: birth, cut: self.arrival.cut, via: packhorse_shared::id::LinkId::LOCAL }
    }

    /// The references whose record has another number here: where they stand, and the number.
    fn references_here(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<Vec<(Place, Part, i64)>> {
        let mut references = Vec::new();
        for (at, changes) in bundle.iter().enumerate() {
            let table = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table));
            let Some(table) = table else { continue };
            for (number, record) in changes.records.iter().enumerate() {
                for (field, change) in record.fields.iter().enumerate() {
                    let (Some(birth), Value::Integer(theirs)) = (change.refers_to, &change.value) else { continue };
                    let Some((part, parent)) = reference(table, changes, change, field) else { continue };
                    let Some(parent) = tables.iter().find(|table| table.name == parent) else { continue };
                    let ours = self.known_number(parent, *theirs, birth)?.filter(|ours| ours != theirs);
                    references.extend(ours.map(|ours| ((at, number), part, ours)));
                }
            }
        }
        Ok(references)
    }

    /// The number here of a record that its sender knows by a number and a birth, if it is known here.
    fn known_number(&mut self, table: &TableShape, theirs: i64, birth: Stamp) -> Result<Option<i64>> {
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(theirs)]))?;
        if standing.is_some_and(|present| self.arrival.is_same(present.birth, Some(birth))) {
            return Ok(Some(theirs));
        }
        match self.transaction.number_of(table, birth)? {
            Some(ours) => Ok(Some(ours)),
            None => self.transaction.given_number(table, theirs, birth),
        }
    }
}

/// What a field refers to: the column that it is, or the one of the key that it speaks of, and the table.
fn reference<'t>(table: &'t TableShape, of: &TableChanges, field: &FieldChange, at: usize) -> Option<(Part, &'t str)> {
    if let Some(Column::Field(column, _)) = column_of(table, of, field) {
        return Some((Part::Field(at), table.columns.get(column)?.refers_to.as_deref()?));
    }
    let name = of.columns.get(field.column)?;
    let at = table.keys.iter().position(|key| key.eq_ignore_ascii_case(name))?;
    Some((Part::Key(at), table.key_refers_to.get(at)?.as_deref()?))
}

/// Whether a record's change says nothing but which number it has.
pub(super) fn says_only_number(table: &TableShape, of: &TableChanges, record: &RecordChange) -> bool {
    let is_existence = |column: usize| of.columns.get(column).is_some_and(|name| name == EXISTENCE);
    !table.columns.is_empty()
        && record.dead.is_none()
        && !record.fields.is_empty()
        && record.fields.iter().all(|field| is_existence(field.column))
}

fn is_confirmation(table: &TableShape, bundle: &[TableChanges], record: &RecordChange) -> bool {
    let of = bundle.iter().find(|changes| table.name.eq_ignore_ascii_case(&changes.table));
    of.is_some_and(|of| says_only_number(table, of, record))
}

/// The number and the birth of a record that has both.
fn numbered(record: &RecordChange) -> Option<(i64, Stamp)> {
    match (record.key.0.as_slice(), record.birth) {
        ([Value::Integer(number)], Some(birth)) => Some((*number, birth)),
        _ => None,
    }
}

fn record_at(bundle: &mut [TableChanges], (table, record): Place) -> Option<&mut RecordChange> {
    bundle.get_mut(table)?.records.get_mut(record)
}
