//! When something that failed is tried again within a run.
//!
//! Owns the count of attempts and the pauses between them. Only attempts that bring nothing further count: as long as each
//! comes further than all before it, there is another, after the shortest pause. Each pause is twice the one before, and
//! partly left to chance, so that the laptops that one server has dropped do not come back at the same moment. Leaves to
//! the caller what an attempt is, and which failures may pass.

use std::time::Duration;

use packhorse_shared::seam::Random;

use crate::stopwatch::Deadline;

/// How often something is tried without coming further.
pub(crate) const ATTEMPTS: u32 = 3;

/// The longest wait before the second attempt; doubled before each later one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The pause is over: another attempt.
    Again,
    /// There have been enough.
    GiveUp,
    /// The run ends before the pause would.
    Over,
}

/// The attempts at one thing.
pub(crate) struct Backoff<'a> {
    deadline: Deadline<'a>,
    random: &'a dyn Random,
    /// Attempts since something came further.
    attempts: u32,
    farthest: u64,
}

impl<'a> Backoff<'a> {
    /// Before the first attempt.
    pub(crate) fn new(deadline: Deadline<'a>, random: &'a dyn Random) -> Self {
        Self { deadline, random, attempts: 0, farthest: 0 }
    }

    /// After an attempt that failed, and how far all of them have come. Waits before another.
    pub(crate) fn after(&mut self, progress: u64, may_pass: bool) -> Next {
        if progress > self.farthest {
            (self.attempts, self.farthest) = (0, progress);
        }
        self.attempts += 1;
        if self.attempts == ATTEMPTS || !may_pass {
            return Next::GiveUp;
        }
        let longest = FIRST_PAUSE.saturating_mul(1 << (self.attempts - 1));
        match self.deadline.pause(spread(longest, self.random.next_u64())) {
            true => Next::Again,
            false => Next::Over,
        }
    }
}

/// From half of a pause to all of it, as chance will have it.
fn spread(longest: Duration, lot: u64) -> Duration {
    longest.mul_f64(0.5 + lot as f64 / u64::MAX as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stopwatch;
    use crate::run_scene::{Longest, Virtual};

    #[test]
    fn pauses_double_until_something_comes_further_and_three_attempts_that_do_not_are_enough() {
        let watch = Virtual::default();
        let mut backoff = Backoff::new(Deadline::after(&watch, None), &Longest);
        let mut waited = |progress, may_pass| {
            let before = watch.elapsed();
            (backoff.after(progress, may_pass), (watch.elapsed() - before).as_secs())
        };
        assert_eq!(waited(0, true), (Next::Again, 1));
        assert_eq!(waited(0, true), (Next::Again, 2));
        assert_eq!(waited(1, true), (Next::Again, 1));
        assert_eq!(waited(1, true), (Next::Again, 2));
        assert_eq!(waited(1, true), (Next::GiveUp, 0));
        assert_eq!(waited(2, false), (Next::GiveUp, 0));
    }

    #[test]
    fn a_pause_is_left_to_chance_from_its_half_on() {
        let second = Duration::from_secs(1);
        assert_eq!(spread(second, 0), second / 2);
        assert_eq!(spread(second, u64::MAX), second);
        let middle = spread(second, u64::MAX / 2);
        assert!(middle > second * 74 / 100 && middle < second * 76 / 100, "{middle:?}");
    }

    #[test]
    fn no_pause_outlasts_the_run() {
        let watch = Virtual::default();
        let mut backoff = Backoff::new(Deadline::after(&watch, Some(FIRST_PAUSE)), &Longest);
        assert_eq!(backoff.after(0, true), Next::Over);
        assert_eq!(watch.elapsed(), Duration::ZERO);
    }
}
