//! `packhorse held list`.

use clap::Args;
use packhorse_shared::clock::WallTime;
use packhorse_shared::replica::{Held, Replica};

use super::told::{Told, name};
use super::why;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{json, note, result};
use crate::wording::span;

const EXAMPLES: &str = "\
Examples:
  packhorse held list
  packhorse held list --json | jq -r '.[] | select(.table == \"contacts\").id'

A line has the change's number, the record, the node that it came from, since when it is held, and why.";

/// List the received changes that could not be placed yet
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Print JSON: an array of objects, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let (held, people) = (node.replica.all_held()?, People::of(&mut node)?);
        if self.json {
            json(&held.iter().map(|held| Told::of(held, &people)).collect::<Vec<_>>());
        } else if held.is_empty() {
            note("nothing is held: all that came is in the tables");
        } else {
            tell(&held, &people, node.world.clock.now());
        }
        Ok(Exit::Done)
    }
}

/// Writes a line for each, with its age now.
pub fn tell(held: &[Held], people: &People, now: WallTime) {
    let cells: Vec<[String; 5]> = held.iter().map(|held| cells(held, people, now)).collect();
    let width = |at: usize| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let [a, b, c, d] = [0, 1, 2, 3].map(width);
    for [id, record, node, age, reason] in &cells {
        result(&format!("{id:>a$}  {record:<b$}  {node:<c$}  {age:>d$}  {reason}"));
    }
}

fn cells(held: &Held, people: &People, now: WallTime) -> [String; 5] {
    let age = now.0.saturating_sub(held.since.0);
    let node = people.brought(held.link).unwrap_or_else(|| "-".to_owned());
    [held.id.to_string(), name(held), node, span(age), why::reason(held)]
}
