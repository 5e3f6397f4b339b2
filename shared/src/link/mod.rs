//! The state of a link: what was sent, what was acknowledged, what was applied, and what each end owes the other.
//!
//! Owns the rules of DESIGN section 5 that decide whether a bundle is new, old or must wait, what an acknowledgement
//! proves, and what the next bundle builds on. Invariants: a sequence number is never used twice in an epoch, epochs
//! only rise, and a cut counts as acknowledged only by the word of the peer. Pure: no I/O, no clock; a caller stores
//! the state in the same transaction as the data that it speaks of.
//!
//! The files are to be read in the order `send`, `receive`, `acknowledge`.

mod acknowledge;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::{Reading, WallTime};
use crate::id::{BundleId, Cut, Epoch, Sequence};

pub use receive::Verdict;
pub use send::{Contents, Due};

/// How many runs a bundle with an unknown base waits before its sender is asked again, and how many quiet runs an
/// unacknowledged sender waits before it sends an empty bundle. Counted in runs, since a line may be down for weeks.
pub const PATIENCE_RUNS: u32 = 3;

/// How many applied bundles are remembered to recognise the base of the next one.
const APPLIED_MAX: usize = 256;

/// How many earlier epochs are remembered to recognise a restored backup.
const PAST_MAX: usize = 16;

/// What a bundle builds on: a sequence number and the bundle that bore it; (0, None) is the start of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The sequence number.
    pub sequence: Sequence,
    /// The bundle under it.
    pub id: Option<BundleId>,
}

/// The receiver's word on what it has applied last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The epoch.
    pub epoch: Epoch,
    /// The sequence number; 0 after a package that opened the epoch.
    pub sequence: Sequence,
    /// The bundle under it.
    pub id: Option<BundleId>,
}

/// The part of a manifest that the link is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The sender's current epoch.
    pub epoch: Epoch,
    /// This bundle's number in it.
    pub sequence: Sequence,
    /// This bundle's random identity.
    pub id: BundleId,
    /// What it builds on.
    pub base: Base,
    /// What the sender has applied of the other direction.
    pub ack: Option<Ack>,
    /// The sender met a gap and asks for everything after [`Self::ack`].
    pub nack: bool,
    /// The sender's latest request for everything; 0 if it never made one.
    pub ask: u64,
    /// Sent only to make a lost predecessor show: an acknowledgement is wanted although nothing is in it.
    pub probe: bool,
    /// The sender's clock when it sealed.
    pub clock: Reading,
}

/// Which end of the link the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The peer decides identity, rights and disputes for this node.
    Hub,
    /// This node decides for the peer.
    Remote,
}

/// What the changes of the next bundle are chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// The fields changed since the cut, except those that came by this very link.
    #[default]
    Changes,
    /// Every record that changed since the cut, whole; what came by this link is left out.
    Records,
    /// Every record that changed since the cut, whole, and what came by this link too: the peer asked for
    /// everything.
    Everything,
}

/// How much of what is owed a bundle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of it.
    Rest,
    /// The records that changed last up to its cut; more follows.
    Part,
}

/// A bundle that was sealed: where it ends, which it was, whether it held anything to acknowledge, and how to go on
/// from it if what came after it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Every record whose latest change lies up to here is in it or before it.
    pub cut: Cut,
    /// Of the records that follow, the fields that changed after this are owed.
    pub floor: Cut,
    /// How they are chosen.
    pub extent: Extent,
    /// Its identity; None for the start of an epoch.
    pub id: Option<BundleId>,
    /// Whether it held changes.
    pub content: bool,
}

/// An epoch that is over, kept to recognise acknowledgements that contradict it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    next: Sequence,
    history: BTreeMap<Sequence, Sealed>,
}

/// The direction from this node to its peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Outgoing {
    epoch: Epoch,
    next: Sequence,
    base: Base,
    sent: Cut,
    floor: Cut,
    acked: Sequence,
    history: BTreeMap<Sequence, Sealed>,
    quiet_runs: u32,
    extent: Extent,
    past: BTreeMap<Epoch, Past>,
}

/// The direction from the peer to this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Incoming {
    last: Option<Ack>,
    applied: BTreeMap<Sequence, Option<BundleId>>,
    /// The latest bundle whose acknowledgement was weighed: one that waits is met in every run but speaks once.
    heard: Option<(Epoch, Sequence)>,
    waiting_runs: u32,
    nack: bool,
    owe_ack: bool,
}

/// A link's whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    role: Role,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Our latest request for everything, and the latest of the peer's that we answered.
    ask: u64,
    answered: u64,
    /// When this node last sealed a bundle for the peer, and last accepted one of its.
    last_sealed: Option<WallTime>,
    last_accepted: Option<WallTime>,
}

