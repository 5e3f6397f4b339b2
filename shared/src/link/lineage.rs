//! Telling a restored backup from a copy that goes on beside its original.
//!
//! A copied disk gives two nodes one installation id. Each of them takes the acknowledgements of what the other sent for
//! the sign that it comes from a backup, and starts an epoch of its own. A restored backup does that once, and what it
//! replaces never speaks again, unless the wrong backup was restored first and then the right one; two copies push each
//! other aside in turn. Owns the memory of the peer's epochs that were pushed aside by one which does not descend from
//! them. Invariant: whoever returns after having been pushed aside by one that had returned itself is refused, and nothing
//! of the line that goes on is. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Header, Link, Standing};
use crate::id::Epoch;

/// How many epochs are remembered on either list.
const REMEMBERED_MAX: usize = 16;

/// What is remembered of the peer's epochs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Accepted once, and pushed aside by an epoch that does not descend from it.
    displaced: BTreeSet<Epoch>,
    /// Epochs of lines that were pushed aside, and pushed aside another in their turn.
    #[serde(default)]
    returned: BTreeSet<Epoch>,
    /// Epochs of a line that did so after another had.
    refused: BTreeSet<Epoch>,
}

/// How an epoch stands to the one that was accepted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Succession {
    /// It descends from it.
    Descends,
    /// It pushes it aside.
    PushesAside,
    /// It pushes it aside, and was pushed aside itself.
    Returns,
}

impl Lineage {
    fn succession(&self, current: Epoch, past: &[Epoch]) -> Succession {
        if past.contains(&current) {
            Succession::Descends
        } else if past.iter().any(|past| self.displaced.contains(past)) {
            Succession::Returns
        } else {
            Succession::PushesAside
        }
    }

    /// Takes account of an epoch that is about to be accepted after `current`.
    pub(super) fn follow(&mut self, current: Epoch, epoch: Epoch, past: &[Epoch]) {
        let succession = self.succession(current, past);
        if succession != Succession::Descends {
            remember(&mut self.displaced, current);
        }
        let of_returned = succession == Succession::Descends && self.returned.contains(&current);
        if of_returned || succession == Succession::Returns {
            remember(&mut self.returned, epoch);
        }
    }

    /// Whether an epoch after `current` is of a copy; it is refused from then on.
    fn refuses(&mut self, current: Epoch, epoch: Epoch, past: &[Epoch]) -> bool {
        let succession = self.succession(current, past);
        let is_of_refused = past.iter().any(|past| self.refused.contains(past));
        let in_turn = succession == Succession::Returns && self.returned.contains(&current);
        if in_turn || (is_of_refused && succession != Succession::Descends) {
            remember(&mut self.refused, epoch);
        }
        self.refused.contains(&epoch)
    }
}

fn remember(list: &mut BTreeSet<Epoch>, epoch: Epoch) {
    list.insert(epoch);
    while list.len() > REMEMBERED_MAX {
        list.pop_first();
    }
}

impl Link {
    /// Whether a bundle comes from a copy of the peer that speaks in turn with the peer itself; such an epoch is refused
    /// from then on.
    pub fn is_fork(&mut self, header: &Header) -> bool {
        let current = self.incoming.last.map(|last| last.epoch).filter(|current| header.epoch > *current);
        current.is_some_and(|current| self.incoming.lineage.refuses(current, header.epoch, &header.past))
    }

    /// Takes account of a bundle that was refused: its sender learns of it by the next one that lies in the mailbox, so
    /// one is due though there may be nothing else to say.
    pub fn refused_one(&mut self) {
        self.incoming.owe_ack = true;
    }

    /// The peer's epochs that are refused.
    pub(super) fn refused_epochs(&self) -> Vec<Epoch> {
        self.incoming.lineage.refused.iter().copied().collect()
    }

    /// Takes the peer's word that another installation has this one's place.
    pub fn refused(&mut self) {
        self.standing = Standing::Refused;
    }

    /// Whether the peer refuses the very line that this node is.
    pub(super) fn is_refused_by(&self, header: &Header) -> bool {
        header.refused.contains(&self.outgoing.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is accepted of a peer.
    struct Peer {
        lineage: Lineage,
        current: Epoch,
    }

    impl Peer {
        fn new() -> Self {
            Self { lineage: Lineage::default(), current: Epoch(1) }
        }

        /// Whether an epoch that descends from these is accepted.
        fn accepts(&mut self, epoch: u64, past: &[u64]) -> bool {
            let (epoch, past) = (Epoch(epoch), past.iter().copied().map(Epoch).collect::<Vec<_>>());
            if self.lineage.refuses(self.current, epoch, &past) {
                return false;
            }
            self.lineage.follow(self.current, epoch, &past);
            self.current = epoch;
            true
        }
    }

    #[test]
    fn two_copies_that_push_each_other_aside_in_turn_are_told_apart_and_one_goes_on() {
        let mut peer = Peer::new();
        assert!(peer.accepts(2, &[1]), "one of them");
        assert!(peer.accepts(3, &[1]), "the other, or a backup of it");
        assert!(peer.accepts(4, &[1, 2]), "the one again");
        assert!(!peer.accepts(5, &[1, 3]), "the other again");
        assert!(!peer.accepts(6, &[1, 3, 5]), "and whatever it begins from then on");
        assert!(peer.accepts(7, &[1, 2, 4]));
        assert_eq!(peer.lineage.refused, BTreeSet::from([Epoch(5), Epoch(6)]));
    }

    #[test]
    fn epochs_that_the_one_begins_in_between_hide_nothing() {
        let mut peer = Peer::new();
        assert!(peer.accepts(2, &[1]) && peer.accepts(3, &[1]) && peer.accepts(4, &[1, 2]));
        assert!(peer.accepts(5, &[1, 2, 4]));
        assert!(!peer.accepts(6, &[1, 3]));
    }

    #[test]
    fn a_backup_that_is_restored_again_and_again_is_no_copy() {
        let mut peer = Peer::new();
        assert!((2..40).all(|epoch| peer.accepts(epoch, &[1])));
    }

    #[test]
    fn after_the_wrong_backup_the_right_one_can_be_restored() {
        let mut peer = Peer::new();
        assert!(peer.accepts(2, &[1]), "a first restore, after which there is a backup of epoch 2");
        assert!(peer.accepts(3, &[1]), "an older one");
        assert!(peer.accepts(4, &[1, 2]), "and the right one");
        assert!(peer.accepts(5, &[1]) && peer.accepts(6, &[1, 2, 4]), "all of it once more");
    }
}
