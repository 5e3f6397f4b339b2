//! `packhorse bundle`: harvest, select and seal what is due.

use std::path::Path;

use clap::Args;
use packhorse_bundler::seal::{Sealed, Sealer, Urgency, beyond};
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::Replica;

use crate::failure::{Exit, Failure};
use crate::node::{Node, WORLD};
use crate::report::note;
use crate::wording::{bytes, count};

const EXAMPLES: &str = "\
Examples:
  packhorse bundle               seal what has reached a threshold ([bundle] in packhorse.toml)
  packhorse bundle --now alice   seal everything that waits for alice";

/// Harvest changes and seal those that are due into bundles
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Bundle {
    /// Seal everything, whatever the thresholds say
    #[arg(long)]
    now: bool,

    /// Only for these nodes
    #[arg(value_name = "NODE")]
    nodes: Vec<NodeName>,
}

impl Bundle {
    /// Runs the command.
    pub fn run(self, home: Option<&Path>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(home, "bundle")?;
        let urgency = if self.now { Urgency::Now } else { thresholds(&node) };
        seal(&mut node, urgency, &self.nodes)
    }
}

fn thresholds(node: &Node) -> Urgency {
    let bundle = &node.config.bundle;
    Urgency::Thresholds { seal_at: bundle.seal_at.get(), seal_after: bundle.seal_after.as_millis() }
}

/// Seals for the links to these peers, or for all, and tells what was sealed.
pub fn seal(node: &mut Node, urgency: Urgency, peers: &[NodeName]) -> Result<Exit, Failure> {
    let mut shares = node.shares()?;
    if let Some(unknown) = peers.iter().find(|peer| !shares.iter().any(|share| share.link.peer == **peer)) {
        return Err(Failure::usage(format!("there is no link to \"{unknown}\""))
            .hint("`packhorse status` lists the links; a remote has one once its package is made"));
    }
    let harvested = node.replica.harvest(WORLD.clock.now())?;
    if harvested.without_key > 0 {
        let changes = count(harvested.without_key, "change was", "changes were");
        note(&format!("{changes} made to records whose key holds a NULL: they cannot be synced"));
    }
    let (spool, name) = (node.spool(), node.name().clone());
    let beyond = beyond(&mut node.replica)?;
    let config = &node.config.bundle;
    let (bundle_max, supersede_after) = (config.bundle_max.get(), config.supersede_after.as_millis());
    let sealer = Sealer { world: WORLD, spool: &spool, node: &name, bundle_max, beyond, supersede_after };
    sealer.finish_interrupted(&node.replica.links()?)?;
    let mut done = Ok(Exit::Done);
    for share in shares.iter_mut().filter(|share| peers.is_empty() || peers.contains(&share.link.peer)) {
        match sealer.seal(&mut node.replica, share, urgency) {
            Ok(sealed) => sealed.iter().for_each(|sealed| tell(&share.link.peer, sealed)),
            // What cannot be sealed for one link must not keep the others waiting.
            Err(error) => done = done.and(Err(Failure::from(error).about(share.link.peer.as_str()))),
        }
    }
    // What failed stays to be told alone; the next run finds what was sealed.
    if done.is_ok() {
        node.keep_books(None, |_, _| {});
    }
    done
}

fn tell(peer: &NodeName, sealed: &Sealed) {
    match sealed {
        Sealed::Nothing => {}
        Sealed::Waiting { records, bytes: size } => {
            note(&format!("{peer}: {} wait ({})", count(*records, "changed record", "changed records"), bytes(*size)));
        }
        Sealed::Bundle { bytes: size, records, fields, .. } => note(&format!(
            "{peer}: sealed {}, {} ({})",
            count(*records, "record", "records"),
            count(*fields, "field", "fields"),
            bytes(*size)
        )),
    }
}
