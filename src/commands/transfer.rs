//! `packhorse transfer`: move bundles between the spool and the relays.

use clap::Args;
use packhorse_shared::config::Span;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::relay::{self, told};
use crate::report::note;
use crate::unlinked::Unlinked;

const EXAMPLES: &str = "\
Examples:
  packhorse transfer             send what lies in the outbox, get what lies on the relay
  packhorse transfer --for 60s   stop cleanly after a minute (exit 5 if something is left)";

/// Send sealed bundles to the relay and get those that wait there
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Transfer {
    /// Stop cleanly after this time
    #[arg(long = "for", value_name = "TIME")]
    budget: Option<Span>,
}

impl Transfer {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _locks) = Node::lock_to_transfer(context, "transfer")?;
        require_relay(&node)?;
        let report = relay::transfer(&mut node, self.budget.map(|span| span.as_duration()))?;
        let exit = told::tell(&report).worse(told::tell_refused(&mut node)?);
        let exit = exit.worse(Unlinked::of(&mut node)?.tell());
        tell_if_out_of_time(exit);
        Ok(exit)
    }
}

/// Says what to do where the time was not enough.
pub fn tell_if_out_of_time(exit: Exit) {
    if exit == Exit::OutOfTime {
        note("the time is over and something is left: run it again");
    }
}

/// Moving anything takes a relay.
pub fn require_relay(node: &Node) -> Result<(), Failure> {
    if node.config.node.relay.is_empty() {
        let config = node.home.config_path();
        return Err(Failure::usage(format!("{} names no relay", config.display()))
            .hint("set relay = \"/path/to/a/shared/folder\" under [node]"));
    }
    relay::relays(&node.config.node.relay).map(drop)
}
