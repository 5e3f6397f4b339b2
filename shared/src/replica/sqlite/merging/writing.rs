//! Single writes of a merge: what a constraint refuses is told, and tables whose triggers delete elsewhere are written with
//! every trigger off.

use super::SqliteMerge;
use super::refusal::{is_refusal, words};
use crate::id::TableId;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::{Fault, Outcome};
use crate::replica::sqlite::names::quoted;
use crate::replica::sqlite::silence::without_triggers;
use crate::replica::sqlite::values::bind_from;
use crate::replica::{Placement, TableShape};
use crate::value::{Key, Value};

impl SqliteMerge<'_> {
    pub(super) fn try_count(&self, table: &TableShape) -> Outcome<u64> {
        let sql = format!("SELECT count(*) FROM main.{}", quoted(&table.name));
        let count: i64 = self.writer.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) fn try_insert(
        &mut self,
        table: &TableShape,
        key: &Key,
        fields: &[(usize, Value)],
    ) -> Outcome<Placement> {
        let entry = self.entry(table)?;
        let set = (table.id, fields.iter().map(|field| field.0).collect());
        let names = |set: &(TableId, Vec<usize>)| entry.sql.insert(&column_names(&entry.shape, &set.1));
        let sql = self.inserts.entry(set).or_insert_with_key(names).clone();
        let placed = self.place(table, || self.put(&sql, fields, Some(key), None))?;
        self.counted(entry, key, placed)
    }

    pub(super) fn try_update(
        &mut self,
        table: &TableShape,
        key: &Key,
        fields: &[(usize, Value)],
    ) -> Outcome<Placement> {
        if fields.is_empty() {
            return Ok(Placement::Placed);
        }
        let entry = self.entry(table)?;
        let set = (table.id, fields.iter().map(|field| field.0).collect());
        let names = |set: &(TableId, Vec<usize>)| entry.sql.update(&column_names(&entry.shape, &set.1));
        let sql = self.updates.entry(set).or_insert_with_key(names).clone();
        let placed = self.place(table, || self.put(&sql, fields, None, Some(key)))?;
        self.counted(entry, key, placed)
    }

    pub(super) fn try_delete(&mut self, table: &TableShape, key: &Key) -> Outcome<Placement> {
        let entry = self.entry(table)?;
        let deleted = self.place(table, || self.put(&entry.sql.delete, &[], Some(key), None))?;
        if deleted == Placement::Placed {
            entry.drop_counters(self.writer, key)?;
        }
        Ok(deleted)
    }

    fn counted(&self, entry: &Entry, key: &Key, placed: Placement) -> Outcome<Placement> {
        if placed == Placement::Placed {
            self.count(entry, key)?;
        }
        Ok(placed)
    }

    /// Runs one write; what a constraint or a trigger refuses is an answer, not an error.
    pub(super) fn place(&self, table: &TableShape, write: impl FnOnce() -> Outcome<usize>) -> Outcome<Placement> {
        match self.attempt(table, write)? {
            // RAISE(IGNORE) leaves the row as it was, and is no error.
            Ok(0) => Ok(Placement::Refused("a trigger of the application ignored it".to_owned())),
            Ok(_) => Ok(Placement::Placed),
            Err(refusal) => Ok(Placement::Refused(refusal)),
        }
    }

    /// Runs one write; tells how many rows it changed, or in which words it was refused.
    pub(super) fn attempt(
        &self,
        table: &TableShape,
        write: impl FnOnce() -> Outcome<usize>,
    ) -> Outcome<std::result::Result<usize, String>> {
        let done = if self.loud.synced.contains(&table.id) {
            self.unheard.set(true);
            without_triggers(self.writer, write)
        } else {
            write()
        };
        match done {
            Ok(rows) => Ok(Ok(rows)),
            Err(Fault::Sqlite(error)) if is_refusal(&error) => match self.writer.is_autocommit() {
                // A trigger that raises ROLLBACK has ended the whole transaction.
                true => Err(Fault::Sqlite(error)),
                false => Ok(Err(words(&error))),
            },
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn put(
        &self,
        sql: &str,
        values: &[(usize, Value)],
        key_first: Option<&Key>,
        key_last: Option<&Key>,
    ) -> Outcome<usize> {
        let mut statement = self.writer.prepare_cached(sql)?;
        let at = bind_from(&mut statement, 1, key_first.into_iter().flat_map(|key| &key.0))?;
        let at = bind_from(&mut statement, at, values.iter().map(|field| &field.1))?;
        bind_from(&mut statement, at, key_last.into_iter().flat_map(|key| &key.0))?;
        Ok(statement.raw_execute()?)
    }
}

fn column_names<'a>(shape: &'a TableShape, set: &[usize]) -> Vec<&'a str> {
    set.iter().filter_map(|&at| shape.columns.get(at)).map(|column| column.name.as_str()).collect()
}
