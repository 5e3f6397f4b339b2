//! Records that are known under another birth: those that come back when their number has been given to another, and those
//! that were made apart and are one.
//!
//! SQLite gives the highest number again once its record was deleted. A later edit elsewhere brings the deleted record back
//! all the same: its hub, which decides identity, gives it a new number, and says so as two edits of its own, a deletion
//! under the old number and a record under the new one. Who has not heard of that yet still speaks of the old number:
//! what it says is taken for the new one, and goes back to it.

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{HowMoved, KeyKind, Moved, Placement, Present, Remains, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::identity::{number_of, residence};
use super::parent::{number_said, value_said};
use crate::merge::Authority;

/// The changes of a bundle, sorted by whether they speak of a number that is out of date.
pub(super) struct Sorted {
    /// Those that do not.
    pub current: Vec<TableChanges>,
    /// Those that did: they speak of the new number now.
    pub redirected: Vec<TableChanges>,
}

impl Placer<'_> {
    /// Sorts changes; None if nothing of them is out of date.
    pub(super) fn sort(&mut self, bundle: &[TableChanges]) -> Result<Option<Sorted>> {
        if self.moves.is_empty() {
            return Ok(None);
        }
        let tables = self.transaction.tables();
        let mut sorted = Sorted { current: Vec::new(), redirected: Vec::new() };
        for changes in bundle {
            let Some(table) = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table)) else {
                sorted.current.push(changes.clone());
                continue;
            };
            let (mut current, mut redirected) = (Vec::new(), Vec::new());
            for record in &changes.records {
                match self.redirect(&tables, table, changes, record)? {
                    Some(moved) => redirected.push(moved),
                    None => current.push(record.clone()),
                }
            }
            let with = |records: Vec<RecordChange>| TableChanges { records, ..empty(changes) };
            sorted.current.extend((!current.is_empty()).then(|| with(current)));
            sorted.redirected.extend((!redirected.is_empty()).then(|| with(redirected)));
        }
        Ok(Some(sorted).filter(|sorted| !sorted.redirected.is_empty()))
    }

    fn redirect(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<RecordChange>> {
        let mut moved = record.clone();
        let from = Residence { key: record.key.clone(), birth: record.birth };
        if let Some(Moved { to, how }) = self.moves.get(&(table.id, from)).cloned() {
            if how == HowMoved::CameBack {
                self.say_again(table, record)?;
            }
            (moved.key, moved.birth) = (to.key, to.birth);
        }
        for (field, old) in moved.fields.iter_mut().zip(&record.fields) {
            if let Some((value, birth, how)) = self.reference(tables, table, (of, record), old)? {
                (field.value, field.refers_to) = (value, birth);
                // That the reference is to another record is a decision made here.
                if how == HowMoved::CameBack {
                    field.stamp = self.transaction.tick();
                }
            }
        }
        Ok((moved != *record).then_some(moved))
    }

    /// Whoever edited the record under its old number since that was said to be deleted has it still: it is said again.
    fn say_again(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        let latest = record.fields.iter().map(|field| field.stamp).max();
        let known = self.transaction.remains(table, &record.key)?;
        let known = known.into_iter().find(|known| self.arrival.is_same_left(known, record));
        let dead = known.as_ref().and_then(|known| known.remains.dead).map(|dead| dead.stamp);
        if latest <= dead {
            return Ok(());
        }
        let dead = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        let birth = known.map_or(record.birth, |known| known.birth);
        self.transaction.bury(table, &record.key, birth, &Remains::tombstone(dead))
    }

    /// What a reference to a record that has moved is now.
    fn reference(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        (of, record): (&TableChanges, &RecordChange),
        field: &FieldChange,
    ) -> Result<Option<(Value, Option<Stamp>, HowMoved)>> {
        let Some(Column::Field(at, _)) = column_of(table, of, field) else { return Ok(None) };
        let parent = self.parent(table, at, &record.key, &|at| value_said(table, of, record, at))?;
        let Some(parent) = tables.iter().find(|table| Some(table.name.as_str()) == parent) else { return Ok(None) };
        let Some(number) = number_said(table, of, field) else { return Ok(None) };
        let moved = self.moves.get(&(parent.id, residence(number, field.refers_to)));
        let value = |to: &Residence| Some(field.value.renumbered(number_of(&to.key)?));
        Ok(moved.and_then(|Moved { to, how }| Some((value(to)?, to.birth, *how))))
    }

    /// Gives a record that lives again a number of its own, if this end decides that; else it is held.
    pub(super) fn give_number(&mut self, table: &TableShape, of: &TableChanges, record: &RecordChange) -> Result<()> {
        let taken = format!("another record stands under {} in this database", record.key);
        if self.arrival.authority() == Authority::Sender || table.key_kind != KeyKind::Assigned {
            return self.hold(of, record, &taken);
        }
        let gathered = self.gathered(table, of, record)?;
        let fields = super::absent::values_of(table, &gathered.remains);
        if let Some(reason) = self.mistaken(table, of, record, &fields)? {
            return self.hold(of, record, &reason);
        }
        let Some(number) = self.free_number(table)? else { return self.hold(of, record, &taken) };
        let key = Key(vec![Value::Integer(number)]);
        if let Placement::Refused(reason) = self.transaction.insert(table, &key, &fields)? {
            return self.hold(of, record, &reason);
        }
        let mut mark = || Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        let (born, dead) = (mark(), mark());
        let present = Present { birth: Some(born.stamp), marks: Marks::of_all(born) };
        self.transaction.mark(table, &key, &present)?;
        self.transaction.bury(table, &record.key, gathered.birth, &Remains::tombstone(dead))?;
        self.note_move(table, record, Residence { key, birth: present.birth })
    }

    fn note_move(&mut self, table: &TableShape, record: &RecordChange, to: Residence) -> Result<()> {
        let from = Residence { key: record.key.clone(), birth: record.birth };
        self.transaction.note_move(table, &from, &to, HowMoved::CameBack)?;
        self.placed.records += 1;
        self.placed.revived += 1;
        let text = format!(
            "{0} {1} was deleted and its number given to another, and edited elsewhere later: it is {0} {2} now",
            table.name, record.key, to.key
        );
        self.moves.insert((table.id, from), Moved { to, how: HowMoved::CameBack });
        self.transaction.note(&text, self.now)
    }
}

fn empty(of: &TableChanges) -> TableChanges {
    TableChanges {
        table: of.table.clone(),
        key_columns: of.key_columns.clone(),
        columns: of.columns.clone(),
        records: Vec::new(),
    }
}
