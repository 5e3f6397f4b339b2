//! Last words: which value of a field may stand in the end, and what has to be told of those that do not.

use std::collections::BTreeSet;

use super::law::Refused;
use super::{GENESIS, Made, Oracle, SINGULAR, Write, ancestry};
use crate::ids::Field;

impl Oracle {
    /// The texts of a field that ended without anybody replacing them in view of them, where this is the value that stands: each
    /// lost to one that was written without knowing of it. What was put back may have taken the list of them along, and takes
    /// what was not in a remote's set for what that knew; of what was deleted or refused something else is told. Who wrote what
    /// stands knows what it had written there itself, though that was taken off its tables since: it takes two ends to disagree.
    pub fn losers(&self, field: &Field, value: &Option<String>) -> Vec<&str> {
        let told_otherwise = self.lives.get(&field.uid).is_some_and(|life| life.refused || !life.deletions.is_empty());
        let is_of_refused = self.is_making_forbidden(&field.uid) != Refused::No;
        if told_otherwise || is_of_refused || !SINGULAR.contains(&field.column) {
            return Vec::new();
        }
        let writes = self.writes(field).unwrap_or_default();
        let is_told = |write: &&Write| self.shaken == 0 || write.made.place > self.shaken;
        if !writes.iter().filter(|write| write.made.place > GENESIS).all(|write| is_told(&write)) {
            return Vec::new();
        }
        let stands = writes.iter().rposition(|write| write.value == *value);
        let mut followed: BTreeSet<usize> = writes.iter().filter_map(|write| write.replaced).collect();
        followed.extend(stands);
        let last = stands.map(|at| writes[at].made);
        let is_its_own = |made: Made| last.is_some_and(|last| made.node == last.node && made.place < last.place);
        let ends = writes.iter().enumerate().filter(|(at, write)| !followed.contains(at) && !write.lost);
        let ends = ends.filter(|(_, write)| !is_its_own(write.made));
        ends.filter_map(|(_, write)| write.value.as_deref().filter(|_| is_told(&write))).collect()
    }

    /// Whether a field may have this value once everything has been exchanged: in words, if it may not.
    pub fn last_word(&self, field: &Field, value: &Option<String>) -> Result<(), String> {
        if self.is_ever_counted(field) {
            return self.sum_word(field, value);
        }
        let Some(writes) = self.writes(field) else { return Err(format!("nobody ever wrote the {field}")) };
        if self.is_refused(&field.uid) {
            return Ok(());
        }
        let mut overruled = None;
        for (at, write) in writes.iter().enumerate().filter(|(_, write)| write.value == *value) {
            match writes.iter().enumerate().find(|(by, _)| self.beats((field, writes), *by, at)) {
                None => return Ok(()),
                Some((_, by)) => overruled = Some((write, by)),
            }
        }
        match overruled {
            None => Err(format!("nobody ever gave the {field} the value {value:?}")),
            Some((write, by)) => Err(format!("the {field} is {write:?}, which was overruled by {by:?}")),
        }
    }

    fn beats(&self, (field, writes): (&Field, &[Write]), by: usize, at: usize) -> bool {
        let (winner, loser) = (&writes[by], &writes[at]);
        let counts = || self.is_write_forbidden(field, winner) == Refused::No;
        if by == at || winner.lost || winner.value == loser.value || !counts() {
            return false;
        }
        let is_plain = self.law.is_plain(self.tables.get(&field.uid).copied());
        is_plain && self.is_later(winner.made, loser.made) || ancestry(writes, by).any(|older| older == at)
    }
}
