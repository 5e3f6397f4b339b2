//! The two streams that words go to: those of the process or, while a command is run for a caller, what is kept for it.
//!
//! Owns the writing. Invariant: nothing else in this crate writes to standard output or standard error, but the log and
//! the help that was asked for, which look at what a terminal can show. Words come from everywhere, so that whose they are
//! is known by the thread that says them: no command speaks on a thread that it has started, only the service does.

use std::cell::RefCell;
use std::io::{self, Write};

/// What was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Of standard output.
    pub out: String,
    /// Of standard error.
    pub err: String,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
pub fn out(text: &str) {
    if !keep(|kept| kept.out.push_str(text)) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Writes to standard error. Where that is closed there is nobody to tell.
pub fn err(text: &str) {
    if !keep(|kept| kept.err.push_str(text)) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Whether what this thread says is kept.
pub fn are_kept() -> bool {
    KEPT.with_borrow(Option::is_some)
}

/// Does something, and keeps what this thread says meanwhile.
pub fn kept<T>(work: impl FnOnce() -> T) -> (T, Kept) {
    let _before = Before(KEPT.replace(Some(Kept::default())));
    let done = work();
    (done, KEPT.take().unwrap_or_default())
}

/// Puts back what was there, also after a panic, or the thread would be silent from then on.
struct Before(Option<Kept>);

impl Drop for Before {
    fn drop(&mut self) {
        KEPT.set(self.0.take());
    }
}

/// Adds to what is kept; whether anything is.
fn keep(add: impl FnOnce(&mut Kept)) -> bool {
    KEPT.with_borrow_mut(|kept| kept.as_mut().map(add).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_kept_for_the_thread_that_says_it_until_its_work_is_over() {
        let (other, kept) = kept(|| {
            out("a result\n");
            err("a word\n");
            std::thread::spawn(are_kept).join()
        });
        assert_eq!((kept.out.as_str(), kept.err.as_str()), ("a result\n", "a word\n"));
        assert!(!other.expect("a thread") && !are_kept());
    }

    #[test]
    fn a_panic_does_not_silence_the_thread() {
        let outcome = std::panic::catch_unwind(|| kept(|| panic!("foreseen")).0);
        assert!(outcome.is_err() && !are_kept());
    }
}
