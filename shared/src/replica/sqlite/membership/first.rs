//! The first look at a set: everything that is in it, in chunks, while the application goes on.
//!
//! Leaves what changes meanwhile to `evaluate`, which takes over from the cut at which this began.

use rusqlite::{Connection, TransactionBehavior};

use super::evaluate::{is_about_the_row, is_true, value_of};
use super::plan::{By, CHUNK, Chosen, Plan};
use super::rows::State;
use crate::id::Cut;
use crate::replica::MembershipId;
use crate::replica::sqlite::catalogue::Catalogue;
use crate::replica::sqlite::fault::{Fault, Outcome};
use crate::replica::sqlite::values::{bind_from, key_at};
use crate::value::{Key, Value};

/// One first look.
pub(super) struct FirstLook<'a> {
    pub writer: &'a mut Connection,
    pub catalogue: &'a Catalogue,
    pub membership: MembershipId,
    /// How its transactions begin.
    pub behavior: TransactionBehavior,
}

impl FirstLook<'_> {
    /// Notes every member. They count as members since ever: whom that concerns has them from a package, or is told which it
    /// lacks.
    pub fn run(&mut self, plan: &Plan<'_>) -> Outcome<()> {
        for group in &plan.groups {
            // Where tables follow each other in a circle, every round may find followers of those found before.
            let is_circle =
                group.iter().any(|one| group.iter().any(|other| other.follows(&one.entry.shape.name).next().is_some()));
            while self.round(group)? && is_circle {}
        }
        Ok(())
    }

    /// Goes through the tables of a group once; tells whether any member was found.
    fn round(&mut self, group: &[Chosen<'_>]) -> Outcome<bool> {
        let mut any = false;
        for chosen in group {
            let mut after = None;
            loop {
                let (keys, next) = self.chunk(chosen, after.as_ref())?;
                any |= self.note(chosen, &keys)?;
                if next.is_none() {
                    break;
                }
                after = next;
            }
        }
        Ok(any)
    }

    /// The members among the next keys, and the key from which to go on; None at the end.
    fn chunk(&self, chosen: &Chosen<'_>, after: Option<&Key>) -> Outcome<(Vec<Key>, Option<Key>)> {
        let sql = chosen.first_look(self.catalogue, self.membership, after.is_none())?;
        match self.keys(chosen, &sql, after) {
            Err(Fault::Sqlite(error)) if is_about_the_row(&error) => self.one_by_one(chosen, after),
            keys => {
                let keys = keys?;
                let next = keys.last().filter(|_| keys.len() == CHUNK).cloned();
                Ok((keys, next))
            }
        }
    }

    /// The same if SQLite stumbles over a row among them.
    fn one_by_one(&self, chosen: &Chosen<'_>, after: Option<&Key>) -> Outcome<(Vec<Key>, Option<Key>)> {
        let By::Condition { values, .. } = &chosen.by else { return Ok((Vec::new(), None)) };
        let keys = self.keys(chosen, &chosen.every(after.is_none()), after)?;
        let next = keys.last().filter(|_| keys.len() == CHUNK).cloned();
        let mut members = Vec::new();
        for key in keys {
            if is_true(self.writer, &chosen.test(), values, &key)? {
                members.push(key);
            }
        }
        Ok((members, next))
    }

    fn keys(&self, chosen: &Chosen<'_>, sql: &str, after: Option<&Key>) -> Outcome<Vec<Key>> {
        let mut statement = self.writer.prepare_cached(sql)?;
        let values: Vec<Value> = match &chosen.by {
            By::Condition { values, .. } => values.iter().map(value_of).collect(),
            By::Parents(_) => Vec::new(),
        };
        let next = bind_from(&mut statement, 1, &values)?;
        bind_from(&mut statement, next, after.into_iter().flat_map(|key| &key.0))?;
        let (mut rows, mut keys) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            keys.push(key_at(row, 0, chosen.entry.shape.keys.len())?);
        }
        Ok(keys)
    }

    /// Notes these as members; tells whether any was not yet.
    fn note(&mut self, chosen: &Chosen<'_>, keys: &[Key]) -> Outcome<bool> {
        let transaction = self.writer.transaction_with_behavior(self.behavior)?;
        let (rows, mut any) = (&chosen.entry.members, false);
        for key in keys {
            if rows.member(&transaction, self.membership, key)?.is_none() {
                rows.put(&transaction, self.membership, key, State::Member, Cut(0))?;
                any = true;
            }
        }
        transaction.commit()?;
        Ok(any)
    }
}
