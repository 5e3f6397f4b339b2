//! Telling a restored backup from a copy that goes on beside its original.
//!
//! A copied disk gives two nodes one installation id. Each of them takes the acknowledgements of what the other sent for
//! the sign that it comes from a backup, and starts over. A restored backup does that once, and what it replaces never
//! speaks again; two copies do it in turn. So whoever starts over begins another *life*, named by the first bundle of it,
//! and tells the lives that it has had. Owns the memory of the peer's lives that were pushed aside by one which does not
//! descend from them. Invariant: whoever speaks again after having been pushed aside is refused, and nothing of the line
//! that goes on is. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Header, Link, Standing};
use crate::id::{BundleId, Epoch};

/// How many lives or epochs are remembered on each list.
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
    displaced: BTreeSet<BundleId>,
    /// Lives of a line that spoke again after that, and the epochs in which it did.
    refused: BTreeSet<BundleId>,
    refused_epochs: BTreeSet<Epoch>,
}

impl Lineage {
    /// Takes account of an epoch's first bundle that is about to be accepted.
    pub(super) fn follow(&mut self, lives: &[BundleId]) {
        if let Some(current) = self.current.filter(|current| !lives.contains(current)) {
            remember(&mut self.displaced, [current]);
        }
        self.current = lives.last().copied();
    }
}

fn remember<T: Ord>(list: &mut BTreeSet<T>, new: impl IntoIterator<Item = T>) {
    list.extend(new);
    while list.len() > REMEMBERED_MAX {
        list.pop_first();
    }
}

impl Link {
    /// Whether a bundle comes from a copy of the peer that speaks in turn with the peer itself; its line is refused from
    /// then on.
    pub fn is_fork(&mut self, header: &Header) -> bool {
        let lineage = &mut self.incoming.lineage;
        let was_pushed_aside = |life: &BundleId| lineage.displaced.contains(life) || lineage.refused.contains(life);
        if header.lives.iter().any(was_pushed_aside) {
            remember(&mut lineage.refused, header.lives.iter().copied());
            remember(&mut lineage.refused_epochs, [header.epoch]);
        }
        lineage.refused_epochs.contains(&header.epoch)
    }

    /// The peer's lives that are refused.
    pub(super) fn refused_lives(&self) -> Vec<BundleId> {
        self.incoming.lineage.refused.iter().copied().collect()
    }

    /// Takes the peer's word that another installation has this one's place.
    pub fn refused(&mut self) {
        self.standing = Standing::Refused;
    }

    /// Whether the peer refuses the very line that this node is.
    pub(super) fn is_refused_by(&self, header: &Header) -> bool {
        self.outgoing.lives.had().iter().any(|life| header.refused.contains(life))
    }
}
