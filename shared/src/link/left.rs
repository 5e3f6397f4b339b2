//! What a peer was told of records before they left its set.
//!
//! A bundle that withdraws a record says nothing of what the record became since the peer heard of it last. Whoever
//! acknowledges such a bundle has not seen that, nor anything that the record became afterwards. Owns from which cut to which
//! each of the latest such bundles leads; one that is sealed again, as the first was lost, takes its place. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Link;
use crate::id::Cut;

/// How many bundles that withdraw something are remembered: what was edited at a remote before it heard of one may come late,
/// through nodes that were away.
const REMEMBERED_MAX: usize = 256;

/// The bundles that withdraw records: up to the cut where each ends, what the peer was told before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Withdrawing(BTreeMap<Cut, Cut>);

impl Withdrawing {
    pub fn seal(&mut self, from: Cut, to: Cut) {
        self.0.entry(to).or_insert(from);
        while self.0.len() > REMEMBERED_MAX {
            self.0.pop_first();
        }
    }

    /// What followed this cut is sealed again.
    pub fn go_back(&mut self, to: Cut) {
        self.0.retain(|end, _| *end <= to);
    }
}

impl Link {
    /// Up to which cut the peer was told what a record had become that left its set at one.
    pub fn told_before_leaving(&self, at: Cut) -> Cut {
        let ends = self.outgoing.withdrawing.0.range(at..);
        let begins = ends.map(|(_, from)| *from).filter(|from| *from < at);
        // Whatever is told again, as everything was asked for, was told before.
        begins.max().unwrap_or(Cut(at.0.saturating_sub(1)))
    }

    /// The same of a record that has come into its set again, of which the peer has not heard: it has seen our changes up to
    /// `seen`, and had been told by then that the record had left.
    pub fn told_before_coming_back(&self, seen: Cut) -> Cut {
        self.outgoing.withdrawing.0.range(..=seen).next_back().map_or(seen, |(_, from)| *from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Reading, WallTime};
    use crate::id::Epoch;
    use crate::link::Role;

    fn link(withdrawing: &[(u64, u64)]) -> Link {
        let mut link = Link::new(Role::Remote, WallTime(0), Cut(0), Reading(0), Epoch(0));
        withdrawing.iter().for_each(|(from, to)| link.outgoing.withdrawing.seal(Cut(*from), Cut(*to)));
        link
    }

    #[test]
    fn what_a_record_became_since_the_bundle_before_the_one_that_withdraws_it_was_not_told() {
        let link = link(&[(2, 5), (5, 9)]);
        assert_eq!(link.told_before_leaving(Cut(3)), Cut(2));
        assert_eq!(link.told_before_leaving(Cut(6)), Cut(5));
        assert_eq!(link.told_before_leaving(Cut(12)), Cut(11));
    }

    #[test]
    fn everything_told_once_more_takes_nothing_of_what_was_told() {
        let link = link(&[(2, 5), (0, 9)]);
        assert_eq!(link.told_before_leaving(Cut(4)), Cut(2));
    }

    #[test]
    fn what_is_sealed_again_counts_from_where_it_begins_then() {
        let mut link = link(&[(2, 5), (5, 9)]);
        link.outgoing.withdrawing.go_back(Cut(2));
        link.outgoing.withdrawing.seal(Cut(2), Cut(11));
        assert_eq!(link.told_before_leaving(Cut(6)), Cut(2));
    }

    #[test]
    fn of_a_record_that_comes_back_the_last_withdrawal_that_was_heard_counts() {
        let link = link(&[(2, 5), (5, 9)]);
        assert_eq!(link.told_before_coming_back(Cut(8)), Cut(2));
        assert_eq!(link.told_before_coming_back(Cut(9)), Cut(5));
        assert_eq!(link.told_before_coming_back(Cut(1)), Cut(1));
    }
}
