//! Trying what is held once more, when something has been placed that it may have waited for.
//!
//! Invariant: what still has no room stays as it was held, with its present reason. Leaves to the whole of `place` how each
//! change is placed, and when it is tried.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::WallTime;
use packhorse_shared::config::Span;
use packhorse_shared::id::LinkId;
use packhorse_shared::replica::{Held, MergeTransaction, Result};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Key;

use super::discarded::{Discarded, MayDelete};
use super::joined::Party;
use super::{Placed, Placer};
use crate::merge::Arrival;

/// Places held changes when no bundle brings anything.
pub struct HeldPlacer<'a>(Placer<'a>);

impl<'a> HeldPlacer<'a> {
    /// Within a transaction. `of_links`: how what a link brought stands against what is here; `arrival`: the same for a link
    /// that is gone.
    pub fn new(
        transaction: &'a mut dyn MergeTransaction,
        arrival: Arrival,
        of_links: BTreeMap<LinkId, Arrival>,
        now: WallTime,
        quiet: Span,
    ) -> Result<Self> {
        let placer = Placer::new(transaction, arrival, now, quiet)?;
        Ok(Self(Placer { of_links, ..placer }))
    }

    /// Tries these once; tells the numbers of those that were placed.
    pub fn place(&mut self, which: &dyn Fn(&Held) -> bool) -> Result<Vec<i64>> {
        self.0.retry_held(which)
    }

    /// Tries all, as often as one that is placed may have made room for another; tells what that came to.
    pub fn place_all(&mut self) -> Result<Placed> {
        while !self.place(&|_| true)?.is_empty() {}
        Ok(self.came_to())
    }

    /// Whether all those of these that wait for the application go on waiting.
    pub fn keep_waiting(&mut self, held: &[Held], waits: &dyn Fn(&Held) -> bool) -> Result<bool> {
        self.0.keep_waiting(held, waits)
    }

    /// Discards one, with others of these numbers.
    pub fn discard(&mut self, held: &Held, with: &BTreeSet<i64>, may_delete: MayDelete) -> Result<Discarded> {
        self.0.discard(held, with, may_delete)
    }

    /// Makes one record of two; tells under which key it stands, or why that cannot be.
    pub fn join(&mut self, keep: &Party, other: &Party) -> Result<std::result::Result<Key, String>> {
        self.0.join(keep, other)
    }

    /// What placing them came to.
    pub fn came_to(&self) -> Placed {
        self.0.placed
    }
}

impl Placer<'_> {
    /// Tries a held change once more; tells whether it spoke of a number that is out of date.
    fn retry(&mut self, change: &TableChanges, arrival: Arrival) -> Result<bool> {
        let here = std::mem::replace(&mut self.arrival, arrival);
        self.transaction.comes_by(arrival.link);
        let redirected = self.retry_alone(change);
        self.arrival = here;
        self.transaction.comes_by(here.link);
        redirected
    }

    fn retry_alone(&mut self, change: &TableChanges) -> Result<bool> {
        let mut redirected = false;
        loop {
            (self.placed.held, self.displaced) = (0, None);
            redirected |= self.changes(std::slice::from_ref(change))?;
            if self.placed.held == 0 || !self.bring_displaced(change)? {
                return Ok(redirected);
            }
        }
    }

    /// Every change may have made room for what is held. What still has none stays as it is. Tells what was placed.
    pub(super) fn retry_held(&mut self, which: &dyn Fn(&Held) -> bool) -> Result<Vec<i64>> {
        if is_at_work(Saboteur::NeverRetry) {
            return Ok(Vec::new());
        }
        let before = self.placed;
        let all = self.transaction.held()?;
        let count = all.len() as u64;
        let mut placed = Vec::new();
        for held in all.into_iter().filter(which) {
            let arrival = self.arrival_of(&held);
            let redirected = self.retry(&held.change, arrival)?;
            // Under its new number it is held anew, if it is.
            if redirected || self.placed.held == 0 {
                self.transaction.release(held.id)?;
            } else if let Some(reason) = self.refusal.take().filter(|reason| *reason != held.reason) {
                self.transaction.hold_on(held.id, &reason)?;
            }
            placed.extend((self.placed.held == 0).then_some(held.id));
        }
        placed.extend(self.swap_held(which)?);
        // What this very bundle brought may have been placed after all.
        self.placed.held = before.held.min(count.saturating_sub(placed.len() as u64));
        Ok(placed)
    }
}
