//! The command line of Packhorse, as a library: what the program runs, and what runs whole commands in another process.
//!
//! One file per command in `commands`; each turns what was typed into calls of the crates and tells what came of them.
//! Results go to standard output, everything else to standard error; `failure` decides every exit status. What a command
//! needs of the outside world it is given, as a [`Machine`]: a simulator has clocks, disks and relays of its own.

mod addresses;
mod bookkeeping;
mod cli;
mod commands;
mod context;
mod courier;
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
mod machine;
mod names;
mod node;
mod numbered;
mod passphrase;
mod people;
mod progress;
mod relay;
mod report;
mod sets;
mod streams;
mod unlinked;
mod usage;
mod watch;
mod wording;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

pub use self::machine::Machine;

use self::cli::Cli;
use self::failure::Exit;

/// The program's own name, where nobody has typed it.
const NAME: &str = "packhorse";

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit status.
    pub exit: u8,
    /// What it would have written to standard output.
    pub out: String,
    /// What it would have written to standard error.
    pub err: String,
}

/// The program: runs the command that was typed, on the real machine.
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let cli = match usage::understood(&typed) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
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
    carry_out(cli, Machine::real()).into()
}

/// Runs one command in this process, to its end: `words` are what would be typed after the program's name. Nothing is
/// written to the standard streams; what would be is returned. Several threads may do so at once.
///
/// What has no seam is this process's own: the current folder (give whole paths), the environment (`PACKHORSE_HOME` counts
/// here, too), and the standard error to which hooks write. No log is started, so that `-v` tells nothing more, and the
/// words of a panic over a damaged ledger, which is healed, go where this process's panics go.
///
/// For the program alone are `watch`, which never ends, and signals: a command with a hook takes over SIGINT and SIGTERM for
/// this process while the hook runs.
pub fn run(words: &[impl AsRef<OsStr>], machine: Machine) -> Ran {
    let typed: Vec<OsString> =
        std::iter::once(OsStr::new(NAME)).chain(words.iter().map(AsRef::as_ref)).map(OsStr::to_owned).collect();
    let (exit, kept) = streams::kept(|| match usage::understood(&typed) {
        Ok(cli) => carry_out(cli, machine),
        Err(exit) => exit,
    });
    Ran { exit: exit.code(), out: kept.out, err: kept.err }
}

/// Runs a command and tells why it failed, if it did.
fn carry_out(cli: Cli, machine: Machine) -> Exit {
    commands::run(cli, machine).unwrap_or_else(|failure| {
        failure.print();
        failure.exit()
    })
}
