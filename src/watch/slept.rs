//! Whether the machine has slept: a laptop that wakes may have a line for a minute, and what was due meanwhile is due now.
//!
//! Pure. Told by the clock's running ahead of the time that has passed for the service. A clock that is set ahead looks the
//! same, and costs one look at everything.

use std::time::Duration;

use packhorse_shared::clock::WallTime;

/// So far ahead the clock does not run by itself between two looks.
const AHEAD: i128 = 30_000;

/// How far the clock was ahead at the last look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slept(Option<i128>);

impl Slept {
    /// Whether the machine slept since the last look. `passed`: the time that has passed for the service.
    pub fn look(&mut self, clock: WallTime, passed: Duration) -> bool {
        let ahead = i128::from(clock.0) - i128::try_from(passed.as_millis()).unwrap_or(i128::MAX);
        let before = self.0.replace(ahead);
        before.is_some_and(|before| ahead.saturating_sub(before) > AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_ahead_tells_of_sleep_once() {
        let mut slept = Slept::default();
        let mut at = |clock: u64, passed: u64| slept.look(WallTime(clock), Duration::from_secs(passed));
        assert!(!at(1_000_000, 0));
        assert!(!at(1_010_500, 10), "a little is no sleep");
        assert!(at(4_000_000, 11));
        assert!(!at(4_001_000, 12));
        assert!(!at(1_000, 13), "a clock that is set back");
        assert!(!at(2_000, 14));
    }
}
