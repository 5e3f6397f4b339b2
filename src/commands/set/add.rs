//! `packhorse set add`.

use clap::Args;
use packhorse_shared::config::{EVERYTHING, add_set_tables, edit_file};
use packhorse_shared::set::{BoundSet, Scope, SetTable};

use super::tables::Tables;
use super::told::{parameters_of, remotes_with};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::names;
use crate::node::Node;
use crate::report::note;
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse set add sales --table companies --where \"account_manager = :user\"
  packhorse set add sales --table contacts --follow company_id
  packhorse set add sales --table campaigns --columns code,title
  packhorse set add north --table shops --where \"region IN (:areas)\" --table orders --follow shop_id

A set that is there already gets these tables as well. What a table follows has to be in the set, or
to come with it. Parameters get their values where a remote is added:
  packhorse remote add alice --set sales --param user=alice";

/// Make a set, or add tables to one: with all their rows, or those of a condition or a parent
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Add {
    /// The set's name
    #[arg(value_parser = names::set)]
    name: String,

    #[command(flatten)]
    tables: Tables<true>,
}

impl Add {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "set add")?;
        let named: Vec<String> = self.tables.0.iter().map(|table| table.name.clone()).collect();
        node.sync_tables(&named)?;
        let scope = self.extended(&node)?;
        node.check_scope(&format!("the set \"{}\"", self.name), &scope)?;
        self.check_remotes(&node, &scope)?;
        let config = node.home.config_path();
        node.config = edit_file(node.world.disk, &config, |text| add_set_tables(text, &self.name, &self.tables.0))?;
        self.tell(&node, &scope);
        Ok(Exit::Done)
    }

    /// The set with the new tables.
    fn extended(&self, node: &Node) -> Result<Scope, Failure> {
        if self.name == EVERYTHING && !node.config.defines_set(EVERYTHING) {
            return Err(Failure::usage(format!("the set \"{EVERYTHING}\" is there already: it shares every table"))
                .hint("choose another name"));
        }
        let mut tables: Vec<SetTable> = node.config.set(&self.name).unwrap_or_default().tables().to_vec();
        let there = tables.len();
        for table in &self.tables.0 {
            if tables.iter().skip(there).any(|typed| typed.name.eq_ignore_ascii_case(&table.name)) {
                return Err(Failure::usage(format!("the table \"{}\" is named twice", table.name))
                    .hint("keep one of them, with all that is to be said of it"));
            }
            if tables.iter().any(|known| known.name.eq_ignore_ascii_case(&table.name)) {
                let message = format!("the set \"{}\" has the table \"{}\" already", self.name, table.name);
                let way = format!("packhorse set remove {} --table {}", self.name, table.name);
                return Err(Failure::usage(message).hint(format!("change it in packhorse.toml, or `{way}` first")));
            }
            tables.push(table.clone());
        }
        Ok(Scope::Tables(tables))
    }

    /// Remotes that share the set already need a value for each of its parameters.
    fn check_remotes(&self, node: &Node, scope: &Scope) -> Result<(), Failure> {
        for (remote, config) in node.config.remotes.iter().filter(|(_, config)| config.set == self.name) {
            if let Err(error) = BoundSet::new(scope.clone(), &config.params) {
                let message = format!("{remote} shares the set \"{}\", and {error}", self.name);
                return Err(Failure::usage(message)
                    .hint(format!("write the value into `params` under [remote.{remote}] in packhorse.toml first")));
            }
        }
        Ok(())
    }

    fn tell(&self, node: &Node, scope: &Scope) {
        let tables = count(scope.tables().len() as u64, "table", "tables");
        let remotes = remotes_with(&node.config, &self.name);
        if remotes.is_empty() {
            let params: String = parameters_of(scope).iter().map(|name| format!(" --param {name}=VALUE")).collect();
            let next = format!("packhorse remote add NAME --set {}{params}", self.name);
            note(&format!("the set {} has {tables}; give it to a remote with `{next}`", self.name));
        } else {
            note(&format!("the set {} has {tables}; it is shared by {}", self.name, remotes.join(", ")));
        }
    }
}
