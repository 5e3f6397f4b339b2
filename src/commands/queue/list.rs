//! `packhorse queue list`.

use clap::Args;
use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::ledger::{Books, Entry, Key};
use packhorse_shared::replica::Replica;

use super::told::Told;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, note, results};
use crate::wording::{bytes, span};

const EXAMPLES: &str = "\
Examples:
  packhorse queue list                 what is under way or needs a person, the oldest first
  packhorse queue list --all alice     with what was finished lately, to and from alice
  packhorse queue list --json | jq -r '.[] | select(.state == \"quarantined\").name'

A line has the state, the other node, the size, the age, the number of attempts and the name.
Outgoing: sealed (in the outbox), sent (on the relay), fetched (gone from it), acknowledged.
Incoming: received (in the inbox), waiting (for the one before it), applied; or quarantined, left-alone.";

/// List the bundles that are under way or need a person
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Those that were finished lately, too
    #[arg(long)]
    all: bool,

    /// Print JSON: an array of objects, whose fields are only ever added to
    #[arg(long)]
    json: bool,

    /// Only to and from these nodes
    #[arg(value_name = "NODE")]
    nodes: Vec<NodeName>,
}

type Row<'a> = (&'a Key, &'a Entry);

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let books = node.look_at_books()?;
        self.check_nodes(&mut node, &books)?;
        let is_meant = |entry: &Entry| self.nodes.is_empty() || self.nodes.contains(&entry.peer);
        let is_shown = |(_, entry): &Row<'_>| (self.all || !entry.is_finished()) && is_meant(entry);
        let mut rows: Vec<Row<'_>> = books.entries().filter(is_shown).collect();
        rows.sort_by_key(|(key, entry)| (entry.first_seen, *key));
        if self.json {
            json(&rows.iter().map(|(key, entry)| Told::of(key, entry)).collect::<Vec<_>>());
        } else {
            tell(&rows, node.world.clock.now());
        }
        Ok(Exit::Done)
    }

    fn check_nodes(&self, node: &mut Node, books: &Books) -> Result<(), Failure> {
        let has_any = |name: &&NodeName| books.entries().any(|(_, entry)| entry.peer == **name);
        let without: Vec<&NodeName> = self.nodes.iter().filter(|name| !has_any(name)).collect();
        if without.is_empty() {
            return Ok(());
        }
        let links = node.replica.links()?;
        match without.iter().find(|name| !links.iter().any(|link| link.peer == ***name)) {
            None => Ok(()),
            Some(unknown) => Err(Failure::usage(format!("there is no link to \"{unknown}\" and no bundle of its"))
                .hint("`packhorse status` lists the links")),
        }
    }
}

fn tell(rows: &[Row<'_>], now: WallTime) {
    if rows.is_empty() {
        note("nothing is under way and nothing needs a person");
    }
    let cells: Vec<[String; 6]> = rows.iter().map(|(key, entry)| cells(key, entry, now)).collect();
    let widths: [usize; 5] = std::array::from_fn(|at| cells.iter().map(|row| row[at].len()).max().unwrap_or(0));
    let [a, b, c, d, e] = widths;
    results(cells.iter().map(|[state, peer, size, age, attempts, name]| {
        format!("{state:<a$}  {peer:<b$}  {size:>c$}  {age:>d$}  {attempts:>e$}  {name}")
    }));
}

fn cells(key: &Key, entry: &Entry, now: WallTime) -> [String; 6] {
    let age = now.0.saturating_sub(entry.first_seen.0);
    let state = entry.state.word().to_owned();
    [state, entry.peer.to_string(), bytes(entry.size), span(age), entry.attempts.to_string(), key.file.clone()]
}
