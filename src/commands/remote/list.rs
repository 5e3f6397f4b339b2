//! `packhorse remote list`.

use clap::Args;
use packhorse_shared::link::Standing;
use packhorse_shared::replica::Replica;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, note, result};

const EXAMPLES: &str = "\
Examples:
  packhorse remote list
  packhorse remote list --json | jq -r '.[] | select(.packed | not).name'";

/// List the remotes, their sets and whether their package has been made
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    set: String,
    packed: bool,
    revoked: bool,
}

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let links = node.replica.links()?;
        let row = |(name, remote): (&packhorse_shared::id::NodeName, &packhorse_shared::config::RemoteConfig)| Row {
            name: name.to_string(),
            set: remote.set.clone(),
            packed: links.iter().any(|link| link.peer == *name),
            revoked: links.iter().any(|link| link.peer == *name && link.state.standing() == Standing::Revoked),
        };
        let rows: Vec<Row> = node.config.remotes.iter().map(row).collect();
        if self.json {
            json(&rows);
        } else if rows.is_empty() {
            note("there are no remotes yet: add one with `packhorse remote add NAME`");
        }
        for row in rows.iter().filter(|_| !self.json) {
            let state = match (row.packed, row.revoked) {
                (_, true) => "revoked",
                (true, false) => "packed",
                (false, false) => "not packed yet",
            };
            result(&format!("{:<32}  {:<20}  {state}", row.name, row.set));
        }
        Ok(Exit::Done)
    }
}
