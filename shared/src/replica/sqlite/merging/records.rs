//! Records as a merge finds them: what stands under a key, with which values and children, and what is left of it.
//!
//! A record that is parked counts as standing.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params_from_iter};

use super::SqliteMerge;
use crate::clock::Stamp;
use crate::id::TableId;
use crate::marks::Marks;
use crate::replica::sqlite::bearing;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::values::{bind_from, key_at, owned};
use crate::replica::{Present, Remains, TableShape};
use crate::value::{Key, Value};

impl SqliteMerge<'_> {
    /// Nothing is stored here of a record that was born at a node of which nothing is stored.
    pub(super) fn never_met(&self, birth: Option<Stamp>) -> bool {
        birth.is_some_and(|birth| self.roster.number(birth.node).is_none())
    }

    pub(super) fn try_bury(
        &mut self,
        entry: &Entry,
        key: &Key,
        birth: Option<Stamp>,
        remains: &Remains,
    ) -> Outcome<()> {
        // It may refer to who was born at a node of which nothing else came here: one who was gone before this node began.
        self.enlist(remains.nodes().chain(birth.map(|birth| birth.node)))?;
        entry.metadata.put_remains(self.writer, key, birth, remains, &self.roster)?;
        let standing = entry.metadata.marks(self.writer, key, &self.roster)?;
        // Of what bears numbers no birth is stored while it stands.
        let is_its = |present: Present| present.birth == birth || entry.shape.bears_numbers();
        if standing.is_some_and(is_its) && !self.stands(entry, key)? {
            entry.metadata.drop_marks(self.writer, key)?;
        }
        Ok(())
    }

    /// The record that stands with these values of its table's identity.
    pub(super) fn try_identical(&self, table: &TableShape, values: &[Value]) -> Outcome<Option<Key>> {
        let entry = self.entry(table)?;
        let Some(identical) = &entry.identical else { return Ok(None) };
        let mut statement = self.writer.prepare_cached(identical)?;
        bind_from(&mut statement, 1, values)?;
        let mut rows = statement.raw_query();
        Ok(rows.next()?.map(|row| key_at(row, 0, entry.shape.keys.len())).transpose()?)
    }

    pub(super) fn stands(&self, entry: &Entry, key: &Key) -> Outcome<bool> {
        if self.part.parked(entry.shape.id, key).is_some() {
            return Ok(true);
        }
        let mut statement = self.writer.prepare_cached(&entry.sql.exists)?;
        Ok(statement.query_row(params_from_iter(&key.0), |_| Ok(())).optional()?.is_some())
    }

    pub(super) fn try_find(&self, entry: &Entry, key: &Key) -> Outcome<Option<Present>> {
        if !self.stands(entry, key)? {
            return Ok(None);
        }
        let known = entry.metadata.marks(self.writer, key, &self.roster)?;
        let mut present = known.unwrap_or(Present { birth: None, marks: Marks::default() });
        if entry.shape.bears_numbers() {
            present.birth = bearing::now(self.writer, self.catalogue, &entry.shape, key, &self.roster)?;
        }
        Ok(Some(present))
    }

    pub(super) fn try_mark(&mut self, entry: &Entry, key: &Key, mut present: Present) -> Outcome<()> {
        present.birth = present.birth.filter(|_| !entry.shape.bears_numbers());
        self.enlist(present.marks.nodes().chain(present.birth.map(|birth| birth.node)))?;
        entry.metadata.put_marks(self.writer, key, &present, &self.roster)
    }

    pub(super) fn try_values(&self, entry: &Entry, key: &Key) -> Outcome<Vec<Value>> {
        if let Some(values) = self.part.parked(entry.shape.id, key) {
            return Ok(values.clone());
        }
        let mut statement = self.writer.prepare_cached(&entry.sql.values)?;
        let columns = entry.shape.columns.len();
        Ok(statement.query_row(params_from_iter(&key.0), |row| {
            (0..columns).map(|at| row.get_ref(at).map(owned)).collect::<rusqlite::Result<_>>()
        })?)
    }

    pub(super) fn try_child(
        &self,
        table: &TableShape,
        key: &Key,
        dying: &BTreeSet<(TableId, Key)>,
    ) -> Outcome<Option<String>> {
        for (child, sql) in self.catalogue.children_of(table) {
            let mut statement = self.writer.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(&key.0))?;
            while let Some(row) = rows.next()? {
                let found = (child.id, key_at(row, 0, child.keys.len())?);
                if !dying.contains(&found) {
                    return Ok(Some(format!("{} {}", child.name, found.1)));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn try_children(&self, table: &TableShape, key: &Key) -> Outcome<Vec<(TableId, Key)>> {
        let mut children = Vec::new();
        for (child, sql) in self.catalogue.children_of(table) {
            let mut statement = self.writer.prepare_cached(sql)?;
            let found = statement.query_map(params_from_iter(&key.0), |row| key_at(row, 0, child.keys.len()))?;
            for key in found {
                children.push((child.id, key?));
            }
        }
        Ok(children)
    }
}
