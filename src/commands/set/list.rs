//! `packhorse set list`.

use clap::Args;
use packhorse_shared::config::EVERYTHING;
use serde::Serialize;

use super::told::remotes_with;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, result};
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse set list
  packhorse set list --json | jq -r '.[] | select(.remotes == []).name'";

/// List the sets with their tables and who shares them
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
    built_in: bool,
    tables: Vec<String>,
    remotes: Vec<String>,
}

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let node = Node::open(context)?;
        let row = |name: &str| Row {
            name: name.to_owned(),
            built_in: name == EVERYTHING && !node.config.defines_set(name),
            tables: node.config.set(name).map(|scope| node.tables_of_scope(&scope)).unwrap_or_default(),
            remotes: remotes_with(&node.config, name),
        };
        let rows: Vec<Row> = node.config.set_names().into_iter().map(row).collect();
        if self.json {
            json(&rows);
        }
        for row in rows.iter().filter(|_| !self.json) {
            let tables =
                if row.built_in { "every table".to_owned() } else { count(row.tables.len() as u64, "table", "tables") };
            let remotes = if row.remotes.is_empty() { "no remote".to_owned() } else { row.remotes.join(", ") };
            result(&format!("{:<20}  {tables:<12}  {remotes}", row.name));
        }
        Ok(Exit::Done)
    }
}
