//! Going through the records that lie before every cut, for a peer that asked for everything.
//!
//! They came with the package, or have not changed since capture began, or their stamps lie below the horizon and were
//! dropped. Where nobody has dropped any, and the remote has taken nothing off, both ends hold the same of these. Otherwise a
//! peer that comes from an old backup may not, nor a remote that took off by its hub's word what the hub, put back since, takes
//! for shared: such records are sent whole, stamped at the horizon where they have no stamp, before the rest of everything.
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
    /// have taken records off.
    pub fn sweep(&self, ours: Horizon, peer: Holds) -> Sweep {
        let holds_all = peer == Holds::All && ours.is_none() && self.incoming.horizon.is_none();
        if holds_all { Sweep::Done } else { self.outgoing.sweep.clone() }
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
