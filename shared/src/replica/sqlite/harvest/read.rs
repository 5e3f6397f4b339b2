//! Reading the log, record by record.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::super::capture::{Op, WORD_BITS, key_width, mask_names, mask_width};
use super::super::catalogue::Catalogue;
use super::super::fault::{Fault, Outcome};
use super::super::names::key_names;
use super::super::values::key_at;
use super::coalesce::{Edits, Entry, Touched, coalesce};
use crate::clock::WallTime;
use crate::id::ColumnId;
use crate::value::{Key, Value};

/// One record that the log speaks of.
#[derive(Debug)]
pub(super) struct Work {
    /// Its table's place in the catalogue.
    pub table: usize,
    pub key: Key,
    pub edits: Edits,
    /// The values of its counters, if it stands.
    pub counted: Vec<(ColumnId, Value)>,
}

/// Goes through the log in the order of tables, keys and time; tables whose keys bear the numbers of others come last.
pub(super) struct LogReader<'a> {
    connection: &'a Connection,
    catalogue: &'a Catalogue,
    keys: usize,
    words: usize,
}

/// Columns of the query before the mask.
const BEFORE_MASK: usize = 5;

impl<'a> LogReader<'a> {
    pub fn new(connection: &'a Connection, catalogue: &'a Catalogue) -> Outcome<Self> {
        Ok(Self { connection, catalogue, keys: key_width(connection)?, words: mask_width(connection)? })
    }

    /// Shows what the rows after `after` up to `upto` come to, one record at a time. Rows of tables that are no longer
    /// synced are passed over; rows whose key holds a NULL are counted.
    pub fn for_each(
        &mut self,
        after: i64,
        upto: i64,
        without_key: &mut BTreeMap<usize, u64>,
        show: &mut dyn FnMut(Work) -> Outcome<()>,
    ) -> Outcome<()> {
        let keys = key_names(self.keys);
        let masks = mask_names(self.words).join(", l.");
        // Who bears the numbers of others is known by those.
        let bearing = self.catalogue.entries().iter().map(|entry| &entry.shape).filter(|shape| shape.bears_numbers());
        let bearing = bearing.map(|shape| shape.id.0.to_string()).collect::<Vec<_>>().join(", ");
        let mut statement = self.connection.prepare(&format!(
            "SELECT c.tbl, l.tbl, l.op, l.at, l.id, l.{masks}, {keys} FROM _packhorse_log l \
             JOIN _packhorse_captures c ON c.id = l.tbl WHERE l.id > ?1 AND l.id <= ?2 \
             ORDER BY c.tbl IN ({bearing}), c.tbl, {keys}, l.id"
        ))?;
        let mut rows = statement.query([after, upto])?;
        let mut group: Option<(usize, Key, Vec<Entry>)> = None;
        while let Some(row) = rows.next()? {
            let Some(table) = self.catalogue.place_of(row.get(0)?) else { continue };
            let key = key_at(row, BEFORE_MASK + self.words, self.catalogue.at(table).shape.keys.len())?;
            if key.0.contains(&Value::Null) {
                let op: String = row.get(2)?;
                if [Op::Insert, Op::Update].map(Op::letter).contains(&op.as_str()) {
                    *without_key.entry(table).or_default() += 1;
                }
                continue;
            }
            let entry = self.entry(row, table, &key)?;
            match &mut group {
                Some((known, known_key, entries)) if *known == table && *known_key == key => entries.push(entry),
                _ => {
                    self.finish(group.replace((table, key, vec![entry])), show)?;
                }
            }
        }
        self.finish(group, show)
    }

    fn finish(
        &self,
        group: Option<(usize, Key, Vec<Entry>)>,
        show: &mut dyn FnMut(Work) -> Outcome<()>,
    ) -> Outcome<()> {
        let Some((table, key, entries)) = group else { return Ok(()) };
        let entry = self.catalogue.at(table);
        let mut statement = self.connection.prepare_cached(&entry.sql.exists)?;
        let stands = statement.query_row(params_from_iter(&key.0), |_| Ok(())).optional()?.is_some();
        let counted = entry.values_counted(self.connection, &key)?;
        show(Work { table, key, edits: coalesce(&entries, stands, entry.shape.key_kind), counted })
    }

    fn entry(&self, row: &Row<'_>, table: usize, key: &Key) -> Outcome<Entry> {
        let letter: String = row.get(2)?;
        let op =
            Op::from_letter(&letter).ok_or_else(|| Fault::Damaged(format!("the log holds an operation {letter:?}")))?;
        let touched = if op == Op::Update { self.touched(row, table, key)? } else { Touched::All };
        let at = WallTime(u64::try_from(row.get::<_, Option<i64>>(3)?.unwrap_or(0)).unwrap_or(0));
        Ok(Entry { row: row.get(4)?, op, touched, at })
    }

    fn touched(&self, row: &Row<'_>, table: usize, key: &Key) -> Outcome<Touched> {
        let Some(columns) = self.catalogue.captured_columns(row.get(1)?) else { return Ok(Touched::All) };
        let mut touched = Vec::new();
        for word in 0..self.words {
            let mask: i64 = row.get::<_, Option<i64>>(BEFORE_MASK + word)?.unwrap_or(0);
            let start = word * WORD_BITS;
            let bits = (0..WORD_BITS).filter(|bit| mask >> bit & 1 == 1);
            touched.extend(bits.filter_map(|bit| columns.get(start + bit).copied()));
        }
        // An update of a column that was added after the trigger leaves no trace in the mask. One that touched nothing
        // else is taken for one; beside others, a column that still holds its default was hardly the point.
        let alone = touched.is_empty();
        for at in self.added_since(columns, table) {
            if alone || self.is_filled(table, at, key)? {
                touched.push(self.catalogue.at(table).shape.columns[at].id);
            }
        }
        self.catalogue.at(table).shape.complete_pairs(&mut touched);
        touched.sort_unstable();
        Ok(Touched::Some(touched))
    }

    /// The places of the columns that were added after the trigger.
    fn added_since(&self, captured: &[ColumnId], table: usize) -> Vec<usize> {
        let columns = &self.catalogue.at(table).shape.columns;
        (0..columns.len()).filter(|&at| !captured.contains(&columns[at].id)).collect()
    }

    fn is_filled(&self, table: usize, at: usize, key: &Key) -> Outcome<bool> {
        let entry = self.catalogue.at(table);
        let (Some(column), Some(default)) = (entry.shape.columns.get(at), entry.defaults.get(at)) else {
            return Ok(false);
        };
        // A default that cannot be read as an expression (SQLite takes a bare word) leaves the question open.
        let Ok(mut statement) = self.connection.prepare_cached(&entry.sql.filled(&column.name, default)) else {
            return Ok(true);
        };
        Ok(statement.query_row(params_from_iter(&key.0), |row| row.get(0)).optional()?.unwrap_or(false))
    }
}
