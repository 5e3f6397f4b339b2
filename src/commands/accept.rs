//! `packhorse accept`: take incoming bundles, or leave them on the relay.

use clap::{Args, ValueEnum};
use packhorse_shared::config::{edit_file, set_accept};
use packhorse_shared::home::Claim;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{note, result};
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse accept off   leave what comes on the relay: during stocktaking, say, or a migration
  packhorse accept on    take it again, with the next transfer

What was fetched before lies in the inbox and is applied all the same. What is changed here is sent as ever.
The switch is `accept` under [node] in packhorse.toml; a running service goes by it.";

/// Take incoming bundles, or leave them on the relay
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Accept {
    /// Whether incoming bundles are taken
    #[arg(value_name = "on|off")]
    switch: Switch,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Take them
    On,
    /// Leave them on the relay
    Off,
}

impl Accept {
    /// Runs the command. It does not wait for a transfer that is under way, which may last for hours.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (node, _lock) = Node::lock(context, "accept")?;
        let accept = self.switch == Switch::On;
        if node.config.node.accept != accept {
            edit_file(node.world.disk, &node.home.config_path(), |text| set_accept(text, accept))?;
        }
        result(if accept { "Incoming bundles are taken." } else { "Incoming bundles are left on the relay." });
        if !accept {
            tell_what_still_comes(&node)?;
        }
        Ok(Exit::Done)
    }
}

fn tell_what_still_comes(node: &Node) -> Result<(), Failure> {
    if node.home.holder(Claim::Transfer).is_some() {
        note("a transfer is under way: what it has found on the relay is still taken");
    }
    let inbox = node.spool().inbox()?.len() as u64;
    if inbox > 0 {
        let bundles = count(inbox, "bundle that was", "bundles that were");
        note(&format!("{bundles} fetched before will still be applied (`packhorse apply` does it now)"));
    }
    Ok(())
}
