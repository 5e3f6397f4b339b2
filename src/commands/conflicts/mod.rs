//! `packhorse conflicts`: what two ends changed without having seen each other's change, and what a person can do about it.

mod list;
mod resolve;
mod show;
mod told;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::numbered::Numbered;

/// See what was changed at both ends at once, and put back what was overruled
#[derive(Args)]
pub struct Conflicts {
    #[command(subcommand)]
    command: Command,
}

/// Each bears a number.
const NUMBERED: Numbered =
    Numbered { what: "conflict", hint: "`packhorse conflicts list --all` shows them, each with its number" };

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Resolve(resolve::Resolve),
}

impl Conflicts {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::List(list) => list.run(context),
            Command::Show(show) => show.run(context),
            Command::Resolve(resolve) => resolve.run(context),
        }
    }
}
