//! Identity: which record here a change is about, and which number that has here (DESIGN section 6).
//!
//! A record with an assigned key is known by its birth first and by its number second. What a remote has made gets a number
//! of the hub's own, which is confirmed to it, and the remote follows (see `follow`). Owns the translation of a bundle's
//! numbers, in keys and references, into those of this database, before anything of it is placed. Invariant: two births
//! never become one record, and a number that was given to one is not given to another.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::replica::{KeyKind, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::follow::word_on_number;
use super::named::{Named, Numbers};
use super::parent::{number_said, value_said};
use super::united::{left_by_unions, union_told};
use crate::merge::Authority;

/// The records that were given another number than their sender knows, and whom that is to be confirmed.
pub(super) type Confirms = BTreeMap<(TableId, Key), Stamp>;

/// Numbers that records of a bundle keep here, by table.
pub(super) type Adopted = BTreeMap<TableId, BTreeSet<i64>>;

/// Births of a bundle's records, by table.
pub(super) type Births = BTreeSet<(TableId, Stamp)>;

/// A place in a bundle: table and record.
pub(super) type Place = (usize, usize);

/// What of a record refers to another.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Field(usize),
    Key(usize),
}

impl Part {
    /// Its value, if it is part of a key.
    fn of_key(self, key: &Key) -> Option<&Value> {
        match self {
            Self::Field(_) => None,
            Self::Key(at) => key.0.get(at),
        }
    }
}

