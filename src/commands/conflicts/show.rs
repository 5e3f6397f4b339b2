//! `packhorse conflicts show`.

use clap::Args;
use packhorse_shared::replica::{ConflictState, Noted, Replica, Side};

use super::NUMBERED;
use super::told::{Told, name, title};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{json, result};
use crate::wording::{brief_value, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse conflicts show 3            the record, both values, who made them when, and what can be typed
  packhorse conflicts show --json 3";

/// How many characters of a value are shown on a line.
const SHOWN_MAX: usize = 200;

/// Show everything about one conflict
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Its number, as `packhorse conflicts list` shows it
    id: String,

    /// Print JSON: one object, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let mut all = node.replica.all_conflicts()?;
        let at = NUMBERED.choose(&all, |noted| noted.id, &self.id)?;
        let (noted, people) = (all.swap_remove(at), People::of(&mut node)?);
        let title = title(&node.replica, &noted)?;
        if self.json {
            json(&Told::of(&noted, title, &people));
        } else {
            tell(&noted, title.as_deref(), &people);
        }
        Ok(Exit::Done)
    }
}

fn tell(noted: &Noted, title: Option<&str>, people: &People) {
    let with = people.brought(noted.link).unwrap_or_else(|| "a node that is linked no more".to_owned());
    result(&format!("{}  {}, {}", noted.id, name(noted, title), noted.column));
    for (side, whose) in [(Side::Ours, "ours"), (Side::Theirs, "theirs")] {
        let version = noted.version(side);
        let stands = if side == noted.stands { ", stood" } else { ", was overruled" };
        let value = brief_value(&version.value, SHOWN_MAX);
        result(&format!("  {whose:<10}  {value} ({}{stands})", people.when_and_who(version.stamp)));
    }
    result(&format!("  with        {with}"));
    result(&format!("  noted       {}", timestamp(noted.noted).unwrap_or_default()));
    match noted.state {
        ConflictState::Settled => {
            result("  settled     the field was changed since, or its record is gone");
        }
        ConflictState::Open => {
            let id = noted.id;
            result(&format!(
                "  next step   `packhorse conflicts resolve {id} --keep ours`, `--keep theirs` or `--value TEXT`"
            ));
        }
    }
}
