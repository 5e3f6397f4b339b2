//! References that an application writes late: by a number that it read before the record moved to another.
//!
//! Owns putting them right in the application's table, within the harvest of the edit that wrote them. No edit of its own:
//! the reference means the record that it always meant. What stands under the old number is left to be meant.

use rusqlite::Connection;

use super::super::catalogue::{Catalogue, Entry};
use super::super::fault::Outcome;
use super::super::moves;
use super::super::referring::followed;
use super::super::values::bind_from;
use crate::value::Key;

/// Puts the references of a record right that was just harvested.
pub(super) fn redirect(connection: &Connection, catalogue: &Catalogue, entry: &Entry, key: &Key) -> Outcome<()> {
    if !moves::any(connection)? {
        return Ok(());
    }
    for column in &entry.shape.columns {
        for (parent, condition) in followed(&entry.shape, column) {
            let Some(parent) = catalogue.named(parent) else { continue };
            let Some(sql) = entry.sql.redirect(&column.name, &parent.shape, &condition) else { continue };
            for _ in 0..moves::AT_MOST {
                let mut statement = connection.prepare_cached(&sql)?;
                let after = bind_from(&mut statement, 1, &key.0)?;
                statement.raw_bind_parameter(after, parent.shape.id.0)?;
                if statement.raw_execute()? == 0 {
                    break;
                }
            }
        }
    }
    Ok(())
}
