//! Telling a restored backup from a copy that goes on beside its original.
//!
//! A copied disk gives two nodes one installation id. Each of them takes the acknowledgements of what the other sent for
//! the sign that it comes from a backup, and starts over. A restored backup does that once, and what it replaces never
//! speaks again, unless the wrong backup was restored first and then the right one; two copies push each other aside in
//! turn, or one of them never hears of us because the other fetches everything: then both go on in one epoch, side by
//! side. So whoever starts over begins another *life*, named by the first bundle of it, and tells the lives that it has
//! had. Owns the memory of the peer's lives that were pushed aside by one which does not descend from them. Invariant:
//! whoever returns after having been pushed aside by one that had returned itself is refused, and nothing of the line
//! that goes on is. Pure.

use serde::{Deserialize, Serialize};

use super::{Header, Link, Standing};
use crate::clock::Reading;
use crate::id::{BundleId, Epoch, Sequence};

/// How many are remembered on each list; the oldest is forgotten.
const REMEMBERED_MAX: usize = 16;

/// The lives that this end of a link has had; the first, which began with the link, has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lives {
    had: Vec<BundleId>,
    /// Another life begins with the next bundle.
    begins: bool,
}

impl Lives {
    pub(super) fn start_over(&mut self) {
        self.begins = true;
    }

    /// Takes account of a bundle that is being sealed.
    pub(super) fn seal(&mut self, id: BundleId) {
        if std::mem::take(&mut self.begins) {
            self.had.push(id);
            let more = self.had.len().saturating_sub(REMEMBERED_MAX);
            self.had.drain(..more);
        }
    }

    pub(super) fn had(&self) -> &[BundleId] {
        &self.had
    }
}

/// What is remembered of the peer's lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The life that speaks; None for the first.
    current: Option<BundleId>,
    /// Lives that spoke and were pushed aside by one that does not descend from them.
    displaced: Vec<BundleId>,
    /// Lives of lines that were pushed aside, and pushed aside another in their turn.
    returned: Vec<BundleId>,
    /// Lives of a line that did so after another had, and the epochs in which it did.
    refused: Vec<BundleId>,
    refused_epochs: Vec<Epoch>,
    /// The peer's clock when it sealed the latest bundle that was accepted.
    #[serde(default)]
    sealed: Reading,
    #[serde(default)]
    strays: Strays,
}

/// Bundles of an epoch that is known, but of a line in it that is not: under a known number, or built on one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Strays {
    #[default]
    None,
    /// One was sealed later than what had been accepted: a restored backup's, or a copy's that has not yet heard of us
    /// since the disk was copied.
    After {
        /// When it was.
        sealed: Reading,
        /// The numbers under which the bundles of the known line are ones that its sender does not know.
        from: Sequence,
        to: Sequence,
    },
    /// What was sealed later still builds on one of those: the strays are a copy's.
    Beside,
}

/// How a life stands to the one that was accepted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Succession {
    /// It is the same, or descends from it.
    Descends,
    /// It pushes it aside.
    PushesAside,
    /// It pushes it aside, and was pushed aside itself.
    Returns,
}

impl Lineage {
    /// `lives` are those of a sender, of which the last one speaks.
    fn succession(&self, lives: &[BundleId]) -> Succession {
        if self.current.is_none_or(|current| lives.contains(&current)) {
            Succession::Descends
        } else if lives.iter().any(|life| self.displaced.contains(life)) {
            Succession::Returns
        } else {
            Succession::PushesAside
        }
    }

    fn has_returned(&self) -> bool {
        self.current.is_some_and(|current| self.returned.contains(&current))
    }

    /// Takes account of an epoch's first bundle that is about to be accepted.
    pub(super) fn follow(&mut self, lives: &[BundleId]) {
        let succession = self.succession(lives);
        let of_returned = succession == Succession::Descends && self.has_returned();
        if of_returned || succession == Succession::Returns {
            remember(&mut self.returned, lives.last().copied());
        }
        if succession != Succession::Descends {
            remember(&mut self.displaced, self.current);
        }
        self.current = lives.last().copied();
        self.strays = Strays::None;
    }

    /// Takes account of a bundle that is accepted.
    pub(super) fn go_on(&mut self, header: &Header) {
        if let Strays::After { sealed, from, to } = &mut self.strays
            && (*from..=*to).contains(&header.base.sequence)
        {
            match header.clock > *sealed {
                true => self.strays = Strays::Beside,
                false => *to = header.sequence,
            }
        }
        self.sealed = header.clock;
    }

    /// Takes account of a bundle that is a stray from this number on. What was sealed before the latest that is none is
    /// only late: of before a backup was restored.
    fn stray(&mut self, sealed: Reading, from: Sequence, to: Sequence) {
        if self.strays == Strays::None && sealed > self.sealed {
            self.strays = Strays::After { sealed, from, to };
        }
    }

    /// Whether the sender of an epoch's first bundle is of a line that is refused, or from now on is: in a later epoch it
    /// returns in turn.
    fn refuses(&mut self, lives: &[BundleId], epoch: Epoch, is_later: bool) -> bool {
        let is_of_refused = lives.iter().any(|life| self.refused.contains(life));
        let in_turn = is_later && self.has_returned() && self.succession(lives) == Succession::Returns;
        if is_of_refused || in_turn {
            remember(&mut self.refused, lives.last().copied());
            remember(&mut self.refused_epochs, Some(epoch));
        }
        is_of_refused || in_turn
    }
}

fn remember<T: PartialEq>(list: &mut Vec<T>, new: Option<T>) {
    list.extend(new.filter(|new| !list.contains(new)));
    let more = list.len().saturating_sub(REMEMBERED_MAX);
    list.drain(..more);
}

