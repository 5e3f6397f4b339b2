//! Which table's record a field refers to: its column's, or, for the number of a pair, the one that the type names.
//!
//! Owns where the type is found: beside the number in what is being placed, else in the record as it stands here, else in
//! what is left of it.

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{KeyKind, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};

impl Placer<'_> {
    /// The table whose number a column of the record under a key holds; `said` are the values being placed, by position.
    pub(super) fn parent<'t>(
        &mut self,
        table: &'t TableShape,
        at: usize,
        key: &Key,
        said: &dyn Fn(usize) -> Option<Value>,
    ) -> Result<Option<&'t str>> {
        let Some(column) = table.columns.get(at) else { return Ok(None) };
        let named = match table.names_parent(at) {
            Some(by) => said(by).map_or_else(|| self.value_here(table, key, by), |named| Ok(Some(named)))?,
            None => None,
        };
        Ok(column.parent(|_| named))
    }

    fn value_here(&mut self, table: &TableShape, key: &Key, at: usize) -> Result<Option<Value>> {
        if self.transaction.find(table, key)?.is_some() {
            return Ok(self.transaction.values(table, key)?.into_iter().nth(at));
        }
        let Some(column) = table.columns.get(at) else { return Ok(None) };
        let mut left = self.transaction.remains(table, key)?.into_iter();
        Ok(left.find_map(|left| left.remains.get(column.id).map(|field| field.value.clone())))
    }
}

/// The value that a record's change gives to a column, if it gives it one.
pub(super) fn value_said(table: &TableShape, of: &TableChanges, record: &RecordChange, at: usize) -> Option<Value> {
    let is_it = |column| matches!(column, Some(Column::Field(position, _)) if position == at);
    let field = record.fields.iter().find(|field| is_it(column_of(table, of, field)));
    field.map(|field| field.value.clone())
}

/// The number that a field means as a reference, if it can mean one.
pub(super) fn number_said(table: &TableShape, of: &TableChanges, field: &FieldChange) -> Option<i64> {
    table.number_in(of.columns.get(field.column)?, &field.value)
}

/// What the parts of a key under which nobody is numbered refer to: the column, the table, the number, and the birth if it
/// was said.
pub(super) fn key_references<'t>(
    table: &'t TableShape,
    of: &TableChanges,
    record: &RecordChange,
) -> Vec<(&'t str, &'t str, i64, Option<Stamp>)> {
    let columns = table.keys.iter().zip(&table.key_refers_to).zip(&record.key.0);
    let columns = columns.filter(|_| table.key_kind == KeyKind::Natural);
    let reference = |((name, parent), value): ((&'t String, &'t Option<String>), &Value)| {
        let number = table.number_in(name, value)?;
        let said =
            |field: &&FieldChange| of.columns.get(field.column).is_some_and(|said| said.eq_ignore_ascii_case(name));
        let birth = record.fields.iter().find(said).and_then(|field| field.refers_to);
        Some((name.as_str(), parent.as_deref()?, number, birth))
    };
    columns.filter_map(reference).collect()
}
