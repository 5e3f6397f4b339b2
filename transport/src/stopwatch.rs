//! Time within a run: how long it has lasted, waiting, the budget, and being asked to stop.
//!
//! Owns the seam through which a run sleeps, so that tests and the simulator do not. Monotonic: a wall clock that
//! jumps neither ends a run nor keeps it on line.

use std::time::{Duration, Instant};

use packhorse_shared::seam::Stop;

/// How long a wait goes on before it looks whether the run is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Measures a run and waits for it.
pub trait Stopwatch: Sync {
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits that long, or until the run is to end.
    fn pause(&self, time: Duration);
    /// Whether somebody has asked for the run to end.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// The machine's own monotonic clock.
#[derive(Clone, Debug)]
pub struct OsStopwatch {
    began: Instant,
    stop: Stop,
}

impl OsStopwatch {
    /// A stopwatch that starts now, for a run that ends when this is asked for.
    pub fn start(stop: Stop) -> Self {
        Self { began: Instant::now(), stop }
    }
}

impl Stopwatch for OsStopwatch {
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
    fn pause(&self, time: Duration) {
        let began = Instant::now();
        while let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero() && !self.is_stopped()) {
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
    fn is_stopped(&self) -> bool {
        self.stop.is_asked()
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

    /// Whether the time is up, or the run was asked to stop.
    pub fn is_over(&self) -> bool {
        self.stopwatch.is_stopped() || self.leaves_no(Duration::ZERO)
    }

    /// Waits that long; false if the budget does not last until then, at once, or if the run is to end.
    pub fn pause(&self, time: Duration) -> bool {
        if self.leaves_no(time) {
            return false;
        }
        self.stopwatch.pause(time);
        !self.stopwatch.is_stopped()
    }

    fn leaves_no(&self, time: Duration) -> bool {
        self.end.is_some_and(|end| self.stopwatch.elapsed().saturating_add(time) >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_asked_to_stop_is_over_and_waits_no_more() {
        let stop = Stop::default();
        let stopwatch = OsStopwatch::start(stop.clone());
        let deadline = Deadline::after(&stopwatch, None);
        assert!(!deadline.is_over() && deadline.pause(Duration::from_millis(1)));
        stop.ask();
        assert!(deadline.is_over());
        // A test that waited would never end.
        assert!(!deadline.pause(Duration::from_secs(1 << 40)));
    }
}
