//! `packhorse notices list`.

use clap::Args;
use packhorse_shared::replica::{Notice, Replica};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, note, result};
use crate::wording::{shown, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse notices list
  packhorse notices list --json | jq -r '.[].text'

Changes that were refused because their sender does not share what they change; records that were kept
although they were deleted elsewhere; tables that are sent again because capture was gone.";

/// List what was done by itself that people ought to know of, the oldest first
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Print JSON: an array of objects, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told<'n> {
    id: i64,
    at: Option<String>,
    text: &'n str,
}

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let notices = node.replica.notices()?;
        let told = |notice: &Notice| (notice.id, timestamp(notice.at));
        if self.json {
            let all = notices.iter().map(|notice| {
                let (id, at) = told(notice);
                Told { id, at, text: &notice.text }
            });
            json(&all.collect::<Vec<_>>());
        } else if notices.is_empty() {
            note("there is nothing to tell");
        }
        for notice in notices.iter().filter(|_| !self.json) {
            let (id, at) = told(notice);
            result(&format!("{id}  {}  {}", at.unwrap_or_else(|| "-".to_owned()), shown(&notice.text)));
        }
        Ok(Exit::Done)
    }
}
