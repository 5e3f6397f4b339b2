//! The sending side: whether a bundle is due, what it is chosen by, and the header it bears.

use super::{Ack, Base, Extent, Header, Link, Outgoing, PATIENCE_RUNS, Reach, Sealed};
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

/// What is in a bundle, as far as the link is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where it ends.
    pub cut: Cut,
    /// Whether that is all that is owed.
    pub reach: Reach,
    /// Whether it holds any change.
    pub content: bool,
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

    /// Notes that no record whose latest change lies up to `cut` concerns the peer, so that the next run does not look
    /// again. While more follows the floor stays: a later record may have an earlier field.
    pub fn skip_to(&mut self, cut: Cut, reach: Reach) {
        let out = &mut self.outgoing;
        match reach {
            Reach::Part => out.sent = out.sent.max(cut),
            Reach::Rest if out.extent == Extent::Changes => {
                out.sent = out.sent.max(cut);
                out.floor = out.sent;
            }
            // The epoch's first bundle tells the peer of it, though it may be empty.
            Reach::Rest => {}
        }
    }

    /// Goes back to what the peer has acknowledged, because it asks for that or because a bundle was discarded here: the
    /// next one builds on it, under a new number, and goes out even if it holds nothing.
    pub fn resend(&mut self) {
        self.outgoing.go_back();
        self.incoming.owe_ack = true;
    }

    /// Takes the next sequence number for a bundle that ends at `cut`. The state must be stored before the bundle can
    /// leave, or the number could be used twice.
    pub fn seal(&mut self, id: BundleId, contents: Contents, due: Due, clock: Reading, now: WallTime) -> Header {
        let Contents { cut, reach, content } = contents;
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
        if reach == Reach::Rest {
            out.floor = cut;
            out.extent = Extent::Changes;
        }
        let (floor, extent) = (out.floor, out.extent);
        out.history.insert(sequence, Sealed { cut, floor, extent, id: Some(id), content });
        out.base = Base { sequence, id: Some(id) };
        out.sent = cut;
        out.next = sequence.next();
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

impl Outgoing {
    /// Goes back to what the peer has acknowledged: the next bundle builds on that, and what followed is selected again.
    pub(super) fn go_back(&mut self) {
        let Some(acked) = self.history.get(&self.acked).copied() else { return };
        self.sent = acked.cut;
        self.floor = acked.floor;
        self.extent = acked.extent;
        self.base = Base { sequence: self.acked, id: acked.id };
    }
}
