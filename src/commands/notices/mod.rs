//! `packhorse notices`: what people at this node ought to know of what was done by itself.

mod list;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// See what was done by itself that people ought to know of
#[derive(Args)]
pub struct Notices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::List),
}

impl Notices {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::List(list) => list.run(context),
        }
    }
}