impl Link {
    /// Whether a bundle comes from a copy of the peer that speaks in turn with the peer itself; its line is refused from
    /// then on.
    pub fn is_fork(&mut self, header: &Header) -> bool {
        let Some(last) = self.incoming.last else { return false };
        if self.incoming.lineage.strays == Strays::Beside && self.strays_from(header).is_some() {
            return true;
        }
        let lineage = &mut self.incoming.lineage;
        // Only an epoch's first bundle tells the lives. The other line may begin an epoch under the same number.
        match header.base.sequence {
            Sequence(0) => lineage.refuses(&header.lives, header.epoch, header.epoch > last.epoch),
            _ => header.epoch != last.epoch && lineage.refused_epochs.contains(&header.epoch),
        }
    }

    /// The number that a bundle of the current epoch bears, or builds on, and that is known under another id.
    fn strays_from(&self, header: &Header) -> Option<Sequence> {
        let incoming = &self.incoming;
        let numbers = [(header.base.sequence, header.base.id), (header.sequence, Some(header.id))];
        let mut known_otherwise =
            numbers.into_iter().filter(|(number, id)| incoming.applied.get(number).is_some_and(|known| known != id));
        incoming.last.filter(|last| last.epoch == header.epoch)?;
        known_otherwise.next().map(|(number, _)| number)
    }

    pub(super) fn watch_for_copies(&mut self, header: &Header) {
        if let (Some(from), Some(last)) = (self.strays_from(header), self.incoming.last) {
            self.incoming.lineage.stray(header.clock, from, last.sequence);
        }
    }

    /// Takes account of a bundle that was refused: its sender learns of it by the next one that lies in the mailbox, so
    /// one is due though there may be nothing else to say.
    pub fn refused_one(&mut self) {
        self.incoming.owe_ack = true;
    }

    /// The peer's lives that are refused.
    pub(super) fn refused_lives(&self) -> Vec<BundleId> {
        self.incoming.lineage.refused.clone()
    }

    /// Takes the peer's word that another installation has this one's place.
    pub fn refused(&mut self) {
        self.standing = Standing::Refused;
    }

    /// Refuses the peer from now on, whatever it says.
    pub fn revoke(&mut self) {
        self.standing = Standing::Revoked;
    }

    /// Whether the peer refuses the very line that this node is.
    pub(super) fn is_refused_by(&self, header: &Header) -> bool {
        self.outgoing.lives.had().iter().any(|life| header.refused.contains(life))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(of: &[u64]) -> Vec<BundleId> {
        of.iter().copied().map(BundleId).collect()
    }

    /// What is accepted of a peer.
    #[derive(Default)]
    struct Peer(Lineage);

    impl Peer {
        /// Whether a sender that has had these lives is accepted.
        fn accepts(&mut self, of: &[u64]) -> bool {
            let lives = lives(of);
            let accepts = !self.0.refuses(&lives, Epoch(1), true);
            if accepts {
                self.0.follow(&lives);
            }
            accepts
        }
    }

    #[test]
    fn two_copies_that_push_each_other_aside_in_turn_are_told_apart_and_one_goes_on() {
        let mut peer = Peer::default();
        assert!(peer.accepts(&[2]), "one of them");
        assert!(peer.accepts(&[3]), "the other, or a backup of it");
        assert!(peer.accepts(&[2, 4]), "the one again");
        assert!(!peer.accepts(&[3, 5]), "the other again");
        assert!(!peer.accepts(&[3, 5, 6]), "and whatever it begins from then on");
        assert!(peer.accepts(&[2, 4]) && peer.accepts(&[2, 4, 7]));
        assert_eq!(peer.0.refused, lives(&[5, 6]));
        assert!(
            peer.0.refuses(&lives(&[3, 5]), Epoch(1), false) && !peer.0.refuses(&lives(&[3]), Epoch(1), false),
            "an earlier epoch is old"
        );
    }

    #[test]
    fn what_both_had_before_the_disk_was_copied_does_not_count_against_the_one_that_goes_on() {
        let mut peer = Peer::default();
        assert!(peer.accepts(&[1]) && peer.accepts(&[1, 2]) && peer.accepts(&[1, 3]) && peer.accepts(&[1, 2, 4]));
        assert!(!peer.accepts(&[1, 3, 5]));
        assert!(peer.accepts(&[1, 2, 4]) && peer.accepts(&[1, 2, 4, 6]));
        assert!(lives(&[1, 2, 4, 6]).iter().all(|life| !peer.0.refused.contains(life)));
    }

    #[test]
    fn lives_that_the_one_begins_in_between_hide_nothing() {
        let mut peer = Peer::default();
        assert!(peer.accepts(&[2]) && peer.accepts(&[3]) && peer.accepts(&[2, 4]));
        assert!(peer.accepts(&[2, 4, 5]));
        assert!(!peer.accepts(&[3, 6]));
    }

    #[test]
    fn a_backup_that_is_restored_again_and_again_is_no_copy() {
        let mut peer = Peer::default();
        assert!((2..40).all(|life| peer.accepts(&[life])));
    }

    #[test]
    fn after_the_wrong_backup_the_right_one_can_be_restored() {
        let mut peer = Peer::default();
        assert!(peer.accepts(&[2]), "a first restore, after which there is a backup of life 2");
        assert!(peer.accepts(&[3]), "an older one");
        assert!(peer.accepts(&[2, 4]), "and the right one");
        assert!(peer.accepts(&[5]) && peer.accepts(&[2, 4, 6]), "all of it once more");
    }
}
