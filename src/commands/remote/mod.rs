//! `packhorse remote`: the nodes whose hub this one is.

mod add;
mod deliver;
mod list;
mod pack;
mod rekey;
mod remove;
mod revoke;
mod show;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Add, list and remove remotes, make their packages, and shut out stolen ones
#[derive(Args)]
pub struct Remote {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    Remove(remove::Remove),
    Pack(pack::Pack),
    Revoke(revoke::Revoke),
    Rekey(rekey::Rekey),
}

impl Remote {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match self.command {
            Command::Add(add) => add.run(context),
            Command::List(list) => list.run(context),
            Command::Show(show) => show.run(context),
            Command::Remove(remove) => remove.run(context),
            Command::Pack(pack) => pack.run(context),
            Command::Revoke(revoke) => revoke.run(context),
            Command::Rekey(rekey) => rekey.run(context),
        }
    }
}
