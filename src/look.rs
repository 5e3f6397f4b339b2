//! What a transfer's look at a link's mailboxes tells the link: which of its bundles lie there or are on their way.
//!
//! The sender remembers what nobody has fetched, for superseding; the receiver says that it holds a part of a bundle, so
//! that the bundle is not taken away meanwhile, and lets go of a part whose bundle has been.

use packhorse_shared::bundle::BundleName;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::StoredLink;
use packhorse_shared::spool::SpoolFile;
use packhorse_transport::{FileName, Inspect, LinkReport, Outcome, Verdict};

use crate::failure::Failure;
use crate::node::{Node, WORLD};
use crate::relay::BundleFiles;

/// Tells a link's state what a transfer saw of the bundles on their way, in both directions.
pub fn take_account(node: &Node, link: &mut StoredLink, told: &LinkReport) -> Result<(), Failure> {
    let now = WORLD.clock.now();
    if let Some(lying) = &told.lying {
        let ours = |name: &FileName| bundle(name.as_str(), node.name(), &link.peer);
        let lying: Vec<BundleName> = lying.iter().filter_map(ours).collect();
        let broken_off: Vec<(BundleName, u64)> =
            told.broken_off.iter().filter_map(|(name, size)| Some((ours(name)?, *size))).collect();
        link.state.looked(&lying, &broken_off, now);
    }
    let parts = parts(node, link)?;
    if told.outcome() == Outcome::Done && told.lying.is_some() {
        return let_go(node, &parts);
    }
    if parts.iter().any(|part| part.size > 0) {
        link.state.holds_part(now);
    }
    Ok(())
}

fn bundle(name: &str, from: &NodeName, to: &NodeName) -> Option<BundleName> {
    name.parse().ok().filter(|name: &BundleName| name.from == *from && name.to == *to)
}

/// What of the peer's bundles has come only in part.
fn parts(node: &Node, link: &StoredLink) -> Result<Vec<SpoolFile>, Failure> {
    let mut leftovers = node.spool().leftovers()?;
    leftovers.retain(|file| bundle(&file.name, &link.peer, node.name()).is_some());
    Ok(leftovers)
}

/// After a transfer that fetched all that there is, nothing will complete a part: its bundle is no longer there. One
/// that was cut short on its way into the inbox may be whole.
fn let_go(node: &Node, parts: &[SpoolFile]) -> Result<(), Failure> {
    let (spool, files) = (node.spool(), BundleFiles::new(node, &[]));
    for part in parts {
        let whole = part
            .name
            .parse()
            .is_ok_and(|name| files.inspect(&name, &part.path).is_ok_and(|verdict| verdict == Verdict::Whole));
        if whole {
            spool.publish_to_inbox(&part.name)?;
        } else {
            spool.fresh_tmp(&part.name)?;
        }
    }
    Ok(())
}
