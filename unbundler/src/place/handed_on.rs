//! What is held and refers to a record that goes, which is held itself: it refers to another from now on.
//!
//! Invariant: it is placed so, or all is refused; what would say nothing more than another which refers there already goes with
//! the record.

use std::collections::BTreeSet;

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Held, Placement, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::handed_over::End;
use super::joined::Refusable;
use super::parent::value_said;
use super::{Item, Placer};

/// A record that goes, which is held.
#[derive(Clone, Copy)]
pub(super) struct Goer<'g> {
    pub table: &'g TableShape,
    pub record: &'g RecordChange,
}

/// And the one that it goes for, which stands.
pub(super) struct Gone<'g> {
    pub goer: Goer<'g>,
    pub to: End<'g>,
    /// The birth of that.
    pub birth: Option<Stamp>,
    /// Why, as people are told it.
    pub why: String,
}

impl Goer<'_> {
    fn is(self, table: &str) -> bool {
        table.eq_ignore_ascii_case(&self.table.name)
    }

    fn has_number(self, child: &TableShape, name: &str, value: &Value) -> bool {
        let number = child.number_in(name, value).map(|number| Key(vec![Value::Integer(number)]));
        number.as_ref() == Some(&self.record.key)
    }

    /// Its column to which a child's column declares a foreign key that holds its value.
    fn declared<'c>(self, child: &'c TableShape, name: &str, value: &Value) -> Option<&'c str> {
        let mut columns =
            child.parents.iter().filter(|parent| self.is(&parent.table)).flat_map(|parent| &parent.columns);
        let (_, there) = columns.find(|(here, _)| here.eq_ignore_ascii_case(name))?;
        let at = self.table.keys.iter().position(|key| key.eq_ignore_ascii_case(there))?;
        (self.record.key.0.get(at) == Some(value)).then_some(there)
    }

    /// Whether a child's key column holds its number, or else a value by which it is referred to.
    fn is_in_key(self, child: &TableShape, at: usize, value: &Value) -> bool {
        let Some(name) = child.keys.get(at) else { return false };
        match child.key_refers_to.get(at).and_then(Option::as_ref) {
            Some(parent) if self.is(parent) => self.has_number(child, name, value),
            _ => self.declared(child, name, value).is_some(),
        }
    }
}

impl Gone<'_> {
    /// What a child's column holds instead; None if it does not refer to the one that goes. `is_number`: whether it holds numbers
    /// of its table; `means_it`: whether such a one means it.
    fn instead(
        &self,
        child: &TableShape,
        name: &str,
        value: &Value,
        (is_number, means_it): (bool, bool),
    ) -> Option<Value> {
        match is_number {
            true => self.to.number().map(Value::Integer).filter(|_| means_it),
            false => self.to.value(self.goer.declared(child, name, value)?).cloned(),
        }
    }
}

