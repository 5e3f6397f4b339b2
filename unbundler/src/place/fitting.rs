//! Whether a table's changes fit this database.

use packhorse_shared::change::{EXISTENCE, TableChanges};
use packhorse_shared::replica::TableShape;

use super::Placer;

impl Placer<'_> {
    /// The table here that a table's changes are for. What this database lacks is held until it has it.
    pub(super) fn fitting<'t>(
        &self,
        tables: &'t [TableShape],
        changes: &TableChanges,
    ) -> std::result::Result<&'t TableShape, String> {
        let table = TableShape::named(tables, &changes.table);
        let table = table.ok_or_else(|| format!("table \"{}\" is not synced in this database", changes.table))?;
        let same =
            |a: &[String], b: &[String]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b));
        if !same(&table.keys, &changes.key_columns) {
            return Err(format!("table \"{}\" has another primary key in this database", changes.table));
        }
        let is_key = |name: &String| table.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
        let unknown = |name: &&String| name.as_str() != EXISTENCE && !is_key(name) && table.position(name).is_none();
        match changes.columns.iter().find(unknown) {
            Some(column) => Err(format!("table \"{}\" has no column \"{column}\" in this database", changes.table)),
            None => Ok(table),
        }
    }
}
