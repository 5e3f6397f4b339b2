//! `packhorse conflicts list`.

use clap::Args;
use packhorse_shared::clock::WallTime;
use packhorse_shared::replica::{ConflictState, Noted, Replica, Version};

use super::told::{Told, name, title};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{json, note, result};
use crate::wording::{brief_value, span};

const EXAMPLES: &str = "\
Examples:
  packhorse conflicts list                what nobody has decided yet
  packhorse conflicts list --all          also what was: the field was changed since, or its record is gone
  packhorse conflicts list --json | jq -r '.[] | select(.table == \"contacts\").id'

A line has the conflict's number, the record and field, the value that stands and who made it, the one that
was overruled and who made that, and when this was noticed.";

/// How many characters of a value are shown on a line.
const SHOWN_MAX: usize = 40;

/// List the fields that two ends changed without having seen each other's change
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Also those that are settled
    #[arg(long)]
    all: bool,

    /// Print JSON: an array of objects, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

impl List {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let (mut conflicts, people) = (node.replica.all_conflicts()?, People::of(&mut node)?);
        conflicts.retain(|noted| self.all || noted.state == ConflictState::Open);
        let titles = conflicts.iter().map(|noted| title(&node.replica, noted));
        let titles: Vec<Option<String>> = titles.collect::<Result<_, _>>()?;
        let both = conflicts.iter().zip(titles);
        if self.json {
            json(&both.map(|(noted, title)| Told::of(noted, title, &people)).collect::<Vec<_>>());
        } else if conflicts.is_empty() {
            note("there is no open conflict");
        } else {
            tell(&both.collect::<Vec<_>>(), &people, node.world.clock.now());
        }
        Ok(Exit::Done)
    }
}

fn tell(conflicts: &[(&Noted, Option<String>)], people: &People, now: WallTime) {
    let cells: Vec<[String; 6]> =
        conflicts.iter().map(|(noted, title)| cells(noted, title.as_deref(), people, now)).collect();
    let width = |at: usize| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
    for [id, record, column, kept, lost, age] in &cells {
        result(&format!("{id:>a$}  {record:<b$}  {column:<c$}  {kept:<d$}  {lost:<e$}  {age}"));
    }
}

fn cells(noted: &Noted, title: Option<&str>, people: &People, now: WallTime) -> [String; 6] {
    let by = |version: &Version| people.made(version.stamp).unwrap_or_else(|| "nobody remembered".to_owned());
    let value = |version: &Version| format!("{} by {}", brief_value(&version.value, SHOWN_MAX), by(version));
    let settled = if noted.state == ConflictState::Settled { ", settled" } else { "" };
    let age = span(now.0.saturating_sub(noted.noted.0));
    [
        noted.id.to_string(),
        name(noted, title),
        noted.column.clone(),
        format!("{} stands", value(&noted.kept)),
        format!("{} was overruled", value(&noted.lost)),
        format!("{age} ago{settled}"),
    ]
}
