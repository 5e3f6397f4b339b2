//! Forget: dropping what is remembered of changes that everybody has, after bundles were applied (DESIGN section 5).
//!
//! Peers that were silent for longer than `expire_after` are no longer waited for; that is noted with their links before
//! anything is dropped. Leaves what may go to [`packhorse_shared::link`], and the dropping to the replica.

use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Forgettable;
use packhorse_shared::replica::Replica;

use crate::error::UnbundlerError;

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Of how many records the stamps or the tombstone went.
    pub records: u64,
    /// The peers that are not waited for any longer, since now.
    pub expired: Vec<NodeName>,
}

/// Forgets what may be forgotten. `expire_after`: milliseconds.
pub fn forget(replica: &mut dyn Replica, now: WallTime, expire_after: u64) -> Result<Forgotten, UnbundlerError> {
    let mut links = replica.links()?;
    let mut expired = Vec::new();
    for link in &mut links {
        if link.state.expire(now, expire_after) {
            replica.save_link(link)?;
            expired.push(link.peer.clone());
        }
    }
    let what = Forgettable::of(links.iter().map(|link| &link.state), replica.earliest_held()?);
    Ok(Forgotten { records: replica.forget(what)?, expired })
}
