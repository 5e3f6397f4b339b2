//! `packhorse sync`: everything, now: a person's command.
//!
//! Seal, move, apply; then seal and move once more, so that what was applied is acknowledged by the same call.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use packhorse_bundler::seal::Urgency;
use packhorse_shared::config::Span;
use packhorse_shared::replica::Replica;

use super::{apply, bundle, transfer};
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::relay;
use crate::report::{note, result};
use crate::unlinked;

const EXAMPLES: &str = "\
Examples:
  packhorse sync             seal, send, get and merge everything, now
  packhorse sync --for 60s   as much of it as a minute on line allows";

/// Seal, send, get and merge everything, now
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Sync {
    /// Spend at most this time on line
    #[arg(long = "for", value_name = "TIME")]
    budget: Option<Span>,
}

impl Sync {
    /// Runs the command.
    pub fn run(self, home: Option<&Path>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(home, "sync")?;
        transfer::require_relay(&node)?;
        if node.replica.links()?.is_empty() {
            note("there are no links yet: make a remote's package with `packhorse remote pack`");
            return unlinked::tell(&mut node);
        }
        let started = Instant::now();
        let left = |span: Span| span.as_duration().saturating_sub(started.elapsed());
        // A failure here is told at the end: what others sent can be fetched and applied all the same.
        let sealed = bundle::seal(&mut node, Urgency::Now, &[]);
        let transfer = relay::transfer(&mut node, self.budget.map(left))?;
        let moved = relay::conclude(&mut node, &transfer);
        let applied = apply::receive(&mut node)?;
        let mut exit = moved.worse(applied);
        sealed?;
        if matches!(moved, Exit::Done | Exit::Attention) {
            bundle::seal(&mut node, Urgency::Now, &[])?;
            if has_more_to_send(&node)? {
                let again = relay::transfer(&mut node, self.budget.map(left))?;
                exit = exit.worse(relay::conclude(&mut node, &again));
            }
        }
        exit = exit.worse(relay::tell_refused(&mut node)?).worse(unlinked::tell(&mut node)?);
        conclude(exit);
        Ok(exit)
    }
}

/// Whether what was applied (by this run, of what this or an earlier one fetched) is to be answered.
fn has_more_to_send(node: &Node) -> Result<bool, Failure> {
    let spool = node.spool();
    for peer in spool.peers()? {
        if !spool.outbox(&peer)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn conclude(exit: Exit) {
    match exit {
        Exit::Done => result("All sent and received. You can hang up now."),
        Exit::Attention => {
            result("All sent and received. You can hang up now.");
            note("something needs a person: see `packhorse status`");
        }
        Exit::Resting => {
            result("All sent and received. You can hang up now.");
            note("something waits for the application to be quiet; the first sync after that does it by itself");
        }
        Exit::OutOfTime => transfer::tell_if_out_of_time(exit),
        Exit::Unreachable => note("no relay could be reached: what is sealed waits in the outbox"),
        Exit::Failed | Exit::Usage => {}
    }
}