impl Placer<'_> {
    /// Hands on everything that is held and refers to it.
    pub(super) fn hand_on(&mut self, gone: &Gone<'_>) -> Result<Refusable<()>> {
        let tables = self.transaction.tables();
        let mut done_along = BTreeSet::new();
        for held in self.transaction.held()? {
            if done_along.contains(&held.id) {
                continue;
            }
            let Ok(child) = self.fitting(&tables, &held.change) else { continue };
            let Some(record) = held.change.records.first().filter(|record| record.dead.is_none()) else { continue };
            let arrival = self.arrival_of(&held);
            let here = std::mem::replace(&mut self.arrival, arrival);
            let done = self.hand_on_one((child, &held.change, record), &held, gone);
            self.arrival = here;
            match done? {
                Ok(along) => done_along.extend(along),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(()))
    }

    /// Tells what else that is held went over with it.
    fn hand_on_one(&mut self, item: Item<'_>, held: &Held, gone: &Gone<'_>) -> Result<Refusable<Vec<i64>>> {
        let (child, of, record) = item;
        let key = redirected_key(child, &record.key, gone);
        if key != record.key {
            return self.hand_on_under(item, &key, held, gone);
        }
        let Some(redirected) = self.redirected_change(item, gone)? else { return Ok(Ok(Vec::new())) };
        self.release_held(held)?;
        let before = self.placed.held;
        let change = TableShape::alone(of, redirected);
        self.changes(std::slice::from_ref(&change))?;
        let Some(redirected) = change.records.first() else { return Ok(Ok(Vec::new())) };
        let words = self.refusal.take().filter(|_| self.placed.held > before);
        match words {
            Some(words) if record.whole => {
                self.go_with_same((child, of, redirected), &words, gone).map(|gone| gone.map(|()| Vec::new()))
            }
            Some(words) => Ok(Err(cannot_go_over(item, &words))),
            None => Ok(Ok(Vec::new())),
        }
    }

    /// What bears the number in its key is another record under the number of now.
    fn hand_on_under(
        &mut self,
        item: Item<'_>,
        key: &Key,
        held: &Held,
        gone: &Gone<'_>,
    ) -> Result<Refusable<Vec<i64>>> {
        let (child, of, record) = item;
        if !record.whole {
            return Ok(Ok(Vec::new()));
        }
        let (with_edits, along) = self.with_held_edits(item, held.id)?;
        let fields = fields_here((child, of, &with_edits));
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
        self.unmake((child, of, &with_edits), &gone.why)?;
        along.iter().try_for_each(|id| self.transaction.release(*id))?;
        self.release_held(held)?;
        Ok(Ok(along))
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
    fn redirected_change(&mut self, item: Item<'_>, gone: &Gone<'_>) -> Result<Option<RecordChange>> {
        let (child, of, record) = item;
        let (mut redirected, mut any) = (record.clone(), false);
        let stamp = self.transaction.tick();
        for field in &mut redirected.fields {
            let Some(name) = of.columns.get(field.column) else { continue };
            let (is_number, means_it) = self.meaning(item, field, gone.goer)?;
            if let Some(value) = gone.instead(child, name, &field.value, (is_number, means_it)) {
                let refers_to = gone.birth.filter(|_| is_number);
                *field = FieldChange { value, stamp, refers_to, ..*field };
                any = true;
            }
        }
        Ok(any.then_some(redirected))
    }

    /// Whether a field holds a number of the table of one that goes, and means that one.
    fn meaning(&mut self, (child, of, record): Item<'_>, field: &FieldChange, goer: Goer<'_>) -> Result<(bool, bool)> {
        let Some(name) = of.columns.get(field.column) else { return Ok((false, false)) };
        let Some(at) = child.position(name) else { return Ok((false, false)) };
        let said = |at: usize| value_said(child, of, record, at);
        let is_number = self.parent(child, at, &record.key, &said)?.is_some_and(|parent| goer.is(parent));
        let means_it = match field.refers_to {
            Some(birth) => Some(birth) == goer.record.birth,
            None => goer.has_number(child, name, &field.value),
        };
        Ok((is_number, means_it))
    }

    /// What else is held and refers to one that goes, but for what has one of these numbers: "notes 3 (5)".
    pub(super) fn held_child(&mut self, goer: Goer<'_>, but_for: &BTreeSet<i64>) -> Result<Option<String>> {
        let tables = self.transaction.tables();
        for held in self.transaction.held()?.iter().filter(|held| !but_for.contains(&held.id)) {
            let Ok(child) = self.fitting(&tables, &held.change) else { continue };
            let Some(record) = held.change.records.first().filter(|record| record.dead.is_none()) else { continue };
            let mut keys = record.key.0.iter().enumerate();
            let mut refers = keys.any(|(at, value)| goer.is_in_key(child, at, value));
            for field in &record.fields {
                let (is_number, means_it) = self.meaning((child, &held.change, record), field, goer)?;
                let name = held.change.columns.get(field.column);
                let declares = name.is_some_and(|name| goer.declared(child, name, &field.value).is_some());
                refers |= if is_number { means_it } else { declares };
            }
            if refers {
                return Ok(Some(format!("{} {} ({})", child.name, record.key, held.id)));
            }
        }
        Ok(None)
    }

    /// A held record with what else is held of it, and the numbers of that.
    fn with_held_edits(&mut self, (child, of, record): Item<'_>, id: i64) -> Result<(RecordChange, Vec<i64>)> {
        let (mut whole, mut along) = (record.clone(), Vec::new());
        for held in self.transaction.held()? {
            let is_of_it = |edit: &&RecordChange| {
                held.id != id && edit.dead.is_none() && (&edit.key, edit.birth) == (&record.key, record.birth)
            };
            let is_its_table = held.change.table.eq_ignore_ascii_case(&child.name);
            let Some(edit) = held.change.records.first().filter(is_of_it).filter(|_| is_its_table) else { continue };
            for field in &edit.fields {
                let name = held.change.columns.get(field.column);
                let known = whole.fields.iter_mut().find(|known| of.columns.get(known.column) == name);
                for known in known.into_iter().filter(|known| known.stamp < field.stamp) {
                    *known = FieldChange { column: known.column, ..field.clone() };
                }
            }
            along.push(held.id);
        }
        Ok((whole, along))
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
        let is_number = child.key_refers_to.get(at).and_then(Option::as_ref).is_some_and(|parent| gone.goer.is(parent));
        let means_it = gone.goer.has_number(child, name, value);
        let instead = gone.instead(child, name, value, (is_number, means_it));
        instead.into_iter().for_each(|instead| *value = instead);
    }
    redirected
}
