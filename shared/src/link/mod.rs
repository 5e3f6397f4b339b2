//! The state of a link: what was sent, what was acknowledged, what was applied, and what each end owes the other.
//!
//! Owns the rules of DESIGN section 5 that decide whether a bundle is new, old or must wait, what an acknowledgement
//! proves, and what the next bundle builds on. Invariants: a sequence number is never used twice in an epoch, epochs
//! only rise, and a cut counts as acknowledged only by the word of the peer. Pure: no I/O, no clock; a caller stores
//! the state in the same transaction as the data that it speaks of.
//!
//! The files are to be read in the order `begin`, `send`, `receive`, `acknowledge`, `supersede`, then `lineage` (who speaks
//! in turn with a copy of itself), `left`, `exchanged` (how far stamps may be forgotten) and `sweep`.

mod acknowledge;
mod begin;
mod exchanged;
#[cfg(test)]
mod exchanged_tests;
mod left;
mod lineage;
#[cfg(test)]
mod patience_tests;
mod receive;
mod sealed;
mod send;
mod silence;
mod supersede;
#[cfg(test)]
mod supersede_driver;
#[cfg(test)]
mod supersede_tests;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::bundle::BundleName;
use crate::clock::{Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{BundleId, Cut, Epoch, Sequence};

pub use begin::Beginning;
pub use exchanged::{Beyond, Forgettable};
use left::Withdrawing;
pub use lineage::Lineage;
use lineage::Lives;
pub use receive::Verdict;
use sealed::Replaced;
pub use sealed::Sealed;
pub use send::{Contents, Due, Outlook};
pub use silence::Silence;
use supersede::Sight;
pub use supersede::Unfetched;
pub use sweep::{Holds, Sweep, SweepPlace};

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
    /// Of what the sender had applied of that epoch, the last on which what it applied next does not build: if the receiver was
    /// put back, it may have said that in a life that is lost.
    pub beside: Option<Base>,
    /// The sender met a gap and asks for everything after [`Self::ack`].
    pub nack: bool,
    /// The sender's latest request for everything; 0 if it never made one.
    pub ask: u64,
    /// An acknowledgement is wanted although nothing is in it: it makes a lost predecessor show, or it tells that what was
    /// withdrawn has been taken off.
    pub probe: bool,
    /// The sender's clock when it sealed.
    pub clock: Reading,
    /// Everything made up to here on the sender's side (by itself or by nodes behind it) has been sent, once this bundle
    /// and what it builds on are applied.
    pub complete_to: Reading,
    /// Up to here the sender may have dropped stamps and births, or have records from a node that had.
    pub horizon: Horizon,
    /// The sender's lives, latest last; told by the bundles with which an epoch begins.
    pub lives: Vec<BundleId>,
    /// The lives of the receiver's that the sender refuses: those of a copy that speaks in turn with it.
    pub refused: Vec<BundleId>,
    /// The sender comes from a backup of before it made the receiver's package, and has not heard everything since.
    pub before_package: bool,
}

/// Which end of the link the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The peer decides identity, rights and disputes for this node.
    Hub,
    /// This node decides for the peer.
    Remote,
}

/// What the changes of the next bundle are chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Replaced::is_empty")]
    replaced: Replaced,
    quiet_runs: u32,
    extent: Extent,
    past: BTreeMap<Epoch, Past>,
    /// Epochs of ours that the backup from which we come does not know of.
    #[serde(default)]
    lost: BTreeSet<Epoch>,
    #[serde(default)]
    lives: Lives,
    /// Records without stamps are still to be sent whole before the rest.
    #[serde(default)]
    sweep: Sweep,
    #[serde(default)]
    sight: Sight,
    /// The latest reading that the peer was told everything had been sent up to.
    #[serde(default)]
    told: Reading,
    #[serde(default)]
    withdrawing: Withdrawing,
}

