//! Remotes that have a name in the configuration and no link in the database: not packed yet, or in a past that the
//! database, which comes from a backup, does not know of.
//!
//! Owns telling the one from the other, by what lies on the relay. Nothing of it is fetched: whoever sent it may have
//! been removed, and the name given again.

use packhorse_shared::bundle::BundleName;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::Replica;
use packhorse_transport::{Dial, Listing, Location, Mailbox, TransportError, Way};

use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::relay::{DIAL, relays};
use crate::report::note;
use crate::wording::count;

/// Tells of such remotes that have sent bundles, and how the command ends by it.
pub fn tell(node: &mut Node) -> Result<Exit, Failure> {
    let linked: Vec<NodeName> = node.replica.links()?.into_iter().map(|link| link.peer).collect();
    let unlinked: Vec<&NodeName> = node.config.remotes.keys().filter(|name| !linked.contains(name)).collect();
    if unlinked.is_empty() {
        return Ok(Exit::Done);
    }
    let relays = relays(&node.config.node.relay)?;
    let mut exit = Exit::Done;
    for remote in unlinked {
        let (counts, errors): (Vec<_>, Vec<_>) =
            relays.iter().map(|relay| sent(relay, remote, node.name())).partition(std::result::Result::is_ok);
        // Where there are links, their transfer has told of a relay that cannot be reached.
        let untold = errors.into_iter().filter_map(Result::err).filter(|_| linked.is_empty());
        untold.for_each(|error| note(&format!("{remote}: {error}")));
        let bundles: u64 = counts.into_iter().flatten().sum();
        if bundles > 0 {
            note(&words(remote, bundles));
            exit = Exit::Attention;
        }
    }
    Ok(exit)
}

fn words(remote: &NodeName, bundles: u64) -> String {
    format!(
        "{remote}: {} of its on the relay left there, since this database knows of no package for it: the database comes \
         from a backup of the time before there was one, or {remote} was removed and added again; run `packhorse remote \
         pack {remote}` and restore the new package there (what was changed there since stays in the database there)",
        count(bundles, "bundle", "bundles")
    )
}

/// How many bundles for this node a remote has put on a relay.
fn sent(relay: &Location, remote: &NodeName, node: &NodeName) -> Result<u64, TransportError> {
    let Listing { files, .. } = DIAL.dial(relay)?.list(&Mailbox::at_hub(remote, Way::Up))?;
    let names = files.iter().filter_map(|file| file.name.as_str().parse::<BundleName>().ok());
    Ok(names.filter(|name| name.from == *remote && name.to == *node).count() as u64)
}
