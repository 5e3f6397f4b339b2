//! Records that were made apart and are one: they have the same values in their table's identity (DESIGN section 6).
//!
//! Owns finding them: what a remote has made and is not known here becomes the record that stands, and the remote is told so;
//! see `united` for the remote's side. Invariants: it is the hub's number and birth that stay; only the hub decides, since the
//! values may change before two records meet, and it must be one decision for all; records that were known apart are never
//! made one. Leaves to `rejoin` those that were deleted and come back, and to the merge which of the values stand: the later
//! ones, field by field, as of any record.

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Present, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::identity::{number_of, numbered, residence};
use super::parent::number_said;
use crate::merge::{self, Authority, Fate};

impl Placer<'_> {
    /// Unites the records of a bundle with those that stand here under other births.
    pub(super) fn unite(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        for changes in bundle {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| !table.identity.is_empty()) else { continue };
            for record in &changes.records {
                if let Some(ours) = self.counterpart(tables, table, changes, record)? {
                    self.unite_with(table, record, ours)?;
                } else {
                    self.rejoin(tables, table, changes, record)?;
                }
            }
        }
        Ok(())
    }

    /// The record here that is the same as one that is new here.
    fn counterpart(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<(Key, Present)>> {
        let Some((number, birth)) = numbered(record).filter(|_| record.dead.is_none()) else { return Ok(None) };
        let theirs = Residence { key: record.key.clone(), birth: record.birth };
        if self.moves.of(table.id, &theirs).is_some() || self.is_here(table, number, birth)? {
            return Ok(None);
        }
        match self.identity_of(tables, table, of, record)? {
            Some(values) => self.identified_by(tables, (table, of), &values),
            None => Ok(None),
        }
    }

    /// The record that stands here with these values, and keeps them.
    pub(super) fn identified_by(
        &mut self,
        tables: &[TableShape],
        (table, of): (&TableShape, &TableChanges),
        values: &[Value],
    ) -> Result<Option<(Key, Present)>> {
        let Some(key) = self.transaction.identical(table, values)? else { return Ok(None) };
        let Some(present) = self.transaction.find(table, &key)? else { return Ok(None) };
        for other in &of.records {
            if self.speaks_of(table, other, &key, &present)
                && self.gives_up_identity(tables, (table, of, other), &present, values)?
            {
                return Ok(None);
            }
        }
        Ok(Some((key, present)))
    }

    /// What a change's record is known by, in this database's numbers: what is not known, or empty, is like nothing.
    pub(super) fn identity_of(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<Vec<Value>>> {
        let mut values = Vec::new();
        for column in &table.identity {
            match self.identifying(tables, table, of, record, *column)? {
                None | Some(Value::Null) => return Ok(None),
                Some(value) => values.push(value),
            }
        }
        Ok(Some(values))
    }

    /// The value of a change's identifying column, in this database's numbers.
    pub(super) fn identifying(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        column: ColumnId,
    ) -> Result<Option<Value>> {
        let Some(field) = field_of(table, of, record, column) else { return Ok(None) };
        let shape = table.columns.iter().find(|known| known.id == column);
        let parent = shape.and_then(|shape| shape.refers_to.as_deref());
        let parent = parent.and_then(|name| TableShape::named(tables, name));
        let (Some(parent), Some(theirs)) = (parent, number_said(table, of, field)) else {
            return Ok(Some(field.value.clone()));
        };
        if let Some(now) = self.moved_to(parent, residence(theirs, field.refers_to), None)? {
            return Ok(number_of(&now.key).map(|ours| field.value.renumbered(ours)));
        }
        let Some(birth) = field.refers_to else { return Ok(Some(field.value.clone())) };
        // What refers to a record that is not known here is like nothing here, whatever stands under its number.
        Ok(self.known_number(parent, theirs, birth)?.map(|ours| field.value.renumbered(ours)))
    }

    /// Whether a record that stands here will not have these values any more after a change that comes in the same bundle.
    fn gives_up_identity(
        &mut self,
        tables: &[TableShape],
        (table, of, change): (&TableShape, &TableChanges, &RecordChange),
        present: &Present,
        values: &[Value],
    ) -> Result<bool> {
        if matches!(merge::fate(&present.marks, &table.column_ids(), change, &self.arrival), Fate::Dies(_)) {
            return Ok(true);
        }
        for (column, value) in table.identity.iter().zip(values) {
            let Some(field) = field_of(table, of, change, *column) else { continue };
            let stands = merge::field(present.marks.get(*column), field.stamp, &self.arrival).is_theirs();
            if stands && self.identifying(tables, table, of, change, *column)?.as_ref() != Some(value) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a change is about a record that stands here, by whatever its sender knows that.
    fn speaks_of(&self, table: &TableShape, change: &RecordChange, key: &Key, present: &Present) -> bool {
        let theirs = Residence { key: change.key.clone(), birth: change.birth };
        match self.moves.of(table.id, &theirs) {
            Some(to) => to.key == *key,
            None => {
                let is_it = change.key == *key || is_born_with(present, change);
                is_it && self.arrival.is_same_standing(present, change, &table.column_ids())
            }
        }
    }

    /// What a remote calls by its own number and birth is our record from now on; it goes there whole, with that word.
    pub(super) fn unite_with(
        &mut self,
        table: &TableShape,
        record: &RecordChange,
        (key, mut present): (Key, Present),
    ) -> Result<()> {
        let theirs = Residence { key: record.key.clone(), birth: record.birth };
        let ours = Residence { key, birth: present.birth };
        merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        self.note_union(table, theirs, ours.clone())?;
        self.tell_unions(table, &ours, present)
    }

    /// Whoever speaks of a record as of another although it was told that the two are one (it comes from a backup) is told
    /// again.
    pub(super) fn tell_union_again(&mut self, table: &TableShape, to: &Residence) -> Result<()> {
        let Some(present) = self.transaction.find(table, &to.key)? else { return Ok(()) };
        let is_it = self.arrival.is_known_by(&present, to.birth, &table.column_ids());
        let told = present.marks.own(ColumnId::EXISTENCE);
        let was_told = told.is_some_and(|told| !self.arrival.knew(told));
        if self.arrival.authority() == Authority::Sender || !is_it || was_told {
            return Ok(());
        }
        self.tell_unions(table, to, present)
    }

    /// Marks a record so that everybody but this node's hub is told what is one with it.
    pub(super) fn tell_unions(&mut self, table: &TableShape, at: &Residence, mut present: Present) -> Result<()> {
        let stamp = at.birth.unwrap_or(self.arrival.horizon.stamp());
        present.marks.set(ColumnId::EXISTENCE, self.confirmation(stamp));
        self.transaction.mark(table, &at.key, &present)
    }

    /// The mark by which numbers are told to everybody behind this node, also to whom the record came from.
    pub(super) fn confirmation(&self, stamp: Stamp) -> Mark {
        Mark { stamp, cut: self.arrival.cut, via: self.arrival.hub.unwrap_or(LinkId::LOCAL) }
    }

    pub(super) fn note_union(&mut self, table: &TableShape, from: Residence, to: Residence) -> Result<()> {
        self.transaction.note_move(table, &from, &to)?;
        self.moves.note(table.id, from, to);
        Ok(())
    }
}

fn is_born_with(present: &Present, change: &RecordChange) -> bool {
    present.birth.is_some() && present.birth == change.birth
}

pub(super) fn field_of<'c>(
    table: &TableShape,
    of: &TableChanges,
    record: &'c RecordChange,
    column: ColumnId,
) -> Option<&'c FieldChange> {
    let is_it =
        |field: &&FieldChange| matches!(column_of(table, of, field), Some(Column::Field(_, id)) if id == column);
    record.fields.iter().find(is_it)
}
