//! `packhorse transfer`: move bundles between the spool and the relays. It needs no key and no database.

use clap::Args;
use packhorse_shared::calls::Orders;
use packhorse_shared::config::Span;
use packhorse_shared::home::Claim;

use crate::context::Context;
use crate::courier::Courier;
use crate::failure::{Exit, Failure};
use crate::locks;
use crate::node::Node;
use crate::relay::call::{Call, Made};
use crate::relay::files::Insight;
use crate::relay::{self, told};
use crate::report::note;
use crate::unlinked::Unlinked;

const EXAMPLES: &str = "\
Examples:
  packhorse transfer             send what lies in the outbox, get what lies on the relay
  packhorse transfer --for 60s   stop cleanly after a minute (exit 5 if something is left)

An account that can read neither keys nor database can run it: see COURIER.md. What it saw on the
relay is taken in by the next command that opens the database.";

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
        let courier = Courier::open(context)?;
        let _lock = locks::take(&courier.home, Claim::Transfer, "transfer")?;
        require_relay(&courier)?;
        let (orders, insight) = known(context, &courier)?;
        let call = Call::by_orders(courier.clone(), orders.clone(), insight)?;
        let report = relay::make(call, self.budget.map(|span| span.as_duration()), Made::leave_word)?;
        let exit = told::tell(&report).worse(told::tell_refused(courier.name(), &orders));
        let exit = exit.worse(Unlinked::of(&courier, &orders)?.tell());
        tell_if_out_of_time(exit);
        Ok(exit)
    }
}

/// What the call has to know. Somebody who can open keys and database knows it from there, and more: then a bundle for another
/// installation under this node's name stays on the relay. Whatever stands in the way of that is told by the commands that need
/// them.
fn known(context: Context<'_>, courier: &Courier) -> Result<(Orders, Option<Insight>), Failure> {
    let looked = Node::open(context).and_then(|mut node| Ok((node.orders()?, Some(node.insight()?))));
    match looked {
        Ok(known) => Ok(known),
        Err(_) => Ok((courier.home.calls().orders()?, None)),
    }
}

/// Says what to do where the time was not enough.
pub fn tell_if_out_of_time(exit: Exit) {
    if exit == Exit::OutOfTime {
        note("the time is over and something is left: run it again");
    }
}

/// Moving anything takes a relay.
pub fn require_relay(courier: &Courier) -> Result<(), Failure> {
    if courier.config.node.relay.is_empty() {
        let config = courier.home.config_path();
        return Err(Failure::usage(format!("{} names no relay", config.display()))
            .hint("set relay = \"/path/to/a/shared/folder\" under [node]"));
    }
    relay::relays(&courier.config.node.relay).map(drop)
}
