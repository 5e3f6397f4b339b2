//! A record that is here twice: under a provisional number with its birth, and as its hub sent it, which had forgotten
//! the birth.
//!
//! That happens to a node that was put back to the time before the confirmation: its hub tells everything before it hears
//! of the birth again. Owns making one of the two, field by field, with all that refers to either. Invariant: only on the
//! hub's word that the record of this birth has this number.

use packhorse_shared::clock::Stamp;
use packhorse_shared::id::ColumnId;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Placement, Present, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;

impl Placer<'_> {
    /// Makes one record of the two under our number and the hub's, if they are one; tells whether they were.
    pub(super) fn rejoin(&mut self, table: &TableShape, ours: i64, theirs: i64, birth: Stamp) -> Result<bool> {
        let (from, to) = (Key(vec![Value::Integer(ours)]), Key(vec![Value::Integer(theirs)]));
        let provisional = self.transaction.find(table, &from)?.filter(|present| present.birth == Some(birth));
        let standing = self.transaction.find(table, &to)?.filter(|present| present.birth.is_none());
        let (Some(provisional), Some(standing)) = (provisional, standing) else { return Ok(false) };
        if !self.arrival.is_same(None, Some(birth)) {
            return Ok(false);
        }
        let values = self.transaction.values(table, &to)?;
        if self.transaction.delete(table, &to)? != Placement::Placed {
            return Ok(false);
        }
        if self.transaction.renumber(table, ours, theirs)? != Placement::Placed {
            let all: Vec<_> = values.into_iter().enumerate().collect();
            self.transaction.insert(table, &to, &all)?;
            return Ok(false);
        }
        let (fields, joined) = self.later_of(table, provisional.clone(), &standing, values);
        let updated = self.transaction.update(table, &to, &fields)?;
        self.transaction.mark(table, &to, if updated == Placement::Placed { &joined } else { &provisional })?;
        self.note_number(table, ours, theirs, birth)?;
        Ok(true)
    }

    /// A record that is held because its number was another's here: it is tried again under the one that it has now.
    pub(super) fn renumber_held(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        for held in self.transaction.held()? {
            let mut change = held.change;
            let is_table = change.table.eq_ignore_ascii_case(&table.name);
            let Some(record) = change.records.first_mut().filter(|record| is_table && record.birth == Some(birth))
            else {
                continue;
            };
            record.key = Key(vec![Value::Integer(number)]);
            self.transaction.release(held.id)?;
            self.transaction.hold(held.link, &change, "it waits for its new number", self.now)?;
            self.held = None;
        }
        Ok(())
    }

    /// The fields that the hub's has later than the provisional one, and the marks of both.
    fn later_of(
        &self,
        table: &TableShape,
        mut present: Present,
        standing: &Present,
        values: Vec<Value>,
    ) -> (Vec<(usize, Value)>, Present) {
        let unmarked = Mark { stamp: self.arrival.horizon.stamp(), cut: self.arrival.cut, via: self.arrival.via };
        let mut fields = Vec::new();
        for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
            let theirs = standing.marks.get(column.id).unwrap_or(unmarked);
            if present.marks.get(column.id).is_none_or(|ours| theirs.stamp > ours.stamp) {
                present.marks.set(column.id, theirs);
                fields.push((at, value));
            }
        }
        if let Some(birth) = present.birth {
            present.marks.set(ColumnId::EXISTENCE, self.arrival.mark(birth));
        }
        (fields, present)
    }
}
