//! Hooks: commands of the user's own, before a sync and after something was applied.
//!
//! Owns how one is run, what it is told and when it is ended. Invariants: none runs for longer than its time limit, nor
//! what it has started, unless that has left its process group on purpose; none runs while this run holds the home, so
//! that it may call `packhorse` itself; what one prints never becomes a result, nor a line of the service's log, since
//! it may be anybody's data; what one calls runs none, or a hook that syncs would call itself without end. A hook that
//! fails is told and keeps nothing from being synced.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use packhorse_shared::config::{Config, HookCommand, Part};
use packhorse_shared::home::Home;
use packhorse_shared::seam::Stop;
use process_wrap::std::{ChildWrapper, CommandWrap};

use crate::failure::{Exit, Failure};
use crate::interrupt::{self, Noted};
use crate::journal::{self, Event};
use crate::node::database_of;

/// By this a hook is told which one it is, and whatever it calls that it is called by one.
const WHICH: &str = "PACKHORSE_HOOK";
/// How often it is looked whether a hook has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A moment at which a command of the user's may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before a sync, or a transfer by the service's clock.
    BeforeSync,
    /// After changes of others were applied, to so many records.
    AfterApply(u64),
}

/// Why a hook did not do its work.
#[derive(Debug)]
enum Trouble {
    NotStarted(io::Error),
    NotWatched(io::Error),
    Ended(ExitStatus),
    TooLong,
    Stopped,
}

/// Runs a hook for a command, by the home's configuration. A signal that ends the command ends the hook, too.
pub fn run(hook: Hook, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    if hook.command(&config).is_none() {
        return Ok(Exit::Done);
    }
    let Noted { done, is_stopped } = interrupt::noted(|stop| hook.run(home, &config, stop))?;
    if is_stopped { Err(interrupt::stopped(", with the hook that was running")) } else { Ok(done) }
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Self::BeforeSync => "before_sync",
            Self::AfterApply(_) => "after_apply",
        }
    }

    fn command(self, config: &Config) -> Option<&HookCommand> {
        match self {
            Self::BeforeSync => config.hooks.before_sync.as_ref(),
            // Nothing has changed, so that there is nothing to be told of.
            Self::AfterApply(0) => None,
            Self::AfterApply(_) => config.hooks.after_apply.as_ref(),
        }
    }

    /// Runs the command of this moment, if there is one, and tells what went wrong with it.
    pub fn run(self, home: &Home, config: &Config, stop: &Stop) -> Exit {
        let Some(command) = self.command(config) else { return Exit::Done };
        if std::env::var_os(WHICH).is_some() {
            return Exit::Done;
        }
        let (name, began) = (self.name(), Instant::now());
        let trouble = match self.run_command(command, home, config, stop) {
            Ok(()) => {
                let words = format!("the hook {name} is done, after {} ms", began.elapsed().as_millis());
                return tell(Event::new(Part::Watch, words).detail(), Exit::Done);
            }
            Err(trouble) => trouble,
        };
        let limit = config.hooks.time_limit;
        let why = match trouble {
            Trouble::NotStarted(error) => format!("cannot be started: {error}"),
            Trouble::NotWatched(error) => format!("was lost sight of: {error}"),
            Trouble::Ended(status) => format!("failed ({status})"),
            Trouble::TooLong => format!("took longer than its time limit of {limit}, and was ended"),
            Trouble::Stopped => "was ended, because a signal came".to_owned(),
        };
        let file = home.config_path();
        let words = format!("the hook {name} of {} {why}; what is synced does not depend on it", file.display());
        tell(Event::new(Part::Watch, words).warning(), Exit::Attention)
    }

    fn run_command(self, command: &HookCommand, home: &Home, config: &Config, stop: &Stop) -> Result<(), Trouble> {
        let mut command = CommandWrap::from(self.prepared(command, home, config));
        #[cfg(unix)]
        command.wrap(process_wrap::std::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::std::JobObject);
        let mut child = command.spawn().map_err(Trouble::NotStarted)?;
        let ended = wait(&mut *child, config.hooks.time_limit.as_duration(), stop);
        if ended.is_err() {
            // If it cannot be ended there is nothing else to be done about it.
            let _ = child.kill();
        }
        match ended? {
            status if status.success() => Ok(()),
            status => Err(Trouble::Ended(status)),
        }
    }

    /// The command with what it is told: where it is and what it is about.
    fn prepared(self, command: &HookCommand, home: &Home, config: &Config) -> Command {
        let mut prepared = program(command);
        // A relative path in the file means the same there as `database` does.
        prepared.current_dir(home.folder());
        prepared.env("PACKHORSE_HOME", std::path::absolute(home.folder()).unwrap_or_else(|_| home.folder().to_owned()));
        prepared.env("PACKHORSE_DATABASE", database_of(home, config));
        prepared.env("PACKHORSE_NODE", config.node.name.as_str()).env(WHICH, self.name());
        if let Self::AfterApply(records) = self {
            prepared.env("PACKHORSE_RECORDS", records.to_string());
        }
        prepared.stdin(Stdio::null());
        if journal::speaks_in_log() {
            prepared.stdout(Stdio::null()).stderr(Stdio::null());
        } else {
            prepared.stdout(Stdio::from(io::stderr()));
        }
        prepared
    }
}

/// A command of the configuration, as a program that can be started.
pub fn program(command: &HookCommand) -> Command {
    match command {
        HookCommand::Shell(line) => shell(line),
        HookCommand::Program(words) => {
            let mut program = Command::new(words.first().map_or("", String::as_str));
            program.args(words.iter().skip(1));
            program
        }
    }
}

fn wait(child: &mut dyn ChildWrapper, limit: Duration, stop: &Stop) -> Result<ExitStatus, Trouble> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if stop.is_asked() => return Err(Trouble::Stopped),
            Ok(None) if began.elapsed() >= limit => return Err(Trouble::TooLong),
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Err(Trouble::NotWatched(error)),
        }
    }
}

/// A person is told of a hook only what went wrong with it.
fn tell(event: Event, exit: Exit) -> Exit {
    if exit != Exit::Done || journal::speaks_in_log() {
        event.tell();
    }
    exit
}

#[cfg(not(windows))]
fn shell(line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(line);
    shell
}

#[cfg(windows)]
fn shell(line: &str) -> Command {
    let mut shell = Command::new("cmd");
    // Not quoted again: the line is written as `cmd` reads it.
    std::os::windows::process::CommandExt::raw_arg(&mut shell, format!("/C {line}"));
    shell
}
