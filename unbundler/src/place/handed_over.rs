//! What refers to a record that goes refers to another from now on: by edits made here and now.
//!
//! Invariant: a child goes over with all that it says, or not at all; one that says nothing more than another which refers there
//! already goes into that. Leaves to `joined` why, and to `handed_on` what is held itself.

use std::collections::BTreeMap;

use packhorse_shared::id::TableId;
use packhorse_shared::marks::Marks;
use packhorse_shared::replica::{KeyKind, Placement, Present, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::joined::Refusable;

/// A record that stands, with what others may refer to it by.
pub(super) struct End<'t> {
    pub table: &'t TableShape,
    pub key: Key,
    values: Vec<Value>,
}

impl End<'_> {
    pub(super) fn value(&self, column: &str) -> Option<&Value> {
        match self.table.keys.iter().position(|key| key.eq_ignore_ascii_case(column)) {
            Some(at) => self.key.0.get(at),
            None => self.values.get(self.table.position(column)?),
        }
    }

    pub(super) fn number(&self) -> Option<i64> {
        match (self.table.key_kind, self.key.0.as_slice()) {
            (KeyKind::Assigned, [Value::Integer(number)]) => Some(*number),
            _ => None,
        }
    }
}

impl Placer<'_> {
    pub(super) fn end<'t>(&mut self, table: &'t TableShape, key: &Key) -> Result<End<'t>> {
        Ok(End { table, key: key.clone(), values: self.transaction.values(table, key)? })
    }

    /// Lets everything that refers to one record refer to another.
    pub(super) fn hand_over(
        &mut self,
        children: &[(TableId, Key)],
        from: &End<'_>,
        to: &End<'_>,
    ) -> Result<Refusable<()>> {
        let tables = self.transaction.tables();
        for (id, key) in children {
            let Some(child) = TableShape::with_id(&tables, *id) else { continue };
            if let Err(why) = self.hand_over_child(child, key, from, to)? {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    /// Marks a record under a key of its own, which has just been put there, as made here and now.
    pub(super) fn mark_anew(&mut self, table: &TableShape, key: &Key) -> Result<()> {
        // One that was deleted under the same key is the same, and stands again.
        let birth = self.transaction.find(table, key)?.and_then(|present| present.birth);
        self.transaction.unbury(table, key, birth)?;
        let mut marks = Marks::of_all(self.decided());
        marks.fold(&table.column_ids());
        self.transaction.mark(table, key, &Present { birth: None, marks })
    }

    /// Its children go where a record goes that is given up for another.
    fn give_up_for(&mut self, child: &TableShape, key: &Key, other: &Key) -> Result<Refusable<()>> {
        self.renew(child, other)?;
        let (from, to) = (self.end(child, key)?, self.end(child, other)?);
        let children = self.transaction.living_children(child, key)?;
        match self.hand_over(&children, &from, &to)? {
            Ok(()) => self.die_for(child, key),
            Err(why) => Ok(Err(why)),
        }
    }

    fn hand_over_child(
        &mut self,
        child: &TableShape,
        key: &Key,
        from: &End<'_>,
        to: &End<'_>,
    ) -> Result<Refusable<()>> {
        // Who refers to it twice has gone over by now.
        if self.transaction.find(child, key)?.is_none() {
            return Ok(Ok(()));
        }
        let values = self.transaction.values(child, key)?;
        let (new_key, fields) = redirected(child, key, &values, from, to);
        if new_key != *key {
            return self.move_child(child, key, &new_key, (values, fields));
        }
        if fields.is_empty() {
            return Ok(Ok(()));
        }
        let fields: Vec<(usize, Value)> = fields.into_iter().collect();
        if let Placement::Refused(words) = self.transaction.update(child, key, &fields)? {
            return self.go_into_same(child, key, (values, &fields), &words);
        }
        let Some(mut present) = self.transaction.find(child, key)? else { return Ok(Ok(())) };
        let mark = self.decided();
        for column in fields.iter().filter_map(|(at, _)| child.columns.get(*at)) {
            child.rules.changing_with(column.id).for_each(|id| present.marks.set(id, mark));
        }
        present.marks.fold(&child.column_ids());
        self.transaction.mark(child, key, &present).map(Ok)
    }

    /// A child whose key changes with what it refers to: under its new key it is another record.
    fn move_child(
        &mut self,
        child: &TableShape,
        key: &Key,
        new_key: &Key,
        (mut values, fields): (Vec<Value>, BTreeMap<usize, Value>),
    ) -> Result<Refusable<()>> {
        fields.into_iter().for_each(|(at, value)| values.get_mut(at).into_iter().for_each(|old| *old = value.clone()));
        match self.transaction.find(child, new_key)? {
            Some(_) if self.transaction.values(child, new_key)? != values => {
                return Ok(Err(format!("{} {key} would become {new_key}, which is another record", child.name)));
            }
            Some(_) => {}
            None => {
                let all: Vec<(usize, Value)> = values.into_iter().enumerate().collect();
                if let Placement::Refused(words) = self.transaction.insert(child, new_key, &all)? {
                    return Ok(Err(format!("{} {key} could not become {new_key}: {words}", child.name)));
                }
                self.mark_anew(child, new_key)?;
            }
        }
        self.give_up_for(child, key, new_key)
    }

    /// A child that says nothing more than another which refers there already goes into that.
    fn go_into_same(
        &mut self,
        child: &TableShape,
        key: &Key,
        (mut values, fields): (Vec<Value>, &[(usize, Value)]),
        words: &str,
    ) -> Result<Refusable<()>> {
        let refused = Err(format!("{} {key} could not refer to it: {words}", child.name));
        fields.iter().for_each(|(at, value)| values.get_mut(*at).into_iter().for_each(|old| *old = value.clone()));
        let same = self.transaction.in_the_way(child, key, fields, words)?;
        let Some(same) = same else { return Ok(refused) };
        if same == *key || self.transaction.values(child, &same)? != values {
            return Ok(refused);
        }
        self.give_up_for(child, key, &same)
    }
}

/// The key and the fields of a child that refers to another record instead.
fn redirected(
    child: &TableShape,
    key: &Key,
    values: &[Value],
    from: &End<'_>,
    to: &End<'_>,
) -> (Key, BTreeMap<usize, Value>) {
    let (mut new_key, mut fields) = (key.clone(), BTreeMap::new());
    let at_key = |name: &str| child.keys.iter().position(|known| known.eq_ignore_ascii_case(name));
    let here = |name: &str| match at_key(name) {
        Some(at) => key.0.get(at),
        None => values.get(child.position(name)?),
    };
    let same = |name: &str, ours: Option<&Value>, theirs: Option<&Value>| match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            ours == theirs || child.number_in(name, ours).is_some_and(|number| *theirs == Value::Integer(number))
        }
        _ => false,
    };
    let mut set = |name: &str, value: &Value| match (at_key(name), child.position(name)) {
        (Some(at), _) => new_key.0.get_mut(at).into_iter().for_each(|old| *old = value.clone()),
        (None, Some(at)) => drop(fields.insert(at, value.clone())),
        (None, None) => {}
    };
    for parent in child.parents.iter().filter(|parent| parent.table.eq_ignore_ascii_case(&from.table.name)) {
        if parent.columns.iter().all(|(name, there)| same(name, here(name), from.value(there))) {
            let pairs = parent.columns.iter().filter_map(|(name, there)| Some((name, to.value(there)?)));
            pairs.for_each(|(name, value)| set(name, value));
        }
    }
    let (Some(old), Some(new)) = (from.number(), to.number()) else { return (new_key, fields) };
    let holds = |name: &str, value: Option<&Value>| value.and_then(|value| child.number_in(name, value)) == Some(old);
    for column in &child.columns {
        let named = |by| values.get(child.columns.iter().position(|column| column.id == by)?).cloned();
        let is_to = column.parent(named).is_some_and(|parent| parent.eq_ignore_ascii_case(&from.table.name));
        if is_to && holds(&column.name, here(&column.name)) {
            set(&column.name, &Value::Integer(new));
        }
    }
    for (name, parent) in child.keys.iter().zip(&child.key_refers_to) {
        let is_to = parent.as_ref().is_some_and(|parent| parent.eq_ignore_ascii_case(&from.table.name));
        if is_to && holds(name, here(name)) {
            set(name, &Value::Integer(new));
        }
    }
    (new_key, fields)
}
