//! What was typed: understood, or refused in words.
//!
//! clap finds what is wrong with it and words that. Invariant: what was typed stands in those words so that it can neither
//! control the terminal nor fill it, and the argument that is wrong is named.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error, FromArgMatches};

use crate::cli::{Cli, WIDTH};
use crate::failure::Exit;
use crate::streams;
use crate::wording::brief;

const MORE: &str = "For more information, try '--help'.";

/// What clap's words repeat of what was typed.
const TYPED: [ContextKind; 5] = [
    ContextKind::InvalidSubcommand,
    ContextKind::InvalidArg,
    ContextKind::InvalidValue,
    ContextKind::PriorArg,
    ContextKind::TrailingArg,
];

/// The command that was typed, the program's name first; or how to end: the help that was asked for is shown then, or what
/// is wrong is told.
pub fn understood(typed: &[OsString]) -> Result<Cli, Exit> {
    let read = command().try_get_matches_from(typed).and_then(|matches| Cli::from_arg_matches(&matches));
    read.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            show(&error);
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        }
        _ => {
            streams::err(&words(error, typed));
            Exit::Usage
        }
    })
}

/// All that can be typed. What is kept is for no terminal, whatever this process has.
fn command() -> Command {
    let command = Cli::command();
    if streams::are_kept() { command.term_width(WIDTH) } else { command }
}

/// Shows a help: on a terminal as clap does, with what it has of colours.
fn show(help: &Error) {
    let text = || help.render().to_string();
    match (streams::are_kept(), help.use_stderr()) {
        (true, true) => streams::err(&text()),
        (true, false) => streams::out(&text()),
        // Where nobody reads there is nobody to tell.
        (false, _) => drop(help.print()),
    }
}

fn words(error: Error, typed: &[OsString]) -> String {
    let text = match error.kind() {
        ErrorKind::InvalidUtf8 => no_text(typed.iter().skip(1)),
        ErrorKind::ValueValidation => value(&error),
        _ => made_safe(error).to_string(),
    };
    let text = text.trim_end();
    // What we say ourselves has no such end yet.
    let end = if text.ends_with(MORE) { String::new() } else { format!("\n{MORE}\n") };
    text.lines().map(|line| brief(line) + "\n").collect::<String>() + &end
}

/// A value that its option does not take. clap would tell the option's own words for that without making them safe.
fn value(error: &Error) -> String {
    let of = |kind| error.get(kind).map(|value| brief(&value.to_string())).unwrap_or_default();
    let why = error.source().map(|why| brief(&why.to_string())).unwrap_or_default();
    format!("error: invalid value '{}' for '{}': {why}", of(ContextKind::InvalidValue), of(ContextKind::InvalidArg))
}

/// The same error, with what was typed made safe to show.
fn made_safe(mut error: Error) -> Error {
    for kind in TYPED {
        let Some(ContextValue::String(typed)) = error.get(kind) else { continue };
        let safe = brief(typed);
        if safe != *typed {
            // Advice would repeat it as it was.
            error.insert(ContextKind::Suggested, ContextValue::None);
            error.insert(kind, ContextValue::String(safe));
        }
    }
    error
}

/// clap does not tell which argument it was. A path may be any bytes, so there may be others that are none.
fn no_text<'w>(words: impl Iterator<Item = &'w OsString>) -> String {
    let no_text: Vec<String> = words
        .filter(|word| word.to_str().is_none())
        .take(3)
        .map(|word| format!("'{}'", word.as_encoded_bytes().escape_ascii()))
        .collect();
    format!("error: not UTF-8 text: {}; only a path may be written in other bytes", no_text.join(", "))
}
