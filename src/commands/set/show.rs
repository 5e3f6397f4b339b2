//! `packhorse set show`.

use clap::Args;
use packhorse_shared::set::Scope;
use serde::Serialize;

use super::told::{ToldTable, parameters_of, remotes_with};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, result};

const EXAMPLES: &str = "\
Examples:
  packhorse set show sales
  packhorse set show sales --json | jq -r '.parameters[]'";

/// Show one set: its tables with their rows and columns, its parameters, and who shares it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// The set
    name: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    name: String,
    tables: Vec<ToldTable>,
    parameters: Vec<String>,
    remotes: Vec<String>,
}

impl Show {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let node = Node::open(context)?;
        let scope = node.scope(&self.name)?;
        let tables = match &scope {
            Scope::Everything => node.tables_of_scope(&scope).iter().map(|name| ToldTable::whole(name)).collect(),
            Scope::Tables(tables) => tables.iter().map(ToldTable::of).collect(),
        };
        let parameters = parameters_of(&scope).into_iter().collect();
        let remotes = remotes_with(&node.config, &self.name);
        let told = Told { name: self.name, tables, parameters, remotes };
        if self.json {
            json(&told)
        } else {
            tell(&told)
        }
        Ok(Exit::Done)
    }
}

fn tell(told: &Told) {
    let or_none = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    result(&told.name);
    told.tables.iter().for_each(|table| result(&table.line()));
    result(&format!("parameters: {}", or_none(&told.parameters)));
    result(&format!("remotes: {}", or_none(&told.remotes)));
}
