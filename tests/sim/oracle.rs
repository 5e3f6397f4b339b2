//! The oracle: everything that was ever written anywhere, and what may have become of it.
//!
//! It knows what each application saw when it wrote, and between which two readings the stamp of the write must lie,
//! computed from the clocks that the simulation itself sets; nothing of it comes from the code under test. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::application::{Picture, Record, field};
use crate::ids::{At, Column, Field, Millis, Uid};

/// A value that an application gave a field.
#[derive(Clone, Debug)]
struct Write {
    value: Option<String>,
    node: At,
    /// Its stamp is not earlier.
    earliest: Millis,
    /// Its stamp is not later, once the node has harvested it.
    latest: Option<Millis>,
    /// The write whose value the application saw and replaced.
    replaced: Option<usize>,
    /// Nobody may have had it any more once its database was put back.
    lost: bool,
}

/// What is known of a record.
#[derive(Clone, Debug, Default)]
struct Life {
    deleted: bool,
    lost: bool,
    /// A hub told that it refused a change of it, because its sender does not share it.
    refused: bool,
}

/// Everything that was written.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    fields: BTreeMap<Field, Vec<Write>>,
    lives: BTreeMap<Uid, Life>,
    /// Whose field each text was written for.
    owners: BTreeMap<String, Uid>,
    /// Whether no clock is ever wrong, so that a later write has a later stamp.
    pub clocks_agree: bool,
}

impl Oracle {
    /// Begins with what is there before anything is captured.
    pub fn new(genesis: &Picture, clocks_agree: bool) -> Self {
        let mut oracle = Self { clocks_agree, ..Self::default() };
        genesis.iter().for_each(|(uid, record)| oracle.born(uid, record, At(0), Millis(0)));
        oracle.harvested(At(0), Millis(0));
        oracle
    }

    /// An application's transaction turned one picture into another.
    pub fn wrote(&mut self, node: At, now: Millis, before: &Picture, after: &Picture) {
        for (uid, record) in after {
            match before.get(uid) {
                None => self.born(uid, record, node, now),
                Some(old) => self.edited(uid, (old, record), node, now),
            }
        }
        for uid in before.keys().filter(|uid| !after.contains_key(*uid)) {
            self.lives.entry(uid.clone()).or_default().deleted = true;
        }
    }

    fn born(&mut self, uid: &Uid, record: &Record, node: At, now: Millis) {
        self.lives.entry(uid.clone()).or_default();
        for (column, value) in &record.cells {
            self.write(field(uid, column), value.clone(), None, node, now);
        }
    }

    fn edited(&mut self, uid: &Uid, (old, new): (&Record, &Record), node: At, now: Millis) {
        for (column, value) in &new.cells {
            let seen = old.cells.get(column).cloned().flatten();
            if *value != seen {
                let field = field(uid, column);
                let known = self.fields.get(&field).map(Vec::as_slice).unwrap_or_default();
                let replaced = known.iter().rposition(|write| write.value == seen);
                self.write(field, value.clone(), replaced, node, now);
            }
        }
    }

    fn write(&mut self, field: Field, value: Option<String>, replaced: Option<usize>, node: At, now: Millis) {
        if let Some(text) = value.clone().filter(|_| SINGULAR.contains(&field.column)) {
            self.owners.insert(text, field.uid.clone());
        }
        let write = Write { value, node, earliest: now, latest: None, replaced, lost: false };
        self.fields.entry(field).or_default().push(write);
    }

    /// A node harvested what its application wrote; no clock has shown a later time so far.
    pub fn harvested(&mut self, node: At, latest: Millis) {
        let writes = self.fields.values_mut().flatten();
        for write in writes.filter(|write| write.node == node && write.latest.is_none()) {
            write.latest = Some(latest);
        }
    }

