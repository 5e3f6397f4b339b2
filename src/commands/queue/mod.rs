//! `packhorse queue`: the bundles on their way, and what a person can do about them.

mod choose;
mod discard;
mod list;
mod looking;
mod retry;
mod show;
mod told;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Look into the queue of bundles, and have one tried or sent again
#[derive(Args)]
pub struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Retry(retry::Retry),
    Discard(discard::Discard),
}

impl Queue {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::List(list) => list.run(context),
            Command::Show(show) => show.run(context),
            Command::Retry(retry) => retry.run(context),
            Command::Discard(discard) => discard.run(context),
        }
    }
}
