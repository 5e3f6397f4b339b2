//! `packhorse remote remove`.

use clap::Args;
use packhorse_shared::bundle::BundleName;
use packhorse_shared::config::{edit_file, remove_remote};
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::Step;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::{Node, reached};
use crate::report::note;

const EXAMPLES: &str = "\
Examples:
  packhorse remote remove alice";

/// Remove a remote: nothing is sent to it or taken from it any more
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Remove {
    /// The remote
    name: NodeName,
}

impl Remove {
    /// Runs the command. The link goes first: a remote without a link is one whose package is to be made.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "remote remove")?;
        let link = node.replica.links()?.into_iter().find(|link| link.peer == self.name);
        if link.is_none() && !node.config.remotes.contains_key(&self.name) {
            return Err(Failure::usage(format!("there is no remote \"{}\"", self.name))
                .hint("`packhorse remote list` lists them"));
        }
        if let Some(link) = link {
            node.replica.remove_link(link.id)?;
            reached(node.world, Step::RemoteLinkForgotten, node.replica.path())?;
        }
        node.give_orders()?;
        let spool = node.spool();
        for file in spool.outbox(&self.name)?.iter().filter(|file| file.name.parse::<BundleName>().is_ok()) {
            spool.remove_from_outbox(&self.name, &file.name)?;
        }
        // Last: a run that was cut short is given again only while the remote has a name here.
        if node.config.remotes.contains_key(&self.name) {
            edit_file(node.world.disk, &node.home.config_path(), |text| remove_remote(text, &self.name))?;
        }
        note(&format!(
            "removed {}; its database stays as it is, and what lies on the relay for it is yours to remove",
            self.name
        ));
        Ok(Exit::Done)
    }
}
