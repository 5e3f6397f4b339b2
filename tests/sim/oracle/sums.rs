//! Counters: what was added to a number, and which sums of that may stand.
//!
//! Invariant: what an application adds is larger than all that was added before it together, so that of every sum it can be told
//! what it is made of, and that nothing is in it twice. A value that is set counts as by how much it differs from what was seen.

use std::collections::BTreeSet;

use super::Oracle;
use super::law::{Law, Refused};
use crate::application::field;
use crate::ids::{Column, Field, Uid};
use crate::policies::{COUNTERS, counter};

/// What was added to a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    /// What it began with, and began with again after it was no number.
    bases: Vec<i64>,
    /// By how much each application changed it.
    added: Vec<i64>,
    /// It was made no number once.
    ends: bool,
}

/// How much may be added at most: what is the next would have no room in a fraction.
const MOST: u32 = 24;

impl Law {
    /// Whether a column is a counter, and has been since the story began.
    pub(super) fn is_counter(&self, table: &'static str, column: Column) -> bool {
        self.policies.of(table).adds && self.is_sure(table) && counter(table) == Some(column)
    }
}

impl Oracle {
    /// An application gave a field a value; `seen`: in whose place, if it did not make its record.
    pub(super) fn count(&mut self, field: Field, (seen, value): (Option<&Option<String>>, &Option<String>)) {
        if !COUNTERS.iter().any(|(_, column)| *column == field.column) {
            return;
        }
        let count = self.counts.entry(field).or_default();
        match (seen.and_then(number), number(value)) {
            (Some(seen), Some(now)) => count.added.push(now - seen),
            (None, Some(now)) => count.bases.push(now),
            (_, None) => count.ends = true,
        }
    }

    /// What is to be added next to a number: more than all before it. None if there is no room for that.
    pub fn next_added(&self, field: &Field) -> Option<i64> {
        let added = self.counts.get(field)?.added.len() as u32;
        (added < MOST).then(|| 4_i64.pow(added))
    }

    /// Whether anybody has ever added anything to a number.
    pub fn was_added_to(&self, field: &Field) -> bool {
        self.counts.get(field).is_some_and(|count| !count.added.is_empty())
    }

    /// Whether any table has ever had a counter.
    pub fn has_counters(&self) -> bool {
        !self.law.adding.is_empty()
    }

    /// Whether a field has ever been a counter.
    pub(super) fn is_ever_counted(&self, field: &Field) -> bool {
        self.is_of_counters(&field.uid) && COUNTERS.iter().any(|(_, column)| *column == field.column)
    }

    /// Whether a record's table has ever had a counter: what such a one comes to is a later word than what was added.
    pub(super) fn is_of_counters(&self, uid: &Uid) -> bool {
        self.tables.get(uid).is_some_and(|table| self.law.adding.contains(table))
    }

    /// Whether a value is what a counter began with and some of what was added to it.
    pub(super) fn is_sum(&self, field: &Field, value: &Option<String>) -> bool {
        self.is_ever_counted(field) && self.parts(field, value).is_some()
    }

    /// What of all that was added to a counter is in a value.
    fn parts(&self, field: &Field, value: &Option<String>) -> Option<BTreeSet<usize>> {
        let count = self.counts.get(field)?;
        let value = number(value)?;
        count.bases.iter().find_map(|base| parts(&count.added, value.checked_sub(*base)?))
    }

    /// Whether a counter that adds up has less in it than before. None of a field that does not.
    pub(super) fn is_less(&self, field: &Field, value: &Option<String>, than: &Option<String>) -> Option<bool> {
        if !self.adds_up(field) {
            return self.is_ever_counted(field).then_some(false);
        }
        let (now, before) = (self.parts(field, value)?, self.parts(field, than)?);
        Some(!now.is_superset(&before))
    }

    /// Whether what everybody adds to a field adds up: it has been a counter since the story began, and a number; nobody was put
    /// back or copied, nobody deleted its record, and nothing that was done to that may have been refused.
    pub fn adds_up(&self, field: &Field) -> bool {
        let is_counter = self.tables.get(&field.uid).is_some_and(|table| self.law.is_counter(table, field.column));
        let is_number = self.counts.get(field).is_some_and(|count| !count.ends && count.bases.len() == 1);
        let is_plain = self.lives.get(&field.uid).is_some_and(|it| it.deletions.is_empty() && !it.refused && !it.lost);
        let is_allowed = || self.is_making_forbidden(&field.uid) == Refused::No && !self.has_been_judged(&field.uid);
        is_counter && is_number && is_plain && self.shaken == 0 && !self.may_leave(&field.uid) && is_allowed()
    }

    /// Whether a record may have left the set of anybody who has a part of all: what came of it elsewhere after that nobody there
    /// need have seen, and what was written there may wait for the hub's word.
    fn may_leave(&self, uid: &Uid) -> bool {
        let is_all_shared = self.law.users.iter().all(BTreeSet::is_empty);
        let moved = |uid: &Uid, column| self.fields.get(&field(uid, column)).is_some_and(|writes| writes.len() > 1);
        let companies = self.fields.get(&field(uid, "company")).into_iter().flatten();
        let mut companies = companies.filter_map(|write| write.value.clone().map(Uid));
        let moves = moved(uid, "manager") || moved(uid, "company") || companies.any(|it| moved(&it, "manager"));
        !is_all_shared && (self.sets_change || moves)
    }

    /// Whether a counter may have this value once everything has been exchanged: in words, if it may not.
    pub(super) fn sum_word(&self, field: &Field, value: &Option<String>) -> Result<(), String> {
        let Some(count) = self.counts.get(field) else { return Err(format!("nobody ever wrote the {field}")) };
        if !self.adds_up(field) {
            let is_known = self.knows(field, value);
            return if is_known {
                Ok(())
            } else {
                Err(format!("the {field} is {value:?}, which is no sum of {count:?}"))
            };
        }
        let sum = count.bases.iter().chain(&count.added).sum::<i64>();
        match number(value) == Some(sum) {
            true => Ok(()),
            false => Err(format!("the {field} is {value:?}, and all that was added comes to {sum}: {count:?}")),
        }
    }
}

fn number(value: &Option<String>) -> Option<i64> {
    value.as_deref().and_then(|text| text.parse().ok())
}

/// Which of these come to a sum.
fn parts(added: &[i64], sum: i64) -> Option<BTreeSet<usize>> {
    let Some((last, others)) = added.split_last() else { return (sum == 0).then(BTreeSet::new) };
    let (least, most) = added.iter().fold((0, 0), |(least, most), by| (least + by.min(&0), most + by.max(&0)));
    if !(least..=most).contains(&sum) {
        return None;
    }
    parts(others, sum).or_else(|| {
        let mut with = parts(others, sum - last)?;
        with.insert(others.len());
        Some(with)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_sum_it_is_told_what_it_is_made_of() {
        let added = [1, -4, 16, 64];
        for (sum, made_of) in [(0, vec![]), (1, vec![0]), (-3, vec![0, 1]), (77, vec![0, 1, 2, 3]), (60, vec![1, 3])] {
            assert_eq!(parts(&added, sum), Some(made_of.into_iter().collect()), "{sum}");
        }
        for twice in [2, -8, 32, 18, 78] {
            assert_eq!(parts(&added, twice), None, "{twice}");
        }
    }
}
