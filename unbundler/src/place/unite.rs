//! Records that were made apart and are one: they have the same values in their table's identity (DESIGN section 6).
//!
//! Owns finding them, in both directions: at the hub, what a remote has made becomes the record that stands; at the remote,
//! the record that it has made becomes the hub's. Invariant: it is the hub's number and birth that stay. Leaves to the merge
//! which of the values stand: the later ones, field by field, as of any record.

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{HowMoved, Moved, Placement, Present, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::parent::number_said;
use crate::merge::{self, Authority};

impl Placer<'_> {
    /// Unites the records of a bundle with those that stand here under other births.
    pub(super) fn unite(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        for changes in bundle {
            let table = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table));
            let Some(table) = table.filter(|table| !table.identity.is_empty()) else { continue };
            for record in changes.records.iter().filter(|record| record.dead.is_none()) {
                if let Some(ours) = self.counterpart(tables, table, changes, record)? {
                    self.unite_with(table, record, ours)?;
                }
            }
        }
        Ok(())
    }

    /// The record here that is the same as a change's and bears another number or birth.
    fn counterpart(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<(Key, Present)>> {
        let theirs = Residence { key: record.key.clone(), birth: record.birth };
        if self.moves.contains_key(&(table.id, theirs)) {
            return Ok(None);
        }
        let mut values = Vec::new();
        for column in &table.identity {
            match self.identifying(tables, table, of, record, *column)? {
                // What is not known, or empty, is like nothing.
                None | Some(Value::Null) => return Ok(None),
                Some(value) => values.push(value),
            }
        }
        let Some(key) = self.transaction.identical(table, &values)? else { return Ok(None) };
        let Some(present) = self.transaction.find(table, &key)? else { return Ok(None) };
        let is_same = self.arrival.is_same_standing(&present, record, &table.column_ids());
        let is_it = key == record.key && is_same;
        let by_birth = record.birth.is_some() && present.birth == record.birth;
        Ok((!is_it && !by_birth).then_some((key, present)))
    }

    /// The value of a change's identifying column, in this database's numbers.
    fn identifying(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        column: ColumnId,
    ) -> Result<Option<Value>> {
        let is_it = |field: &&packhorse_shared::change::FieldChange| matches!(column_of(table, of, field), Some(Column::Field(_, id)) if id == column);
        let Some(field) = record.fields.iter().find(is_it) else { return Ok(None) };
        let shape = table.columns.iter().find(|known| known.id == column);
        let parent = shape.and_then(|shape| shape.refers_to.as_deref());
        let parent = parent.and_then(|name| tables.iter().find(|table| table.name == name));
        if let (Some(parent), Some(theirs), Some(birth)) = (parent, number_said(table, of, field), field.refers_to) {
            // What refers to a record that is not known here is like nothing here, whatever stands under its number.
            return Ok(self.known_number(parent, theirs, birth)?.map(|ours| field.value.renumbered(ours)));
        }
        Ok(Some(field.value.clone()))
    }

    fn unite_with(&mut self, table: &TableShape, record: &RecordChange, (key, present): (Key, Present)) -> Result<()> {
        let theirs = Residence { key: record.key.clone(), birth: record.birth };
        let ours = Residence { key, birth: present.birth };
        match self.arrival.authority() {
            Authority::Sender => self.become_theirs(table, ours, theirs, present),
            Authority::Here | Authority::HereForNow => self.take_for_ours(table, theirs, ours, present),
        }
    }

    /// What the remote calls by its own number and birth is our record from now on; it goes there whole, to be known.
    fn take_for_ours(
        &mut self,
        table: &TableShape,
        theirs: Residence,
        ours: Residence,
        mut present: Present,
    ) -> Result<()> {
        merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        self.transaction.mark(table, &ours.key, &present)?;
        self.note_union(table, theirs, ours)
    }

    /// Our record is the hub's, by its number and birth.
    pub(super) fn become_theirs(
        &mut self,
        table: &TableShape,
        ours: Residence,
        theirs: Residence,
        mut present: Present,
    ) -> Result<()> {
        let ([Value::Integer(from)], [Value::Integer(to)]) = (ours.key.0.as_slice(), theirs.key.0.as_slice()) else {
            return Ok(());
        };
        if from != to {
            if let Some(birth) = theirs.birth {
                self.make_room(table, *to, birth)?;
            }
            if self.transaction.renumber(table, *from, *to)? != Placement::Placed {
                return Ok(());
            }
        }
        present.birth = theirs.birth;
        // Nodes behind us know it by the birth that it had: they are told of it whole.
        let all = Mark { cut: self.arrival.cut, via: LinkId::LOCAL, stamp: self.arrival.horizon.stamp() };
        for column in table.column_ids() {
            let stamp = present.marks.get(column).map_or(all.stamp, |mark| mark.stamp);
            present.marks.set(column, Mark { stamp, ..all });
        }
        self.transaction.mark(table, &theirs.key, &present)?;
        self.note_union(table, ours, theirs)
    }

    pub(super) fn note_union(&mut self, table: &TableShape, from: Residence, to: Residence) -> Result<()> {
        self.transaction.note_move(table, &from, &to, HowMoved::Merged)?;
        self.moved_on(table, &from, &to);
        self.moves.insert((table.id, from), Moved { to, how: HowMoved::Merged });
        Ok(())
    }

    /// What is known to be a record goes along when that itself is known by something else from now on.
    pub(super) fn moved_on(&mut self, table: &TableShape, from: &Residence, to: &Residence) {
        let of_table = self.moves.iter_mut().filter(|((of, _), moved)| *of == table.id && moved.to == *from);
        of_table.for_each(|(_, moved)| moved.to = to.clone());
    }
}
