//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;

const EXAMPLES: &str = "\
A first hub and remote:
  packhorse init --database crm.db --name hq --relay /srv/relay
  packhorse remote add alice
  packhorse remote pack alice -o alice.rdb
  packhorse restore alice.rdb --database alice/crm.db        (on alice's machine)
  packhorse sync                                             (at either end, whenever)

Exit status:
  0  done, or nothing to do
  1  failed
  2  wrong usage or configuration
  3  done, but something is held, quarantined or newly in conflict
  4  relay unreachable
  5  time budget over with work left";

/// How wide a help is at most, and where there is no terminal.
pub const WIDTH: usize = 100;

/// Keeps a hub database and its remotes in step over lines that are slow, brief and unreliable
#[derive(Parser)]
#[command(name = "packhorse", version, after_help = EXAMPLES, max_term_width = WIDTH)]
pub struct Cli {
    /// The node's home folder [default: the only *.packhorse in the current folder]
    #[arg(long, global = true, env = "PACKHORSE_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,

    /// Tell more of what happens (-vv for debugging)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    Init(commands::init::Init),
    Set(commands::set::Set),
    Remote(commands::remote::Remote),
    Relay(commands::relay::Relay),
    Restore(commands::restore::Restore),
    Bundle(commands::bundle::Bundle),
    Transfer(commands::transfer::Transfer),
    Apply(commands::apply::Apply),
    Sync(commands::sync::Sync),
    Watch(commands::watch::Watch),
    Accept(commands::accept::Accept),
    Status(commands::status::Status),
    Queue(commands::queue::Queue),
    Held(commands::held::Held),
    Conflicts(commands::conflicts::Conflicts),
    Trace(commands::trace::Trace),
    Approve(commands::approve::Approve),
    Merge(commands::merge::Merge),
    Notices(commands::notices::Notices),
    Inspect(commands::inspect::Inspect),
}
