//! `packhorse remote revoke`: shut out a remote that was stolen or is not trusted any more.

use clap::Args;
use packhorse_shared::bundle::BundleName;
use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Role;
use packhorse_shared::replica::Replica;
use packhorse_transport::FileName;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::relay;
use crate::report::note;
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse remote revoke alice                 (from now on nothing that it says counts)
  packhorse remote revoke alice --empty-mailbox

Lock its account on the relay, too. `packhorse remote rekey alice -o FILE` lets it begin anew.";

/// Refuse whatever a remote says from now on, and send it nothing: for a stolen laptop
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Revoke {
    /// The remote
    name: NodeName,

    /// Take away the bundles in its mailbox on the relay, both ways: also those that it sent before, and that were not fetched
    #[arg(long)]
    empty_mailbox: bool,
}

impl Revoke {
    /// Runs the command. Whatever becomes of the relay, the remote is refused by then.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        {
            let (mut node, _lock) = Node::lock(context, "remote revoke")?;
            revoke(&mut node, &self.name)?;
        }
        note(&format!(
            "{0} is revoked: what it says is refused, and it is sent nothing; `packhorse remote rekey {0} -o {0}.rdb` lets it \
             begin anew with new keys",
            self.name
        ));
        if self.empty_mailbox {
            // A call that is under way may still put what was sealed before.
            let (mut node, _locks) = Node::lock_to_transfer(context, "remote revoke")?;
            let name = &self.name;
            let is_bundle = |file: &FileName| {
                let parsed = file.as_str().parse::<BundleName>();
                parsed.is_ok_and(|bundle| bundle.from == *name || bundle.to == *name)
            };
            let taken = relay::empty_mailbox(&mut node, name, &is_bundle)?;
            note(&format!("{name}: took {} from its mailbox", count(taken, "bundle", "bundles")));
        }
        Ok(Exit::Done)
    }
}

/// Refuses a remote from now on, and lets go what was sealed for it.
pub(super) fn revoke(node: &mut Node, name: &NodeName) -> Result<(), Failure> {
    let found = node.replica.links()?.into_iter().find(|link| link.peer == *name && link.state.role() == Role::Remote);
    let mut link = found.ok_or_else(|| match node.config.remotes.contains_key(name) {
        true => Failure::usage(format!("{name} has no package yet, and so nothing to be revoked"))
            .hint(format!("`packhorse remote pack {name} -o {name}.rdb` makes one")),
        false => Failure::usage(format!("there is no remote \"{name}\"")).hint("`packhorse remote list` lists them"),
    })?;
    let (last, now): (_, WallTime) = (node.replica.last_removed_key()?, node.world.clock.now());
    node.trust.revoke(&mut link, last, now);
    node.replica.save_link(&link)?;
    let spool = node.spool();
    for file in spool.outbox(name)?.iter().filter(|file| file.name.parse::<BundleName>().is_ok()) {
        spool.remove_from_outbox(name, &file.name)?;
    }
    node.give_orders()
}
