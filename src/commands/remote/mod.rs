//! `packhorse remote`: the nodes whose hub this one is.

mod add;
mod list;
mod pack;
mod remove;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};

/// Add, list and remove remotes, and make their packages
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
}

impl Remote {
    /// Runs the command.
    pub fn run(self, home: Option<&Path>) -> Result<Exit, Failure> {
        match self.command {
            Command::Add(add) => add.run(home),
            Command::List(list) => list.run(home),
            Command::Show(show) => show.run(home),
            Command::Remove(remove) => remove.run(home),
            Command::Pack(pack) => pack.run(home),
        }
    }
}
