//! `packhorse apply`: open the bundles of the inbox and merge them.

mod told;

use clap::Args;
use packhorse_shared::seam::Stop;
use packhorse_unbundler::brake::Brake;
use packhorse_unbundler::forget::forget;
use packhorse_unbundler::receive::{Patience, Received, Receiver};
use packhorse_unbundler::slices::Slices;

use crate::bookkeeping;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::hooks::{self, Hook};
use crate::node::Node;

const EXAMPLES: &str = "\
Examples:
  packhorse transfer && packhorse apply   get what lies on the relay, then merge it";

/// Open the bundles that have arrived and merge them into the database
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Apply {}

impl Apply {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, lock) = Node::lock(context, "apply")?;
        let mut applied = Applied::default();
        let outcome = receive(&mut node, Patience::Counts, &Stop::default(), &mut applied);
        let place = node.home.clone();
        drop((node, lock));
        let after = hooks::run(Hook::AfterApply(applied.records), &place)?;
        outcome?;
        Ok(applied.exit.worse(after))
    }
}

/// What applying came to.
#[derive(Clone, Copy, Debug)]
pub struct Applied {
    /// How a command ends by it.
    pub exit: Exit,
    /// How many bundles were applied.
    pub bundles: u64,
    /// How many records changed by them, or by what had been held.
    pub records: u64,
}

impl Default for Applied {
    fn default() -> Self {
        Self { exit: Exit::Done, bundles: 0, records: 0 }
    }
}

/// Applies what is in the inbox and tells what came of it. `applied`: what it came to, also up to where an error ended it.
pub fn receive(node: &mut Node, patience: Patience, stop: &Stop, applied: &mut Applied) -> Result<(), Failure> {
    let (spool, name) = (node.spool(), node.name().clone());
    let before = node.stock()?;
    let mut received = Received::default();
    let renumber_quiet = node.config.merge.renumber_quiet;
    let (world, trust) = (node.world, &node.trust);
    let brake = if node.config.merge.brake { Brake::On } else { Brake::Off };
    let slices = Slices::of(node.config.merge.apply_pause);
    let receiver = Receiver { world, spool: &spool, node: &name, trust, renumber_quiet, brake, slices, patience, stop };
    let outcome = receiver.receive(&mut node.replica, &mut received);
    let exit = told::tell(&received);
    let placed = received.applied.iter().map(|(_, placed)| placed.records + placed.withdrawn).sum::<u64>();
    let (bundles, records) = (received.applied.len() as u64, placed + received.rested.placed);
    *applied = Applied { exit, bundles, records };
    node.keep_books(Some(&before), |books, now| bookkeeping::received(books, &received, now));
    outcome?;
    let expire_after = node.config.merge.expire_after;
    let forgotten = forget(&mut node.replica, node.world.clock.now(), expire_after.as_millis())?;
    for peer in &forgotten.expired {
        let words = format!(
            "{peer} was silent for more than {expire_after}: nothing is kept for it any longer; if it comes back, everything is exchanged"
        );
        told::event(words).warning().node(peer).tell();
    }
    node.give_orders()
}
