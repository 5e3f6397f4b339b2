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

/// What a line that may be slow begins with, most of a second of a modem's. With less, what comes and what goes hold each
/// other up; with more, more is sent again when the line breaks; and the way on which more is under way takes the
/// other's share (`scripts/bench line`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Over connections for a file each, where the system's own buffers bound what is under way.
    ByBuffers,
    /// Where each piece is answered, of which there are two under way, each way over one connection: one is being answered
    /// while the other moves. (With three, both ways sent them in threes, and waited in turn for each other's.)
    ByAnswers,
}

impl First {
    pub(crate) fn size(self) -> usize {
        match self {
            Self::ByBuffers => 4_000,
            Self::ByAnswers => 2 * 1_340,
        }
    }
}

/// What needs no such care any more.
const PLENTY: usize = 256 * 1024;

/// For so many round trips it is watched how fast something moves: for fewer if it is clear, for more if single pieces count.
const WATCHED: [u32; 2] = [4, 12];

/// From such a part on of what the window lets move it seems to be what holds it up: then, and in the end.
const HELD_UP: [f64; 2] = [0.8, 0.6];

/// The judgement on one line.
#[derive(Debug)]
pub(crate) struct Window {
    round_trip: Duration,
    size: usize,
    /// Bytes that have moved since what moves now began, or since it was watched.
    moved: usize,
    watched: Option<Instant>,
    /// Both ways at once, each with a window of its own.
    is_shared: bool,
}

impl Window {
    pub(crate) fn new(first: First) -> Self {
        Self { round_trip: Duration::ZERO, size: first.size(), moved: 0, watched: None, is_shared: false }
    }

    /// Takes in how long a connection took to be made. What is not answered the system asks again after whole seconds: they are
    /// none of the round trip, by which the line would seem to carry far more than fits its window.
    pub(crate) fn meet(&mut self, took: Duration) {
        let waited = took.as_secs() > 0;
        self.round_trip = if waited { Duration::from_nanos(took.subsec_nanos().into()).max(LONG) } else { took };
    }

    /// Takes in how long a question took to be answered. With nothing else on the line that is a round trip and hardly more;
    /// a connection that had to be asked for again takes some more by chance.
    pub(crate) fn meet_again(&mut self, took: Duration) {
        self.round_trip = self.round_trip.min(took);
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

    /// Whether something moves each way from now on, with a window of its own.
    pub(crate) fn share(&mut self, is_shared: bool) {
        self.is_shared = is_shared;
        self.begin();
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
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
        let [soon, long] = WATCHED.map(|round_trips| elapsed >= self.round_trip * round_trips);
        if !soon {
            return;
        }
        // What only the window holds up moves a window's content in each round trip; a slow line far less.
        let most = if self.is_shared { 2 * self.size } else { self.size };
        let by_window = most as f64 * elapsed.as_secs_f64() / self.round_trip.as_secs_f64().max(f64::EPSILON);
        let [clearly, likely] = HELD_UP.map(|part| self.moved as f64 > part * by_window);
        if clearly || (long && likely) {
            self.size = (self.size * 2).min(PLENTY);
        } else if !long {
            return;
        }
        self.begin();
    }
}

#[cfg(test)]
mod tests {
    use std::mem::take;

    use super::*;

    const FIRST: usize = 4_000;

    /// A line that carries so many bytes in a second and has this round trip, after so many seconds.
    fn after(seconds: u32, rate: usize, round_trip: Duration) -> Option<usize> {
        moved_over(Window::new(First::ByBuffers), 1, seconds, rate, round_trip)
    }

    /// The same of a window that is had each of so many ways; what moves is told of in lumps of a window each.
    fn moved_over(mut window: Window, ways: usize, seconds: u32, rate: usize, round_trip: Duration) -> Option<usize> {
        let began = Instant::now();
        window.meet(round_trip);
        window.note(2 * window.size, began);
        let mut lump = 0;
        for hundredth in 0..100 * seconds {
            let by_window = window.within() as f64 / round_trip.as_secs_f64().max(0.001);
            lump += by_window.min(rate as f64) as usize / 100;
            if lump >= window.within() {
                window.note(ways * take(&mut lump), began + Duration::from_millis(10) * hundredth);
            }
        }
        window.size()
    }

    #[test]
    fn a_connection_that_took_long_by_chance_does_not_make_a_slow_line_fast() {
        let mut window = Window::new(First::ByAnswers);
        let (late, answered) = (Duration::from_millis(7_460), Duration::from_millis(340));
        window.meet(late);
        window.meet_again(answered);
        window.meet_again(3 * answered);
        assert_eq!(window.round_trip, answered);
    }

    #[test]
    fn what_moves_both_ways_at_once_does_not_make_a_slow_line_fast() {
        let first = First::ByAnswers.size();
        let after = |ways, rate, round_trip| {
            let round_trip = Duration::from_millis(round_trip);
            let mut window = Window::new(First::ByAnswers);
            window.share(ways == 2);
            moved_over(window, ways, 60, rate, round_trip)
        };
        for ways in [1, 2] {
            assert_eq!(after(ways, 4_200, 340), Some(first), "{ways}");
            assert_eq!(after(ways, 1_200, 700), Some(first), "{ways}");
            assert_eq!(after(ways, 10_000_000, 100), None, "{ways}");
        }
        let mut alone = Window::new(First::ByAnswers);
        alone.share(true);
        alone.share(false);
        assert_eq!(moved_over(alone, 1, 60, 10_000_000, Duration::from_millis(100)), None);
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
