//! `packhorse watch`: the unattended service.

use clap::Args;
use packhorse_shared::config::Span;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::watch::{self, Duty, Options};

const EXAMPLES: &str = "\
Examples:
  packhorse watch                    by the rhythm of [watch] and [bundle] in packhorse.toml
  packhorse watch --every 30s        apply and transfer every 30 seconds
  packhorse watch --seal-after 1min  send a change after a minute at the latest
  packhorse watch --courier          make calls only, without keys and database
  packhorse watch --no-calls         apply and seal only, without a network

It runs until it is stopped (Ctrl-C or SIGTERM; a second one ends it at once). Other commands work meanwhile.
What happens is told on standard error, or in the file that [log] in packhorse.toml names.";

/// Apply what comes, seal what is due and transfer, for as long as it runs
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Watch {
    /// Apply and transfer this often [default: as packhorse.toml says]
    #[arg(long, value_name = "TIME")]
    every: Option<Span>,

    /// Seal changes that have waited for this long [default: as packhorse.toml says]
    #[arg(long, value_name = "TIME")]
    seal_after: Option<Span>,

    /// Only make calls, which takes neither keys nor database; run one with --no-calls beside it
    #[arg(long, conflicts_with_all = ["seal_after", "no_calls"])]
    courier: bool,

    /// Make no calls, but apply and seal; run one with --courier beside it
    #[arg(long)]
    no_calls: bool,
}

impl Watch {
    /// Runs the command.
    pub fn run(self, context: Context<'_>, verbose: u8) -> Result<Exit, Failure> {
        for (option, span) in [("--every", self.every), ("--seal-after", self.seal_after)] {
            if span.is_some_and(|span| span.as_millis() == 0) {
                return Err(Failure::usage(format!("{option} must be more than zero")).hint("30s, for example"));
            }
        }
        let duty = match (self.courier, self.no_calls) {
            (true, _) => Duty::Courier,
            (false, true) => Duty::Desk,
            (false, false) => Duty::All,
        };
        watch::run(context, Options { duty, every: self.every, seal_after: self.seal_after, verbose })
    }
}
