//! `packhorse set remove`.

use clap::Args;
use packhorse_shared::config::{EVERYTHING, edit_file, remove_set, remove_set_table};
use packhorse_shared::set::{Scope, SetTable};

use super::told::remotes_with;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::note;

const EXAMPLES: &str = "\
Examples:
  packhorse set remove sales
  packhorse set remove sales --table campaigns

A set that a remote shares stays: remove the remote first, or give it another set in packhorse.toml.
One of its tables can go as long as nothing that stays needs it.";

/// Remove a set, or one table from it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Remove {
    /// The set
    name: String,

    /// Only this table of it
    #[arg(long)]
    table: Option<String>,
}

impl Remove {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (node, _lock) = Node::lock(context, "set remove")?;
        let scope = node.scope(&self.name)?;
        if self.name == EVERYTHING && !node.config.defines_set(EVERYTHING) {
            return Err(Failure::usage(format!("the set \"{EVERYTHING}\" is always there"))
                .hint("give the remotes another one, if they should share less"));
        }
        match &self.table {
            Some(table) => self.remove_table(&node, &scope, table),
            None => self.remove_all(&node),
        }
    }

    fn remove_all(&self, node: &Node) -> Result<Exit, Failure> {
        let remotes = remotes_with(&node.config, &self.name);
        if !remotes.is_empty() {
            let message = format!("the set \"{}\" is shared by {}", self.name, remotes.join(", "));
            return Err(Failure::usage(message)
                .hint("`packhorse remote remove` them first, or give them another set in packhorse.toml"));
        }
        edit_file(node.world.disk, &node.home.config_path(), |text| remove_set(text, &self.name))?;
        note(&format!("removed the set {}", self.name));
        Ok(Exit::Done)
    }

    fn remove_table(&self, node: &Node, scope: &Scope, table: &str) -> Result<Exit, Failure> {
        let others = scope.tables().iter().filter(|known| !known.name.eq_ignore_ascii_case(table));
        let left: Vec<SetTable> = others.cloned().collect();
        if left.len() == scope.tables().len() {
            return Err(Failure::usage(format!("the set \"{}\" has no table \"{table}\"", self.name))
                .hint(format!("`packhorse set show {}` shows those that it has", self.name)));
        }
        if left.is_empty() {
            return Err(Failure::usage(format!("\"{table}\" is the only table of the set \"{}\"", self.name))
                .hint(format!("remove the set: `packhorse set remove {}`", self.name)));
        }
        let without = format!("the set \"{}\" without {table}", self.name);
        let needed = |failure: Failure| failure.hint("remove what needs it first, or leave it in the set");
        node.check_scope(&without, &Scope::Tables(left)).map_err(needed)?;
        edit_file(node.world.disk, &node.home.config_path(), |text| remove_set_table(text, &self.name, table))?;
        note(&format!("removed {table} from the set {}", self.name));
        Ok(Exit::Done)
    }
}
