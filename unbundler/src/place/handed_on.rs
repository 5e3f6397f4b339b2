//! What is held and refers to a record that goes, which is held itself, refers to another from now on.
//!
//! Invariant: it is placed so, or all is refused; what would say nothing more than another which refers there already goes with the record.

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Held, Placement, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::handed_over::End;
use super::joined::Refusable;
use super::parent::value_said;
use super::{Item, Placer};

/// A record that goes for another that stands.
pub(super) struct Gone<'g> {
    pub table: &'g TableShape,
    pub record: &'g RecordChange,
    pub to: End<'g>,
    /// The birth of the one that stands.
    pub birth: Option<Stamp>,
    /// Why, as people are told it.
    pub why: String,
}

impl Gone<'_> {
    fn has_number(&self, child: &TableShape, name: &str, value: &Value) -> bool {
        let number = child.number_in(name, value).map(|number| Key(vec![Value::Integer(number)]));
        number.as_ref() == Some(&self.record.key)
    }

    /// What a column that declares a foreign key to it holds instead.
    fn declared(&self, child: &TableShape, name: &str, value: &Value) -> Option<Value> {
        let parents = child.parents.iter().filter(|parent| parent.table.eq_ignore_ascii_case(&self.table.name));
        let (_, there) =
            parents.flat_map(|parent| &parent.columns).find(|(here, _)| here.eq_ignore_ascii_case(name))?;
        let at = self.table.keys.iter().position(|key| key.eq_ignore_ascii_case(there))?;
        self.to.value(there).filter(|_| self.record.key.0.get(at) == Some(value)).cloned()
    }
}

