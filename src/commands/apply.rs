//! `packhorse apply`: open the bundles of the inbox and merge them.

use std::path::Path;

use clap::Args;
use packhorse_unbundler::forget::forget;
use packhorse_unbundler::place::Placed;
use packhorse_unbundler::receive::{Received, Receiver};

use crate::bookkeeping;
use crate::failure::{Exit, Failure};
use crate::node::{Node, WORLD};
use crate::report::note;
use crate::wording::{count, shown};

const EXAMPLES: &str = "\
Examples:
  packhorse transfer && packhorse apply   get what lies on the relay, then merge it";

/// Open the bundles that have arrived and merge them into the database
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Apply {}

impl Apply {
    /// Runs the command.
    pub fn run(self, home: Option<&Path>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(home, "apply")?;
        receive(&mut node)
    }
}

/// Applies what is in the inbox and tells what came of it.
pub fn receive(node: &mut Node) -> Result<Exit, Failure> {
    let (spool, name) = (node.spool(), node.name().clone());
    let before = node.stock()?;
    let mut received = Received::default();
    let renumber_quiet = node.config.merge.renumber_quiet;
    let receiver = Receiver { world: WORLD, spool: &spool, node: &name, renumber_quiet };
    let outcome = receiver.receive(&mut node.replica, &mut received);
    let exit = tell(&received);
    node.keep_books(Some(&before), |books, now| bookkeeping::received(books, &received, now));
    outcome?;
    let expire_after = node.config.merge.expire_after;
    let forgotten = forget(&mut node.replica, WORLD.clock.now(), expire_after.as_millis())?;
    for peer in &forgotten.expired {
        note(&format!(
            "{peer} was silent for more than {expire_after}: nothing is kept for it any longer; if it comes back, everything is exchanged"
        ));
    }
    Ok(exit)
}

fn tell(received: &Received) -> Exit {
    for (name, placed) in &received.applied {
        tell_placed(name, placed);
    }
    for (name, why) in &received.quarantined {
        note(&format!("{name} went into quarantine: {why}"));
    }
    for (name, why) in &received.left_alone {
        note(&format!("{} was left in the inbox: {why}", name));
    }
    for (hub, table) in &received.lacking {
        note(&format!(
            "{hub} shares table {}, which this database does not have: run the migration that makes it here too; until \
             then its records are held",
            shown(table)
        ));
    }
    if received.rested.placed > 0 {
        let changes = count(received.rested.placed, "change that was held is", "changes that were held are");
        note(&format!("the application has been quiet: {changes} placed now"));
    }
    let needs_a_person = |placed: &Placed| {
        let by_themselves = placed.waiting + placed.leaving + placed.resting;
        placed.held + placed.conflicts + placed.refused > by_themselves
    };
    let attention = received.rested.conflicts > 0 || received.applied.iter().any(|(_, placed)| needs_a_person(placed));
    let set_aside = !received.quarantined.is_empty() || !received.left_alone.is_empty();
    let is_resting = received.applied.iter().any(|(_, placed)| placed.resting > 0);
    match (attention || set_aside, is_resting) {
        (true, _) => Exit::Attention,
        (false, true) => Exit::Resting,
        (false, false) => Exit::Done,
    }
}

fn tell_placed(name: &str, placed: &Placed) {
    let from = name.split('.').next().unwrap_or(name);
    if placed.records > 0 {
        note(&format!("{from}: applied {}", count(placed.records, "changed record", "changed records")));
    }
    if placed.withdrawn > 0 {
        let withdrawn = count(placed.withdrawn, "record is", "records are");
        note(&format!(
            "{from}: {withdrawn} not shared any more, and {} taken off",
            if placed.withdrawn == 1 { "was" } else { "were" }
        ));
    }
    if placed.refused > 0 {
        let refused = count(placed.refused, "change was", "changes were");
        note(&format!(
            "{from}: {refused} refused, because {from} does not share what they change (`packhorse notices list`)"
        ));
    }
    if placed.leaving > 0 {
        let leaving = count(placed.leaving, "record goes", "records go");
        note(&format!(
            "{from}: {leaving} too as soon as what was added to {} here is at {from}",
            if placed.leaving == 1 { "it" } else { "them" }
        ));
    }
    let held = placed.held - placed.waiting - placed.leaving;
    if held > 0 {
        note(&format!(
            "{from}: {} held, because they cannot be placed now (`packhorse held list` tells why)",
            count(held, "change is", "changes are")
        ));
    }
    if placed.waiting > 0 {
        let (waiting, wait) =
            (count(placed.waiting, "record", "records"), if placed.waiting == 1 { "is" } else { "are" });
        note(&format!(
            "{from}: {waiting} that {wait} the same as one made here will be one with it when {from} has seen it"
        ));
    }
    if placed.conflicts > 0 {
        note(&format!(
            "{from}: {} changed at both ends; the later value stands",
            count(placed.conflicts, "field was", "fields were")
        ));
    }
    if placed.revived > 0 {
        let kept = count(placed.revived, "record was", "records were");
        note(&format!("{from}: {kept} deleted there but kept, because others refer to them"));
    }
    if placed.kept > 0 {
        let kept = count(placed.kept, "record was", "records were");
        note(&format!("{from}: {kept} deleted there but kept, because nobody knows any more what has changed since"));
    }
}
