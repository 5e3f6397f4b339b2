//! `packhorse remote show`.

use clap::Args;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::Replica;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, result};
use crate::wording::timestamp;

const EXAMPLES: &str = "\
Examples:
  packhorse remote show alice";

/// Show one remote: its set, its tables and its link
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// The remote
    name: NodeName,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    name: String,
    set: String,
    tables: Vec<String>,
    packed: bool,
    installation: Option<String>,
    last_sent: Option<String>,
    last_received: Option<String>,
}

impl Show {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let set = node.set_of_remote(&self.name)?;
        let link = node.replica.links()?.into_iter().find(|link| link.peer == self.name);
        let state = link.as_ref().map(|link| &link.state);
        let told = Told {
            name: self.name.to_string(),
            set: node.config.remotes.get(&self.name).map(|remote| remote.set.clone()).unwrap_or_default(),
            tables: node.tables_of_set(&set),
            packed: link.is_some(),
            installation: link.as_ref().and_then(|link| link.node).map(|node| node.to_string()),
            last_sent: state.and_then(|state| state.last_sealed()).and_then(timestamp),
            last_received: state.and_then(|state| state.last_accepted()).and_then(timestamp),
        };
        if self.json {
            json(&told)
        } else {
            tell(&told)
        }
        Ok(Exit::Done)
    }
}

fn tell(told: &Told) {
    let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
    result(&format!("{}  set {}", told.name, told.set));
    result(&format!("  tables         {}", told.tables.join(", ")));
    result(&format!("  package        {}", if told.packed { "made" } else { "not made yet: `packhorse remote pack`" }));
    result(&format!("  installation   {}", told.installation.as_deref().unwrap_or("not met yet")));
    result(&format!("  last sent      {}", or_never(&told.last_sent)));
    result(&format!("  last received  {}", or_never(&told.last_received)));
}