impl Placer<'_> {
    /// Hands on everything that is held and refers to it.
    pub(super) fn hand_on(&mut self, gone: &Gone<'_>) -> Result<Refusable<()>> {
        let tables = self.transaction.tables();
        for held in self.transaction.held()? {
            let Ok(child) = self.fitting(&tables, &held.change) else { continue };
            let Some(record) = held.change.records.first().filter(|record| record.dead.is_none()) else { continue };
            let arrival = self.arrival_of(&held);
            let here = std::mem::replace(&mut self.arrival, arrival);
            let done = self.hand_on_one((child, &held.change, record), &held, gone);
            self.arrival = here;
            if let Err(why) = done? {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    fn hand_on_one(&mut self, item: Item<'_>, held: &Held, gone: &Gone<'_>) -> Result<Refusable<()>> {
        let (child, of, record) = item;
        let key = redirected_key(child, &record.key, gone);
        if key != record.key {
            return self.hand_on_under(item, &key, held, gone);
        }
        let Some(redirected) = self.redirected_change(item, gone)? else { return Ok(Ok(())) };
        self.release_held(held)?;
        let before = self.placed.held;
        let change = TableShape::alone(of, redirected);
        self.changes(std::slice::from_ref(&change))?;
        let Some(redirected) = change.records.first() else { return Ok(Ok(())) };
        let words = self.refusal.take().filter(|_| self.placed.held > before);
        match words {
            Some(words) if record.whole => self.go_with_same((child, of, redirected), &words, gone),
            Some(words) => Ok(Err(cannot_go_over(item, &words))),
            None => Ok(Ok(())),
        }
    }

    /// What bears the number in its key is another record under the number of now.
    fn hand_on_under(&mut self, item: Item<'_>, key: &Key, held: &Held, gone: &Gone<'_>) -> Result<Refusable<()>> {
        let (child, of, record) = item;
        if !record.whole {
            return Ok(Ok(()));
        }
        let fields = fields_here(item);
        if self.transaction.find(child, key)?.is_none() {
            if let Placement::Refused(words) = self.transaction.insert(child, key, &fields)? {
                return Ok(Err(cannot_go_over(item, &words)));
            }
            self.mark_anew(child, key)?;
        } else if !self.says_the_same(child, key, &fields)? {
            return Ok(Err(cannot_go_over(
                item,
                &format!("{} {key} is there already, and says something else", child.name),
            )));
        } else {
            self.renew(child, key)?;
        }
        self.unmake((child, of, record), &gone.why)?;
        self.release_held(held).map(Ok)
    }

    /// A held record that is refused for one that says the same goes.
    fn go_with_same(&mut self, item: Item<'_>, words: &str, gone: &Gone<'_>) -> Result<Refusable<()>> {
        let (child, of, record) = item;
        let fields = fields_here(item);
        let Some(same) = self.transaction.in_the_way(child, &record.key, &fields, words)? else {
            return Ok(Err(cannot_go_over(item, words)));
        };
        if !self.says_the_same(child, &same, &fields)? {
            return Ok(Err(cannot_go_over(item, words)));
        }
        self.renew(child, &same)?;
        self.unmake((child, of, record), &gone.why)?;
        let is_it = |held: &&Held| {
            let its = held.change.records.first();
            held.change.table == of.table && its.is_some_and(|its| its.birth == record.birth && its.whole)
        };
        match self.transaction.held()?.iter().find(is_it) {
            Some(held) => self.release_held(held).map(Ok),
            None => Ok(Ok(())),
        }
    }

    fn says_the_same(&mut self, table: &TableShape, key: &Key, fields: &[(usize, Value)]) -> Result<bool> {
        let values = self.transaction.values(table, key)?;
        Ok(fields.iter().all(|(at, value)| values.get(*at) == Some(value)))
    }

    fn release_held(&mut self, held: &Held) -> Result<()> {
        self.held = None;
        self.transaction.release(held.id)
    }

    /// A held change that refers to the one that stands instead, by an edit made here; None if it does not refer to the other.
    fn redirected_change(&mut self, (child, of, record): Item<'_>, gone: &Gone<'_>) -> Result<Option<RecordChange>> {
        let (mut redirected, mut any) = (record.clone(), false);
        let stamp = self.transaction.tick();
        for field in &mut redirected.fields {
            let Some((name, at)) = of.columns.get(field.column).and_then(|name| Some((name, child.position(name)?)))
            else {
                continue;
            };
            let said = |at: usize| value_said(child, of, record, at);
            let parent = self.parent(child, at, &record.key, &said)?;
            let is_number = parent.is_some_and(|parent| parent.eq_ignore_ascii_case(&gone.table.name));
            let means_it = match field.refers_to {
                Some(birth) => Some(birth) == gone.record.birth,
                None => gone.has_number(child, name, &field.value),
            };
            let number = gone.to.number().map(Value::Integer).filter(|_| is_number && means_it);
            let value = number.or_else(|| gone.declared(child, name, &field.value).filter(|_| !is_number));
            if let Some(value) = value {
                let refers_to = gone.birth.filter(|_| is_number);
                *field = FieldChange { value, stamp, refers_to, ..*field };
                any = true;
            }
        }
        Ok(any.then_some(redirected))
    }
}

/// Why what is held cannot refer to the one that is kept.
fn cannot_go_over((child, _, record): Item<'_>, words: &str) -> String {
    format!("{} {}, which is held and refers to it, cannot go over: {words}", child.name, record.key)
}

/// The values that a change gives to columns of this database.
fn fields_here((child, of, record): Item<'_>) -> Vec<(usize, Value)> {
    let field = |field: &FieldChange| match column_of(child, of, field)? {
        Column::Field(at, _) => Some((at, field.value.clone())),
        Column::Existence => None,
    };
    record.fields.iter().filter_map(field).collect()
}

fn redirected_key(child: &TableShape, key: &Key, gone: &Gone<'_>) -> Key {
    let mut redirected = key.clone();
    for (at, name) in child.keys.iter().enumerate() {
        let Some(value) = redirected.0.get_mut(at) else { continue };
        let refers_to = child.key_refers_to.get(at).and_then(Option::as_ref);
        let is_number = refers_to.is_some_and(|parent| parent.eq_ignore_ascii_case(&gone.table.name));
        let number = gone.to.number().filter(|_| is_number && gone.has_number(child, name, value));
        let new = number.map(Value::Integer).or_else(|| gone.declared(child, name, value).filter(|_| !is_number));
        new.into_iter().for_each(|new| *value = new);
    }
    redirected
}
