//! How a bundle stands against what is here when its turn has come.
//!
//! Owns the way from what a link knows and a bundle's header say to the [`Arrival`] by which its changes are weighed. Nothing is
//! decided here, and nothing stored but up to where births may be missing.

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::id::NodeId;
use packhorse_shared::link::Header;
use packhorse_shared::replica::{MergeTransaction, StoredLink};

use crate::error::UnbundlerError;
use crate::merge::{Arrival, Deletions, Past};
use crate::receive::{Pass, Receiver};

/// What our next edits must be later than: all that came, and what we take for exchanged or forgotten by it; the sender's clock
/// itself may be years ahead.
pub(crate) fn observed(header: &Header, changes: &[TableChanges]) -> Reading {
    let exchanged = header.complete_to.max(header.horizon.reading());
    changes.iter().map(TableChanges::latest_reading).fold(exchanged, Ord::max)
}

impl Receiver<'_> {
    /// The link as it is once the bundle is applied, and how its changes stand against what is here. `content`: whether it says
    /// anything.
    pub(crate) fn arrival(
        &self,
        transaction: &mut dyn MergeTransaction,
        link: &StoredLink,
        header: &Header,
        (content, pass): (bool, &Pass<'_>),
        now: WallTime,
    ) -> Result<(StoredLink, Arrival), UnbundlerError> {
        let seen = link.state.seen_by(header);
        let mut accepted = link.clone();
        accepted.state.accept(header, content, now);
        accepted.state.break_silence(link.state.last_accepted(), (seen, transaction.cut()), now);
        let (horizon, births) = (transaction.horizon()?, transaction.births(header.horizon)?);
        let (cut, via, hub) = (transaction.cut(), link.id, pass.hub);
        let recovers = link.state.recovers() || accepted.state.recovers();
        let past = past(hub == Some(via) && header.before_package, recovers);
        let tells_again = link.state.awaits_answer() || accepted.state.awaits_answer() || past != Past::Known;
        let arrival = Arrival {
            link: via,
            via,
            cut,
            seen,
            may_have_seen: link.state.may_have_seen_by(header),
            heard: seen,
            awaits_answer: accepted.state.awaits_answer(),
            tells_again,
            knew_genesis: true,
            sender: link.node.unwrap_or(NodeId(0)),
            hub,
            past,
            horizon,
            births,
            left_out: header.horizon,
            dropped: header.horizon,
            had: link.state.complete_to(),
            known_to: accepted.state.answered_to(),
            returned: link.state.returned_to(),
            told: pass.told,
            owed: if hub == Some(via) { accepted.state.extent() } else { pass.owed },
            silence: accepted.state.silence(),
            deletions: Deletions::Count,
        };
        Ok((accepted, arrival))
    }
}

/// What the ends know of what was before.
fn past(is_lost_there: bool, recovers: bool) -> Past {
    match (is_lost_there, recovers) {
        (true, _) => Past::LostThere,
        (false, true) => Past::Lost,
        (false, false) => Past::Known,
    }
}
