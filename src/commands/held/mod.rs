//! `packhorse held`: received changes that cannot be placed now, and what a person can do about them.

mod choosing;
mod discard;
mod list;
mod merge;
mod retry;
mod show;
mod told;
pub(super) mod why;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::numbered::Numbered;

/// Look into the changes that could not be placed, and decide what becomes of them
#[derive(Args)]
pub struct Held {
    #[command(subcommand)]
    command: Command,
}

/// Each bears a number.
const NUMBERED: Numbered = Numbered {
    what: "held change",
    hint: "`packhorse held list` shows what is held, each with its number; what was placed is held no more",
};

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Retry(retry::Retry),
    Discard(discard::Discard),
    Merge(merge::Merge),
}

impl Held {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::List(list) => list.run(context),
            Command::Show(show) => show.run(context),
            Command::Retry(retry) => retry.run(context),
            Command::Discard(discard) => discard.run(context),
            Command::Merge(merge) => merge.run(context),
        }
    }
}
