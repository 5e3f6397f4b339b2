//! `packhorse relay`: the places where bundles wait.

mod check;
mod told;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Look into relays
#[derive(Args)]
pub struct Relay {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
}

impl Relay {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::Check(check) => check.run(context),
        }
    }
}
