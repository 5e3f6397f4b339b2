//! Counters: by what they are decided, and what is remembered of who said what.

use std::collections::BTreeMap;

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::ColumnId;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Counter, Remains, RemainsField, Result, TableShape, is_same_number};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::rights::May;
use super::{Item, Placer};
use crate::merge::{self, Arrival, Counted, Decided, Field};

/// What is remembered of a field as a counter, if it is one and its sender may write to it.
pub(super) fn counter_of<'c>(
    column: Column,
    counters: &'c BTreeMap<ColumnId, Counter>,
    may: &May,
) -> Option<&'c Counter> {
    match column {
        Column::Field(at, id) if may.write(at) => counters.get(&id),
        _ => None,
    }
}

/// What is decided of a field that was weighed, if it is a counter: no conflict.
pub(super) fn decided(
    counter: Option<&Counter>,
    field: &FieldChange,
    weighed: Field,
    sight: &Arrival,
) -> Option<Decided> {
    let counter = counter?;
    let sum = match merge::count(counter, (&field.value, field.stamp), sight)? {
        Counted::AsHere => return Some(Decided::ByStamp(Field::Ours)),
        // Under its stamp everybody takes the same value for the later one.
        Counted::AsSaid if weighed.is_theirs() => return Some(Decided::ByStamp(Field::Theirs)),
        Counted::AsSaid => field.value.clone(),
        Counted::Sum(sum) => sum,
    };
    let stands = !weighed.is_theirs() && is_same_number(&sum, &counter.value);
    Some(if stands { Decided::ByStamp(Field::Ours) } else { Decided::Sum(sum) })
}

/// The differences of counters, as what their sender may have seen.
pub(super) fn as_marks<'c>(counters: impl IntoIterator<Item = &'c Counter>) -> impl Iterator<Item = Option<Mark>> {
    let differences = counters.into_iter().flat_map(|counter| &counter.differences);
    differences.map(|it| Some(Mark { stamp: Stamp::ZERO, cut: it.cut, via: it.via }))
}

impl Placer<'_> {
    /// Adds what was counted here before a record was withdrawn, and its hub has not heard of, to what that lets it come in with;
    /// tells of which counters that is decided. Of one that was not withdrawn nothing is remembered that could be added.
    pub(super) fn count_from_limbo(
        &mut self,
        (table, of, record): Item<'_>,
        (is_limbo, occupied): (bool, bool),
        remains: &mut Remains,
    ) -> Result<Vec<ColumnId>> {
        if table.rules.add.is_empty() || remains.withdrawn {
            return Ok(Vec::new());
        }
        if !is_limbo {
            // Who stands under its key is another.
            return if occupied { Ok(()) } else { self.transaction.forget_counters(table, &record.key) }
                .map(|()| Vec::new());
        }
        let (counters, mut counted) = (self.transaction.counters(table, &record.key)?, Vec::new());
        for field in &record.fields {
            let Some(id) = column_of(table, of, field).map(Column::id) else { continue };
            let said = (&field.value, field.stamp);
            let Some(came_to) = counters.get(&id).and_then(|it| merge::count(it, said, &self.arrival)) else {
                continue;
            };
            counted.push(id);
            if let Counted::Sum(sum) = came_to {
                let decided = self.decided();
                remains.set(RemainsField::new(id, Some(decided), sum));
            }
        }
        Ok(counted)
    }

    /// Remembers under which stamps those of these fields, which stand now, had come that are counters.
    pub(super) fn note_said(
        &mut self,
        (table, of, record): Item<'_>,
        key: &Key,
        fields: &[(usize, Value)],
    ) -> Result<()> {
        if table.rules.add.is_empty() {
            return Ok(());
        }
        let stands = |id: &ColumnId| fields.iter().filter_map(|it| table.columns.get(it.0)).any(|it| it.id == *id);
        let said = said(table, of, record).filter(|it| table.rules.add.contains(&it.0) && stands(&it.0));
        let said: Vec<(ColumnId, Stamp)> = said.collect();
        if said.is_empty() { Ok(()) } else { self.transaction.note_said(table, key, &said) }
    }
}

fn said<'c>(
    table: &'c TableShape,
    of: &'c TableChanges,
    record: &'c RecordChange,
) -> impl Iterator<Item = (ColumnId, Stamp)> {
    record.fields.iter().filter_map(move |field| Some((column_of(table, of, field)?.id(), field.stamp)))
}
