//! The sending side: whether a bundle is due, what it is chosen by, and the header it bears.

use super::{Ack, Base, Extent, Header, Link, PATIENCE_RUNS, Sealed};
use crate::clock::{Reading, WallTime};
use crate::id::{BundleId, Cut};

/// Why a bundle goes out although there is nothing new to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// No reason.
    Nothing,
    /// The peer is owed an acknowledgement (or is asked for something).
    Acknowledgement,
    /// The last bundle may be lost: an empty one makes the gap show.
    Probe,
}

impl Link {
    /// What the next bundle's changes are chosen by.
    pub fn extent(&self) -> Extent {
        self.outgoing.extent
    }

    /// Counts a run on line in which nothing came of what the peer has not acknowledged, although nothing of ours lay
    /// waiting for it, here or on the relay: it may be lost.
    pub fn quiet_run(&mut self) {
        if self.unacknowledged() > 0 {
            self.outgoing.quiet_runs += 1;
        }
    }

    /// Whether a bundle is due although there is nothing new to say.
    pub fn due_without_content(&mut self) -> Due {
        if self.outgoing.quiet_runs > PATIENCE_RUNS {
            self.outgoing.quiet_runs = 0;
            return Due::Probe;
        }
        if self.incoming.owe_ack { Due::Acknowledgement } else { Due::Nothing }
    }

    /// Notes that nothing up to `cut` concerns the peer, so that the next run does not look again.
    pub fn skip_to(&mut self, cut: Cut) {
        if self.outgoing.extent == Extent::Changes {
            self.outgoing.sent = self.outgoing.sent.max(cut);
        }
    }

    /// Takes the next sequence number for a bundle that ends at `cut`. The state must be stored before the bundle can
    /// leave, or the number could be used twice.
    pub fn seal(&mut self, id: BundleId, cut: Cut, content: bool, due: Due, clock: Reading, now: WallTime) -> Header {
        let out = &mut self.outgoing;
        let sequence = out.next;
        let header = Header {
            epoch: out.epoch,
            sequence,
            id,
            base: out.base,
            ack: self.incoming.last,
            nack: self.incoming.nack,
            ask: self.ask,
            probe: due == Due::Probe,
            clock,
        };
        out.history.insert(sequence, Sealed { cut, id: Some(id), content });
        out.base = Base { sequence, id: Some(id) };
        out.sent = cut;
        out.next = sequence.next();
        out.extent = Extent::Changes;
        if content {
            out.quiet_runs = 0;
        }
        self.incoming.nack = false;
        self.incoming.owe_ack = false;
        self.last_sealed = Some(now);
        header
    }

    /// What the peer will be told was applied last.
    pub fn applied(&self) -> Option<Ack> {
        self.incoming.last
    }
}
