//! Since when something fails, so that its coming back can be told.
//!
//! Pure.

use std::time::Duration;

use super::schedule::Outcome;

/// The state of one kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outage {
    failures: u64,
    since: Duration,
}

/// An outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// How often the work failed.
    pub failures: u64,
    /// How long it took from the first failure on.
    pub took: Duration,
}

impl Outage {
    /// Takes in how the work ended now; says so if that ends an outage.
    pub fn take_in(&mut self, outcome: Outcome, now: Duration) -> Option<Over> {
        match outcome {
            Outcome::Busy => None,
            Outcome::Failed => {
                self.since = if self.failures == 0 { now } else { self.since };
                self.failures += 1;
                None
            }
            Outcome::Done if self.failures == 0 => None,
            Outcome::Done => {
                let Self { failures, since } = std::mem::take(self);
                Some(Over { failures, took: now.saturating_sub(since) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_over_once_with_its_failures_and_its_time() {
        let mut outage = Outage::default();
        let mut at = |outcome, second| outage.take_in(outcome, Duration::from_secs(second));
        assert_eq!(at(Outcome::Done, 1), None);
        assert_eq!((at(Outcome::Failed, 2), at(Outcome::Failed, 3), at(Outcome::Busy, 4)), (None, None, None));
        assert_eq!(at(Outcome::Done, 62), Some(Over { failures: 2, took: Duration::from_secs(60) }));
        assert_eq!(at(Outcome::Done, 63), None);
    }
}
