//! `packhorse trace`: who changed which field of a record when, by which bundle it came, what overruled it, and who has it.

mod gather;
mod tell;
mod told;

use clap::Args;
use packhorse_shared::replica::{Replica, TableShape};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::json;
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse trace contacts 7             where did my change go?
  packhorse trace orders 2026 114        a key of two columns
  packhorse trace contacts 7 --json

For each field the value that stands, who made it when, and by which bundle it came here; what it overruled
or was overruled by (`packhorse conflicts`); what is held of the record (`packhorse held`); and what each
link's other end has of it. What everybody has had for long is forgotten: then it says so.";

/// Tell what became of a record: who changed what when, how it came here, what overruled it, who has it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Trace {
    /// The record's table
    table: String,

    /// Its key, a value for each column of the key
    #[arg(required = true)]
    key: Vec<String>,

    /// Print JSON: an array of objects, one for each record that has or had the key, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

impl Trace {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "trace")?;
        node.replica.harvest(node.world.clock.now())?;
        let table = self.table(&node)?;
        let traces = gather::gather(&mut node, &table, &self.key)?;
        if traces.is_empty() {
            let key = self.key.join(", ");
            let failure = Failure::usage(format!("nothing is known of a record of {} with the key {key}", table.name));
            return Err(
                failure.hint("if it was deleted or withdrawn long ago, everybody has had that and it is forgotten")
            );
        }
        let people = People::of(&mut node)?;
        if self.json {
            json(&traces.iter().map(|trace| told::Told::of(&table, trace, &people)).collect::<Vec<_>>());
        } else {
            traces.iter().for_each(|trace| tell::tell(&table, trace, &people, node.world.clock.now()));
        }
        Ok(Exit::Done)
    }

    fn table(&self, node: &Node) -> Result<TableShape, Failure> {
        let tables = node.replica.tables();
        let Some(table) = TableShape::named(tables, &self.table) else {
            let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            return Err(Failure::usage(format!("no table \"{}\" is synced", self.table))
                .hint(format!("the tables that are: {}", names.join(", "))));
        };
        if table.keys.len() != self.key.len() {
            let columns = table.keys.join(", ");
            let many = count(table.keys.len() as u64, "column", "columns");
            return Err(Failure::usage(format!("the key of {} has {many}: {columns}", table.name))
                .hint("give a value for each of them, in that order"));
        }
        Ok(table.clone())
    }
}
