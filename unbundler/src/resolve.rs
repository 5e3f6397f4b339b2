//! Resolve: a person decides what a field is to be, which is a new edit of it.
//!
//! Owns that edit. Invariant: it is later than everything known of the field, and travels to whoever shares it as any edit does;
//! the conflict is settled by it at every end that it reaches. What changes together is edited together. Leaves to the caller
//! which value it is.

use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{ConflictState, MergeTransaction, Noted, Placement, Replica, TableShape};
use packhorse_shared::value::{Key, Value};

use crate::error::UnbundlerError;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The field has that value.
    Done,
    /// The record does not stand any more, or its table has no such column.
    Gone,
    /// The table does not take it, in these words.
    Refused(String),
}

/// The conflicts that are decided together with one: those of the same two edits to columns that change together.
pub fn decided_with<'n>(tables: &[TableShape], all: &'n [Noted], one: &'n Noted) -> Vec<&'n Noted> {
    let table = TableShape::named(tables, &one.table);
    let id = |noted: &Noted| {
        let table = table?;
        table.columns.get(table.position(&noted.column)?).map(|column| column.id)
    };
    let group = table.zip(id(one)).map_or(&[][..], |(table, column)| table.rules.together_with(column));
    let is_with = |other: &&Noted| {
        let same = (&other.table, &other.key, other.link) == (&one.table, &one.key, one.link);
        let edits = |noted: &Noted| (noted.kept.stamp, noted.lost.stamp);
        let in_group = id(other).is_some_and(|column| group.contains(&column));
        other.id == one.id || same && in_group && edits(other) == edits(one) && other.state == ConflictState::Open
    };
    all.iter().filter(is_with).collect()
}

/// Gives fields of one record these values, as edits made now.
pub fn edit(
    replica: &mut dyn Replica,
    table: &str,
    key: &Key,
    values: &[(&str, Value)],
    now: WallTime,
) -> Result<Resolved, UnbundlerError> {
    let mut transaction = replica.begin_merge(now, Reading(0))?;
    let edited = edit_within(&mut *transaction, table, key, values)?;
    // Dropped, it leaves no trace.
    if edited == Resolved::Done {
        transaction.commit()?;
    }
    Ok(edited)
}

fn edit_within(
    transaction: &mut dyn MergeTransaction,
    table: &str,
    key: &Key,
    values: &[(&str, Value)],
) -> Result<Resolved, UnbundlerError> {
    let tables = transaction.tables();
    let Some(table) = TableShape::named(&tables, table) else { return Ok(Resolved::Gone) };
    let place = |(column, value): &(&str, Value)| Some((table.position(column)?, value.clone()));
    let fields: Option<Vec<(usize, Value)>> = values.iter().map(place).collect();
    let (Some(fields), Some(mut present)) = (fields, transaction.find(table, key)?) else { return Ok(Resolved::Gone) };
    if let Placement::Refused(words) = transaction.update(table, key, &fields)? {
        return Ok(Resolved::Refused(words));
    }
    if let Some(missing) = transaction.missing_parents(table, key)?.first() {
        let parent = TableShape::with_id(&tables, missing.table).map_or("a record", |parent| &parent.name);
        return Ok(Resolved::Refused(format!("it would refer to {parent} {}, which is not here", missing.key)));
    }
    let mark = Mark { stamp: transaction.tick(), cut: transaction.cut(), via: LinkId::LOCAL };
    for column in fields.iter().filter_map(|(at, _)| table.columns.get(*at)) {
        table.rules.changing_with(column.id).for_each(|id| present.marks.set(id, mark));
    }
    present.marks.fold(&table.column_ids());
    transaction.mark(table, key, &present)?;
    Ok(Resolved::Done)
}
