//! Whom what is left of a deleted record refers to.
//!
//! It is kept by birth: while it waits, a number may be given to another, or its record get another number. Leaves to the merge
//! what number that one has when the record comes back.

use rusqlite::Connection;

use super::super::bearing;
use super::super::catalogue::{Catalogue, Entry};
use super::super::fault::Outcome;
use crate::clock::Stamp;
use crate::marks::Roster;
use crate::replica::{Remains, RemainsField, Whom};
use crate::value::{Key, Value};

/// Names the records that what is left of one referred to at the moment when it was deleted.
pub(super) fn name(
    connection: &Connection,
    catalogue: &Catalogue,
    entry: &Entry,
    (left, at): (&mut Remains, Option<Stamp>),
    roster: &Roster,
) -> Outcome<()> {
    for column in &entry.shape.columns {
        let Some(field) = left.get(column.id).cloned() else { continue };
        let Some(number) = entry.shape.number_in(&column.name, &field.value) else { continue };
        let parent = column.parent(|by| left.get(by).map(|field| field.value.clone()));
        let Some(parent) = parent.and_then(|name| catalogue.named(name)) else { continue };
        let meant = bearing::birth_of(connection, parent, &Key(vec![Value::Integer(number)]), at, roster)?;
        left.set(RemainsField { meant: Whom::known(meant), ..field });
    }
    Ok(())
}
