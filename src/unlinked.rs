//! Remotes that have a name in the configuration and no link in the database: not packed yet, or in a past that the
//! database, which comes from a backup, does not know of.
//!
//! Owns telling the one from the other, by what lies on the relay. Nothing of it is fetched: whoever sent it may have
//! been removed, and the name given again.

use packhorse_shared::bundle::BundleName;
use packhorse_shared::calls::Orders;
use packhorse_shared::id::NodeName;
use packhorse_transport::{Dial, Listing, Location, Mailbox, TransportError, Way};

use crate::courier::Courier;
use crate::failure::{Exit, Failure};
use crate::relay::keys::Keys;
use crate::relay::{by_hand, relays};
use crate::report::note;
use crate::wording::count;

/// Such remotes, and where they would have sent something.
pub struct Unlinked {
    node: NodeName,
    remotes: Vec<NodeName>,
    relays: Vec<Location>,
    dial: &'static dyn Dial,
    keys: Keys,
    /// Whether there are links: their transfer has told of a relay that cannot be reached.
    has_links: bool,
}

impl Unlinked {
    /// Those of a node.
    pub fn of(courier: &Courier, orders: &Orders) -> Result<Self, Failure> {
        let config = &courier.config;
        let is_linked = |name: &NodeName| orders.links.iter().any(|link| link.peer == *name);
        let remotes = config.remotes.keys().filter(|name| !is_linked(name)).cloned().collect();
        let relays = relays(&config.node.relay)?;
        let keys = Keys::new(&config.access, courier.home.folder());
        let (node, dial, has_links) = (courier.name().clone(), courier.machine.dial, !orders.links.is_empty());
        Ok(Self { node, remotes, relays, dial, keys, has_links })
    }

    /// Tells of those that have sent bundles, and how the command ends by it.
    pub fn tell(&self) -> Exit {
        let mut exit = Exit::Done;
        for remote in &self.remotes {
            let (counts, errors): (Vec<_>, Vec<_>) =
                self.relays.iter().map(|relay| self.sent(relay, remote)).partition(std::result::Result::is_ok);
            let untold = errors.into_iter().filter_map(Result::err).filter(|_| !self.has_links);
            untold.for_each(|error| note(&format!("{remote}: {error}")));
            let bundles: u64 = counts.into_iter().flatten().sum();
            if bundles > 0 {
                note(&words(remote, bundles));
                exit = Exit::Attention;
            }
        }
        exit
    }

    /// How many bundles for this node a remote has put on a relay.
    fn sent(&self, relay: &Location, remote: &NodeName) -> Result<u64, TransportError> {
        let Listing { files, .. } =
            self.dial.dial(relay, &by_hand(&self.keys))?.list(&Mailbox::at_hub(remote, Way::Up))?;
        let names = files.iter().filter_map(|file| file.name.as_str().parse::<BundleName>().ok());
        Ok(names.filter(|name| name.from == *remote && name.to == self.node).count() as u64)
    }
}

fn words(remote: &NodeName, bundles: u64) -> String {
    format!(
        "{remote}: {} of its on the relay left there, since this database knows of no package for it: the database comes \
         from a backup of the time before there was one, or {remote} was removed and added again; run `packhorse remote \
         pack {remote}` and restore the new package there (what was changed there since stays in the database there)",
        count(bundles, "bundle", "bundles")
    )
}
