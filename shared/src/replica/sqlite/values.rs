//! Values between SQLite and [`Value`], without loss.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql};

use crate::value::{Key, Value};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A value as SQLite holds it.
pub(super) fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// The key that stands in `count` columns from `first` on.
pub(super) fn key_at(row: &Row<'_>, first: usize, count: usize) -> rusqlite::Result<Key> {
    (first..first + count).map(|at| row.get_ref(at).map(owned)).collect::<rusqlite::Result<_>>().map(Key)
}

/// Binds values to consecutive parameters, from `first` (1-based) on.
pub(super) fn bind_from<'a>(
    statement: &mut Statement<'_>,
    first: usize,
    values: impl IntoIterator<Item = &'a Value>,
) -> rusqlite::Result<usize> {
    let mut at = first;
    for value in values {
        statement.raw_bind_parameter(at, value)?;
        at += 1;
    }
    Ok(at)
}
