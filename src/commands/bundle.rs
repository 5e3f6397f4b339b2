//! `packhorse bundle`: harvest, select and seal what is due.

use clap::Args;
use packhorse_bundler::seal::{Sealed, Sealer, Urgency, beyond};
use packhorse_shared::clock::WallTime;
use packhorse_shared::config::Part;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::Stop;
use packhorse_unbundler::receive::Patience;

use super::apply::{self, Applied};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::journal::Event;
use crate::node::Node;
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
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "bundle")?;
        let urgency = if self.now { Urgency::Now } else { thresholds(&node) };
        seal(&mut node, urgency, &self.nodes, &mut Done::default())?;
        Ok(Exit::Done)
    }
}

fn thresholds(node: &Node) -> Urgency {
    let bundle = &node.config.bundle;
    Urgency::Thresholds { seal_at: bundle.seal_at.get(), seal_after: bundle.seal_after.as_millis() }
}

/// What sealing came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// How many bundles were sealed.
    pub bundles: u64,
    /// The oldest change that waits for a threshold.
    pub oldest: Option<WallTime>,
}

/// Seals for the links to these peers, or for all, and tells what was sealed. `done`: what it came to, also for the links
/// beside one that failed.
pub fn seal(node: &mut Node, urgency: Urgency, peers: &[NodeName], done: &mut Done) -> Result<(), Failure> {
    finish_slices(node)?;
    let mut shares = node.shares()?;
    if let Some(unknown) = peers.iter().find(|peer| !shares.iter().any(|share| share.link.peer == **peer)) {
        return Err(Failure::usage(format!("there is no link to \"{unknown}\""))
            .hint("`packhorse status` lists the links; a remote has one once its package is made"));
    }
    harvest(node)?;
    let (spool, name) = (node.spool(), node.name().clone());
    let beyond = beyond(&mut node.replica)?;
    let config = &node.config.bundle;
    let (bundle_max, supersede_after) = (config.bundle_max.get(), config.supersede_after.as_millis());
    let (world, trust) = (node.world, &node.trust);
    let sealer = Sealer { world, spool: &spool, node: &name, trust, bundle_max, beyond, supersede_after };
    sealer.finish_interrupted(&node.replica.links()?)?;
    let mut failed = Ok(());
    for share in shares.iter_mut().filter(|share| peers.is_empty() || peers.contains(&share.link.peer)) {
        match sealer.seal(&mut node.replica, share, urgency) {
            Ok(sealed) => sealed.iter().for_each(|sealed| done.take_in(&share.link.peer, sealed)),
            // What cannot be sealed for one link must not keep the others waiting.
            Err(error) => failed = failed.and(Err(Failure::from(error).about(share.link.peer.as_str()))),
        }
    }
    // Whoever makes the calls hears of what was sealed for the others.
    node.give_orders()?;
    // What failed stays to be told alone; the next run finds what was sealed.
    failed?;
    node.keep_books(None, |_, _| {});
    Ok(())
}

/// A bundle that a kill has left applied in part is applied to its end first: what is sealed says how far its sender was heard,
/// and could not tell that the application has seen a part of more.
fn finish_slices(node: &mut Node) -> Result<(), Failure> {
    let (begun, inbox) = (node.replica.sliced_bundles()?, node.spool().inbox()?);
    if !inbox.iter().any(|file| begun.contains(&file.name)) {
        return Ok(());
    }
    apply::receive(node, Patience::Spares, &Stop::default(), &mut Applied::default())
}

fn harvest(node: &mut Node) -> Result<(), Failure> {
    let harvested = node.replica.harvest(node.world.clock.now())?;
    if harvested.without_key > 0 {
        let changes = count(harvested.without_key, "change was", "changes were");
        let words = format!("{changes} made to records whose key holds a NULL: they cannot be synced");
        Event::new(Part::Bundle, words).warning().records(harvested.without_key).tell();
    }
    Ok(())
}

impl Done {
    fn take_in(&mut self, peer: &NodeName, sealed: &Sealed) {
        tell(peer, sealed);
        match sealed {
            Sealed::Nothing => {}
            Sealed::Waiting { oldest, .. } => self.oldest = [self.oldest, *oldest].into_iter().flatten().min(),
            Sealed::Bundle { .. } => self.bundles += 1,
        }
    }
}

fn tell(peer: &NodeName, sealed: &Sealed) {
    let event = |words: String| Event::new(Part::Bundle, format!("{peer}: {words}")).node(peer);
    match sealed {
        Sealed::Nothing => {}
        Sealed::Waiting { records, bytes: size, .. } => {
            let words = format!("{} wait ({})", count(*records, "changed record", "changed records"), bytes(*size));
            event(words).detail().records(*records).bytes(*size).tell();
        }
        Sealed::Bundle { name, bytes: size, records, fields } => {
            let (of_records, of_fields) = (count(*records, "record", "records"), count(*fields, "field", "fields"));
            let content =
                if *records == 0 { "a word without changes".to_owned() } else { format!("{of_records}, {of_fields}") };
            let words = format!("sealed {content} ({})", bytes(*size));
            event(words).bundle(name).records(*records).bytes(*size).tell();
        }
    }
}
