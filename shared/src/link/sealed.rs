//! What is kept of a bundle that was sealed, until the peer has acknowledged it or the epoch is over.
//!
//! Owns the record. Leaves to `send` when one is made, to `acknowledge` and `supersede` what becomes of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ack, Extent, Link, Outgoing, Sweep};
use crate::bundle::ShortDigest;
use crate::clock::{Reading, WallTime};
use crate::id::{BundleId, Cut, Sequence};

/// How many bundles are remembered that were replaced before anybody knew that they had been fetched: the state of a link to an
/// absent peer stays small.
const REPLACED_MAX: usize = 3;

/// A bundle that was sealed: where it ends, which it was, whether it held anything to acknowledge, and how to go on
/// from it if what came after it was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the peer knows to be complete once it has applied it.
    #[serde(default)]
    pub complete_to: Reading,
    /// What the peer, a remote, has of everything made on our hub's side once it has applied it; and if it is our hub, in
    /// view of how much of its side everything was said that it does not have then.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub hub_to: Reading,
    /// What the peer, a remote, has of everything made on our side once it has applied it; nothing if it is told as much.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub come_to: Reading,
    /// How far the records without stamps had been gone through.
    #[serde(default)]
    pub sweep: Sweep,
    /// When it was sealed.
    #[serde(default)]
    pub at: WallTime,
    /// The digest in its file's name, by which the file is known wherever it lies.
    #[serde(default)]
    pub digest: Option<ShortDigest>,
    /// Whether it asked the peer to send again.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub nack: bool,
    /// Whether later bundles replace it: all that it holds is selected again.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub superseded: bool,
}

/// The state of a link stays small where this says nothing: at a node without a hub.
fn is_nothing(reading: &Reading) -> bool {
    *reading == Reading(0)
}

impl Sealed {
    /// The start of an epoch.
    pub(super) fn start(cut: Cut, extent: Extent) -> Self {
        Self {
            cut,
            floor: cut,
            extent,
            id: None,
            content: false,
            complete_to: Reading(0),
            hub_to: Reading(0),
            come_to: Reading(0),
            sweep: Sweep::Done,
            at: WallTime::default(),
            digest: None,
            nack: false,
            superseded: false,
        }
    }
}

/// Bundles that were replaced and of which nothing else is kept: where each ends. Its peer may have applied one all the same, and
/// what it says then it says in view of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replaced(BTreeMap<Sequence, (BundleId, Cut)>);

impl Replaced {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing before this one can be acknowledged any more.
    pub fn forget_before(&mut self, first: Sequence) {
        self.0 = self.0.split_off(&first);
    }
}

impl Outgoing {
    pub(super) fn acked_cut(&self) -> Cut {
        self.history.get(&self.acked).map_or(Cut(0), |sealed| sealed.cut)
    }

    /// Where a bundle of this epoch ends, if it is the very one that is known, or was, under its number.
    pub(super) fn end_of(&self, ack: &Ack) -> Option<Cut> {
        let known = self.history.get(&ack.sequence).filter(|sealed| sealed.id == ack.id).map(|sealed| sealed.cut);
        let replaced = || self.replaced.0.get(&ack.sequence).filter(|(id, _)| Some(*id) == ack.id).map(|(_, cut)| *cut);
        known.or_else(replaced)
    }

    /// Keeps of the history what this says, and of the rest where it ends.
    pub(super) fn drop_replaced(&mut self, is_kept: impl Fn(Sequence, &Sealed) -> bool) {
        let all = std::mem::take(&mut self.history).into_iter();
        let (kept, dropped): (BTreeMap<_, _>, BTreeMap<_, _>) = all.partition(|(at, sealed)| is_kept(*at, sealed));
        self.history = kept;
        let ends = dropped.into_iter().filter_map(|(at, sealed)| Some((at, (sealed.id?, sealed.cut))));
        self.replaced.0.extend(ends);
        while self.replaced.0.len() > REPLACED_MAX {
            self.replaced.0.pop_first();
        }
    }
}

impl Link {
    /// The latest cut at which any bundle of the current epoch ends: of what lies after it no peer can have a part.
    pub fn sealed_to(&self) -> Cut {
        let replaced = self.outgoing.replaced.0.values().map(|(_, cut)| *cut);
        let cuts = self.outgoing.history.values().map(|sealed| sealed.cut).chain(replaced);
        cuts.max().unwrap_or_default().max(self.outgoing.sent)
    }
}
