//! The stamps of one harvest. Pure.
//!
//! Invariants: a stamp made here is later than everything that the node had seen when the harvest began, and so than every stamp
//! of the record; a birth is given once, and the moments of births and deletions are in the order in which they were logged.

use super::coalesce::Born;
use crate::clock::{Reading, Stamp, WallTime};
use crate::id::{Cut, LinkId, NodeId};
use crate::marks::Mark;
use crate::seam::{Saboteur, is_at_work};

/// Makes the stamps of one harvest.
#[derive(Debug)]
pub(in super::super) struct Stamper {
    pub node: NodeId,
    /// The latest cut that others may have seen; what lies after it was left by a harvest that was cut short.
    pub published: Cut,
    /// The cut of what is being written.
    pub cut: Cut,
    /// The node's clock when the harvest began.
    pub floor: Reading,
    /// The wall clock now: no edit in the log can have been made later.
    pub now: WallTime,
    /// The latest reading given so far.
    pub latest: Reading,
    /// The latest birth given so far to those that have no reading of their own.
    pub born: Reading,
    /// The first row of the log that is harvested.
    pub first_row: i64,
}

/// How many rows of the log from the first have a reading of their own within a millisecond.
const ROWS_APART: i64 = 1 << 15;

impl Stamper {
    /// The mark of an edit.
    pub fn mark(&mut self, at: WallTime) -> Mark {
        let least = if is_at_work(Saboteur::FollowWallClock) { Reading(0) } else { self.floor.next() };
        let reading = Reading::at(at.min(self.now)).max(least);
        self.latest = self.latest.max(reading);
        Mark { stamp: Stamp { reading, node: self.node }, cut: self.cut, via: LinkId::LOCAL }
    }

    /// The stamp of a record's making. Records made in one millisecond share the stamps of their fields, but a birth is
    /// an identity and is given once: apart by the rows that told of them, so that a log which comes from a backup gives the
    /// same births again. Beyond some ten thousand rows at once they are given in turn, on the readings in between.
    pub fn birth(&mut self, born: Born) -> Stamp {
        let made = self.mark(born.at).stamp;
        let reading = self.moment(made.reading, born.row).unwrap_or_else(|| {
            let next = Reading(made.reading.0 + 2 * ROWS_APART as u64).max(self.born.next());
            self.born = Reading(next.0 | 1);
            self.born
        });
        self.latest = self.latest.max(reading);
        Stamp { reading, ..made }
    }

    /// The moment of a deletion among the births of its harvest: later than those of rows before it and earlier than those of
    /// rows after it, also where all of them have one stamp, since the clock was set back.
    pub fn moment_of(&self, dead: Stamp, row: Option<i64>) -> Stamp {
        let own = row.filter(|_| self.has_made(dead)).and_then(|row| self.moment(dead.reading, row));
        Stamp { reading: own.unwrap_or(dead.reading), ..dead }
    }

    /// The moment of a row whose time has this reading: even ones of true times, odd ones of times that lie behind the clock.
    fn moment(&self, time: Reading, row: i64) -> Option<Reading> {
        let since = row - self.first_row;
        let is_behind = time <= self.floor.next();
        let (begins, place) = if is_behind { (time.0 | 1, since) } else { (time.0, row.rem_euclid(ROWS_APART)) };
        (since < ROWS_APART).then(|| Reading(begins + 2 * place as u64))
    }

    /// Whether a stamp comes from this harvest: everything known before it is not later than the clock was.
    pub fn has_made(&self, stamp: Stamp) -> bool {
        stamp.node == self.node && stamp.reading > self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a node whose clock shows 100 ms.
    fn stamper() -> Stamper {
        let (published, cut, floor) = (Cut(4), Cut(5), Reading::at(WallTime(100)));
        let (node, now, first_row) = (NodeId(7), WallTime(1_000), 1);
        Stamper { node, published, cut, floor, now, latest: floor, born: floor, first_row }
    }

    #[test]
    fn an_edit_is_stamped_with_its_time_but_never_behind_what_was_seen_nor_in_the_future() {
        let mut stamper = stamper();
        assert_eq!(stamper.mark(WallTime(500)).stamp.reading, Reading::at(WallTime(500)));
        assert_eq!(stamper.mark(WallTime(1)).stamp.reading, Reading::at(WallTime(100)).next());
        assert_eq!(stamper.mark(WallTime(9_999)).stamp.reading, Reading::at(WallTime(1_000)));
    }

    #[test]
    fn a_log_from_a_backup_gives_the_same_births_whatever_was_made_since() {
        let birth = |others: &[(u64, i64)]| {
            let mut stamper = stamper();
            let mut of = |at, row| stamper.birth(Born { at: WallTime(at), row });
            for (at, row) in others {
                of(*at, *row);
            }
            of(200, 12)
        };
        assert_eq!(birth(&[]), birth(&[(900, 13), (200, 11)]));
    }

    /// What refers to a number that was given again means whoever had it when it was deleted itself.
    #[test]
    fn a_deletion_comes_after_what_was_made_before_it_and_before_what_was_made_after_it_whatever_the_clock_says() {
        for at in [1, 99, 100, 101, 500].map(WallTime) {
            let mut stamper = stamper();
            let (before, after) = (stamper.birth(Born { at, row: 6 }), stamper.birth(Born { at, row: 8 }));
            let dead = stamper.mark(at).stamp;
            let moment = stamper.moment_of(dead, Some(7));
            assert!(before < moment && moment < after, "{at:?}: {before} {moment} {after}");
        }
    }

    #[test]
    fn a_deletion_that_came_from_elsewhere_has_no_other_moment_than_its_stamp() {
        let stamper = stamper();
        let dead = Stamp { reading: Reading::at(WallTime(90)), node: NodeId(3) };
        assert_eq!(stamper.moment_of(dead, Some(7)), dead);
    }
}
