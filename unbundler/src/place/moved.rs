//! Records that are known under another birth: those that come back when their number has been given to another, and those
//! that were made apart and are one.
//!
//! SQLite gives the highest number again once its record was deleted. A later edit elsewhere brings the deleted record back
//! all the same: the root, which decides identity, gives it a new number and a new birth, and tells so (see `returned`). Who
//! has not heard of that yet still speaks of the old number, in references and keys too: what it says is taken for the new one.

use std::collections::BTreeSet;

use packhorse_shared::change::{FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{LinkId, TableId};
use packhorse_shared::replica::{KeyKind, Missing, Placement, Present, Residence, Result, Spoken, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::identity::{number_of, residence};
use super::parent::{key_references, number_said, value_said};
use super::references::{Before, Undo};
use super::united::union_told;
use crate::merge::{self, Authority};

/// The changes of a bundle, in the numbers of today.
pub(super) struct Sorted {
    /// All of them, those that spoke of others last.
    pub changes: Vec<TableChanges>,
    /// Of what these are.
    pub redirected: BTreeSet<(TableId, Key, Option<Stamp>)>,
}

impl Placer<'_> {
    /// Does something about a change. What spoke of a number that is out of date goes back to its sender, which is to hear what
    /// that is now.
    pub(super) fn as_said<T>(
        &mut self,
        table: &TableShape,
        record: &RecordChange,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let via = self.arrival.via;
        if self.redirected.contains(&(table.id, record.key.clone(), record.birth)) {
            self.arrival.via = LinkId::LOCAL;
        }
        let done = work(self);
        self.arrival.via = via;
        done
    }

    /// Sorts changes; None if nothing of them is out of date.
    pub(super) fn sort(&mut self, bundle: &[TableChanges]) -> Result<Option<Sorted>> {
        if self.moves.is_empty() {
            return Ok(None);
        }
        let tables = self.transaction.tables();
        let coming = coming(&tables, bundle);
        // A hub that brings a record takes off what it was known as before, and not the record itself.
        let stays = |changes: &TableChanges, table: &TableShape, moved: &RecordChange| {
            changes.passage == Passage::Withdrawn
                && moved.birth.is_some_and(|birth| coming.contains(&(table.id, birth)))
        };
        let (mut sorted, mut late) = (Sorted { changes: Vec::new(), redirected: BTreeSet::new() }, Vec::new());
        for changes in bundle {
            let Some(table) = TableShape::named(&tables, &changes.table) else {
                sorted.changes.push(changes.clone());
                continue;
            };
            let (mut current, mut redirected) = (Vec::new(), empty(changes));
            let of = with_keys(table, &mut redirected);
            for record in &changes.records {
                match self.redirect(&tables, table, (changes, &of), record)? {
                    Some(moved) if !stays(changes, table, &moved) => redirected.records.push(moved),
                    _ => current.push(record.clone()),
                }
            }
            sorted.changes.extend((!current.is_empty()).then(|| TableChanges { records: current, ..empty(changes) }));
            let moved = redirected.records.iter().map(|record| (table.id, record.key.clone(), record.birth));
            sorted.redirected.extend(moved);
            late.extend((!redirected.records.is_empty()).then_some(redirected));
        }
        sorted.changes.extend(late);
        Ok(Some(sorted).filter(|sorted| !sorted.redirected.is_empty()))
    }

    /// A change in the numbers of today; `keys` are the places of the key's columns among those that it can speak of.
    fn redirect(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        (of, keys): (&TableChanges, &[usize]),
        record: &RecordChange,
    ) -> Result<Option<RecordChange>> {
        if union_told(table, of, record).is_some() {
            return Ok(None);
        }
        let mut moved = record.clone();
        if table.key_kind == KeyKind::Assigned {
            let from = Residence { key: record.key.clone(), birth: record.birth };
            if let Some(to) = self.moved_to(table, from, Some(record))? {
                self.tell_union_again(table, &to)?;
                (moved.key, moved.birth) = (to.key, to.birth);
            }
        }
        for (field, old) in moved.fields.iter_mut().zip(&record.fields) {
            if let Some((value, birth)) = self.reference(tables, table, (of, record), old)? {
                (field.value, field.refers_to) = (value, birth);
            }
        }
        self.redirect_key(tables, table, (of, keys), record, &mut moved)?;
        Ok((moved != *record).then_some(moved))
    }

    /// The same for the numbers of other records in a key; by their births it is found whom they mean.
    fn redirect_key(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        (of, keys): (&TableChanges, &[usize]),
        record: &RecordChange,
        moved: &mut RecordChange,
    ) -> Result<()> {
        let (mut births, mut has_moved) = (Vec::new(), false);
        for (name, parent, number, birth) in key_references(table, of, record) {
            births.push(birth);
            let Some(parent) = TableShape::named(tables, parent) else { continue };
            let Some(to) = self.moved_to(parent, residence(number, birth), None)? else { continue };
            let at = table.keys.iter().position(|key| key == name);
            let part = at.and_then(|at| Some((*keys.get(at)?, moved.key.0.get_mut(at)?)));
            let (Some((column, part)), Some(number)) = (part, number_of(&to.key)) else { continue };
            *part = part.renumbered(number);
            let said = FieldChange { column, value: part.clone(), stamp: Stamp::ZERO, refers_to: to.birth };
            moved.fields.retain(|field| field.column != column);
            moved.fields.push(said);
            births.pop();
            births.push(to.birth);
            has_moved = true;
        }
        if has_moved {
            moved.birth = births.into_iter().flatten().max();
        }
        Ok(())
    }

    /// What a reference to a record that has moved is now.
    fn reference(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        (of, record): (&TableChanges, &RecordChange),
        field: &FieldChange,
    ) -> Result<Option<(Value, Option<Stamp>)>> {
        let Some(Column::Field(at, _)) = column_of(table, of, field) else { return Ok(None) };
        let parent = self.parent(table, at, &record.key, &|at| value_said(table, of, record, at))?;
        let Some(parent) = parent.and_then(|name| TableShape::named(tables, name)) else { return Ok(None) };
        let Some(number) = number_said(table, of, field) else { return Ok(None) };
        let Some(to) = self.moved_to(parent, residence(number, field.refers_to), None)? else { return Ok(None) };
        Ok(number_of(&to.key).map(|number| (field.value.renumbered(number), to.birth)))
    }

    /// Gives a record that lives again a number of its own, if this end decides that; else it is held.
    pub(super) fn give_number(&mut self, table: &TableShape, of: &TableChanges, record: &RecordChange) -> Result<()> {
        let taken = match self.arrival.authority() == Authority::Sender && self.keeps_numbers(table)? {
            true => self.waits_since("that may know another record by this number"),
            false => format!("another record stands under {} in this database", record.key),
        };
        if self.keep_for_hub(table, of, record)? {
            return Ok(());
        }
        if self.arrival.authority() == Authority::Sender || table.key_kind != KeyKind::Assigned {
            return self.hold(of, record, &taken);
        }
        let gathered = self.gathered(table, of, record)?;
        let fields = match self.meant(table, &gathered.remains, Some((of, record)))? {
            Ok(fields) => fields,
            Err(reason) => return self.hold(of, record, &reason),
        };
        if let Some(reason) = self.mistaken(table, of, record, &fields)? {
            return self.hold(of, record, &reason);
        }
        if self.arrival.authority() == Authority::HereForNow {
            // The root decides; until then it is what is left of a record, and goes there as such.
            return self.transaction.bury(table, &record.key, gathered.birth, &gathered.remains);
        }
        let Some(number) = self.free_number(table)? else { return self.hold(of, record, &taken) };
        let key = Key(vec![Value::Integer(number)]);
        if let Placement::Refused(reason) = self.transaction.insert(table, &key, &fields)? {
            return self.hold(of, record, &reason);
        }
        if let Some(missing) = self.lacked_by(table, of, record, &key)?
            && self.transaction.delete(table, &key)? == Placement::Placed
        {
            let reason = self.not_standing(&missing)?;
            return self.hold(of, record, &reason);
        }
        let birth = self.transaction.tick();
        let mut marks = merge::marks_left(&gathered.remains);
        merge::send_whole(&mut marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        let to = Residence { key, birth: Some(birth) };
        self.transaction.unbury(table, &record.key, gathered.birth)?;
        self.note_spoken(table, &to.key, Spoken::InPart)?;
        self.note_who_may_have(table, &record.key, &to.key)?;
        self.tell_unions(table, &to, Present { birth: to.birth, marks })?;
        self.note_return(table, record, to)
    }

    /// What the record that was given this number refers to and has to wait for.
    pub(super) fn lacked_by(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        key: &Key,
    ) -> Result<Option<Missing>> {
        let change = &RecordChange { key: key.clone(), ..record.clone() };
        let had_died = record.dead.is_some();
        self.lacks(&Undo { table, change, of, birth: None, had_died, before: Before::Absent(None) })
    }

    fn note_return(&mut self, table: &TableShape, record: &RecordChange, to: Residence) -> Result<()> {
        let from = Residence { key: record.key.clone(), birth: record.birth };
        self.transaction.note_move(table, &from, &to)?;
        self.placed.records += 1;
        self.placed.revived += 1;
        let text = format!(
            "{0} {1} was deleted and its number given to another, and edited elsewhere later: it is {0} {2} now",
            table.name, record.key, to.key
        );
        self.moves.note(table.id, from, to);
        self.transaction.note(&text, self.now)
    }
}

/// The births of the records that a bundle brings whole.
fn coming(tables: &[TableShape], bundle: &[TableChanges]) -> BTreeSet<(TableId, Stamp)> {
    let mut births = BTreeSet::new();
    for changes in bundle.iter().filter(|changes| changes.passage != Passage::Withdrawn) {
        let Some(table) = TableShape::named(tables, &changes.table) else { continue };
        let whole = changes.records.iter().filter(|record| record.whole).filter_map(|record| record.birth);
        births.extend(whole.map(|birth| (table.id, birth)));
    }
    births
}

/// Lets changes speak of the columns of their keys; where these stand then.
fn with_keys(table: &TableShape, changes: &mut TableChanges) -> Vec<usize> {
    let mut places = Vec::new();
    for key in &table.keys {
        let known = changes.columns.iter().position(|name| name.eq_ignore_ascii_case(key));
        places.push(known.unwrap_or(changes.columns.len()));
        if known.is_none() {
            changes.columns.push(key.clone());
        }
    }
    places
}

fn empty(of: &TableChanges) -> TableChanges {
    TableChanges {
        table: of.table.clone(),
        passage: of.passage,
        key_columns: of.key_columns.clone(),
        columns: of.columns.clone(),
        records: Vec::new(),
    }
}
