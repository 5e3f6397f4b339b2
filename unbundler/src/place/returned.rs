//! Whom a number means when its record has left it: one that came back when its number had been given to another.
//!
//! Owns telling the two apart, in what comes and in what is left here. Invariant: who has the number now is never taken for the
//! one who had it before. Leaves to `united` the word by which a hub tells where the record is now.

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::marks::Marks;
use packhorse_shared::replica::{
    Buried, KeyKind, Missing, Present, Remains, RemainsField, Residence, Result, TableShape, Whom,
};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::absent::values_of;
use super::column::{Column, column_of};
use super::displaced::{Displaced, Meant};
use super::identity::number_of;
use super::mistaken::another;
use super::parent::key_references;
use super::references::Undo;
use crate::merge::{Authority, is_before, is_of_before};

impl Placer<'_> {
    /// Whether a change is of a record that stands here. Who names that one by its birth has not dropped it.
    pub(super) fn is_meant(&self, table: &TableShape, present: &Present, record: &RecordChange) -> bool {
        self.arrival.is_same_standing(present, record, &table.column_ids())
            && !self.is_named(table, present.birth, record)
    }

    /// Whether the sender of a change without a birth names one of this birth by it, and so means another.
    pub(super) fn is_named(&self, table: &TableShape, birth: Option<Stamp>, record: &RecordChange) -> bool {
        record.birth.is_none() && birth.is_some_and(|birth| self.named.has(table, birth))
    }

    /// The key that a record has here which its sender knows by this one, and by its birth if it has one.
    pub(super) fn key_here(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>) -> Result<Key> {
        let number = match birth.filter(|_| table.key_kind == KeyKind::Assigned) {
            Some(birth) => self.transaction.number_of(table, birth)?,
            None => None,
        };
        Ok(number.map_or_else(|| key.clone(), |number| Key(vec![Value::Integer(number)])))
    }

    /// The record that is meant, if it stands here. One whose birth was dropped may be the one who has the number since then,
    /// unless something else tells that it `is_it`.
    pub(super) fn still_standing(
        &mut self,
        table: &TableShape,
        from: &Residence,
        since: Option<Stamp>,
        is_it: impl Fn(&Present) -> bool,
    ) -> Result<Option<(Key, Present)>> {
        let number = from.birth.map(|birth| self.transaction.number_of(table, birth)).transpose()?.flatten();
        if let Some(number) = number {
            let key = Key(vec![Value::Integer(number)]);
            let standing = self.transaction.find(table, &key)?.filter(|present| present.birth == from.birth);
            return Ok(standing.map(|present| (key, present)));
        }
        let Some(present) = self.transaction.find(table, &from.key)? else { return Ok(None) };
        // Of nobody who has the number since a time of which births are kept here was one dropped.
        let is_recent = since.is_some_and(|since| !self.arrival.horizon.covers(since));
        let is_sure = present.birth == from.birth && (since.is_none() || is_recent);
        let has_none = is_recent && present.birth.is_none();
        let has_dropped_its = has_none && self.arrival.is_known_by(&present, from.birth, &table.column_ids());
        let is_dropped = match (present.birth, from.birth) {
            (None, Some(birth)) => self.arrival.births.covers(birth),
            (Some(birth), None) => self.arrival.left_out.covers(birth),
            (ours, theirs) => ours == theirs,
        };
        Ok((is_sure || has_dropped_its || is_dropped && is_it(&present)).then(|| (from.key.clone(), present)))
    }

    /// Where a record is now that a change speaks of, if that has moved and its sender has not heard of it. What that knows
    /// by the number alone is the one who has it now, once it may have dropped that one's birth; but not if it never had that
    /// one or names it by its birth, nor what it says of a time before that one was made (`record`: all that it says).
    pub(super) fn moved_to(
        &mut self,
        table: &TableShape,
        from: Residence,
        record: Option<&RecordChange>,
    ) -> Result<Option<Residence>> {
        let Some(to) = self.moves.of(table.id, &from).cloned() else { return Ok(None) };
        if from.birth.is_none() {
            let standing = self.transaction.find(table, &from.key)?.and_then(|present| present.birth);
            let is_named = standing.is_some_and(|birth| self.named.has(table, birth));
            let is_older = is_named || record.is_some_and(|record| is_of_before(record, standing));
            let may_be_dropped = |since: Stamp| self.arrival.dropped.covers(since);
            if !is_older && standing.or(to.birth).is_some_and(may_be_dropped) && self.may_have(table, &from.key)? {
                return Ok(None);
            }
        }
        Ok(Some(to))
    }

    /// The values of what is left of a record, with its references to who was meant: who had the number when they were
    /// written may have moved since, or be gone and not come back yet. `by`: the change that brought some of them.
    pub(super) fn meant(
        &mut self,
        table: &TableShape,
        left: &Remains,
        by: Option<(&TableChanges, &RecordChange)>,
    ) -> Result<std::result::Result<Vec<(usize, Value)>, String>> {
        let (tables, mut fields) = (self.transaction.tables(), values_of(table, left));
        let is_hubs = self.arrival.authority() == Authority::Sender;
        for at in 0..fields.len() {
            let Some((column, value)) = fields.get(at).cloned() else { continue };
            let Some(shape) = table.columns.get(column) else { continue };
            let parent = shape.parent(|by| left.get(by).map(|field| field.value.clone()));
            let parent = parent.and_then(|name| TableShape::named(&tables, name));
            let (Some(parent), Some(number)) = (parent, table.number_in(&shape.name, &value)) else { continue };
            let field = left.get(shape.id);
            if let Some(now) = self.number_by_birth(parent, field.and_then(|field| field.meant.birth()))? {
                fields.iter_mut().skip(at).take(1).for_each(|field| field.1 = value.renumbered(now));
                continue;
            }
            let written = field.and_then(|field| field.mark).map(|mark| mark.stamp);
            let is_unborn = field.is_some_and(|field| field.meant == Whom::Unborn);
            if !self.is_younger(parent, number, written, is_unborn)? {
                continue;
            }
            let is_said = by.is_some_and(|by| says(table, by, column, written));
            let meant = match field.and_then(|field| field.meant.birth()) {
                Some(birth) => Meant::Born(Some(birth)),
                None if is_said => Meant::Unnamed(written),
                None => Meant::At(written),
            };
            match self.left_since(parent, number, meant) {
                Some(now) => fields.iter_mut().skip(at).take(1).for_each(|field| field.1 = value.renumbered(now)),
                // The hub says itself whom it means, by what it says now.
                None if table.declares(&shape.name) && !(is_hubs && is_said) => {
                    self.displaced = Some(Displaced { table: parent.clone(), number, meant });
                    return Ok(Err(another(&parent.name, &Value::Integer(number))));
                }
                None => {}
            }
        }
        Ok(Ok(fields))
    }

    /// The number of the record of a birth, if it stands.
    fn number_by_birth(&mut self, table: &TableShape, birth: Option<Stamp>) -> Result<Option<i64>> {
        let number = birth.map(|birth| self.transaction.number_of(table, birth)).transpose()?.flatten();
        let Some(number) = number else { return Ok(None) };
        let standing = self.transaction.find(table, &Key(vec![Value::Integer(number)]))?;
        Ok(standing.filter(|present| present.birth == birth).map(|_| number))
    }

    /// The same with what is left of whom a change means, where its number was another's since. `marks`: of the record that
    /// was changed.
    pub(super) fn meant_by(
        &mut self,
        undo: &Undo<'_>,
        mut missing: Vec<Missing>,
        marks: &Marks,
    ) -> Result<Vec<Missing>> {
        let tables = self.transaction.tables();
        for missing in &mut missing {
            let by = |field: &&FieldChange| {
                let column = column_of(undo.table, undo.of, field).map(Column::id);
                column.is_some_and(|column| missing.by.contains(&column))
            };
            let in_key = || {
                let references = key_references(undo.table, undo.of, undo.change);
                references.into_iter().find(|(_, _, number, _)| number_of(&missing.key) == Some(*number))
            };
            let said = undo.change.fields.iter().find(by).map(|field| field.refers_to);
            let Some(table) = TableShape::with_id(&tables, missing.table) else { continue };
            let left = self.transaction.remains(table, &missing.key)?;
            let Some(birth) = said.or_else(|| Some(in_key()?.3)) else {
                meant_then(missing, left, marks);
                continue;
            };
            // Who says none may have dropped one.
            let dropped = |left: &Buried| left.birth.is_some_and(|birth| self.arrival.left_out.covers(birth));
            if birth.is_none() && left.iter().any(dropped) {
                continue;
            }
            if let Some(meant) = left.into_iter().find(|left| left.birth == birth) {
                (missing.birth, missing.remains) = (meant.birth, meant.remains);
            }
        }
        Ok(missing)
    }

    /// The same for what a record that was brought back refers to; `marks` are those that it had.
    pub(super) fn meant_by_left(&mut self, mut missing: Vec<Missing>, marks: &Marks) -> Result<Vec<Missing>> {
        let tables = self.transaction.tables();
        for missing in &mut missing {
            if let Some(table) = TableShape::with_id(&tables, missing.table) {
                meant_then(missing, self.transaction.remains(table, &missing.key)?, marks);
            }
        }
        Ok(missing)
    }

    /// Whether one who had a number, with this birth, may be meant.
    pub(super) fn may_be_meant(&self, meant: Meant, theirs: Option<Stamp>) -> bool {
        let may_be_dropped = || theirs.is_none_or(|birth| self.arrival.left_out.covers(birth));
        match meant {
            Meant::Born(birth) => theirs == birth,
            Meant::Unnamed(written) => theirs <= written && may_be_dropped(),
            Meant::At(written) => theirs <= written,
        }
    }

    /// Whom it refers to by what came of it just now without a birth, is kept by birth where it does not stand itself: until
    /// it is told on or comes back the number may be another's, even of one who had it before without its sender's knowing.
    pub(super) fn name_said(&mut self, table: &TableShape, left: &mut Remains) -> Result<()> {
        let tables = self.transaction.tables();
        for column in &table.columns {
            let Some(field) = left.get(column.id).filter(|field| field.meant == Whom::Unknown).cloned() else {
                continue;
            };
            let Some(mark) = field.mark.filter(|mark| mark.cut == self.arrival.cut) else { continue };
            let parent = column.parent(|by| left.get(by).map(|field| field.value.clone()));
            let parent = parent.and_then(|name| TableShape::named(&tables, name));
            let (Some(parent), Some(number)) = (parent, table.number_in(&column.name, &field.value)) else { continue };
            if let Some(birth) = self.unnamed(parent, number, mark.stamp)? {
                left.set(RemainsField { meant: Whom::known(birth), ..field });
            }
        }
        Ok(())
    }

    /// The birth of who is meant by a number that was written then, by one who named none.
    fn unnamed(&mut self, table: &TableShape, number: i64, written: Stamp) -> Result<Option<Option<Stamp>>> {
        let (key, meant) = (Key(vec![Value::Integer(number)]), Meant::Unnamed(Some(written)));
        let standing = self.transaction.find(table, &key)?.map(|present| present.birth);
        if let Some(birth) = standing.filter(|birth| self.may_be_meant(meant, *birth)) {
            return Ok(Some(birth));
        }
        let left = self.transaction.remains(table, &key)?.into_iter();
        let left = left.filter(|left| self.may_be_meant(meant, left.birth));
        Ok(left.max_by_key(|left| left.remains.dead.map(|dead| dead.stamp)).map(|left| left.birth))
    }

    /// Whether who has a number was born after it was written somewhere, be it in the same moment: who was meant is known to have
    /// had no birth (`is_unborn`), and who has one may not have dropped it. Who came back is older than its birth.
    fn is_younger(&mut self, table: &TableShape, number: i64, written: Option<Stamp>, is_unborn: bool) -> Result<bool> {
        let key = Key(vec![Value::Integer(number)]);
        let birth = self.transaction.find(table, &key)?.and_then(|present| present.birth);
        let now = Residence { key, birth };
        let written = written.unwrap_or(Stamp::ZERO);
        let is_another = |birth: Stamp| is_unborn && !self.arrival.births.covers(birth);
        let is_after = birth.is_some_and(|birth| is_before(written, birth) || is_another(birth));
        Ok(is_after && !self.moves.lead_to(table.id, &now))
    }

    /// The number today of who is meant by another one.
    fn left_since(&self, table: &TableShape, number: i64, meant: Meant) -> Option<i64> {
        let key = Key(vec![Value::Integer(number)]);
        let before = self.moves.left(table.id, &key).filter(|(from, _)| self.may_be_meant(meant, from.birth));
        let (_, latest) = before.max_by_key(|(from, _)| from.birth)?;
        number_of(&latest.key)
    }
}

/// Of those who had the number one after the other, the last who had it when it was written by these marks.
fn meant_then(missing: &mut Missing, left: Vec<Buried>, marks: &Marks) {
    let written = missing.by.iter().filter_map(|column| marks.get(*column)).map(|mark| mark.stamp).max();
    let had_it = left.into_iter().filter(|left| left.birth <= written);
    if let Some(meant) = had_it.max_by_key(|left| left.remains.dead.map(|dead| dead.stamp)) {
        (missing.birth, missing.remains) = (meant.birth, meant.remains);
    }
}

/// Whether a change brought the value of a column that was written then.
fn says(table: &TableShape, (of, record): (&TableChanges, &RecordChange), at: usize, written: Option<Stamp>) -> bool {
    let is_it =
        |field: &&FieldChange| matches!(column_of(table, of, field), Some(Column::Field(known, _)) if known == at);
    record.fields.iter().filter(is_it).any(|field| Some(field.stamp) == written)
}
