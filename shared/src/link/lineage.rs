//! Telling a restored backup from a copy that goes on beside its original.
//!
//! A copied disk gives two nodes one installation id. Each of them takes the acknowledgements of what the other sent for
//! the sign that it comes from a backup, and starts an epoch of its own. A restored backup does that once, and what it
//! replaces never speaks again; two copies do it in turn. Owns the memory of the peer's epochs that were pushed aside by
//! one which does not descend from them. Invariant: whoever speaks again after having been pushed aside is refused, and
//! nothing of the line that goes on is. Pure.

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
    /// Epochs of a line that spoke again.
    refused: BTreeSet<Epoch>,
}

impl Lineage {
    /// Takes account of an epoch that is about to be accepted after `current`.
    pub(super) fn follow(&mut self, current: Epoch, past: &[Epoch]) {
        if !past.contains(&current) {
            remember(&mut self.displaced, current);
        }
    }

    fn refuse(&mut self, epoch: Epoch) {
        remember(&mut self.refused, epoch);
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
        let current = self.incoming.last.map(|last| last.epoch);
        if current.is_none_or(|current| header.epoch <= current) {
            return false;
        }
        let lineage = &mut self.incoming.lineage;
        let returns = !header.past.iter().any(|past| Some(*past) == current)
            && header.past.iter().any(|past| lineage.displaced.contains(past) || lineage.refused.contains(past));
        if returns {
            lineage.refuse(header.epoch);
        }
        returns || lineage.refused.contains(&header.epoch)
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
