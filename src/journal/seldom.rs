//! How often something that stands is told: at once, and then at growing intervals.
//!
//! Pure. Invariants: what is new is always told; the memory is bounded, and what is pushed out of it is told again, never
//! kept back. Of the words only a digest is remembered: a folder of thousands of foreign files must not be told at every
//! look into it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use packhorse_shared::config::Part;

/// The first interval; each later one is twice as long.
const FIRST: Duration = Duration::from_secs(600);
/// The longest.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How many things are remembered.
const REMEMBERED: usize = 50_000;

/// What was told, and when it may be told again.
#[derive(Debug, Default)]
pub struct Seldom {
    told: HashMap<(Part, u64), Told>,
    digests: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    again: Duration,
    interval: Duration,
}

impl Seldom {
    /// Whether these words are to be told now; if so, they count as told.
    pub fn is_due(&mut self, part: Part, words: &str, now: Duration) -> bool {
        let key = (part, self.digests.hash_one(words));
        let interval = match self.told.get(&key) {
            Some(told) if now < told.again => return false,
            // Long silence means that it had gone away.
            Some(told) if now < told.again + LONGEST => (told.interval * 2).min(LONGEST),
            _ => FIRST,
        };
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        self.told.insert(key, Told { again: now + interval, interval });
        true
    }

    /// Forgets what was told of a part of the house.
    pub fn forget(&mut self, part: Part) {
        self.told.retain(|(of, _), _| *of != part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_is_told_at_once_and_then_at_growing_intervals() {
        let mut seldom = Seldom::default();
        let told: Vec<u64> = (0..100_000)
            .step_by(60)
            .filter(|second| seldom.is_due(Part::Transfer, "the relay is away", Duration::from_secs(*second)))
            .collect();
        assert_eq!(told[..5], [0, 600, 1_800, 4_200, 9_000]);
        assert!(told.len() < 10, "{told:?}");
    }

    #[test]
    fn what_is_new_or_comes_again_is_told_at_once() {
        let (mut seldom, second) = (Seldom::default(), Duration::from_secs(1));
        assert!(seldom.is_due(Part::Apply, "one", second));
        assert!(seldom.is_due(Part::Apply, "another", second));
        assert!(seldom.is_due(Part::Bundle, "one", second));
        assert!(!seldom.is_due(Part::Apply, "one", second));
        seldom.forget(Part::Apply);
        assert!(seldom.is_due(Part::Apply, "one", second));
        assert!(!seldom.is_due(Part::Bundle, "one", second));
        assert!(seldom.is_due(Part::Bundle, "one", LONGEST * 3));
        assert!(!seldom.is_due(Part::Bundle, "one", LONGEST * 3 + FIRST - second), "the first interval again");
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut seldom = Seldom::default();
        for number in 0..10 * REMEMBERED {
            assert!(seldom.is_due(Part::Watch, &number.to_string(), Duration::ZERO));
        }
        assert!(seldom.told.len() <= REMEMBERED);
    }

    #[test]
    fn thousands_of_things_that_stand_are_not_told_at_every_look() {
        let mut seldom = Seldom::default();
        let mut look = |second| {
            let files = (0..10_000).map(|number| format!("{number}.txt was left in the inbox"));
            files.filter(|words| seldom.is_due(Part::Apply, words, Duration::from_secs(second))).count()
        };
        assert_eq!((look(0), look(120), look(240)), (10_000, 0, 0));
    }
}
