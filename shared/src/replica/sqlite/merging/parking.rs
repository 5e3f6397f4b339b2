//! Parts of a merge that can be taken back by themselves, and the records that are parked in one.
//!
//! A parked record is out of its table for a moment, so that others can take its unique values: it counts as standing, with
//! the values that it had, until a change puts it back. Invariant: none is out of its table when its part is over, since
//! a part is kept only when all could be put back. Marks are not touched by it.

use std::collections::BTreeMap;

use super::SqliteMerge;
use crate::id::TableId;
use crate::marks::Roster;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::{MergeTransaction, Placement, Result, TableShape};
use crate::value::{Key, Value};

/// The part that is open, if one is.
#[derive(Default)]
pub(super) struct Part {
    /// The values of the parked records.
    parked: BTreeMap<(TableId, Key), Vec<Value>>,
    /// The nodes that were known when it began: those met in it are forgotten with it.
    roster: Roster,
}

impl Part {
    /// The values of a record, if it is parked.
    pub fn parked(&self, table: TableId, key: &Key) -> Option<&Vec<Value>> {
        // Nearly always nothing is, and then a key need not be copied to ask.
        (!self.parked.is_empty()).then(|| self.parked.get(&(table, key.clone())))?
    }
}

impl SqliteMerge<'_> {
    pub(super) fn try_begin_part(&mut self) -> Result<()> {
        self.said(self.writer.execute_batch("SAVEPOINT part").map_err(Into::into))?;
        self.part = Part { parked: BTreeMap::new(), roster: self.roster.clone() };
        Ok(())
    }

    pub(super) fn try_take_back_part(&mut self) -> Result<()> {
        self.said(self.writer.execute_batch("ROLLBACK TO part; RELEASE part").map_err(Into::into))?;
        self.roster = std::mem::take(&mut self.part).roster;
        Ok(())
    }

    pub(super) fn try_keep_part(&mut self) -> Result<Placement> {
        let parked: Vec<(TableId, Key)> = self.part.parked.keys().cloned().collect();
        let tables = self.tables();
        for (table, key) in parked {
            let Some(table) = TableShape::with_id(&tables, table) else { continue };
            if let Placement::Refused(reason) = self.put_back(table, &key, &[])? {
                return Ok(Placement::Refused(reason));
            }
        }
        let released = self.writer.execute_batch("RELEASE part").map_err(Into::into);
        self.said(released).map(|()| Placement::Placed)
    }

    pub(super) fn try_park(&mut self, table: &TableShape, key: &Key) -> Outcome<Placement> {
        if self.part.parked(table.id, key).is_some() {
            return Ok(Placement::Placed);
        }
        // Where triggers are off altogether, nothing goes with it.
        if self.loud.unsynced.contains(&table.id) && !self.loud.synced.contains(&table.id) {
            let words = format!("a trigger on \"{}\" deletes what belongs to its records", table.name);
            return Ok(Placement::Refused(words));
        }
        if self.has_unknown_columns(table)? {
            return Ok(Placement::Refused(format!("table \"{}\" was changed just now", table.name)));
        }
        let entry = self.entry(table)?;
        let values = self.try_values(entry, key)?;
        let taken_out = self.place(table, || self.put(&entry.sql.delete, &[], Some(key), None))?;
        if taken_out == Placement::Placed {
            self.part.parked.insert((table.id, key.clone()), values);
        }
        Ok(taken_out)
    }

    /// Whether the application has given a table more columns since it was looked at: what a record holds in them would not
    /// be put back.
    fn has_unknown_columns(&self, table: &TableShape) -> Outcome<bool> {
        let sql = "SELECT count(*) FROM pragma_table_xinfo(?1) WHERE hidden = 0";
        let found: i64 = self.writer.prepare_cached(sql)?.query_row([&table.name], |row| row.get(0))?;
        Ok(usize::try_from(found).ok() != Some(table.keys.len() + table.columns.len()))
    }

    /// Puts a parked record back into its table, changed in these fields.
    pub(super) fn put_back(&mut self, table: &TableShape, key: &Key, changed: &[(usize, Value)]) -> Result<Placement> {
        let Some(values) = self.part.parked(table.id, key) else { return Ok(Placement::Placed) };
        let mut values = values.clone();
        for (at, value) in changed {
            if let Some(old) = values.get_mut(*at) {
                old.clone_from(value);
            }
        }
        let fields: Vec<(usize, Value)> = values.into_iter().enumerate().collect();
        let placed = self.insert(table, key, &fields)?;
        if placed == Placement::Placed {
            self.part.parked.remove(&(table.id, key.clone()));
        }
        Ok(placed)
    }
}