    /// A node's database was put back: what is in none of the pictures that are left, and nothing later of it, may be lost.
    pub fn put_back(&mut self, left: &[Picture]) {
        for (field, writes) in &mut self.fields {
            let seen: BTreeSet<usize> = left
                .iter()
                .filter_map(|picture| picture.get(&field.uid)?.cells.get(field.column))
                .filter_map(|value| writes.iter().rposition(|write| write.value == *value))
                .collect();
            let kept: BTreeSet<usize> = seen.iter().flat_map(|at| ancestry(writes, *at)).collect();
            writes.iter_mut().enumerate().filter(|(at, _)| !kept.contains(at)).for_each(|(_, write)| write.lost = true);
        }
        for (uid, life) in &mut self.lives {
            life.lost |= !left.iter().any(|picture| picture.contains_key(uid));
        }
    }

    /// A hub told that it refused a change of a record.
    pub fn refused(&mut self, uid: &Uid) {
        self.lives.entry(uid.clone()).or_default().refused = true;
    }

    /// Whose a word is: the record's that it names, or that it was written for. None of what nobody ever wrote.
    pub fn whose(&self, word: &str) -> Option<&Uid> {
        self.owners.get(word).or_else(|| Some(self.lives.get_key_value(&Uid(word.to_owned()))?.0))
    }

    /// Whether anybody ever gave this field this value.
    pub fn knows(&self, field: &Field, value: &Option<String>) -> bool {
        self.fields.get(field).is_some_and(|writes| writes.iter().any(|write| write.value == *value))
    }

    /// Whether a value was replaced by somebody who saw it, or who saw one that replaced it, by which the other value came
    /// to be. Not if either was ever written twice.
    pub fn is_older(&self, field: &Field, value: &Option<String>, than: &Option<String>) -> bool {
        let Some(writes) = self.fields.get(field) else { return false };
        let of = |value: &Option<String>| -> Vec<usize> {
            writes.iter().enumerate().filter(|(_, write)| write.value == *value).map(|(at, _)| at).collect()
        };
        match (of(value).as_slice(), of(than).as_slice()) {
            ([value], [than]) => value != than && ancestry(writes, *than).any(|at| at == *value),
            _ => false,
        }
    }

    /// Whether a record was ever deleted by anybody.
    pub fn was_deleted(&self, uid: &Uid) -> bool {
        self.lives.get(uid).is_some_and(|life| life.deleted)
    }

    /// Whether anybody has deleted anything.
    pub fn was_any_deleted(&self) -> bool {
        self.lives.values().any(|life| life.deleted)
    }

    /// The records that must be there in the end: nobody deleted them, and they were not lost with a database.
    pub fn must_live(&self) -> impl Iterator<Item = &Uid> {
        self.lives.iter().filter(|(_, life)| !life.deleted && !life.lost).map(|(uid, _)| uid)
    }

    /// Whether a field may have this value once everything has been exchanged: in words, if it may not.
    pub fn last_word(&self, field: &Field, value: &Option<String>) -> Result<(), String> {
        let Some(writes) = self.fields.get(field) else { return Err(format!("nobody ever wrote the {field}")) };
        if self.lives.get(&field.uid).is_some_and(|life| life.refused) {
            return Ok(());
        }
        let mut overruled = None;
        for (at, write) in writes.iter().enumerate().filter(|(_, write)| write.value == *value) {
            match writes.iter().enumerate().find(|(by, _)| self.beats(writes, *by, at)) {
                None => return Ok(()),
                Some((_, by)) => overruled = Some((write, by)),
            }
        }
        match overruled {
            None => Err(format!("nobody ever gave the {field} the value {value:?}")),
            Some((write, by)) => Err(format!("the {field} is {write:?}, which was overruled by {by:?}")),
        }
    }

    fn beats(&self, writes: &[Write], by: usize, at: usize) -> bool {
        let (winner, loser) = (&writes[by], &writes[at]);
        if by == at || winner.lost || winner.value == loser.value {
            return false;
        }
        let is_later = self.clocks_agree && loser.latest.is_some_and(|latest| winner.earliest > latest);
        is_later || ancestry(writes, by).any(|older| older == at)
    }
}

/// A write and those that it replaced, one after the other.
fn ancestry(writes: &[Write], from: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(from), |at| writes[*at].replaced)
}

/// The columns whose values are never written twice.
pub const SINGULAR: [Column; 3] = ["name", "phone", "text"];
