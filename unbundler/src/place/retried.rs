//! Trying what is held once more, when something has been placed that it may have waited for.
//!
//! Invariant: what still has no room stays as it was held, with its present reason. Leaves to the whole of `place` how each
//! change is placed, and when it is tried.

use packhorse_shared::change::TableChanges;
use packhorse_shared::replica::{Held, Result};
use packhorse_shared::seam::{Saboteur, is_at_work};

use super::Placer;
use crate::merge::Arrival;

impl Placer<'_> {
    /// Tries a held change once more; tells whether it spoke of a number that is out of date.
    fn retry(&mut self, change: &TableChanges, arrival: Arrival) -> Result<bool> {
        let here = std::mem::replace(&mut self.arrival, arrival);
        let redirected = self.retry_alone(change);
        self.arrival = here;
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
