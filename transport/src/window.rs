//! How much may be under way on a line at once.
//!
//! Owns the judgement. On a slow line whatever is under way beyond what fills it only lies in a queue, where acknowledgements
//! and commands that go the same way wait behind it, and is sent again if the line breaks; on a fast one too little under
//! way makes it slow. So a line that may be slow, by its round trip, begins with little, and is allowed twice as much
//! whenever that turns out to be what holds it up. Never less again: a line does not get slower by being filled.

use std::time::{Duration, Instant};

/// With a shorter round trip no line is as slow as that.
const LONG: Duration = Duration::from_millis(60);

/// What is sent in one packet over such a line: a fourth of what may be under way, so that another can go as soon as one has
/// been acknowledged.
pub(crate) const PACKET: usize = 900;

/// What a line that may be slow begins with, about a second of a modem's. With less, what comes and what goes hold each
/// other up; with more, more is sent again when the line breaks; and the way on which more is under way takes the
/// other's share (`scripts/bench line`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Over connections for a file each, where the system's own buffers bound what is under way.
    ByBuffers,
    /// Where each piece is answered, of which there are three under way.
    ByAnswers,
}

impl First {
    pub(crate) fn size(self) -> usize {
        match self {
            Self::ByBuffers => 4_000,
            Self::ByAnswers => 3 * 1_340,
        }
    }
}

/// What needs no such care any more.
const PLENTY: usize = 256 * 1024;

/// For so many round trips it is watched how fast something moves.
const WATCHED: u32 = 4;

/// The judgement on one line.
#[derive(Debug)]
pub(crate) struct Window {
    round_trip: Duration,
    size: usize,
    /// Bytes that have moved since what moves now began, or since it was watched.
    moved: usize,
    watched: Option<Instant>,
}

impl Window {
    pub(crate) fn new(first: First) -> Self {
        Self { round_trip: Duration::ZERO, size: first.size(), moved: 0, watched: None }
    }

    /// Takes in how long a connection took to be made. What is not answered the system asks again after whole seconds: they are
    /// none of the round trip, by which the line would seem to carry far more than fits its window.
    pub(crate) fn meet(&mut self, took: Duration) {
        let waited = took.as_secs() > 0;
        self.round_trip = if waited { Duration::from_nanos(took.subsec_nanos().into()).max(LONG) } else { took };
    }

    /// How much may be under way; None if there need be no limit.
    pub(crate) fn size(&self) -> Option<usize> {
        (self.round_trip >= LONG && self.size < PLENTY).then_some(self.size)
    }

    /// The same, where some limit there must be.
    pub(crate) fn within(&self) -> usize {
        self.size().unwrap_or(PLENTY)
    }

    /// How long the first bytes over a connection need at most to be answered, also behind what comes at the same time.
    pub(crate) fn first_answer(&self) -> Duration {
        self.round_trip * 3
    }

    /// Something begins to move.
    pub(crate) fn begin(&mut self) {
        (self.moved, self.watched) = (0, None);
    }

    /// So many bytes have moved.
    pub(crate) fn note(&mut self, bytes: usize, now: Instant) {
        self.moved += bytes;
        let Some(since) = self.watched else {
            // At first the system's buffers take what they are given, and that is no speed: twice what they are said to.
            if self.moved > 2 * self.size {
                (self.moved, self.watched) = (0, Some(now));
            }
            return;
        };
        let elapsed = now.duration_since(since);
        if elapsed < self.round_trip * WATCHED {
            return;
        }
        // What only the window holds up moves a window's content in each round trip; a slow line far less.
        let by_window = self.size as f64 * elapsed.as_secs_f64() / self.round_trip.as_secs_f64().max(f64::EPSILON);
        if self.moved as f64 > 0.6 * by_window {
            self.size = (self.size * 2).min(PLENTY);
        }
        self.begin();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: usize = 4_000;

    /// A line that carries so many bytes in a second and has this round trip, after so many seconds.
    fn after(seconds: u32, rate: usize, round_trip: Duration) -> Option<usize> {
        let (mut window, began) = (Window::new(First::ByBuffers), Instant::now());
        window.meet(round_trip);
        window.note(2 * FIRST, began);
        for hundredth in 0..100 * seconds {
            let by_window = window.within() as f64 / round_trip.as_secs_f64().max(0.001);
            let moved = by_window.min(rate as f64) / 100.0;
            window.note(moved as usize, began + Duration::from_millis(10) * hundredth);
        }
        window.size()
    }

    #[test]
    fn a_connection_that_was_asked_for_twice_does_not_make_a_slow_line_fast() {
        for seconds in [0, 1, 3, 7] {
            let round_trip = Duration::from_secs(seconds) + Duration::from_millis(340);
            assert_eq!(after(60, 4_200, round_trip), Some(FIRST), "{round_trip:?}");
        }
        assert_eq!(after(1, 1_200, Duration::from_millis(1_001)), Some(FIRST));
    }

    #[test]
    fn a_slow_line_keeps_its_little_and_a_fast_one_soon_has_no_limit() {
        assert_eq!(after(60, 4_200, Duration::from_millis(340)), Some(FIRST));
        assert_eq!(after(60, 1_200, Duration::from_millis(700)), Some(FIRST));
        assert_eq!(after(1, 1_000_000, Duration::from_millis(1)), None);
        assert_eq!(after(5, 10_000_000, Duration::from_millis(100)), None);
        let broadband = after(20, 100_000, Duration::from_millis(100)).expect("a limit");
        assert!((10_000..=40_000).contains(&broadband), "{broadband}");
    }
}
