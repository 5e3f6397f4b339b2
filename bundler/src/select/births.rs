//! Births: of a record that is told, and in references, which record a number means, wherever it stands in a change.

use packhorse_shared::change::FieldChange;
use packhorse_shared::clock::Stamp;
use packhorse_shared::link::{Extent, Role};
use packhorse_shared::replica::{ChangedRecord, KeyKind, Result};
use packhorse_shared::value::{Key, Value};

use super::selector::Selector;

impl Selector<'_> {
    /// The birth of a record that stands, and if need be that of the youngest whose number it bears.
    pub(super) fn birth_told(&self, record: &dyn ChangedRecord) -> Result<Option<Stamp>> {
        let (known, shape, key) = (record.birth(), &self.table.shape, record.key());
        if !self.is_asked_by_remote() {
            return Ok(known);
        }
        let given = match shape.key_kind == KeyKind::Assigned {
            true => self.given_birth(&shape.name, key, None)?,
            false => self.key_references(key, None)?.into_iter().filter_map(|field| field.refers_to).max(),
        };
        Ok(known.max(given))
    }

    /// A remote that asks for everything may come from a time when it knew a record by its birth alone, which was dropped here
    /// since: it is told the births of those that were given their numbers here, wherever these stand, lest one be taken for
    /// another where it has none. `at`: of one that was born by then.
    fn given_birth(&self, table: &str, key: &Key, at: Option<Stamp>) -> Result<Option<Stamp>> {
        if !self.is_asked_by_remote() {
            return Ok(None);
        }
        let given = self.snapshot.given_birth(table, key)?;
        Ok(given.filter(|birth| at.is_none_or(|at| *birth <= at)))
    }

    fn is_asked_by_remote(&self) -> bool {
        self.owed.extent == Extent::Everything && self.owed.peer == Role::Remote
    }

    /// The births of the records whose numbers are in a key, as fields under the names of the key's columns; `left`: of what
    /// is left of a record with this birth, which is that of the youngest.
    pub(super) fn key_references(&self, key: &Key, left: Option<Option<Stamp>>) -> Result<Vec<FieldChange>> {
        let mut references = Vec::new();
        let shape = &self.table.shape;
        let columns = shape.keys.iter().zip(&shape.key_refers_to);
        let is_only = shape.numbers_borne(key).count() == 1;
        for (at, ((name, parent), value)) in columns.zip(&key.0).enumerate() {
            let birth = match left {
                Some(own) if is_only => own.filter(|_| parent.is_some()),
                _ => {
                    let until = left.map(|own| own.unwrap_or(Stamp::ZERO));
                    self.birth_in(parent.as_deref(), name, value, until)?
                }
            };
            let column = shape.columns.len() + 1 + at;
            let reference =
                |birth| FieldChange { column, value: value.clone(), stamp: Stamp::ZERO, refers_to: Some(birth) };
            references.extend(birth.map(reference));
        }
        Ok(references)
    }

    /// The birth of the record that a field refers to; `named` tells the record's other values, by position.
    pub(super) fn referred_birth(
        &self,
        at: usize,
        value: &Value,
        at_time: Option<Stamp>,
        named: &dyn Fn(usize) -> Result<Option<Value>>,
    ) -> Result<Option<Stamp>> {
        let Some(column) = self.table.shape.columns.get(at) else { return Ok(None) };
        let kind = self.table.shape.names_parent(at).map(named).transpose()?.flatten();
        self.birth_in(column.parent(|_| kind), &column.name, value, at_time)
    }

    /// The birth of the record of a table that a column's value refers to, or referred to at a time.
    fn birth_in(
        &self,
        parent: Option<&str>,
        column: &str,
        value: &Value,
        at_time: Option<Stamp>,
    ) -> Result<Option<Stamp>> {
        match (parent, self.table.shape.number_in(column, value)) {
            (Some(parent), Some(number)) => {
                let key = Key(vec![Value::Integer(number)]);
                let known = self.snapshot.birth_of(parent, &key, at_time)?;
                if known.is_some() { Ok(known) } else { self.given_birth(parent, &key, at_time) }
            }
            _ => Ok(None),
        }
    }
}
