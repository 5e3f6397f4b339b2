//! This node's spool and the checks of bundle files, as the transport asks for them.
//!
//! Owns the judgement on a name and a file: by the digest in the name, and for whoever has the keys by whom the bundle is for.
//! Leaves what is in a bundle to `apply`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use packhorse_shared::bundle::{BundleName, BundleReader, ShortDigest};
use packhorse_shared::calls::Orders;
use packhorse_shared::id::{NodeId, NodeName};
use packhorse_shared::replica::{Replica, StoredLink};
use packhorse_shared::seam::{Disk, WallClock};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;
use packhorse_transport::{FileName, Inspect, LocalSpool, Outgoing, Verdict};
use packhorse_unbundler::intake::{self, Other};

use crate::failure::Failure;
use crate::node::Node;

/// The node's own folders.
pub struct NodeSpool<'a> {
    /// The spool.
    pub spool: &'a Spool<'a>,
    /// Where files are collected.
    pub folder_of_tmp: PathBuf,
    /// The time of day.
    pub clock: &'a dyn WallClock,
}

impl LocalSpool for NodeSpool<'_> {
    fn outbox(&self, peer: &NodeName) -> io::Result<Vec<Outgoing>> {
        let files = self.spool.outbox(peer).map_err(io::Error::other)?;
        let outgoing = files.into_iter().filter_map(|file| {
            let name = file.name.parse().ok()?;
            Some(Outgoing { name, size: file.size, path: file.path })
        });
        Ok(outgoing.collect())
    }

    fn remove_from_outbox(&self, peer: &NodeName, name: &FileName) -> io::Result<()> {
        self.spool.remove_from_outbox(peer, name.as_str()).map_err(io::Error::other)
    }

    fn holds(&self, name: &FileName) -> io::Result<bool> {
        let inbox = self.spool.inbox().map_err(io::Error::other)?;
        Ok(inbox.iter().any(|file| file.name == name.as_str()))
    }

    fn begun(&self) -> io::Result<Vec<FileName>> {
        let files = self.spool.leftovers().map_err(io::Error::other)?;
        Ok(files.into_iter().filter_map(|file| file.name.parse().ok()).collect())
    }

    fn tmp_path(&self, name: &FileName) -> PathBuf {
        self.folder_of_tmp.join(name.as_str())
    }

    fn publish_to_inbox(&self, name: &FileName) -> io::Result<()> {
        self.spool.publish_to_inbox(name.as_str()).map(drop).map_err(io::Error::other)
    }

    fn reject(&self, name: &FileName, reason: &str) -> io::Result<()> {
        let path = self.tmp_path(name);
        self.spool.quarantine(&path, name.as_str(), reason, self.clock.now()).map(drop).map_err(io::Error::other)
    }
}

/// Why a peer sends to another installation under this node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// That one has our place.
    Replaced,
    /// The peer comes from a backup of before it made our package, and may not have heard of us.
    Unheard,
}

/// What takes keys and database to know: for which installation a bundle is.
pub struct Insight {
    /// This installation.
    pub installation: NodeId,
    /// Its keys, and whose signature counts.
    pub trust: Trust,
    /// Its links.
    pub states: Vec<StoredLink>,
}

impl Node {
    /// What is known here.
    pub fn insight(&mut self) -> Result<Insight, Failure> {
        let states = self.replica.links()?;
        Ok(Insight { installation: self.home.identity().node, trust: self.trust.clone(), states })
    }
}

/// Judges bundle files by their names and digests, and those of ours by a call's orders.
pub struct BundleFiles<'a> {
    disk: &'a dyn Disk,
    node: &'a NodeName,
    orders: &'a Orders,
    insight: Option<&'a Insight>,
    most: u64,
    elsewhere: Mutex<BTreeMap<NodeName, Elsewhere>>,
}

impl<'a> BundleFiles<'a> {
    /// By a node's orders. `most`: the size in bytes beyond which no bundle is fetched.
    pub fn new(
        disk: &'a dyn Disk,
        node: &'a NodeName,
        orders: &'a Orders,
        insight: Option<&'a Insight>,
        most: u64,
    ) -> Self {
        Self { disk, node, orders, insight, most, elsewhere: Mutex::default() }
    }

    /// The peers that were found to send to another installation under this node's name.
    pub fn elsewhere(self) -> BTreeMap<NodeName, Elsewhere> {
        self.elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a whole bundle is for this installation. One for another stays on the relay, or we would take it away from
    /// the node that it is for. (What cannot be read here is for `apply` to judge.)
    fn is_for_us(&self, name: &BundleName, path: &Path) -> io::Result<bool> {
        let Some(Insight { installation, trust, states }) = self.insight else { return Ok(true) };
        let Some(link) = states.iter().find(|link| link.peer == name.from) else { return Ok(true) };
        let file = self.disk.open(path)?;
        // What nobody has signed tells nothing of who has taken our place.
        let opened = trust.opening(link, |opening| BundleReader::open(file, trust.limits(), opening));
        let manifest = match opened {
            Ok((manifest, _)) => manifest,
            Err(error) => return Ok(intake::sealed_to(link, name, &error) != Some(Other::Successor)),
        };
        // Older ones were for whoever was here before our package was made, and are cleared away.
        if intake::is_for(manifest.addressee, *installation, link) || link.state.is_for_predecessor(name.epoch) {
            return Ok(true);
        }
        if link.state.package().is_some_and(|package| name.epoch >= package) {
            let is_from_before = manifest.header.is_some_and(|header| header.before_package);
            let why = if is_from_before { Elsewhere::Unheard } else { Elsewhere::Replaced };
            self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).insert(link.peer.clone(), why);
        }
        Ok(false)
    }
}

impl Inspect for BundleFiles<'_> {
    fn is_obsolete(&self, peer: &NodeName, name: &FileName) -> bool {
        let link = self.orders.links.iter().find(|link| link.peer == *peer);
        link.is_some_and(|link| link.is_obsolete(name.as_str()))
    }

    fn is_from_us(&self, peer: &NodeName, name: &FileName) -> bool {
        name.as_str().parse::<BundleName>().is_ok_and(|name| name.from == *self.node && name.to == *peer)
    }

    fn is_ours(&self, peer: &NodeName, name: &FileName) -> bool {
        name.as_str().parse::<BundleName>().is_ok_and(|name| name.from == *peer && name.to == *self.node)
    }

    fn most(&self) -> u64 {
        self.most
    }

    fn inspect(&self, name: &FileName, path: &Path) -> io::Result<Verdict> {
        let Ok(name) = name.as_str().parse::<BundleName>() else { return Ok(Verdict::NotOurs) };
        let digest = ShortDigest::of(io::BufReader::new(self.disk.open(path)?))?;
        if digest != name.digest {
            return Ok(Verdict::Damaged("its content does not have the digest in its name".to_owned()));
        }
        Ok(if self.is_for_us(&name, path)? { Verdict::Whole } else { Verdict::NotOurs })
    }
}
