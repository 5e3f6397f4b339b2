//! Time within a run: how long it has lasted, waiting, and the budget.
//!
//! Owns the seam through which a run sleeps, so that tests and the simulator do not. Monotonic: a wall clock that
//! jumps neither ends a run nor keeps it on line.

use std::time::{Duration, Instant};

/// Measures a run and waits for it.
pub trait Stopwatch {
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits that long.
    fn pause(&self, time: Duration);
}

/// The machine's own monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct OsStopwatch(Instant);

impl OsStopwatch {
    /// A stopwatch that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Stopwatch for OsStopwatch {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The moment at which a run has to stop, if there is one.
#[derive(Clone, Copy)]
pub struct Deadline<'a> {
    stopwatch: &'a dyn Stopwatch,
    end: Option<Duration>,
}

impl<'a> Deadline<'a> {
    /// The end of a budget that begins now; without a budget, never.
    pub fn after(stopwatch: &'a dyn Stopwatch, budget: Option<Duration>) -> Self {
        Self { stopwatch, end: budget.map(|budget| stopwatch.elapsed().saturating_add(budget)) }
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.leaves_no(Duration::ZERO)
    }

    /// Waits that long; false, at once, if the budget does not last until then.
    pub fn pause(&self, time: Duration) -> bool {
        let allowed = !self.leaves_no(time);
        if allowed {
            self.stopwatch.pause(time);
        }
        allowed
    }

    fn leaves_no(&self, time: Duration) -> bool {
        self.end.is_some_and(|end| self.stopwatch.elapsed().saturating_add(time) >= end)
    }
}
