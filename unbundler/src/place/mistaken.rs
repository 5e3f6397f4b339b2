//! Numbers that mean another record here than at their origin: one that was given the same number.
//!
//! Invariant: no change that refers to such a number is placed. Leaves to `displaced` bringing back who is meant.

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Belonging, Present, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::displaced::{Displaced, Meant};
use super::parent::{key_references, number_said};

impl Placer<'_> {
    /// Whether one of the fields to be written would refer to another record.
    pub(super) fn mistaken(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        fields: &[(usize, Value)],
    ) -> Result<Option<String>> {
        if let Some(reason) = self.mistaken_key(table, of, record)? {
            return Ok(Some(reason));
        }
        for field in &record.fields {
            let Some(Column::Field(at, _)) = column_of(table, of, field) else { continue };
            // What nobody has declared waits only if it is known to mean another record.
            let waits = field.refers_to.is_some() || is_reference(table, at);
            if !waits || !fields.contains(&(at, field.value.clone())) {
                continue;
            }
            let placed = |at: usize| fields.iter().find(|field| field.0 == at).map(|field| field.1.clone());
            let Some(parent) = self.parent(table, at, &record.key, &placed)? else { continue };
            let Some(number) = number_said(table, of, field) else { continue };
            if self.is_another(parent, number, field.refers_to)? {
                let reason = another(parent, &field.value);
                let meant = field.refers_to.map_or(Meant::Unnamed(Some(field.stamp)), |it| Meant::Born(Some(it)));
                let Some(table) = TableShape::named(&self.transaction.tables(), parent).cloned() else {
                    return Ok(Some(reason));
                };
                // Whoever has not the record itself brings nobody back for it.
                let has_died = record.dead.is_some();
                let is_nobodys = has_died || of.passage == Passage::Limbo || self.is_taken_off(&table, number)?;
                self.displaced = is_nobodys.then_some(Displaced { table, number, meant });
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// The same for a key that holds the numbers of other records: nobody is that record here.
    pub(super) fn mistaken_key(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<String>> {
        for (name, parent, number, birth) in key_references(table, of, record) {
            let waits = birth.is_some() || table.declares(name);
            if waits && self.is_another(parent, number, birth)? {
                return Ok(Some(another(parent, &Value::Integer(number))));
            }
        }
        Ok(None)
    }

    /// Whether the sender was told to take off who has or had a number, and not of a death: it brings nobody back, and waits
    /// for us.
    fn is_taken_off(&mut self, table: &TableShape, number: i64) -> Result<bool> {
        let Some((sharing, at)) = self.shared(table)? else { return Ok(false) };
        let key = Key(vec![Value::Integer(number)]);
        let belonging = self.transaction.belonging(self.arrival.link, &sharing[at], &key)?;
        Ok(matches!(belonging, Some(Belonging::LeftAt(_))))
    }

    pub(super) fn is_another(&mut self, parent: &str, number: i64, birth: Option<Stamp>) -> Result<bool> {
        let tables = self.transaction.tables();
        let Some(parent) = TableShape::named(&tables, parent) else { return Ok(false) };
        let standing = self.transaction.find(parent, &Key(vec![Value::Integer(number)]))?;
        let is_apart = |ours: Stamp| birth.is_none() && self.named.sets_apart(parent, number, ours);
        let is_it = |present: Present| {
            self.arrival.is_known_by(&present, birth, &parent.column_ids()) && !present.birth.is_some_and(is_apart)
        };
        Ok(standing.is_some_and(|present| !is_it(present)))
    }
}

/// Whether a column is part of a declared foreign key.
pub(super) fn is_reference(table: &TableShape, at: usize) -> bool {
    let name = table.columns.get(at).map(|column| &column.name);
    table.parents.iter().any(|parent| parent.columns.iter().any(|(here, _)| Some(here) == name))
}

/// Why a change waits that would refer to another record here than at its origin.
pub(super) fn another(parent: &str, number: &Value) -> String {
    format!("it refers to {parent} {number}, which is another record here")
}
