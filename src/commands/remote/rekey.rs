//! `packhorse remote rekey`: a package with new keys.

use clap::Args;
use packhorse_shared::id::NodeName;

use super::pack::Making;
use super::revoke::revoke;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;

const EXAMPLES: &str = "\
Examples:
  packhorse remote rekey alice -o alice.rdb
  packhorse remote rekey alice -o alice.rdb --deliver sftp://h.example/new

The remote begins anew from the package, as after `remote pack`. What is said from now on its old keys do
not open, and what they sign does not count: not even if the package cannot be made.";

/// Revoke a remote's keys, and make the package that brings it new ones
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Rekey {
    /// The remote
    name: NodeName,

    #[command(flatten)]
    making: Making,
}

impl Rekey {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (node, lock) = Node::lock(context, "remote rekey")?;
        let name = self.name;
        self.making.make(context, (node, lock), Some(&name), |node| revoke(node, &name))
    }
}
