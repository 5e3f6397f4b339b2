//! The word on a change: the stamp under which that stands which is decided against it here.
//!
//! Invariant: it is just later than what it is on, so that it overrules nothing more than it has to. What others have written
//! since then, and has not come here yet, is later than the word, however late that is spoken.

use packhorse_shared::clock::Stamp;
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::Mark;

use super::Placer;

impl Placer<'_> {
    /// A mark of our own that is later than this stamp, and than all that others may take for known.
    pub(super) fn word_on(&mut self, decided: Stamp) -> Mark {
        let latest = self.transaction.tick();
        let reading = self.arrival.late_stamp(decided).reading.min(latest.reading);
        Mark { stamp: Stamp { reading, ..latest }, cut: self.arrival.cut, via: LinkId::LOCAL }
    }

    /// A mark of our own for what is decided here and now on no stamp in particular.
    pub(super) fn decided(&mut self) -> Mark {
        Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL }
    }
}
