//! Children that let go of a record that is to die: a change makes them refer to another.
//!
//! Owns telling them from those that keep it alive. Where that cannot be told (a foreign key that does not lead to the
//! parent's key), the child keeps it.

use std::collections::BTreeMap;

use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::replica::{KeyKind, Parent, Present, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::parent::value_said;
use super::reborn::Records;
use super::swap::Candidate;
use super::{Item, Placer};
use crate::merge;

/// The children whose changes let go of records that are to die, each with those records.
pub(super) type Leaving = BTreeMap<(TableId, Key), Records>;

/// A child as it stands, and the change that is to be placed.
struct Child<'t> {
    item: Item<'t>,
    present: Present,
    values: Vec<Value>,
}

impl Placer<'_> {
    /// Who lets go of these by a change that was refused so far or is held.
    pub(super) fn leaving(
        &mut self,
        refused: &[Item<'_>],
        held: &[Candidate<'_>],
        doomed: &Records,
    ) -> Result<Leaving> {
        let mut leaving = Leaving::new();
        for item in refused {
            leaving.extend(self.lets_go(*item, doomed)?);
        }
        let here = self.arrival;
        for candidate in held {
            self.arrival = candidate.arrival;
            let lets_go = self.lets_go(candidate.item, doomed);
            self.arrival = here;
            leaving.extend(lets_go?);
        }
        Ok(leaving)
    }

    /// The child that a change is about, with the doomed records that it refers to, if it lets go of all of them.
    fn lets_go(&mut self, item: Item<'_>, doomed: &Records) -> Result<Option<((TableId, Key), Records)>> {
        let (table, _, record) = item;
        if record.dead.is_some() || table.parents.is_empty() {
            return Ok(None);
        }
        let standing = self.transaction.find(table, &record.key)?;
        // What bears a number is about another once that is another's, and leaves what it bears now.
        let is_it = |present: &Present| {
            table.bears_numbers() || self.arrival.is_same_standing(present, record, &table.column_ids())
        };
        let Some(present) = standing.filter(is_it) else { return Ok(None) };
        let values = self.transaction.values(table, &record.key)?;
        let (child, tables) = (Child { item, present, values }, self.transaction.tables());
        let mut lets_go = Records::new();
        for foreign in &table.parents {
            let Some(parent) = TableShape::named(&tables, &foreign.table) else { continue };
            let Some(key) = child.referred(foreign, parent) else { return Ok(None) };
            let referred = (parent.id, key);
            if !doomed.contains(&referred) {
                continue;
            }
            if !self.means_another(&child, foreign)? {
                return Ok(None);
            }
            lets_go.insert(referred);
        }
        Ok((!lets_go.is_empty()).then(|| ((table.id, record.key.clone()), lets_go)))
    }

    /// Whether the change makes a foreign key of its record refer to another record than it does here, and stands.
    fn means_another(&mut self, child: &Child<'_>, foreign: &Parent) -> Result<bool> {
        let (table, of, record) = child.item;
        for field in &record.fields {
            let Some(name) = of.columns.get(field.column).filter(|name| is_part(foreign, name)) else { continue };
            let (number, parent) = match column_of(table, of, field) {
                Some(Column::Field(at, id)) => {
                    if !merge::field(child.present.marks.get(id), field.stamp, &self.arrival).is_theirs() {
                        continue;
                    }
                    let before = child.values.get(at).map(|value| meant(table, name, value));
                    if before != Some(meant(table, name, &field.value)) {
                        return Ok(true);
                    }
                    let parent = self.parent(table, at, &record.key, &|at| value_said(table, of, record, at))?;
                    (table.number_in(name, &field.value), parent)
                }
                // What speaks of the key: the record is about another one, unless ours was made or edited without knowing that.
                _ if self.is_unseen(table, &child.present) => continue,
                _ => match table.keys.iter().position(|key| key.eq_ignore_ascii_case(name)) {
                    Some(at) => {
                        let number = record.key.0.get(at).and_then(|value| table.number_in(name, value));
                        (number, table.key_refers_to.get(at).and_then(Option::as_deref))
                    }
                    None => continue,
                },
            };
            if let (Some(parent), Some(number)) = (parent, number)
                && self.is_another(parent, number, field.refers_to)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the sender has not seen all that was done to a record here.
    fn is_unseen(&self, table: &TableShape, present: &Present) -> bool {
        let columns = table.column_ids().into_iter().chain([ColumnId::EXISTENCE]);
        let mut marks = columns.filter_map(|column| present.marks.get(column));
        marks.any(|mark| !self.arrival.knew(mark))
    }
}

impl Child<'_> {
    /// The key of the record that a foreign key refers to here, which holds a NULL if it refers to none; None if it does not
    /// lead to its parent's key.
    fn referred(&self, foreign: &Parent, parent: &TableShape) -> Option<Key> {
        let (table, _, record) = self.item;
        if foreign.columns.len() != parent.keys.len() {
            return None;
        }
        let value = |key: &String| {
            let (here, _) = foreign.columns.iter().find(|(_, there)| there.eq_ignore_ascii_case(key))?;
            let in_key = || table.keys.iter().position(|key| key.eq_ignore_ascii_case(here));
            let found = match table.position(here) {
                Some(at) => self.values.get(at).cloned()?,
                None => record.key.0.get(in_key()?).cloned()?,
            };
            Some(if parent.key_kind == KeyKind::Assigned { meant(table, here, &found) } else { found })
        };
        parent.keys.iter().map(value).collect::<Option<_>>().map(Key)
    }
}

fn is_part(foreign: &Parent, column: &str) -> bool {
    foreign.columns.iter().any(|(here, _)| here.eq_ignore_ascii_case(column))
}

/// A column's value as a reference means it: the number, if it is one.
fn meant(table: &TableShape, column: &str, value: &Value) -> Value {
    table.number_in(column, value).map_or_else(|| value.clone(), Value::Integer)
}