impl Link {
    /// A link to a peer that already has everything up to `cut`, in an epoch that starts now.
    pub fn new(role: Role, now: WallTime, cut: Cut) -> Self {
        let start = Sealed::start(cut, Extent::Changes);
        let outgoing = Outgoing {
            epoch: Epoch(now.0 / 1000),
            next: Sequence(1),
            base: Base::default(),
            sent: cut,
            floor: cut,
            acked: Sequence(0),
            history: BTreeMap::from([(Sequence(0), start)]),
            quiet_runs: 0,
            extent: Extent::Changes,
            past: BTreeMap::new(),
        };
        Self {
            role,
            outgoing,
            incoming: Incoming::default(),
            ask: 0,
            answered: 0,
            last_sealed: None,
            last_accepted: None,
        }
    }

    /// The other end of a link made by a package: what the package holds counts as applied at this epoch's start.
    pub fn restored_from_package(now: WallTime, hub_epoch: Epoch) -> Self {
        let mut link = Self::new(Role::Hub, now, Cut(0));
        link.outgoing.epoch = link.outgoing.epoch.max(hub_epoch);
        link.incoming.last = Some(Ack { epoch: hub_epoch, sequence: Sequence(0), id: None });
        link.incoming.applied = BTreeMap::from([(Sequence(0), None)]);
        link
    }

    /// Opens a later epoch at `cut`: what a package made now holds counts as sent. Earlier epochs stay known; the new
    /// installation's bundles start afresh.
    pub fn repack(&mut self, now: WallTime, cut: Cut) {
        self.outgoing.start_epoch(now, cut, Extent::Changes);
        self.incoming = Incoming::default();
    }

    /// Which end the peer is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The epoch of the next bundle.
    pub fn epoch(&self) -> Epoch {
        self.outgoing.epoch
    }

    /// Every record whose latest change lies up to here has been put into a bundle.
    pub fn sent(&self) -> Cut {
        self.outgoing.sent
    }

    /// Of a record that changed since, the fields that changed after this are owed: where the bundle began of which
    /// the latest one is a part.
    pub fn floor(&self) -> Cut {
        self.outgoing.floor
    }

    /// The peer is known to have applied everything up to here.
    pub fn acked(&self) -> Cut {
        self.outgoing.acked_cut()
    }

    /// The last bundle of the current epoch that the peer has acknowledged; 0 before the first.
    pub fn acknowledged_sequence(&self) -> Sequence {
        self.outgoing.acked
    }

    /// The bundles of the current epoch after that which hold nothing: nobody acknowledges an acknowledgement.
    pub fn sealed_empty(&self) -> impl Iterator<Item = Sequence> {
        let after = self.outgoing.acked.next();
        self.outgoing.history.range(after..).filter(|(_, sealed)| !sealed.content).map(|(sequence, _)| *sequence)
    }

    /// How many sealed bundles with content the peer has not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        let after = self.outgoing.acked.next();
        self.outgoing.history.range(after..).filter(|(_, sealed)| sealed.content).count() as u64
    }

    /// When a bundle was last sealed for the peer.
    pub fn last_sealed(&self) -> Option<WallTime> {
        self.last_sealed
    }

    /// When a bundle of the peer's was last accepted.
    pub fn last_accepted(&self) -> Option<WallTime> {
        self.last_accepted
    }

    /// Whether this very bundle was sealed by us in the current epoch: what a run that was cut short left in `tmp` is
    /// put into the outbox only then.
    pub fn has_sealed(&self, epoch: Epoch, sequence: Sequence, id: BundleId) -> bool {
        epoch == self.outgoing.epoch && self.outgoing.history.get(&sequence).is_some_and(|sealed| sealed.id == Some(id))
    }
}

impl Sealed {
    /// The start of an epoch.
    fn start(cut: Cut, extent: Extent) -> Self {
        Self { cut, floor: cut, extent, id: None, content: false }
    }
}

impl Outgoing {
    fn acked_cut(&self) -> Cut {
        self.history.get(&self.acked).map_or(Cut(0), |sealed| sealed.cut)
    }

    /// Starts a later epoch, whose bundles hold whole records after `cut`.
    fn start_epoch(&mut self, now: WallTime, cut: Cut, extent: Extent) {
        let past = Past { next: self.next, history: std::mem::take(&mut self.history) };
        self.past.insert(self.epoch, past);
        while self.past.len() > PAST_MAX {
            self.past.pop_first();
        }
        self.epoch = Epoch(self.epoch.next().0.max(now.0 / 1000));
        self.next = Sequence(1);
        self.base = Base::default();
        self.sent = cut;
        self.floor = cut;
        self.acked = Sequence(0);
        self.history = BTreeMap::from([(Sequence(0), Sealed::start(cut, extent))]);
        self.extent = extent;
    }
}
