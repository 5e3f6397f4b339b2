//! The command line of Packhorse.
//!
//! One file per command in [`commands`]; each turns what was typed into calls of the crates and tells what came of
//! them. Results go to standard output, everything else to standard error; [`failure`] decides every exit status.

mod addresses;
mod bookkeeping;
mod cli;
mod commands;
mod exact;
mod failure;
#[cfg(debug_assertions)]
mod faults;
mod hooks;
mod interrupt;
mod journal;
mod lint;
mod locate;
mod locks;
mod look;
mod names;
mod node;
mod relay;
mod report;
mod sets;
mod unlinked;
mod usage;
mod watch;
mod wording;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match usage::typed() {
        Ok(cli) => cli,
        Err(end) => return end,
    };
    // The service tells what happens in a log of its own.
    if !matches!(cli.command, cli::Command::Watch(_)) {
        report::start_log(cli.verbose);
    }
    report::keep_still_about_the_ledger();
    #[cfg(debug_assertions)]
    if let Err(failure) = faults::plan() {
        failure.print();
        return failure.exit().into();
    }
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit().into()
        }
    }
}
