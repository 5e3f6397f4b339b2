//! The oracle: everything that was ever written anywhere, and what may have become of it.
//!
//! It knows what each application saw when it wrote, and between which two readings the stamp of the write must lie,
//! computed from the clocks that the simulation itself sets; nothing of it comes from the code under test. Pure.

mod law;
mod sums;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use sums::Count;

pub use law::{Law, Refused};

use crate::application::{Picture, Record, field};
use crate::ids::{At, Column, Field, Millis, Uid};

/// Where and when an application wrote something.
#[derive(Clone, Copy, Debug)]
struct Made {
    node: At,
    /// Its place among all that was written anywhere.
    place: usize,
    /// Its stamp is not earlier.
    earliest: Millis,
    /// Its stamp is not later, once the node has harvested it.
    latest: Option<Millis>,
}

/// A value that an application gave a field.
#[derive(Clone, Debug)]
struct Write {
    value: Option<String>,
    made: Made,
    /// The write whose value the application saw and replaced.
    replaced: Option<usize>,
    /// Nobody may have had it any more once its database was put back.
    lost: bool,
}

/// A deletion by an application.
#[derive(Clone, Debug)]
struct Deletion {
    made: Made,
    /// The write of each field whose value the application saw.
    seen: BTreeMap<Column, usize>,
    /// It may have gone with a database in whose place an older one was put, or been refused.
    lost: bool,
    /// A person refused it.
    refused: bool,
}

/// What is known of a record.
#[derive(Clone, Debug, Default)]
struct Life {
    births: Vec<Made>,
    deletions: Vec<Deletion>,
    lost: bool,
    /// A hub told that it refused a change of it, because its sender does not share it.
    refused: bool,
}

