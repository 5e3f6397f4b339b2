//! Reading what is remembered of one record.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::SqliteReplica;
use super::catalogue::Entry;
use super::fault::{Fault, Outcome};
use super::names::{joined, quoted};
use super::values::{key_at, owned};
use super::{arrivals, conflicts, state};
use crate::id::Cut;
use crate::marks::Roster;
use crate::replica::{Arrival, Buried, Noted, Remains, Result, TableShape, Trace, TracedFate, TracedField};
use crate::value::{Key, Value};

impl SqliteReplica {
    /// What is remembered of the records of a table that stand under a key, or did, the one that stands first. The key is as a
    /// person types it: its values are compared as the table compares them. What is not harvested yet is not in it.
    pub fn trace(&self, table: &TableShape, typed: &[String]) -> Result<Vec<Trace>> {
        self.try_trace(table, typed).map_err(self.fault("be read"))
    }

    /// Every change that a hub has refused and undone, this node or its own, in the order in which they were noted. Without a
    /// column: a record's making or deletion.
    pub fn refusals(&self) -> Result<Vec<Noted>> {
        conflicts::refusals(&self.reader, &self.catalogue).map_err(self.fault("be read"))
    }

    /// The bundles whose changes are those of these cuts, where they were brought by one.
    pub fn arrivals(&self, cuts: impl IntoIterator<Item = Cut>) -> Result<BTreeMap<Cut, Arrival>> {
        let found = cuts.into_iter().filter_map(|cut| match arrivals::at(&self.reader, cut) {
            Ok(arrival) => arrival.map(|arrival| Ok((cut, arrival))),
            Err(fault) => Some(Err(fault)),
        });
        found.collect::<Outcome<_>>().map_err(self.fault("be read"))
    }

    fn try_trace(&self, table: &TableShape, typed: &[String]) -> Outcome<Vec<Trace>> {
        let entry = self.catalogue.entry(table);
        let entry = entry.ok_or_else(|| Fault::Damaged(format!("table {} is not synced here", table.name)))?;
        let roster = state::roster(&self.reader)?;
        let mut found = Vec::new();
        for key in keys_meant(&self.reader, entry, typed)? {
            found.extend(standing(&self.reader, entry, &key, &roster)?);
            for buried in entry.metadata.all_remains(&self.reader, &key, &roster)? {
                found.push(of_buried(entry, &key, buried));
            }
        }
        Ok(found)
    }
}

/// The keys that somebody can mean: the one that the table takes for it, and those of records that do not stand.
fn keys_meant(connection: &Connection, entry: &Entry, typed: &[String]) -> Outcome<Vec<Key>> {
    let shape = &entry.shape;
    let columns = joined(shape.keys.len(), ", ", |at| quoted(&shape.keys[at]));
    let is_it = joined(shape.keys.len(), " AND ", |at| format!("{} = ?{}", quoted(&shape.keys[at]), at + 1));
    let sql = format!("SELECT {columns} FROM main.{} WHERE {is_it}", quoted(&shape.name));
    let as_text = Key(typed.iter().map(|word| Value::Text(word.clone().into_bytes())).collect());
    let as_numbers = Key(typed.iter().map(|word| number_or_text(word)).collect());
    let mut keys = Vec::new();
    for candidate in [as_text, as_numbers] {
        let mut statement = connection.prepare_cached(&sql)?;
        let stands = statement.query_row(params_from_iter(&candidate.0), |row| key_at(row, 0, shape.keys.len()));
        // The table says how it holds what was typed; of what does not stand there anything may be meant.
        let key = stands.optional()?.unwrap_or(candidate);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn number_or_text(word: &str) -> Value {
    let whole = word.parse().map(Value::Integer);
    let real = || word.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Real);
    whole.ok().or_else(real).unwrap_or_else(|| Value::Text(word.as_bytes().to_vec()))
}

fn standing(connection: &Connection, entry: &Entry, key: &Key, roster: &Roster) -> Outcome<Option<Trace>> {
    let columns = entry.shape.columns.len();
    let mut statement = connection.prepare_cached(&entry.sql.exists)?;
    if !statement.exists(params_from_iter(&key.0))? {
        return Ok(None);
    }
    let mut values = Vec::new();
    if columns > 0 {
        let mut statement = connection.prepare_cached(&entry.sql.values)?;
        let row = statement.query_row(params_from_iter(&key.0), |row| {
            (0..columns).map(|at| row.get_ref(at).map(owned)).collect::<rusqlite::Result<Vec<Value>>>()
        });
        values = row?;
    }
    let present = entry.metadata.marks(connection, key, roster)?;
    let birth = present.as_ref().and_then(|present| present.birth);
    let fields = entry.shape.columns.iter().zip(values).map(|(column, value)| TracedField {
        column: column.name.clone(),
        value,
        change: present.as_ref().and_then(|present| present.marks.get(column.id)),
    });
    Ok(Some(Trace { key: key.clone(), birth, fate: TracedFate::Stands, fields: fields.collect() }))
}

fn of_buried(entry: &Entry, key: &Key, Buried { birth, remains }: Buried) -> Trace {
    let fate = match remains {
        Remains { withdrawn: true, .. } => TracedFate::Withdrawn,
        Remains { dead: Some(mark), .. } => TracedFate::Deleted(mark),
        Remains { dead: None, .. } => TracedFate::Incomplete,
    };
    let columns = entry.shape.columns.iter();
    let fields = columns.filter_map(|column| {
        let field = remains.get(column.id)?;
        Some(TracedField { column: column.name.clone(), value: field.value.clone(), change: field.mark })
    });
    Trace { key: key.clone(), birth, fate, fields: fields.collect() }
}
