//! Supersede: one fresh run in place of bundles that nobody fetches (DESIGN section 5).
//!
//! Owns when it is worth it, and the clearing of the outbox. The rule by which bundles may give way, and what of them is
//! remembered, is `shared::link`'s; what lies on a relay is cleared by the next transfer. Invariant: a file leaves the
//! outbox only when all that replaces it lies in it. A kill before that leaves both, which does no harm, and the next run
//! clears the old ones away.

use packhorse_shared::bundle::BundleName;
use packhorse_shared::link::Reach;
use packhorse_shared::replica::{Replica, StoredLink};

use crate::error::BundlerError;
use crate::seal::{Sealer, Share, Urgency, is_due};

impl Sealer<'_> {
    /// Goes back to what was acknowledged if bundles lie unfetched for too long: but only when there is something new
    /// to say, or one run for several, so that an absent peer's mailbox is not written again for nothing. The state is
    /// stored with the first bundle that is sealed after it. Returns the urgency of what is owed now: what was sealed
    /// before does not wait for a threshold again.
    pub(crate) fn supersede(
        &self,
        replica: &mut dyn Replica,
        share: &mut Share,
        urgency: Urgency,
    ) -> Result<Urgency, BundlerError> {
        let now = self.world.clock.now();
        let outbox = self.bundles_in_outbox(&share.link)?;
        let Some(unfetched) = share.link.state.unfetched(&outbox, now, self.supersede_after) else {
            return Ok(urgency);
        };
        if unfetched.runs > 1 || self.has_news(replica, share, urgency)? {
            share.link.state.supersede(&unfetched);
            return Ok(Urgency::Now);
        }
        Ok(urgency)
    }

    fn has_news(&self, replica: &mut dyn Replica, share: &Share, urgency: Urgency) -> Result<bool, BundlerError> {
        let now = self.world.clock.now();
        let selection = self.select(replica, share, now)?.selection;
        Ok(!selection.is_empty() && (selection.reach == Reach::Part || is_due(&selection, urgency, now)))
    }

    /// Takes out of the outbox what has been replaced.
    pub(crate) fn clear_obsolete(&self, link: &StoredLink) -> Result<(), BundlerError> {
        for name in self.bundles_in_outbox(link)?.iter().filter(|name| link.state.is_obsolete(name)) {
            self.spool.remove_from_outbox(&link.peer, &name.to_string())?;
        }
        Ok(())
    }

    fn bundles_in_outbox(&self, link: &StoredLink) -> Result<Vec<BundleName>, BundlerError> {
        Ok(self.spool.outbox(&link.peer)?.iter().filter_map(|file| file.name.parse().ok()).collect())
    }
}