/// Everything that was written.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    fields: BTreeMap<Field, Vec<Write>>,
    /// The same of columns that change together, as if they were one.
    grouped: BTreeMap<Field, Vec<Write>>,
    /// What was added to what may be a counter.
    counts: BTreeMap<Field, Count>,
    lives: BTreeMap<Uid, Life>,
    /// The table of each record.
    tables: BTreeMap<Uid, &'static str>,
    /// Whose field each text was written for.
    owners: BTreeMap<String, Uid>,
    /// How much was written.
    places: usize,
    /// Nodes whose database was put back: their clock may have gone back with it.
    put_back: BTreeSet<At>,
    /// Those that have not harvested since then: what they log lies beside what was logged before the copy was made.
    unharvested: BTreeSet<At>,
    /// How much was written when a database was last put back.
    shaken: usize,
    /// A column of a table that went out of the sets of some nodes: what those wrote there, and write, may be lost.
    left_out: Option<((&'static str, Column), BTreeSet<At>)>,
    /// Whether what anybody shares, or the terms of that, have changed.
    pub sets_change: bool,
    /// Whether no clock is ever wrong, so that a later write has a later stamp.
    pub clocks_agree: bool,
    /// Policies and rights.
    pub law: Law,
}

impl Oracle {
    /// Begins with what is there before anything is captured.
    pub fn new(genesis: &Picture, clocks_agree: bool) -> Self {
        let mut oracle = Self { clocks_agree, ..Self::default() };
        oracle.wrote(At(0), Millis(0), &Picture::new(), genesis);
        oracle.harvested(At(0), Millis(0));
        oracle
    }

    /// An application's transaction turned one picture into another.
    pub fn wrote(&mut self, node: At, now: Millis, before: &Picture, after: &Picture) {
        self.places += 1;
        let made = Made { node, place: self.places, earliest: now, latest: None };
        for (uid, record) in after {
            match before.get(uid) {
                None => self.born(uid, record, made),
                Some(old) => self.edited(uid, (old, record), made),
            }
        }
        for (uid, record) in before.iter().filter(|(uid, _)| !after.contains_key(*uid)) {
            self.deleted(uid, record, made);
        }
    }

    fn born(&mut self, uid: &Uid, record: &Record, made: Made) {
        self.lives.entry(uid.clone()).or_default().births.push(made);
        self.tables.insert(uid.clone(), record.table);
        for (column, value) in &record.cells {
            self.count(field(uid, column), (None, value));
            self.write(field(uid, column), value.clone(), None, made);
        }
        self.wrote_together(uid, (None, record), made);
    }

    fn edited(&mut self, uid: &Uid, (old, new): (&Record, &Record), made: Made) {
        for (column, value) in &new.cells {
            let seen = old.cells.get(column).cloned().flatten();
            if *value != seen {
                let field = field(uid, column);
                self.count(field.clone(), (Some(&seen), value));
                let replaced = self.fields.get(&field).and_then(|writes| seen_by(made.node, writes, &seen));
                self.write(field, value.clone(), replaced, made);
            }
        }
        self.wrote_together(uid, (Some(old), new), made);
    }

    fn deleted(&mut self, uid: &Uid, record: &Record, made: Made) {
        let seen = record.cells.iter().filter_map(|(column, value)| {
            let writes = self.fields.get(&field(uid, column))?;
            Some((*column, seen_by(made.node, writes, value)?))
        });
        let seen = seen.collect();
        let lost = self.take_back_unheard(uid, made.node) || self.may_leave_nothing(uid, made.node);
        self.lives.entry(uid.clone()).or_default().deletions.push(Deletion { made, seen, lost, refused: false });
    }

    /// Whether a deletion may lie in one log with the making of its record, so that harvest finds nothing there: what others had
    /// heard of it before its node was put back comes back to that, as all does that was lost with its database.
    fn may_leave_nothing(&self, uid: &Uid, node: At) -> bool {
        let made_there = |life: &Life| life.births.iter().any(|made| made.node == node);
        self.unharvested.contains(&node) && self.lives.get(uid).is_some_and(made_there)
    }

    /// What a node made under a key that others have too, not knowing of that, and deleted before anybody could hear of it:
    /// neither is a word on what those have. Tells whether it was so.
    fn take_back_unheard(&mut self, uid: &Uid, node: At) -> bool {
        let Some(life) = self.lives.get(uid) else { return false };
        let is_unheard = |made: &&Made| made.node == node && made.latest.is_none();
        let had_it = life.deletions.iter().map(|it| &it.made).any(|made| is_unheard(&made));
        let Some(born) = life.births.iter().rfind(is_unheard).copied().filter(|_| !had_it) else { return false };
        if life.births.len() < 2 {
            return false;
        }
        let its = self.fields.range_mut(field(uid, "")..).take_while(|(field, _)| field.uid == *uid);
        let since = |write: &&mut Write| write.made.node == node && write.made.place >= born.place;
        its.flat_map(|(_, writes)| writes).filter(since).for_each(|write| write.lost = true);
        true
    }

    fn write(&mut self, field: Field, value: Option<String>, replaced: Option<usize>, made: Made) {
        if let Some(text) = value.clone().filter(|_| SINGULAR.contains(&field.column)) {
            self.owners.insert(text, field.uid.clone());
        }
        let lost = self.is_left_out(&field, made.node);
        let write = Write { value, made, replaced, lost };
        self.fields.entry(field).or_default().push(write);
    }

    /// A node harvested what its application wrote; no clock has shown a later time so far.
    pub fn harvested(&mut self, node: At, latest: Millis) {
        self.unharvested.remove(&node);
        let writes = self.fields.values_mut().flatten().map(|write| &mut write.made);
        let lives = self.lives.values_mut().flat_map(|life| {
            let deletions = life.deletions.iter_mut().map(|deletion| &mut deletion.made);
            deletions.chain(&mut life.births)
        });
        for made in writes.chain(lives).filter(|made| made.node == node && made.latest.is_none()) {
            made.latest = Some(latest);
        }
    }

    /// The databases of these nodes were put back: what is in none of the pictures that are left, and nothing later of it, may be lost.
    pub fn put_back(&mut self, nodes: &[At], left: &[Picture]) {
        self.put_back.extend(nodes);
        self.unharvested.extend(nodes);
        self.shaken = self.places;
        self.grouped.values_mut().flatten().for_each(|write| write.lost = true);
        for (field, writes) in &mut self.fields {
            let seen: BTreeSet<usize> = left
                .iter()
                .filter_map(|picture| picture.get(&field.uid)?.cells.get(field.column))
                // Of a value that was given more than once it is the first that is there for sure.
                .filter_map(|value| writes.iter().position(|write| write.value == *value))
                .collect();
            let kept: BTreeSet<usize> = seen.iter().flat_map(|at| ancestry(writes, *at)).collect();
            writes.iter_mut().enumerate().filter(|(at, _)| !kept.contains(at)).for_each(|(_, write)| write.lost = true);
        }
        for (uid, life) in &mut self.lives {
            life.lost |= !left.iter().any(|picture| picture.contains_key(uid));
            // That nobody has the record any more does not tell by which deletion.
            life.deletions.iter_mut().filter(|it| nodes.contains(&it.made.node)).for_each(|it| it.lost = true);
        }
    }

    /// A column of a table goes out of the sets of these nodes, or comes back.
    pub fn lose_column(&mut self, what: (&'static str, Column), nodes: BTreeSet<At>) {
        for (field, writes) in &mut self.fields {
            let is_it = (self.tables.get(&field.uid).copied(), field.column) == (Some(what.0), what.1);
            writes.iter_mut().filter(|write| is_it && nodes.contains(&write.made.node)).for_each(|it| it.lost = true);
        }
        self.left_out = Some((what, nodes));
    }

    /// Whether what a node writes in a field may be lost from the beginning.
    pub fn is_left_out(&self, field: &Field, node: At) -> bool {
        self.left_out.as_ref().is_some_and(|((table, column), nodes)| {
            nodes.contains(&node) && field.column == *column && self.tables.get(&field.uid) == Some(table)
        })
    }

    /// A hub told that it refused a change of a record.
    pub fn refused(&mut self, uid: &Uid) {
        self.lives.entry(uid.clone()).or_default().refused = true;
    }

    /// Whether a hub told that it refused a change of a record.
    pub fn is_refused(&self, uid: &Uid) -> bool {
        self.lives.get(uid).is_some_and(|life| life.refused)
    }

    /// Whose a word is: the record's that it names, or that it was written for. None of what nobody ever wrote.
    pub fn whose(&self, word: &str) -> Option<&Uid> {
        self.owners.get(word).or_else(|| Some(self.lives.get_key_value(&Uid(word.to_owned()))?.0))
    }

    fn writes(&self, field: &Field) -> Option<&[Write]> {
        self.fields.get(field).or_else(|| self.grouped.get(field)).map(Vec::as_slice)
    }

    /// Whether anybody ever gave this field this value.
    pub fn knows(&self, field: &Field, value: &Option<String>) -> bool {
        let is_written = self.writes(field).is_some_and(|writes| writes.iter().any(|write| write.value == *value));
        is_written || self.is_sum(field, value)
    }

    /// Whether a value was replaced by somebody who saw it, or who saw one that replaced it, by which the other value came
    /// to be. Not if either was ever written twice.
    pub fn is_older(&self, field: &Field, value: &Option<String>, than: &Option<String>) -> bool {
        if let Some(goes_back) = self.is_less(field, value, than) {
            return goes_back;
        }
        let Some(writes) = self.writes(field) else { return false };
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
        self.lives.get(uid).is_some_and(|life| !life.deletions.is_empty())
    }

    /// Whether anybody has deleted anything.
    pub fn was_any_deleted(&self) -> bool {
        self.lives.values().any(|life| !life.deletions.is_empty())
    }

    /// The records that must be there in the end.
    pub fn must_live(&self) -> impl Iterator<Item = &Uid> {
        self.lives.keys().filter(|uid| self.surely_stands(uid))
    }

    /// The records that must be gone in the end.
    pub fn must_be_gone(&self) -> impl Iterator<Item = &Uid> {
        self.lives.keys().filter(|uid| self.is_surely_gone(uid))
    }

    /// What is known of a record's life and death, in words.
    pub fn story_of(&self, uid: &Uid) -> String {
        let writes: Vec<String> = self.writes_of(uid).map(|(field, write)| format!("{field}: {write:?}")).collect();
        format!("{:#?}, {writes:#?}", self.lives.get(uid))
    }

    /// Nobody deleted it, or somebody edited it later than everybody who did; and that was not lost with a database.
    fn surely_stands(&self, uid: &Uid) -> bool {
        let Some(life) = self.lives.get(uid).filter(|life| !life.refused) else { return false };
        if self.is_making_forbidden(uid) != Refused::No {
            return false;
        }
        let counts = |it: &&Deletion| self.is_deletion_forbidden(uid, it) != Refused::Surely;
        let deletions: Vec<&Deletion> = life.deletions.iter().filter(counts).collect();
        if deletions.is_empty() {
            return !life.lost;
        }
        let outlives = |write: &Write| deletions.iter().all(|it| self.is_later(write.made, it.made));
        let counts = |field: &Field, write: &Write| self.is_write_forbidden(field, write) == Refused::No;
        self.writes_of(uid).any(|(field, write)| !write.lost && outlives(write) && counts(field, write))
    }

    /// Somebody deleted it later than everything that was ever written of it; and everybody who deleted it had deleted who
    /// referred to it as well, since whoever did not would find it brought back by a child for as long as that lived. Nor may
    /// any of those stand, whom somebody else's deletion left a child to bring him back: that is a decision later than this one.
    fn is_surely_gone(&self, uid: &Uid) -> bool {
        let Some(life) = self.lives.get(uid).filter(|life| !life.refused) else { return false };
        if self.has_been_judged(uid) || self.is_of_counters(uid) || !self.law.is_plain(self.tables.get(uid).copied()) {
            return false;
        }
        let took_all = |it: &Deletion| self.children(uid).all(|child| self.was_taken_along(child, it.made));
        life.deletions.iter().any(|it| self.is_final(uid, it))
            && life.deletions.iter().all(took_all)
            && self.children(uid).all(|child| self.is_surely_gone(child))
    }

    /// Whether a node that deleted a record had deleted this one by then, with who refers to it, later than all its edits.
    fn was_taken_along(&self, uid: &Uid, by: Made) -> bool {
        let before = |it: &&Deletion| it.made.node == by.node && it.made.place <= by.place;
        let mut deletions = self.lives.get(uid).into_iter().flat_map(|life| &life.deletions).filter(before);
        deletions.any(|it| self.is_final(uid, it)) && self.children(uid).all(|child| self.was_taken_along(child, by))
    }

    /// Whether a deletion was not lost, and is surely later than everything that was ever written of its record.
    fn is_final(&self, uid: &Uid, deletion: &Deletion) -> bool {
        !deletion.lost && self.writes_of(uid).all(|(field, write)| self.ends(deletion, field, write))
    }

    /// Whether a deletion is surely later than a write of the record: its application saw it, or what came of it.
    fn ends(&self, deletion: &Deletion, field: &Field, write: &Write) -> bool {
        let writes = &self.fields[field];
        let saw = deletion.seen.get(field.column).into_iter().flat_map(|seen| ancestry(writes, *seen));
        self.is_later(deletion.made, write.made) || saw.map(|at| &writes[at]).any(|seen| std::ptr::eq(seen, write))
    }

    fn writes_of(&self, uid: &Uid) -> impl Iterator<Item = (&Field, &Write)> {
        let its = self.fields.range(field(uid, "")..).take_while(move |(field, _)| field.uid == *uid);
        its.flat_map(|(field, writes)| writes.iter().map(move |write| (field, write)))
    }

    /// Who was ever given a reference to a record.
    fn children(&self, uid: &Uid) -> impl Iterator<Item = &Uid> {
        let refers = |field: &Field| ["company", "contact"].contains(&field.column);
        let means = move |write: &Write| write.value.as_ref() == Some(&uid.0);
        let theirs = self.fields.iter().filter(move |(field, writes)| refers(field) && writes.iter().any(means));
        theirs.map(|(field, _)| &field.uid)
    }

    /// Whether something has surely a later stamp than another: by true clocks, or as one node made both, whose own clock
    /// never went back with its database.
    fn is_later(&self, this: Made, than: Made) -> bool {
        let by_clock = self.clocks_agree && than.latest.is_some_and(|latest| this.earliest > latest);
        let at_one_node = this.node == than.node && this.place > than.place && !self.put_back.contains(&this.node);
        by_clock || at_one_node
    }
}

/// A write and those that it replaced, one after the other.
fn ancestry(writes: &[Write], from: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(from), |at| writes[*at].replaced)
}

/// The write that a node surely sees in a value: of those that gave it the last of its own, or else the first.
fn seen_by(node: At, writes: &[Write], value: &Option<String>) -> Option<usize> {
    let own = writes.iter().rposition(|write| write.value == *value && write.made.node == node);
    own.or_else(|| writes.iter().position(|write| write.value == *value))
}

/// The place of what was there before anything was captured.
const GENESIS: usize = 1;

/// The columns whose values are never written twice.
pub const SINGULAR: [Column; 3] = ["name", "phone", "text"];
/// Those, and the counters: of their values it can be told which one was there before.
pub const ORDERED: [Column; 5] = ["name", "phone", "text", "credit", "visits"];
