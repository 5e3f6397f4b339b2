//! `packhorse held discard`.

use clap::Args;
use packhorse_shared::replica::{Held, Replica};
use packhorse_unbundler::by_hand::discard;
use packhorse_unbundler::place::{Discarded, MayDelete};

use super::NUMBERED;
use super::told::name;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::result;

const EXAMPLES: &str = "\
Examples:
  packhorse held discard 12            an edit: the record stays as it is here, and becomes that where it was made
  packhorse held discard 15 --delete   a new record: it is deleted where it was made

That is an edit made here and now, which travels: whoever made the change hears of it (`packhorse notices list`,
`packhorse trace`). To keep both, `packhorse held merge` makes one record of two that are in each other's way.";

/// Discard held changes: what stands here stands everywhere from now on
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Discard {
    /// Their numbers, as `packhorse held list` shows them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,

    /// Records that were made elsewhere and cannot stand here may be deleted there
    #[arg(long)]
    delete: bool,
}

impl Discard {
    /// Runs the command. None is discarded unless all can be.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "held discard")?;
        let now = node.world.clock.now();
        node.replica.harvest(now)?;
        let all = node.replica.all_held()?;
        let these = self.meant(&all)?;
        let may_delete = if self.delete { MayDelete::Yes } else { MayDelete::No };
        let (discarded, _) = discard(&mut node.replica, &these, may_delete, now)?;
        for (held, what) in these.iter().zip(&discarded) {
            refused(held, what)?;
        }
        for (held, what) in these.iter().zip(&discarded) {
            let what = match what {
                Discarded::Deleted => "is deleted where it was made",
                _ => "stays as it is here, and becomes that elsewhere",
            };
            result(&format!("{}  {}  {what}", held.id, name(held)));
        }
        Ok(Exit::Done)
    }

    fn meant(&self, all: &[Held]) -> Result<Vec<Held>, Failure> {
        let mut these: Vec<Held> = Vec::new();
        for id in &self.ids {
            let held = &all[NUMBERED.choose(all, |held| held.id, id)?];
            if these.iter().all(|known| known.id != held.id) {
                these.push(held.clone());
            }
        }
        Ok(these)
    }
}

fn refused(held: &Held, what: &Discarded) -> Result<(), Failure> {
    let (id, name) = (held.id, name(held));
    match what {
        Discarded::Undone | Discarded::Deleted => Ok(()),
        Discarded::WouldDelete => {
            let message = format!(
                "{name} ({id}) was made elsewhere and does not stand here: to discard it is to delete it there"
            );
            let hint = format!(
                "nothing was changed; `packhorse held discard {id} --delete` does that, and `packhorse held merge` makes it one \
                 with the record in its way"
            );
            Err(Failure::new(Exit::Failed, message).hint(hint))
        }
        Discarded::Not(why) => {
            let hint = format!("nothing was changed; `packhorse held show {id}` tells what would let it be placed");
            Err(Failure::new(Exit::Failed, format!("{name} ({id}) cannot be discarded: {why}")).hint(hint))
        }
    }
}