impl Placer<'_> {
    /// A bundle in this database's numbers; None if it is so already.
    pub(super) fn identify(&mut self, bundle: &[TableChanges]) -> Result<Option<Vec<TableChanges>>> {
        let tables = self.transaction.tables();
        self.unknown.clear();
        self.named = Named::by(&tables, bundle);
        if self.arrival.authority() == Authority::Sender {
            self.vacated = self.vacated_by(&tables, bundle)?;
            self.vacated.extend(left_by_unions(&tables, bundle));
            self.each_born(&tables, bundle, &mut |placer, table, record, _| {
                placer.follow(table, record, word_on_number(table, bundle, record))
            })?;
            self.hear_unions(&tables, bundle)?;
        } else {
            self.reserve_lost(&tables, bundle);
            self.become_lost_unions(&tables, bundle)?;
            self.hear_earlier_words(&tables, bundle)?;
            self.unite(&tables, bundle)?;
        }
        let mut numbers = Numbers::default();
        self.each_born(&tables, bundle, &mut |placer, table, record, place| {
            let Some((theirs, birth)) = numbered(record) else { return Ok(()) };
            let ours = placer.number_here(table, record, theirs, birth)?;
            numbers.changed.extend((ours != theirs).then_some((place, ours)));
            numbers.of_births.insert((table.id, birth), ours);
            Ok(())
        })?;
        let references = self.references_here(&tables, bundle, &numbers)?;
        let numbers = numbers.changed;
        let rekeyed = references.iter().filter(|(_, part, _)| matches!(part, Part::Key(_))).map(|(place, ..)| *place);
        self.send_under_old_keys(&tables, bundle, rekeyed.collect())?;
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
            value.into_iter().for_each(|value| *value = value.renumbered(number));
        }
        Ok(Some(identified))
    }

    /// Goes through the records of tables with assigned keys, but for words on which are one.
    fn each_born(
        &mut self,
        tables: &[TableShape],
        bundle: &[TableChanges],
        each: &mut dyn FnMut(&mut Self, &TableShape, &RecordChange, Place) -> Result<()>,
    ) -> Result<()> {
        for (at, changes) in bundle.iter().enumerate() {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            let records = changes.records.iter().enumerate();
            for (number, record) in records.filter(|(_, record)| union_told(table, changes, record).is_none()) {
                each(self, table, record, (at, number))?;
            }
        }
        Ok(())
    }

    pub(super) fn note_number(&mut self, table: &TableShape, from: i64, to: i64, birth: Stamp) -> Result<()> {
        let (from, to) = (residence(from, Some(birth)), residence(to, Some(birth)));
        self.moves.move_on(table.id, &from, &to);
        self.transaction.note_move(table, &from, &to)
    }

    /// The number that a change's record has here, or is given now.
    fn number_here(&mut self, table: &TableShape, record: &RecordChange, theirs: i64, birth: Stamp) -> Result<i64> {
        if self.unknown.contains(&(table.id, birth)) {
            return Ok(theirs);
        }
        let standing = self.transaction.find(table, &record.key)?;
        if self.moves.of(table.id, &residence(theirs, Some(birth))).is_some() {
            return Ok(theirs);
        }
        // Who is known by its birth is nobody without one.
        if let Some(ours) = self.transaction.number_of(table, birth)? {
            self.confirm_again(table, theirs, ours, birth)?;
            return Ok(ours);
        }
        if standing.is_some_and(|present| self.arrival.is_known_by(&present, Some(birth), &table.column_ids())) {
            return Ok(theirs);
        }
        if self.arrival.authority() == Authority::Sender {
            return Ok(theirs);
        }
        if self.is_lost_one(table, &record.key, birth)? {
            return Ok(theirs);
        }
        if let Some(given) = self.transaction.given_number(table, theirs, birth)? {
            self.confirm_given(table, theirs, given, birth)?;
            return Ok(given);
        }
        if self.arrival.is_forgotten(record) {
            return Ok(theirs);
        }
        if self.transaction.may_adopt(table, theirs)? {
            self.adopted.entry(table.id).or_default().insert(theirs);
            // Its maker may have moved it out of the way of one that had the number here.
            if !self.transaction.remains(table, &record.key)?.is_empty() {
                self.will_confirm(table, theirs, birth);
            }
            return Ok(theirs);
        }
        if self.is_left_here(table, record)? {
            return Ok(theirs);
        }
        let Some(free) = self.free_number(table)? else { return Ok(theirs) };
        self.note_number(table, theirs, free, birth)?;
        self.will_confirm(table, free, birth);
        Ok(free)
    }

    /// Whether its record died under that number here, and its birth was dropped before: from what is left of it it comes back,
    /// and then gets a number if another has that one by now.
    fn is_left_here(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        let left = self.transaction.remains(table, &record.key)?;
        Ok(left.iter().any(|left| left.birth.is_none() && self.arrival.is_same_left(left, record)))
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

    /// Whoever speaks of a record by a birth that was dropped here meanwhile comes from a backup: it is told by that birth.
    fn confirm_given(&mut self, table: &TableShape, theirs: i64, given: i64, birth: Stamp) -> Result<()> {
        let key = Key(vec![Value::Integer(given)]);
        match self.transaction.find(table, &key)? {
            Some(mut present) if self.arrival.is_known_by(&present, Some(birth), &table.column_ids()) => {
                present.birth = Some(birth);
                self.transaction.mark(table, &key, &present)?;
                self.confirm_again(table, theirs, given, birth)
            }
            _ => {
                self.will_confirm(table, given, birth);
                Ok(())
            }
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
        if present.birth == Some(birth) && told.is_none_or(|told| self.arrival.knew(told)) {
            present.marks.set(ColumnId::EXISTENCE, self.confirmation(birth));
            self.transaction.mark(table, &key, &present)?;
        }
        Ok(())
    }

    /// The references whose record has another number here: where they stand, and the number.
    fn references_here(
        &mut self,
        tables: &[TableShape],
        bundle: &[TableChanges],
        numbers: &Numbers,
    ) -> Result<Vec<(Place, Part, i64)>> {
        let mut references = Vec::new();
        for (at, changes) in bundle.iter().enumerate() {
            let Some(table) = TableShape::named(tables, &changes.table) else { continue };
            for (number, record) in changes.records.iter().enumerate() {
                let ours = numbers.changed.get(&(at, number)).map(|ours| Key(vec![Value::Integer(*ours)]));
                let mut key = ours.unwrap_or_else(|| record.key.clone());
                // What speaks of the key comes last: by it the record is found whose fields come before.
                for (field, change) in record.fields.iter().enumerate().rev() {
                    let (Some(birth), Some(theirs)) = (change.refers_to, number_said(table, changes, change)) else {
                        continue;
                    };
                    let referred = self.referred(table, (changes, record, &key), change, field)?;
                    let Some((part, parent)) = referred else { continue };
                    let Some(parent) = TableShape::named(tables, parent) else { continue };
                    let known = self.known_number(parent, theirs, birth)?;
                    let Some(ours) = known.or(numbers.of(parent, birth)) else {
                        self.find_lost_one(parent, theirs, birth)?;
                        continue;
                    };
                    // A key was put right already if the change was held; its record may have moved since.
                    let said = part.of_key(&key).unwrap_or(&change.value);
                    let column = changes.columns.get(change.column);
                    if column.and_then(|column| table.number_in(column, said)) == Some(ours) {
                        continue;
                    }
                    if let Part::Key(place) = part {
                        key.0.get_mut(place).into_iter().for_each(|value| *value = value.renumbered(ours));
                    }
                    references.push(((at, number), part, ours));
                }
            }
        }
        Ok(references)
    }

    /// What a change refers to and has not come: it waits for that, since it may get another number here.
    pub(super) fn awaited(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<String>> {
        if record.dead.is_some() {
            return Ok(None);
        }
        for at in 0..record.fields.len() {
            if let Some(reason) = self.awaited_by(table, of, record, at)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// The same of one field.
    pub(super) fn awaited_by(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        at: usize,
    ) -> Result<Option<String>> {
        let Some(field) = record.fields.get(at) else { return Ok(None) };
        let (Some(birth), Some(number)) = (field.refers_to, number_said(table, of, field)) else { return Ok(None) };
        let tables = self.transaction.tables();
        let referred = self.referred(table, (of, record, &record.key), field, at)?;
        let parent = referred.and_then(|(_, parent)| TableShape::named(&tables, parent));
        let Some(parent) = parent else { return Ok(None) };
        let has_come = self.coming.contains(&(parent.id, birth)) || self.is_here(parent, number, birth)?;
        if has_come || self.may_have_dropped(parent, number, birth)? {
            return Ok(None);
        }
        self.not_here_yet(parent, number, birth).map(Some)
    }

    /// Whether a record that is not found by its birth may stand here without one, or have stood: under a number that can be
    /// its for good.
    fn may_have_dropped(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<bool> {
        let may_be_its = self.arrival.authority() != Authority::Here || self.transaction.may_adopt(table, number)?;
        Ok(self.arrival.births.covers(birth) && may_be_its)
    }

    /// The table that a field of a change refers to.
    pub(super) fn refers<'t>(
        &mut self,
        table: &'t TableShape,
        (of, record): (&TableChanges, &RecordChange),
        at: usize,
    ) -> Result<Option<&'t str>> {
        let Some(field) = record.fields.get(at) else { return Ok(None) };
        Ok(self.referred(table, (of, record, &record.key), field, at)?.map(|(_, parent)| parent))
    }

    /// What a field refers to: the column that it is, or the one of the key that it speaks of, and the table.
    pub(super) fn referred<'t>(
        &mut self,
        table: &'t TableShape,
        (of, record, key): (&TableChanges, &RecordChange, &Key),
        field: &FieldChange,
        at: usize,
    ) -> Result<Option<(Part, &'t str)>> {
        if let Some(Column::Field(column, _)) = column_of(table, of, field) {
            let parent = self.parent(table, column, key, &|at| value_said(table, of, record, at))?;
            return Ok(parent.map(|parent| (Part::Field(at), parent)));
        }
        let Some(name) = of.columns.get(field.column) else { return Ok(None) };
        let at = table.keys.iter().position(|key| key.eq_ignore_ascii_case(name));
        let parent = at.and_then(|at| Some((Part::Key(at), table.key_refers_to.get(at)?.as_deref()?)));
        Ok(parent)
    }

    /// Whether a record stands here or something is left of it. That it was given a number is not enough: it may be held.
    pub(super) fn is_here(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<bool> {
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(number)]))?;
        let is_it = |present| self.arrival.is_known_by(&present, Some(birth), &table.column_ids());
        Ok(standing.is_some_and(is_it) || self.transaction.number_of(table, birth)?.is_some())
    }

    /// The number here of a record that its sender knows by a number and a birth, if it is known here.
    pub(super) fn known_number(&mut self, table: &TableShape, theirs: i64, birth: Stamp) -> Result<Option<i64>> {
        if let Some(ours) = self.transaction.number_of(table, birth)? {
            return Ok(Some(ours));
        }
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(theirs)]))?;
        if standing.is_some_and(|present| self.arrival.is_known_by(&present, Some(birth), &table.column_ids())) {
            return Ok(Some(theirs));
        }
        self.transaction.given_number(table, theirs, birth)
    }
}

/// Whether a change says that its record was deleted, and nothing later.
pub(super) fn is_dead(record: &RecordChange) -> bool {
    record.dead.is_some() && record.fields.iter().all(|field| Some(field.stamp) <= record.dead)
}

pub(super) fn residence(number: i64, birth: Option<Stamp>) -> Residence {
    Residence { key: Key(vec![Value::Integer(number)]), birth }
}

/// The number and the birth of a record that has both.
pub(super) fn numbered(record: &RecordChange) -> Option<(i64, Stamp)> {
    Some((number_of(&record.key)?, record.birth?))
}

pub(super) fn number_of(key: &Key) -> Option<i64> {
    match key.0.as_slice() {
        [Value::Integer(number)] => Some(*number),
        _ => None,
    }
}

fn record_at(bundle: &mut [TableChanges], (table, record): Place) -> Option<&mut RecordChange> {
    bundle.get_mut(table)?.records.get_mut(record)
}
