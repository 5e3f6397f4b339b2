//! What a transfer's look at a link's mailboxes tells the link: which of its bundles lie there or are on their way.
//!
//! The sender remembers what nobody has fetched, for superseding; the receiver says that it holds a part of a bundle, so
//! that the bundle is not taken away meanwhile.

use packhorse_shared::bundle::BundleName;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::StoredLink;
use packhorse_shared::spool::SpoolFile;
use packhorse_transport::{FileName, LinkReport};

use crate::failure::Failure;
use crate::node::Node;

/// Tells a link's state what a transfer saw of the bundles on their way, in both directions.
pub fn take_account(node: &Node, link: &mut StoredLink, told: &LinkReport) -> Result<(), Failure> {
    let now = node.world.clock.now();
    if let Some(lying) = &told.lying {
        let ours = |name: &FileName| bundle(name.as_str(), node.name(), &link.peer);
        let lying: Vec<BundleName> = lying.iter().filter_map(ours).collect();
        let broken_off: Vec<(BundleName, u64)> =
            told.broken_off.iter().filter_map(|(name, size)| Some((ours(name)?, *size))).collect();
        link.state.looked(&lying, &broken_off, now);
    }
    let parts = parts(node, link)?;
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
