//! When a run has to end, as a connection's guard needs it, and which of its connections did not end well.
//!
//! Owns the moment and the wish. Invariant: what is over stays over. Leaves a run's own looks at the time to
//! [`crate::Deadline`], whose clock may be a simulated one.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use packhorse_shared::seam::Stop;

use crate::line::Parting;

/// How often it is looked whether the run is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// When a run has to end: at a moment, if there is one, and as soon as that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    stop: Stop,
    at: Option<Instant>,
    parting: Parting,
}

impl Ending {
    /// The end of a budget that begins now, and the wish to stop.
    pub fn of(budget: Option<Duration>, stop: Stop) -> Self {
        let at = budget.and_then(|budget| Instant::now().checked_add(budget));
        Self { stop, at, parting: Parting::default() }
    }

    /// Whether the run has to end.
    pub fn is_over(&self) -> bool {
        self.stop.is_asked() || self.left().is_some_and(|left| left.is_zero())
    }

    /// The connections of this run that broke off.
    pub(crate) fn parting(&self) -> &Parting {
        &self.parting
    }

    /// How much time is left, if there is an end.
    pub fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Does what the system offers no way to end, as looking up a name, and waits for it so long, or until the run is to
    /// end. What is not waited for any more comes to its end by itself, on a thread of its own.
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (give, given) = channel();
        // Where nobody waits any more nobody wants to know.
        thread::Builder::new().spawn(move || drop(give.send(work())))?;
        let began = Instant::now();
        while !self.is_over() && began.elapsed() < limit {
            match given.recv_timeout(LOOK_EVERY) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("a thread has ended unforeseen")),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_for_ever_is_waited_for_until_a_limit_or_the_end_of_the_run() {
        let for_ever = || loop {
            thread::park();
        };
        let stopped = Stop::default();
        stopped.ask();
        let minute = Duration::from_secs(60);
        for (ending, limit) in [
            (Ending::default(), Duration::from_millis(60)),
            (Ending::of(Some(Duration::from_millis(60)), Stop::default()), minute),
            (Ending::of(None, stopped), minute),
        ] {
            let waited: io::Result<()> = ending.wait_for(limit, for_ever);
            assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(Ending::default().wait_for(minute, || Ok(7)).unwrap(), 7);
    }
}
