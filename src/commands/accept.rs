//! `packhorse accept`: take incoming bundles, or leave them on the relay.

use std::path::Path;

use clap::{Args, ValueEnum};
use packhorse_shared::config::{edit_file, set_accept};

use crate::failure::{Exit, Failure};
use crate::node::{Node, WORLD};
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
    /// Runs the command. The lock on transfers is taken too: after the command none that takes bundles is under way.
    pub fn run(self, home: Option<&Path>) -> Result<Exit, Failure> {
        let (node, _locks) = Node::lock_to_transfer(home, "accept")?;
        let accept = self.switch == Switch::On;
        if node.config.node.accept != accept {
            edit_file(WORLD.disk, &node.home.config_path(), |text| set_accept(text, accept))?;
        }
        result(if accept { "Incoming bundles are taken." } else { "Incoming bundles are left on the relay." });
        let inbox = node.spool().inbox()?.len() as u64;
        if !accept && inbox > 0 {
            let bundles = count(inbox, "bundle that was", "bundles that were");
            note(&format!("{bundles} fetched before will still be applied (`packhorse apply` does it now)"));
        }
        Ok(Exit::Done)
    }
}
