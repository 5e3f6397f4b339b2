//! `packhorse sync`: everything, now: a person's command.
//!
//! Seal, move, apply; then seal and move once more, so that what was applied is acknowledged by the same call.

use std::time::{Duration, Instant};

use clap::Args;
use packhorse_bundler::seal::Urgency;
use packhorse_shared::calls::Orders;
use packhorse_shared::config::Span;
use packhorse_shared::home::Home;
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::Stop;
use packhorse_unbundler::receive::Patience;

use super::apply::{self, Applied};
use super::bundle::{self, Done};
use super::transfer;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::hooks::{self, Hook};
use crate::locate;
use crate::node::Node;
use crate::relay::{self, told};
use crate::report::{note, result};
use crate::unlinked::Unlinked;

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
    /// Runs the command. Hooks run while the home is not held, so that they can use it.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let place = Home::open(&locate::home(context.home)?)?;
        let before = hooks::run(Hook::BeforeSync, &place)?;
        let mut records = 0;
        let exit = self.round(context, &mut records);
        let after = hooks::run(Hook::AfterApply(records), &place)?;
        Ok(exit?.worse(before).worse(after))
    }

    /// Everything but the hooks. `records`: how many changed here, also up to where an error ended it.
    fn round(&self, context: Context<'_>, records: &mut u64) -> Result<Exit, Failure> {
        let (mut node, _locks) = Node::lock_to_transfer(context, "sync")?;
        transfer::require_relay(&node.courier())?;
        if node.replica.links()?.is_empty() {
            note("there are no links yet: make a remote's package with `packhorse remote pack`");
            return Ok(Unlinked::of(&node.courier(), &Orders::default())?.tell());
        }
        let started = Instant::now();
        let left = |span: Span| span.as_duration().saturating_sub(started.elapsed());
        // A failure here is told at the end: what others sent can be fetched and applied all the same.
        let sealed = bundle::seal(&mut node, Urgency::Now, &[], &mut Done::default());
        let moved = told::tell(&relay::transfer(&mut node, self.budget.map(left))?);
        let mut applied = Applied::default();
        let received = apply::receive(&mut node, Patience::Counts, &Stop::default(), &mut applied);
        *records = applied.records;
        let mut exit = moved.worse(applied.exit);
        let answered = match moved {
            Exit::Done | Exit::Attention => answer(&mut node, self.budget.map(left)),
            _ => Ok(Exit::Done),
        };
        exit = exit.worse(*answered.as_ref().unwrap_or(&Exit::Failed));
        Failure::all([sealed, received, answered.map(drop)])?;
        let orders = node.orders()?;
        exit = exit.worse(told::tell_refused(node.name(), &orders));
        exit = exit.worse(Unlinked::of(&node.courier(), &orders)?.tell());
        conclude(exit, node.config.node.accept);
        Ok(exit)
    }
}

/// Acknowledges what was applied, by the same call.
fn answer(node: &mut Node, budget: Option<Duration>) -> Result<Exit, Failure> {
    bundle::seal(node, Urgency::Now, &[], &mut Done::default())?;
    if has_more_to_send(node)? { Ok(told::tell(&relay::transfer(node, budget)?)) } else { Ok(Exit::Done) }
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

fn conclude(exit: Exit, accept: bool) {
    match exit {
        Exit::Done | Exit::Attention | Exit::Resting if accept => {
            result("All sent and received. You can hang up now.");
        }
        Exit::Done | Exit::Attention | Exit::Resting => {
            result("All sent. You can hang up now. What comes is left on the relay until `packhorse accept on`.");
        }
        Exit::OutOfTime => transfer::tell_if_out_of_time(exit),
        Exit::Unreachable => note("no relay could be reached: what is sealed waits in the outbox"),
        Exit::Failed | Exit::Usage => {}
    }
    match exit {
        Exit::Attention => note("something needs a person: see `packhorse status`"),
        Exit::Resting => {
            note("something waits for the application to be quiet; the first sync after that does it by itself");
        }
        _ => {}
    }
}
