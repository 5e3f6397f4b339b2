//! `packhorse held merge`.

use clap::Args;
use packhorse_shared::replica::{Held, Replica};
use packhorse_unbundler::by_hand::join;
use packhorse_unbundler::place::Party;

use super::choosing::party;
use super::told::name;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{note, result};

const EXAMPLES: &str = "\
Examples:
  packhorse held merge contacts:7 12   keep contacts 7, which stands here; 12 is held as it has the same address
  packhorse held merge 12 contacts:7   keep the one that is held, which takes the place of contacts 7
  packhorse held merge contacts:7 contacts:9

A record that stands is named by its table and key, what is held by its number in `packhorse held list`. What
refers to the other record refers to the one that is kept from now on, and the other is deleted, with what it
says: change the one that is kept if it is to say some of that. These are edits made here and now: they travel
to everybody who shares the records. They are Packhorse's own: the application's triggers do not run for them.
Whoever says something of the other record before he hears of this brings it back with that, and a notice tells so.";

/// Make one record of two: keep one, let everything that refers to the other refer to it, and delete the other
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Merge {
    /// The record to keep: TABLE:KEY, or the number of a held change
    keep: String,

    /// The record that goes: TABLE:KEY, or the number of a held change
    other: String,
}

impl Merge {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "held merge")?;
        let now = node.world.clock.now();
        node.replica.harvest(now)?;
        let all = node.replica.all_held()?;
        let (keep, other) = (party(&node, &all, &self.keep)?, party(&node, &all, &self.other)?);
        let (table, kept) = said(&keep, &all);
        let (_, gone) = said(&other, &all);
        let (joined, came_to) = join(&mut node.replica, &keep, &other, now)?;
        match joined {
            Ok(key) => {
                result(&format!("{table} {key} is kept, and {gone} goes into it"));
                if came_to.held > 0 {
                    note("something else is still held: `packhorse held list` tells why");
                }
                Ok(Exit::Done)
            }
            Err(why) => Err(Failure::new(Exit::Failed, format!("{gone} cannot go into {kept}: {why}"))
                .hint("nothing was changed; see to what stands in the way, and give the command again")),
        }
    }
}

/// The table of one of the two, and how people know it.
fn said(party: &Party, all: &[Held]) -> (String, String) {
    match party {
        Party::Standing { table, key } => (table.clone(), format!("{table} {key}")),
        Party::Held(id) => match all.iter().find(|held| held.id == *id) {
            Some(held) => (held.change.table.clone(), format!("{} ({id})", name(held))),
            None => (String::new(), id.to_string()),
        },
    }
}
