//! For how long a peer was silent before it said what it says now.
//!
//! Owns that a backlog counts as one: whoever comes back after a silence sends several bundles, of which the first alone comes
//! late. Invariant: until a bundle was sealed in sight of all that was here when the silence ended, the silence counts. Pure.

use serde::{Deserialize, Serialize};

use super::Link;
use crate::clock::WallTime;
use crate::config::Span;
use crate::id::Cut;

/// A silence of a peer's, which counts against what it said without having seen what there was when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// How long it was, in milliseconds.
    millis: u64,
    /// What the peer has to have seen of ours for it to be over.
    upto: Cut,
}

impl Silence {
    /// None that counts.
    pub const OVER: Self = Self { millis: 0, upto: Cut(0) };

    /// For how long the peer had been silent, as far as that counts against what it said when it had seen this of ours.
    pub fn before(self, seen: Cut) -> Span {
        Span::from_millis(if seen < self.upto { self.millis } else { 0 })
    }
}

impl Link {
    /// Takes account of the pause before a bundle: since the last one was accepted, or since the link began. `seen`: what the
    /// peer had seen of ours when it sealed it; `upto`: the latest there is of ours.
    pub fn break_silence(&mut self, last: Option<WallTime>, (seen, upto): (Cut, Cut), now: WallTime) {
        let since = last.map_or(self.begun, |at| at.max(self.begun));
        let pause = Silence { millis: now.0.saturating_sub(since.0), upto };
        let counts = |known: &Silence| seen < known.upto && known.millis >= pause.millis;
        self.incoming.silence = Some(self.incoming.silence.filter(counts).unwrap_or(pause));
    }

    /// The silence that counts.
    pub fn silence(&self) -> Silence {
        self.incoming.silence.unwrap_or(Silence::OVER)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::End;
    use super::*;

    const DAY: u64 = 86_400_000;

    #[test]
    fn a_backlog_after_a_silence_counts_as_one_until_the_peer_has_seen_what_there_was() {
        let (End { mut link, .. }, _) = End::pair();
        let mut last = DAY;
        let mut heard = |seen, upto, now| {
            link.break_silence(Some(WallTime(last)), (Cut(seen), Cut(upto)), WallTime(now));
            last = now;
            link.silence().before(Cut(seen))
        };
        assert_eq!(heard(3, 9, 21 * DAY), Span::from_millis(20 * DAY));
        assert_eq!(heard(3, 10, 21 * DAY + 5), Span::from_millis(20 * DAY), "the second bundle of the backlog");
        assert_eq!(heard(9, 11, 21 * DAY + 9), Span::from_millis(4), "made in sight of what there was");
        assert_eq!(heard(12, 13, 20 * DAY), Span::from_millis(0), "the clock was set back");
        assert_eq!(link.silence().before(Cut(13)), Span::from_millis(0));
    }
}
