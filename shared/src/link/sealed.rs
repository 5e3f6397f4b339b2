//! What is kept of a bundle that was sealed, until the peer has acknowledged it or the epoch is over.
//!
//! Owns the record. Leaves to `send` when one is made, to `acknowledge` and `supersede` what becomes of it.

use serde::{Deserialize, Serialize};

use super::{Extent, Link, Sweep};
use crate::bundle::ShortDigest;
use crate::clock::{Reading, WallTime};
use crate::id::{BundleId, Cut};

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
    #[serde(default)]
    pub nack: bool,
    /// Whether later bundles replace it: all that it holds is selected again.
    #[serde(default)]
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

impl Link {
    /// The latest cut at which any bundle of the current epoch ends: of what lies after it no peer can have a part.
    pub fn sealed_to(&self) -> Cut {
        let cuts = self.outgoing.history.values().map(|sealed| sealed.cut);
        cuts.max().unwrap_or_default().max(self.outgoing.sent)
    }
}
