//! The horizon: the clock reading up to which everything that anybody could have written has been exchanged.
//!
//! Owns what its passing means for stamps and births that are no longer kept (DESIGN section 5, compaction; the design
//! calls it the node's floor). Invariants: it only rises; a field without a stamp counts as stamped at the horizon, a
//! record without a birth as born before it, so that what an old backup brings back never overrules what came later.
//! Pure. Leaves to [`crate::link`] how far it may rise, and to [`crate::replica`] what is dropped below it.

use serde::{Deserialize, Serialize};

use crate::clock::{Reading, Stamp, WallTime};
use crate::id::NodeId;

/// A second: horizons lie on whole ones, which keeps them short on the wire.
const MILLIS: u64 = 1000;

/// A node's horizon. [`Horizon::NONE`]: nothing was ever dropped here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Horizon(Reading);

impl Horizon {
    /// Below which there is nothing.
    pub const NONE: Self = Self(Reading(0));

    /// The latest horizon that is not later than a reading.
    pub fn before(reading: Reading) -> Self {
        Self(Reading::at(WallTime(reading.time().0 / MILLIS * MILLIS)))
    }

    /// The horizon as it is stored: its clock reading.
    pub fn reading(self) -> Reading {
        self.0
    }

    /// The horizon as it travels: seconds since the Unix epoch.
    pub fn seconds(self) -> u64 {
        self.0.time().0 / MILLIS
    }

    /// The horizon that travelled as so many seconds; None if no clock can read that.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let millis = seconds.checked_mul(MILLIS)?;
        Reading::from_parts(millis, 0).map(Self)
    }

    /// Whether nothing was ever dropped.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether a stamp lies below it.
    pub fn covers(self, stamp: Stamp) -> bool {
        stamp.reading <= self.0
    }

    /// What a field counts as stamped with that has no stamp: later than every stamp below the horizon, or, if there is
    /// none, earlier than every stamp.
    pub fn stamp(self) -> Stamp {
        if self.is_none() { Stamp::ZERO } else { Stamp { reading: self.0, node: NodeId(u64::MAX) } }
    }

    /// A birth as it counts: below the horizon records are known by their key alone.
    pub fn birth(self, birth: Option<Stamp>) -> Option<Stamp> {
        birth.filter(|birth| !self.covers(*birth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(millis: u64) -> Stamp {
        Stamp { reading: Reading::at(WallTime(millis)), node: NodeId(7) }
    }

    #[test]
    fn it_lies_on_a_whole_second_and_travels_as_one() {
        let horizon = Horizon::before(Reading::at(WallTime(12_999)).next());
        assert_eq!(horizon.reading(), Reading::at(WallTime(12_000)));
        assert_eq!(Horizon::from_seconds(horizon.seconds()), Some(horizon));
        assert_eq!(Horizon::from_seconds(u64::MAX), None);
    }

    #[test]
    fn what_lies_below_it_is_older_than_what_counts_as_stamped_at_it() {
        let horizon = Horizon::before(stamp(12_999).reading);
        assert!(horizon.covers(stamp(12_000)) && !horizon.covers(stamp(12_001)));
        assert!(horizon.stamp() > stamp(12_000) && horizon.stamp() < stamp(12_001));
        assert_eq!(Horizon::NONE.stamp(), Stamp::ZERO);
    }

    #[test]
    fn a_birth_below_it_is_none() {
        let horizon = Horizon::before(stamp(5_000).reading);
        assert_eq!(horizon.birth(Some(stamp(5_000))), None);
        assert_eq!(horizon.birth(Some(stamp(5_001))), Some(stamp(5_001)));
        assert_eq!(Horizon::NONE.birth(Some(stamp(1))), Some(stamp(1)));
    }
}
