//! Work that may panic or stand still, kept from harming whoever wants it done.
//!
//! Owns the threads that sled's calls run on. Invariant: a panic there becomes a value, a standstill ends after a
//! bounded time, and the caller's own thread never unwinds. The threads bear a name by which a binary's panic hook can
//! keep still about what is told in words anyway.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The name of these threads.
const THREAD: &str = "ledger";

/// sled names its own threads so; a panic in one of them is seen by the call that waits for it.
const THREADS_OF_SLED: &str = "sled-io-";

/// How long a call may take before it is taken for a standstill; usual ones take milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can come between a piece of work and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mishap {
    #[error("reading it broke off")]
    Panicked,
    #[error("reading it came to no end")]
    StoodStill,
    #[error("the system gives no thread to read it")]
    NoThread,
}

/// Whether a thread of this name works on a ledger: if it panics, that is caught and told as damage. A binary's panic
/// hook should print nothing then.
pub fn is_of_ledger(thread: &str) -> bool {
    thread == THREAD || thread.starts_with(THREADS_OF_SLED)
}

/// Does a piece of work on a thread of its own.
pub(super) fn contained<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Mishap> {
    within(PATIENCE, work)
}

fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Mishap> {
    let (done, result) = channel();
    let body = move || {
        // Nobody may wait for it any more.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)).map_err(drop));
    };
    thread::Builder::new().name(THREAD.to_owned()).spawn(body).map_err(|_| Mishap::NoThread)?;
    match result.recv_timeout(patience) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(())) | Err(RecvTimeoutError::Disconnected) => Err(Mishap::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(Mishap::StoodStill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_and_a_standstill_become_values() {
        assert_eq!(contained(|| 7), Ok(7));
        let broken: Result<(), Mishap> = contained(|| panic!("on purpose"));
        assert_eq!(broken, Err(Mishap::Panicked));
        let (hold, held) = channel::<()>();
        let endless = within(Duration::from_millis(1), move || held.recv().is_ok());
        assert_eq!(endless, Err(Mishap::StoodStill));
        drop(hold);
    }

    #[test]
    fn its_threads_are_known_by_their_names() {
        let name = contained(|| thread::current().name().map(str::to_owned)).unwrap().unwrap();
        assert!(is_of_ledger(&name) && is_of_ledger("sled-io-3"));
        assert!(!is_of_ledger("main") && !is_of_ledger(""));
    }
}
