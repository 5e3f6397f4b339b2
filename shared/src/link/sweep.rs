//! Going through the records that lie before every cut, for a peer that asked for everything.
//!
//! They came with the package, or have not changed since capture began, or their stamps lie below the horizon and were
//! dropped. Where nobody has dropped any, and the remote has taken nothing off, both ends hold the same of these. Otherwise a
//! peer that comes from an old backup may not, nor a remote that took off by its hub's word what the hub, put back since, takes
//! for shared, nor either end if the hub was put back to before it made the package: such records are sent whole, stamped at the
//! horizon where they have no stamp, before the rest of everything.
//! Owns how far that has come. Invariant: until the sweep is done the link's cut stays where the epoch began, so that
//! nothing is forgotten meanwhile.

use serde::{Deserialize, Serialize};

use super::{Link, Outgoing};
use crate::horizon::Horizon;

/// How far the records before every cut have been gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sweep {
    /// There is nothing to go through (any more).
    #[default]
    Done,
    /// All are still to come.
    Begin,
    /// Those after this place are.
    After(SweepPlace),
}

/// A place among the records of the shared tables: a table and a key, in a form that only a snapshot can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SweepPlace(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// How much a peer has of what it was ever given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// All: nothing is ever withdrawn from it.
    All,
    /// What has not been withdrawn.
    Part,
}

impl Link {
    /// How far the sweep for the peer has come. Where neither end has ever dropped a stamp there is none, unless the peer may
    /// have taken records off, or the hub has lost the remote's package.
    pub fn sweep(&self, ours: Horizon, peer: Holds) -> Sweep {
        let nothing_dropped = ours.is_none() && self.incoming.horizon.is_none();
        let holds_same = peer == Holds::All && nothing_dropped && !self.incoming.before_package;
        if holds_same { Sweep::Done } else { self.outgoing.sweep.clone() }
    }

    /// Notes how far the sweep has come without a bundle, since nothing that was gone through concerns the peer.
    pub fn swept_to(&mut self, sweep: Sweep) {
        self.outgoing.sweep = sweep;
    }
}

impl Outgoing {
    /// Everything is to be sent, the records without stamps as well.
    pub(super) fn begin_sweep(&mut self) {
        self.sweep = Sweep::Begin;
        if let Some(start) = self.history.get_mut(&self.acked) {
            start.sweep = Sweep::Begin;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::End;
    use super::super::{Beginning, Link};
    use super::*;
    use crate::clock::Reading;
    use crate::id::Cut;

    fn sweep(end: &End) -> Sweep {
        end.link.sweep(Horizon::NONE, Holds::All)
    }

    /// The hub lets a bundle of the new installation's in, as a run does.
    fn meet(hub: &mut End, remote: &mut End) {
        let word = remote.content();
        assert!(hub.link.is_of_lost_package(&word));
        hub.link.find_lost_package(&word);
        hub.receive(&word, true);
    }

    #[test]
    fn who_was_put_back_to_before_the_package_is_told_what_came_with_it_and_tells_what_did_not() {
        let (hub, mut remote) = End::pair();
        let mut put_back = hub.copied(0);
        let mut lost = hub;
        lost.link.repack(lost.now, Cut(9), Reading(2_000));
        let beginning = Beginning { epoch: lost.link.epoch(), complete_to: Reading(2_000) };
        remote.link = Link::restored_from_package(remote.now, beginning);
        meet(&mut put_back, &mut remote);
        let request = put_back.content();
        assert!(request.before_package);
        // What it said in the other life may come between, and asks for nothing.
        remote.receive(&lost.content(), true);
        remote.receive(&request, true);
        assert_eq!(sweep(&remote), Sweep::Begin);
        let half = Sweep::After(SweepPlace(vec![1]));
        remote.swept(half.clone());
        assert_eq!(sweep(&remote), half);
        let end = remote.content();
        put_back.link.find_lost_package(&end);
        put_back.receive(&end, true);
        assert_eq!(sweep(&put_back), Sweep::Begin, "and asks back");
    }
}
