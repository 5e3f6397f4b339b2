//! The word by which a hub tells that a record is known by another number and birth than before: one that came back when its
//! number had been given to another.
//!
//! Owns hearing it. The record that stands here moves to the hub's number with all that refers to it, in keys too, as
//! it does when a number is confirmed: no edit of anybody's. Invariant: who has the number now is never taken for the one who
//! had it before.

use packhorse_shared::change::{EXISTENCE, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{KeyKind, Moved, Present, Remains, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::absent::values_of;
use super::identity::{number_of, says_only_number};
use crate::merge::{Authority, is_before};

/// What a change's record is one with, if that is what it says: its existence is that of the record which it names
/// (FORMAT.md).
pub(super) fn union_told(table: &TableShape, of: &TableChanges, record: &RecordChange) -> Option<Residence> {
    let said = || record.fields.iter().find(|field| matches!(field.value, Value::Integer(_)));
    let field = says_only_number(table, of, record).then(said)??;
    Some(Residence { key: Key(vec![field.value.clone()]), birth: field.refers_to })
}

impl Placer<'_> {
    /// Moves the records of which the hub says that they came back as others.
    pub(super) fn hear_returned(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        for changes in bundle.iter().filter(|changes| changes.columns.iter().any(|name| name == EXISTENCE)) {
            let table = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table));
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for record in &changes.records {
                let Some(to) = union_told(table, changes, record) else { continue };
                let since = record.fields.iter().map(|field| field.stamp).max();
                let from = Residence { key: record.key.clone(), birth: record.birth };
                self.go_back_as(table, from, to, since)?;
            }
        }
        Ok(())
    }

    fn go_back_as(&mut self, table: &TableShape, from: Residence, to: Residence, since: Option<Stamp>) -> Result<()> {
        if let Some((key, present)) = self.still_standing(table, &from, since)? {
            let ours = Residence { key, birth: from.birth };
            let there = self.transaction.find(table, &to.key)?;
            let there = there.filter(|there| self.arrival.is_known_by(there, to.birth, &table.column_ids()));
            match (there, number_of(&ours.key), number_of(&to.key), to.birth) {
                (Some(there), Some(old), Some(new), Some(birth)) => {
                    self.absorb(table, (old, present), (new, there), birth)?;
                }
                _ => self.become_theirs(table, ours, to.clone(), present)?,
            }
        }
        self.note_union(table, from, to.clone())?;
        self.pass_on(table, &to)
    }

    /// The record that is meant, if it stands here. One without a birth may be the one who has the number since then, whose
    /// birth was dropped.
    fn still_standing(
        &mut self,
        table: &TableShape,
        from: &Residence,
        since: Option<Stamp>,
    ) -> Result<Option<(Key, Present)>> {
        let key = match from.birth {
            Some(birth) => self.transaction.number_of(table, birth)?.map(|number| Key(vec![Value::Integer(number)])),
            None => Some(from.key.clone()).filter(|_| !since.is_some_and(|since| self.arrival.horizon.covers(since))),
        };
        let Some(key) = key else { return Ok(None) };
        let standing = self.transaction.find(table, &key)?.filter(|present| present.birth == from.birth);
        Ok(standing.map(|present| (key, present)))
    }

    /// Nodes behind us are told in their turn.
    fn pass_on(&mut self, table: &TableShape, to: &Residence) -> Result<()> {
        let Some(birth) = to.birth else { return Ok(()) };
        match self.transaction.find(table, &to.key)? {
            Some(present) if present.birth == to.birth => self.tell_union(table, to, present),
            _ => {
                self.confirms.insert((table.id, to.key.clone()), birth);
                Ok(())
            }
        }
    }

    /// Marks a record so that everybody but this node's hub is told what is one with it.
    pub(super) fn tell_union(&mut self, table: &TableShape, at: &Residence, mut present: Present) -> Result<()> {
        let Some(birth) = at.birth else { return Ok(()) };
        present.marks.set(ColumnId::EXISTENCE, self.confirmation(birth));
        self.transaction.mark(table, &at.key, &present)
    }

    /// Where a record is now that a change speaks of, if that has moved and its sender has not heard of it. What that knows
    /// by the number alone is the one who has it now, once it may have dropped that one's birth.
    pub(super) fn moved_to(&mut self, table: &TableShape, from: Residence) -> Result<Option<Residence>> {
        let Some(Moved { to, .. }) = self.moves.get(&(table.id, from.clone())).cloned() else { return Ok(None) };
        if from.birth.is_none() {
            let standing = self.transaction.find(table, &from.key)?.and_then(|present| present.birth);
            if standing.or(to.birth).is_some_and(|since| self.arrival.dropped.covers(since)) {
                return Ok(None);
            }
        }
        Ok(Some(to))
    }

    /// The values of what is left of a record, with its references to who was meant: who had the number when they were
    /// written may have moved since, or be gone and not come back yet.
    pub(super) fn meant(
        &mut self,
        table: &TableShape,
        left: &Remains,
    ) -> Result<std::result::Result<Vec<(usize, Value)>, String>> {
        let (tables, mut fields) = (self.transaction.tables(), values_of(table, left));
        for at in 0..fields.len() {
            let Some((column, value)) = fields.get(at).cloned() else { continue };
            let Some(shape) = table.columns.get(column) else { continue };
            let parent = tables.iter().find(|table| Some(&table.name) == shape.refers_to.as_ref());
            let (Some(parent), Some(number)) = (parent, table.number_in(&shape.name, &value)) else { continue };
            let written = left.get(shape.id).and_then(|field| field.mark).map(|mark| mark.stamp);
            if !self.is_younger(parent, number, written)? {
                continue;
            }
            match self.left_since(parent, number, written) {
                Some(now) => fields.iter_mut().skip(at).take(1).for_each(|field| field.1 = value.renumbered(now)),
                // The hub says itself whom it means.
                None if table.declares(&shape.name) && self.arrival.authority() != Authority::Sender => {
                    return Ok(Err(format!("it refers to {} {number}, which is another record here", parent.name)));
                }
                None => {}
            }
        }
        Ok(Ok(fields))
    }

    /// Whether who has a number was born after it was written somewhere. Who came back is older than its birth.
    fn is_younger(&mut self, table: &TableShape, number: i64, written: Option<Stamp>) -> Result<bool> {
        let key = Key(vec![Value::Integer(number)]);
        let birth = self.transaction.find(table, &key)?.and_then(|present| present.birth);
        let now = Residence { key, birth };
        let is_older = || self.moves.iter().any(|((of, _), moved)| *of == table.id && moved.to == now);
        Ok(birth.is_some_and(|birth| is_before(written.unwrap_or(Stamp::ZERO), birth)) && !is_older())
    }

    /// The number today of who had another one when that was written.
    fn left_since(&self, table: &TableShape, number: i64, written: Option<Stamp>) -> Option<i64> {
        let of_number =
            self.moves.iter().filter(|((of, from), _)| *of == table.id && number_of(&from.key) == Some(number));
        let before = of_number.filter(|((_, from), _)| from.birth <= written);
        let (_, latest) = before.max_by_key(|((_, from), _)| from.birth)?;
        number_of(&latest.to.key)
    }

    /// Whoever speaks of a record by its old number although it was told the new one (it comes from a backup) is told again.
    pub(super) fn tell_union_again(&mut self, table: &TableShape, to: &Residence) -> Result<()> {
        let Some(present) = self.transaction.find(table, &to.key)? else { return Ok(()) };
        let told = present.marks.own(ColumnId::EXISTENCE);
        let was_told = told.is_some_and(|told| !self.arrival.knew(told));
        if self.arrival.authority() == Authority::Sender || present.birth != to.birth || was_told {
            return Ok(());
        }
        self.tell_union(table, to, present)
    }

    /// The mark by which numbers are told to everybody behind this node, also to whom the record came from.
    pub(super) fn confirmation(&self, birth: Stamp) -> Mark {
        Mark { stamp: birth, cut: self.arrival.cut, via: self.arrival.hub.unwrap_or(LinkId::LOCAL) }
    }
}