/// The direction from the peer to this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Incoming {
    last: Option<Ack>,
    applied: BTreeMap<Sequence, Option<BundleId>>,
    /// The last that was applied in this epoch and on which what came next does not build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<Base>,
    /// The latest bundle whose acknowledgement was weighed: one that waits is met in every run but speaks once.
    heard: Option<(Epoch, Sequence)>,
    waiting_runs: u32,
    nack: bool,
    owe_ack: bool,
    /// What was taken off by the peer's word is kept until the peer is known to have heard of that, which it is to tell.
    #[serde(default, skip_serializing_if = "is_false")]
    took_off: bool,
    /// The cut of ours up to which the peer had seen our changes when it sealed the latest bundle that was accepted, and is no
    /// part of all that it has.
    #[serde(default)]
    seen: Cut,
    /// Everything made up to here on the peer's side has come.
    #[serde(default)]
    complete_to: Reading,
    /// The peer has weighed everything made up to here, and what it says to that has come: on our side if it is a hub, on our
    /// hub's if it is a remote.
    #[serde(default)]
    settled: Reading,
    /// The peer has applied everything that was said on our side without view of all that it had made up to here, if it is our
    /// hub; if it is a remote, everything that was made on our side up to here.
    #[serde(default)]
    answered_to: Reading,
    /// The peer's horizon.
    #[serde(default)]
    horizon: Horizon,
    #[serde(default)]
    lineage: Lineage,
    /// The request whose answer brings back what we lost with a return to a backup; 0 if we never made one.
    #[serde(default)]
    recovers_by: u64,
    /// The peer is to tell everything that it has, and has not told all of it yet.
    #[serde(default, skip_serializing_if = "is_false")]
    answer_to_come: bool,
    /// The hub, be it the peer or we, comes from a backup of before the remote's package was made, and has not heard everything
    /// since.
    #[serde(default, skip_serializing_if = "is_false")]
    before_package: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<Silence>,
}

/// The state of a link stays small where this says nothing.
fn is_false(said: &bool) -> bool {
    !said
}

/// How a link stands apart from its bundles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It works.
    #[default]
    Open,
    /// The peer was silent for longer than `expire_after`: nobody waits for it with forgetting, nothing is sent to it.
    /// Its next bundle opens the link again, and everything is exchanged.
    Expired,
    /// The peer refuses this installation: another one has its place. Nothing is sent or fetched any more.
    Refused,
    /// This node refuses whatever the peer says, and sends it nothing, until a new package opens the link again.
    Revoked,
}

impl Standing {
    /// Whether what is forgotten has to wait for what the peer has not got yet.
    pub(super) fn is_waited_for(self) -> bool {
        matches!(self, Self::Open | Self::Refused)
    }

    /// Whether anything is moved over the link.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Open | Self::Expired)
    }
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
    /// When this node last sealed a bundle for the peer and accepted one of its; the epoch that the remote's package opened.
    last_sealed: Option<WallTime>,
    last_accepted: Option<WallTime>,
    #[serde(default)]
    package: Option<Epoch>,
    /// When the link began here, or was opened again after it had expired.
    #[serde(default)]
    begun: WallTime,
    #[serde(default)]
    standing: Standing,
}

impl Link {
    /// Which end the peer is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The epoch of the next bundle.
    pub fn epoch(&self) -> Epoch {
        self.outgoing.epoch
    }

    /// How it stands apart from its bundles.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The epoch of the hub's that the remote's package opened: what tells the latest package's installation from an
    /// earlier one's while the hub has not met it.
    pub fn package(&self) -> Option<Epoch> {
        self.package
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

    /// How many sealed bundles with content the peer has not acknowledged, without those that later ones replace.
    pub fn unacknowledged(&self) -> u64 {
        let after = self.outgoing.acked.next();
        let counts = |sealed: &Sealed| sealed.content && !sealed.superseded;
        self.outgoing.history.range(after..).filter(|(_, sealed)| counts(sealed)).count() as u64
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
    pub fn has_sealed(&self, name: &BundleName) -> bool {
        let known = self.outgoing.history.get(&name.sequence).and_then(|sealed| sealed.digest);
        name.epoch == self.outgoing.epoch && known == Some(name.digest)
    }
}

impl Outgoing {
    /// Takes account of an epoch that we began and do not know of: what was acknowledged in it tells nothing any more.
    fn lose(&mut self, epoch: Epoch) {
        self.lost.insert(epoch);
        while self.lost.len() > PAST_MAX {
            self.lost.pop_first();
        }
    }

    /// Starts a later epoch, whose bundles hold whole records after `cut`.
    fn start_epoch(&mut self, now: WallTime, cut: Cut, extent: Extent) {
        let past = Past { next: self.next, history: std::mem::take(&mut self.history) };
        self.past.insert(self.epoch, past);
        while self.past.len() > PAST_MAX {
            self.past.pop_first();
        }
        let latest = self.lost.last().copied().unwrap_or_default().max(self.epoch);
        self.epoch = Epoch(latest.next().0.max(now.0 / 1000));
        self.next = Sequence(1);
        self.base = Base::default();
        (self.sent, self.floor) = (cut, cut);
        self.acked = Sequence(0);
        self.history = BTreeMap::from([(Sequence(0), Sealed::start(cut, extent))]);
        self.replaced = Replaced::default();
        self.extent = extent;
        self.sweep = Sweep::Done;
        self.sight = Sight::default();
    }
}
