//! `packhorse set`: which tables, columns and rows remotes share.

mod add;
mod lint;
mod list;
mod remove;
mod show;
mod tables;
mod told;
mod trial;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
pub use told::parameters_of;

/// Say which tables, columns and rows a remote shares
#[derive(Args)]
pub struct Set {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    Remove(remove::Remove),
    Lint(lint::Lint),
    Try(trial::Try),
}

impl Set {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::Add(add) => add.run(context),
            Command::List(list) => list.run(context),
            Command::Show(show) => show.run(context),
            Command::Remove(remove) => remove.run(context),
            Command::Lint(lint) => lint.run(context),
            Command::Try(trial) => trial.run(context),
        }
    }
}
