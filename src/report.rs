//! Where words go: results to standard output, everything else to standard error.

use std::io;
use std::{panic, thread};

use packhorse_shared::config::Part;
use packhorse_shared::ledger::is_of_ledger;
use tracing_subscriber::EnvFilter;

use crate::journal::{self, Event};
use crate::streams;
use crate::wording::{brief, shown};

/// Starts the log on standard error: warnings, or as much as `-v` or `PACKHORSE_LOG` asks for. What sled has to say of a
/// ledger comes out in our own words.
pub fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = log_filter(&format!("{level},sled=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(has_colour()).init();
}

/// What of the log is wanted: what `PACKHORSE_LOG` says, or these directives.
pub fn log_filter(directives: &str) -> EnvFilter {
    EnvFilter::try_from_env("PACKHORSE_LOG").unwrap_or_else(|_| EnvFilter::new(directives))
}

/// Whether colours are shown on standard error.
pub fn has_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::IsTerminal::is_terminal(&io::stderr())
}

/// A panic over a damaged ledger is caught and told in words; the text of it would only frighten.
pub fn keep_still_about_the_ledger() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !thread::current().name().is_some_and(is_of_ledger) {
            usual(info);
        }
    }));
}

/// Writes a line of a result. Names from outside may be in it: they cannot control the terminal.
pub fn result(text: &str) {
    line(&shown(text));
}

/// Writes lines of a result in one go: a write for each takes longer than all the rest. As safely.
pub fn results(lines: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = lines.into_iter().map(|line| shown(&line)).collect();
    if !lines.is_empty() {
        line(&lines.join("\n"));
    }
}

/// Writes text that is safe.
fn line(text: &str) {
    streams::out(&format!("{text}\n"));
}

/// Writes a word about what happens, as safely. The service has it in its log, as something that stands.
pub fn note(text: &str) {
    if journal::speaks_in_log() {
        return Event::new(Part::Watch, text).warning().tell_standing();
    }
    streams::err(&format!("{}\n", brief(text)));
}

/// Writes a JSON document as a result.
pub fn json(value: &impl serde::Serialize) {
    // Our own structures have text keys and no failing serialisers.
    line(&serde_json::to_string(value).unwrap_or_default());
}
