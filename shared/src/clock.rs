//! The hybrid logical clock that orders changes across nodes.
//!
//! Owns the reading (48 bits of Unix milliseconds, 16 bits of counter), the stamp (a reading and the node that took
//! it) and the rules by which a node's clock advances. Invariant: a clock never goes back, whatever the wall clock
//! does, and is never behind anything that it has observed. Pure: the wall clock's time comes in as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::seam::{Saboteur, is_at_work};

/// Milliseconds since the Unix epoch, as a wall clock tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub u64);

const COUNTER_BITS: u32 = 16;
const MILLIS_MAX: u64 = (1 << 47) - 1;

/// One reading of a hybrid logical clock. The upper 48 bits are milliseconds, of which the highest stays zero so
/// that a reading fits a signed 64-bit integer of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reading(pub u64);

impl Reading {
    /// The latest possible reading; anything above it is not one.
    pub const MAX: Self = Self((MILLIS_MAX << COUNTER_BITS) | 0xffff);

    /// The earliest reading of a wall clock's millisecond.
    pub fn at(time: WallTime) -> Self {
        Self(time.0.min(MILLIS_MAX) << COUNTER_BITS)
    }

    /// The reading that follows this one.
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(Self::MAX.0))
    }

    /// The wall time in it.
    pub fn time(self) -> WallTime {
        WallTime(self.0 >> COUNTER_BITS)
    }

    /// The counter that tells readings of one millisecond apart.
    pub fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The reading with this millisecond and counter, or None if they are out of range.
    pub fn from_parts(millis: u64, counter: u64) -> Option<Self> {
        (millis <= MILLIS_MAX && counter <= 0xffff).then_some(Self((millis << COUNTER_BITS) | counter))
    }
}

/// By how many milliseconds a birth may be ahead of the stamps of its record's fields: where many records are made at once,
/// each has a reading of its own.
pub const BIRTHS_AHEAD: u64 = 100;

/// When and where a change was made: later stamps win. The node breaks ties, so that two stamps are equal only if
/// they are of the same change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The clock reading.
    pub reading: Reading,
    /// The node that made the change.
    pub node: NodeId,
}

impl Stamp {
    /// The stamp of what has not changed since capture began: earlier than every other.
    pub const ZERO: Self = Self { reading: Reading(0), node: NodeId(0) };

    /// The latest that can be the birth of a record of which something is stamped so, or to which that refers.
    pub fn latest_birth(self) -> Self {
        let time = WallTime(self.reading.time().0.saturating_add(BIRTHS_AHEAD));
        Self { reading: Reading::at(time), node: NodeId(u64::MAX) }
    }

    /// Whether it is not of a change but of a horizon (see [`crate::horizon::Horizon::stamp`]).
    pub fn is_of_horizon(self) -> bool {
        self.node == NodeId(u64::MAX)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04x}@{}", self.reading.time().0, self.reading.counter(), self.node)
    }
}

/// A node's clock: the latest reading that it has taken or observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    latest: Reading,
}

impl Clock {
    /// The clock of a node whose latest known reading is this.
    pub fn new(latest: Reading) -> Self {
        Self { latest }
    }

    /// The latest reading taken or observed.
    pub fn latest(&self) -> Reading {
        self.latest
    }

    /// Takes account of a reading seen in something from elsewhere.
    pub fn observe(&mut self, seen: Reading) {
        if is_at_work(Saboteur::IgnorePeersClock) {
            return;
        }
        self.latest = self.latest.max(seen);
    }

    /// Takes a reading for something that happens now.
    pub fn tick(&mut self, now: WallTime) -> Reading {
        let next = if is_at_work(Saboteur::FollowWallClock) { Reading(0) } else { self.latest.next() };
        self.latest = next.max(Reading::at(now));
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_never_makes_time_go_back() {
        let mut clock = Clock::default();
        let first = clock.tick(WallTime(1_000));
        let second = clock.tick(WallTime(10));
        assert!(second > first);
        assert_eq!(second.time(), WallTime(1_000));
    }

    #[test]
    fn a_tick_is_later_than_everything_observed() {
        let mut clock = Clock::default();
        clock.observe(Reading::at(WallTime(5_000)));
        clock.observe(Reading::at(WallTime(4_000)));
        assert!(clock.tick(WallTime(1)) > Reading::at(WallTime(5_000)));
    }

    #[test]
    fn a_reading_fits_a_signed_integer_whatever_the_wall_clock_says() {
        let mut clock = Clock::default();
        assert!(i64::try_from(clock.tick(WallTime(u64::MAX)).0).is_ok());
        assert!(i64::try_from(clock.tick(WallTime(u64::MAX)).0).is_ok());
    }

    #[test]
    fn the_node_breaks_ties() {
        let reading = Reading::at(WallTime(7));
        assert!(Stamp { reading, node: NodeId(1) } < Stamp { reading, node: NodeId(2) });
    }
}
