//! How far something is that takes more than a moment.
//!
//! Owns when a line of it is written, and where: over itself on a terminal, now and then elsewhere. Nothing is said of
//! what is done within a second. Leaves to the caller what is done.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::report::note;
use crate::streams;
use crate::wording::bytes;

/// Nothing is said before.
const SOON: Duration = Duration::from_secs(1);
/// How often a line is written over itself on a terminal.
const OFTEN: Duration = Duration::from_millis(200);
/// How often a new one is written elsewhere.
const SELDOM: Duration = Duration::from_secs(10);

/// The progress of one thing.
pub struct Progress {
    doing: &'static str,
    is_terminal: bool,
    began: Instant,
    next: Cell<Duration>,
    is_shown: Cell<bool>,
}

impl Progress {
    /// Begins now. `doing`: as in "sending alice.rdb".
    pub fn of(doing: &'static str) -> Self {
        let is_terminal = io::stderr().is_terminal() && !streams::are_kept();
        let next = Cell::new(if is_terminal { SOON } else { SELDOM });
        Self { doing, is_terminal, began: Instant::now(), next, is_shown: Cell::new(false) }
    }

    /// So much is done, of so much.
    pub fn at(&self, what: &str, done: u64, whole: u64) {
        let elapsed = self.began.elapsed();
        if elapsed < self.next.get() {
            return;
        }
        let line = format!("{} {what}: {} of {}", self.doing, bytes(done), bytes(whole));
        if self.is_terminal {
            // To the beginning of the line, and what is left of the old one goes.
            streams::err(&format!("\r{line}\x1b[K"));
            self.is_shown.set(true);
        } else {
            note(&line);
        }
        self.next.set(elapsed + if self.is_terminal { OFTEN } else { SELDOM });
    }
}

/// Takes the line off the terminal, so that the next one stands alone.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown.get() {
            streams::err("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of something that began so long ago, at these places.
    fn told(ago: u64, places: &[u64]) -> String {
        let ((), kept) = streams::kept(|| {
            let began = Instant::now().checked_sub(Duration::from_secs(ago)).expect("a moment");
            let mut progress = Progress::of("sending");
            progress.began = began;
            places.iter().for_each(|at| progress.at("alice.rdb", *at, 2_048));
        });
        kept.err
    }

    #[test]
    fn a_line_is_told_now_and_then_and_none_of_what_is_soon_done() {
        assert_eq!(told(0, &[0, 1_024, 2_048]), "");
        assert_eq!(told(11, &[1_024, 1_030, 2_048]), "sending alice.rdb: 1.0 KiB of 2.0 KiB\n");
    }
}
