//! The two worlds: the same nodes as the model has them and as the real crates do, each with a relay of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::dice::Dice;
use super::model::Node;
use super::model_link::Bundle;
use super::node::{Parcel, RealNode};
use super::relay::{Arrival, Fate, Relay};
use super::seams::Seams;
use super::tables::{Edit, HUB, NodeNumber, Place, Rows};

/// The peers of a node in a star.
pub fn peers(number: NodeNumber, nodes: usize) -> Vec<NodeNumber> {
    if number == HUB { (1..nodes).collect() } else { vec![HUB] }
}

/// One run of a node: seal for every peer, send, take in.
#[derive(Clone, Debug)]
pub struct Run {
    pub node: NodeNumber,
    /// What becomes of what is sent, by peer.
    pub fates: Vec<Fate>,
    pub arrival: Arrival,
    /// The step in which it happens.
    pub step: u64,
}

/// The nodes of the model.
pub struct ModelWorld {
    pub nodes: Vec<Node>,
    relay: Relay<Bundle>,
    backups: Vec<Option<Node>>,
    dice: Dice,
    /// Parents that a living child brought back, anywhere, even if a backup has forgotten it since.
    pub revived: BTreeSet<i64>,
}

impl ModelWorld {
    /// A hub that holds these rows.
    pub fn new(genesis: &Rows, dice: Dice) -> Self {
        let (nodes, backups) = (vec![Node::new(HUB, genesis)], vec![None]);
        Self { nodes, relay: Relay::new(), backups, dice, revived: BTreeSet::new() }
    }

    /// Adds a remote that starts from a package made now.
    pub fn package(&mut self, now: u64) {
        let remote = self.nodes.len();
        let made = self.nodes[HUB].package(remote, now);
        self.nodes.push(made);
        self.backups.push(None);
    }

    /// An edit.
    pub fn edit(&mut self, node: NodeNumber, place: Place, edit: &Edit, now: u64) {
        self.nodes[node].edit(place, edit, now);
    }

    /// A run.
    pub fn run(&mut self, run: &Run, now: u64) {
        let node = &mut self.nodes[run.node];
        for (peer, fate) in peers(run.node, self.backups.len()).into_iter().zip(&run.fates) {
            if let Some(bundle) = node.seal(peer, self.dice.throw()) {
                self.relay.post(run.node, peer, bundle, *fate, run.step);
            }
        }
        for mut batch in self.relay.fetch(run.node, run.step, run.arrival) {
            batch.sort_by_key(|bundle| (bundle.sender, bundle.epoch, bundle.sequence));
            batch.iter().for_each(|bundle| node.receive(bundle, now));
        }
        self.revived.extend(&node.revived);
    }

    /// Keeps a node's state.
    pub fn back_up(&mut self, node: NodeNumber) {
        self.backups[node] = Some(self.nodes[node].clone());
    }

    /// Puts it back.
    pub fn put_back(&mut self, node: NodeNumber) {
        let backup = self.backups[node].clone().expect("there is a backup");
        self.nodes[node] = backup;
    }
}

/// The nodes made of the real crates.
pub struct RealWorld {
    pub nodes: Vec<RealNode>,
    relay: Relay<Parcel>,
    folder: PathBuf,
    bundle_max: u64,
    /// What each node has sent since it was last put back, by the part of the name that says which bundle it is.
    sent: BTreeMap<(NodeNumber, String), String>,
    /// As in the model.
    pub revived: BTreeSet<i64>,
}

impl RealWorld {
    /// A hub that holds these rows, in an empty folder.
    pub fn new(folder: PathBuf, genesis: &Rows, bundle_max: u64, seams: &Seams) -> Self {
        let nodes = vec![RealNode::hub(folder.join("0"), genesis, seams)];
        Self { nodes, relay: Relay::new(), folder, bundle_max, sent: BTreeMap::new(), revived: BTreeSet::new() }
    }

    /// Adds a remote that starts from a package made now.
    pub fn package(&mut self, seams: &Seams) {
        let remote = self.nodes.len();
        let made = self.nodes[HUB].package(remote, self.folder.join(remote.to_string()), seams);
        self.nodes.push(made);
    }

    /// A run; whether anything was sealed in it.
    pub fn run(&mut self, run: &Run, seams: &Seams) -> bool {
        let peers = peers(run.node, self.nodes.len());
        let node = &mut self.nodes[run.node];
        let sealed = node.seal(self.bundle_max, seams);
        for (peer, fate) in peers.into_iter().zip(&run.fates) {
            let parcels = node.empty_outbox(peer, seams);
            if parcels.is_empty() && !self.relay.holds(run.node, peer) {
                node.quiet_run(peer);
            }
            for parcel in parcels {
                let number = parcel.name.rsplitn(3, '.').last().unwrap_or_default().to_owned();
                let before = self.sent.insert((run.node, number), parcel.name.clone());
                let is_same = before.as_ref().is_none_or(|before| *before == parcel.name);
                assert!(is_same, "{} bears a number that {before:?} has", parcel.name);
                self.relay.post(run.node, peer, parcel, *fate, run.step);
            }
        }
        for batch in self.relay.fetch(run.node, run.step, run.arrival) {
            let received = node.receive(batch, seams);
            if received.applied.iter().any(|(_, placed)| placed.revived > 0) {
                self.revived.extend(node.revived());
            }
        }
        sealed > 0
    }

    /// Whether nothing is under way anywhere.
    pub fn is_calm(&mut self) -> bool {
        self.relay.is_empty() && self.nodes.iter_mut().all(RealNode::is_calm)
    }

    /// Keeps a copy of a node's folder.
    pub fn back_up(&mut self, node: NodeNumber) {
        let to = self.backup(node);
        self.nodes[node].back_up(&to);
    }

    /// Puts it back.
    pub fn put_back(&mut self, node: NodeNumber) {
        let from = self.backup(node);
        self.nodes[node].put_back(&from);
        self.sent.retain(|(sender, _), _| *sender != node);
    }

    fn backup(&self, node: NodeNumber) -> PathBuf {
        self.folder.join(format!("backup-{node}"))
    }
}
