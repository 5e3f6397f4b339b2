//! `packhorse held retry`.

use clap::Args;
use packhorse_shared::clock::WallTime;
use packhorse_shared::replica::{Held, Replica};
use packhorse_unbundler::retry::{Retried, retry};
use std::collections::BTreeSet;

use super::told::name;
use super::{NUMBERED, list};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{note, result};
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse held retry         everything that is held, together
  packhorse held retry 12 15   these two and nothing else

What waits until the application has written nothing for a while (`renumber_quiet` in packhorse.toml)
is done at once by this command: close the application first, since records may change their numbers.
Ends with 3 if something of it is still held.";

/// Try held changes again now, and tell what was placed and what is still in the way
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Retry {
    /// Their numbers, as `packhorse held list` shows them [default: all]
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

impl Retry {
    /// Runs the command. All numbers are looked at before anything is done.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "held retry")?;
        let all = node.replica.all_held()?;
        let meant = self.meant(&all)?;
        if meant.is_empty() {
            note("nothing is held, so nothing is to be tried again");
            return Ok(Exit::Done);
        }
        let retried = retry(&mut node.replica, &|held| meant.contains(&held.id), node.world.clock.now())?;
        tell(&retried, &People::of(&mut node)?, node.world.clock.now());
        let attention = !retried.still.is_empty() || retried.came_to.conflicts > 0;
        Ok(if attention { Exit::Attention } else { Exit::Done })
    }

    fn meant(&self, all: &[Held]) -> Result<BTreeSet<i64>, Failure> {
        if self.ids.is_empty() {
            return Ok(all.iter().map(|held| held.id).collect());
        }
        let chosen = self
            .ids
            .iter()
            .map(|id| NUMBERED.choose(all, |held| held.id, id))
            .collect::<Result<Vec<usize>, Failure>>()?;
        Ok(chosen.into_iter().filter_map(|at| all.get(at)).map(|held| held.id).collect())
    }
}

fn tell(retried: &Retried, people: &People, now: WallTime) {
    for held in &retried.placed {
        result(&format!("{}  {}  placed", held.id, name(held)));
    }
    if retried.came_to.conflicts > 0 {
        let fields = count(retried.came_to.conflicts, "field was", "fields were");
        note(&format!("{fields} changed at both ends: `packhorse conflicts list` tells which value stands"));
    }
    if !retried.still.is_empty() {
        note(&format!("{} still held:", count(retried.still.len() as u64, "change is", "changes are")));
        list::tell(&retried.still, people, now);
    }
}
