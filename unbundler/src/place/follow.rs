//! The remote's side of identity: a record takes the number that its hub has for it.
//!
//! Owns what that asks for here: whoever stands under the number moves away to one of this node's own, all that refers to
//! the record follows, and a record that came under the number meanwhile without its birth becomes one with it.

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::ColumnId;
use packhorse_shared::replica::{Placement, Present, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::identity::{is_dead, numbered};

/// What a change says of the number of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordOnNumber {
    /// Nothing.
    None,
    /// That it stands, beside other things.
    Beside,
    /// That, and nothing else.
    Alone,
}

impl Placer<'_> {
    /// The hub's number stands: our record of that birth takes it.
    pub(super) fn follow(&mut self, table: &TableShape, record: &RecordChange, word: WordOnNumber) -> Result<()> {
        // One that is dead has no number there any more, which may be another's.
        let Some((theirs, birth)) = numbered(record).filter(|_| !is_dead(record)) else { return Ok(()) };
        self.overtake(table, theirs, birth)?;
        let ours = self.transaction.number_of(table, birth)?;
        // It may come with all of the record.
        if ours == Some(theirs) && word != WordOnNumber::None {
            return self.pass_number_on(table, theirs, birth);
        }
        if ours.is_none() && word == WordOnNumber::Alone || ours == Some(theirs) {
            return Ok(());
        }
        // Who dies by this very bundle, or goes into another record, need not move away first.
        if ours.is_some() || !self.vacated.contains(&(table.id, theirs)) {
            self.make_room(table, theirs, birth)?;
        }
        match ours {
            Some(ours) => self.take_number(table, ours, theirs, birth),
            None => {
                self.unknown.insert((table.id, birth));
                Ok(())
            }
        }
    }

    /// Nodes behind us may have moved the record to another number, and follow in their turn.
    fn pass_number_on(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        let key = Key(vec![Value::Integer(number)]);
        let standing = self.transaction.find(table, &key)?.filter(|present| present.birth == Some(birth));
        // What is held and tried again was passed on when it came.
        let comes_now = self.arrival.via == self.arrival.link;
        let Some(mut present) = standing.filter(|_| comes_now) else { return Ok(()) };
        present.marks.set(ColumnId::EXISTENCE, self.arrival.mark(birth));
        self.transaction.mark(table, &key, &present)
    }

    /// Whoever holds a number that the hub has given to another moves to one of our own, until the hub gives it its own.
    pub(super) fn make_room(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(number)]))?;
        let standing = standing.filter(|present| !self.keeps_lost_number(table, present));
        let Some(other) = standing.and_then(|present| present.birth) else { return Ok(()) };
        if other == birth || self.keeps_numbers(table)? {
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
        if self.keeps_numbers(table)? {
            let why = self.waits_since("that may know the record by the number that it still has here");
            return self.hold_number(table, to, birth, &why);
        }
        if let Some(same) = self.transaction.find(table, &new)? {
            // The hub dropped its birth before it heard that ours bears it.
            return match self.arrival.is_known_by(&same, Some(birth), &table.column_ids()) {
                true => self.absorb(table, (from, present), (to, same), birth),
                false => {
                    let why = format!("another record stands under {to} in this database");
                    self.hold_number(table, to, birth, &why)
                }
            };
        }
        if let Placement::Refused(reason) = self.transaction.renumber(table, from, to)? {
            return self.hold_number(table, to, birth, &reason);
        }
        let mut present = present;
        // Nodes behind us that know the record by its birth follow in their turn.
        present.marks.set(ColumnId::EXISTENCE, self.arrival.mark(birth));
        self.transaction.mark(table, &new, &present)?;
        self.note_number(table, from, to, birth)
    }

    /// One record that stands under two numbers stands under the hub's from now on, with the later value of each field.
    pub(super) fn absorb(
        &mut self,
        table: &TableShape,
        (from, ours): (i64, Present),
        (to, theirs): (i64, Present),
        birth: Stamp,
    ) -> Result<()> {
        let (old, new) = (Key(vec![Value::Integer(from)]), Key(vec![Value::Integer(to)]));
        let Ok(mut present) = self.take_into(table, (&old, ours), (&new, theirs))? else { return Ok(()) };
        present.birth = Some(birth);
        self.transaction.mark(table, &new, &present)?;
        self.note_number(table, from, to, birth)
    }

    fn move_remains(&mut self, table: &TableShape, from: &Key, to: &Key, birth: Stamp) -> Result<()> {
        let left = self.transaction.remains(table, from)?;
        let Some(left) = left.into_iter().find(|left| left.birth == Some(birth)) else { return Ok(()) };
        self.transaction.bury(table, to, left.birth, &left.remains)?;
        self.transaction.unbury(table, from, left.birth)?;
        self.note_who_may_have(table, from, to)
    }

    /// What is held of a record is tried again under the number that it has now.
    pub(super) fn renumber_held(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        let key = Key(vec![Value::Integer(number)]);
        for held in self.transaction.held()? {
            let mut change = held.change;
            let is_table = change.table.eq_ignore_ascii_case(&table.name);
            let is_it = |record: &RecordChange| is_table && record.birth == Some(birth) && record.key != key;
            let Some(record) = change.records.first_mut().filter(|record| is_it(record)) else { continue };
            record.key = key.clone();
            self.transaction.release(held.id)?;
            self.transaction.hold((held.link, held.seen), &change, "it waits for its new number", self.now)?;
            self.held = None;
        }
        Ok(())
    }
}

/// Whether a record's change says nothing but which number it has.
pub(super) fn says_only_number(table: &TableShape, of: &TableChanges, record: &RecordChange) -> bool {
    says_number(table, of, record) && record.fields.iter().all(|field| is_existence(of, field))
}

/// What a change of a bundle says of the number of its record.
pub(super) fn word_on_number(table: &TableShape, bundle: &[TableChanges], record: &RecordChange) -> WordOnNumber {
    // A bundle has a table in several parts, and the record is in one of them.
    let place: *const RecordChange = record;
    let is_its = |changes: &&TableChanges| changes.records.as_ptr_range().contains(&place);
    match bundle.iter().find(is_its) {
        Some(of) if says_only_number(table, of, record) => WordOnNumber::Alone,
        Some(of) if says_number(table, of, record) => WordOnNumber::Beside,
        _ => WordOnNumber::None,
    }
}

fn says_number(table: &TableShape, of: &TableChanges, record: &RecordChange) -> bool {
    let says = record.fields.iter().any(|field| is_existence(of, field));
    !table.columns.is_empty() && record.dead.is_none() && says
}

fn is_existence(of: &TableChanges, field: &FieldChange) -> bool {
    of.columns.get(field.column).is_some_and(|name| name == EXISTENCE)
}
