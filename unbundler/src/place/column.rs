//! What a field of a change is in this database.

use packhorse_shared::change::{EXISTENCE, FieldChange, TableChanges};
use packhorse_shared::id::ColumnId;
use packhorse_shared::replica::TableShape;

/// What a field is.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// A column, by position.
    Field(usize, ColumnId),
    /// The making of a record that has no fields.
    Existence,
}

impl Column {
    /// The column's number.
    pub fn id(self) -> ColumnId {
        match self {
            Self::Field(_, id) => id,
            Self::Existence => ColumnId::EXISTENCE,
        }
    }
}

/// What a field is; None if this database has no such column.
pub(super) fn column_of(table: &TableShape, of: &TableChanges, field: &FieldChange) -> Option<Column> {
    let name = of.columns.get(field.column)?;
    if name == EXISTENCE && table.columns.is_empty() {
        return Some(Column::Existence);
    }
    let at = table.position(name)?;
    table.columns.get(at).map(|column| Column::Field(at, column.id))
}
