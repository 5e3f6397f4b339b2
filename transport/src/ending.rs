//! When a run has to end, as a connection's guard needs it.
//!
//! Owns the moment and the wish. Invariant: what is over stays over. Leaves a run's own looks at the time to
//! [`crate::Deadline`], whose clock may be a simulated one.

use std::time::{Duration, Instant};

use packhorse_shared::seam::Stop;

/// When a run has to end: at a moment, if there is one, and as soon as that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    stop: Stop,
    at: Option<Instant>,
}

impl Ending {
    /// The end of a budget that begins now, and the wish to stop.
    pub fn of(budget: Option<Duration>, stop: Stop) -> Self {
        Self { stop, at: budget.and_then(|budget| Instant::now().checked_add(budget)) }
    }

    /// Whether the run has to end.
    pub fn is_over(&self) -> bool {
        self.stop.is_asked() || self.left().is_some_and(|left| left.is_zero())
    }

    /// How much time is left, if there is an end.
    pub fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}
