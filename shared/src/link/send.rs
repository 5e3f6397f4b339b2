//! The sending side: whether a bundle is due, what it is chosen by, and the header it bears.

use super::{Ack, Base, Extent, Header, Link, Outgoing, PATIENCE_RUNS, Reach, Role, Sealed, Sweep};
use crate::clock::{Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{BundleId, Cut, Sequence};
use crate::seam::{Saboteur, is_at_work};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where it ends.
    pub cut: Cut,
    /// Whether that is all that is owed.
    pub reach: Reach,
    /// Whether it holds any change.
    pub content: bool,
    /// Whether it withdraws any record.
    pub withdraws: bool,
    /// How far the sweep has come with it.
    pub sweep: Sweep,
}

/// What the sender knows when it seals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Its clock.
    pub clock: Reading,
    /// Everything made up to here on its side is in its database.
    pub complete_to: Reading,
    /// The same, whether its hub has decided on it or not.
    pub come_to: Reading,
    /// Everything made up to here on its hub's side is.
    pub hub_to: Reading,
    /// Whatever is said on its own side from now on is said in view of everything made up to here on its hub's side.
    pub heard_to: Reading,
    /// Up to where births may be missing in its database.
    pub horizon: Horizon,
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
        if self.outgoing.quiet_runs > PATIENCE_RUNS && !is_at_work(Saboteur::NeverProbe) {
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
            // The epoch's first bundle tells the peer of it, though it may be empty.
            Reach::Rest if out.extent == Extent::Changes || out.base != Base::default() => {
                out.sent = out.sent.max(cut);
                out.floor = out.sent;
                out.extent = Extent::Changes;
            }
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
    pub fn seal(&mut self, id: BundleId, contents: Contents, due: Due, outlook: Outlook, now: WallTime) -> Header {
        let Contents { cut, reach, content, withdraws, sweep } = contents;
        self.outgoing.lives.seal(id);
        let header = self.header(id, reach, due, outlook);
        let out = &mut self.outgoing;
        let hub_to = match (self.role, reach) {
            (Role::Hub, Reach::Rest) => outlook.heard_to,
            (Role::Remote, Reach::Rest) => outlook.hub_to,
            (_, Reach::Part) => out.built_on().map_or(Reading(0), |base| base.hub_to),
        };
        let come_to = match (self.role, reach) {
            (Role::Hub, _) => Reading(0),
            (Role::Remote, Reach::Rest) if outlook.come_to == outlook.complete_to => Reading(0),
            (Role::Remote, Reach::Rest) => outlook.come_to,
            (Role::Remote, Reach::Part) => out.built_on().map_or(Reading(0), |base| base.come_to),
        };
        if withdraws {
            out.withdrawing.seal(out.floor, cut);
        }
        if reach == Reach::Rest || is_at_work(Saboteur::RaiseFloorWithPart) {
            out.floor = cut;
            out.extent = Extent::Changes;
        }
        out.sweep = sweep.clone();
        let (floor, extent, complete_to) = (out.floor, out.extent, header.complete_to);
        let (id, nack) = (Some(id), header.nack);
        let (at, digest, superseded) = (now, None, false);
        let sealed = Sealed {
            cut,
            floor,
            extent,
            id,
            content,
            complete_to,
            hub_to,
            come_to,
            sweep,
            at,
            digest,
            nack,
            superseded,
        };
        out.history.insert(header.sequence, sealed);
        out.base = Base { sequence: header.sequence, id };
        out.sent = cut;
        out.next = if is_at_work(Saboteur::ReuseSequence) { header.sequence } else { header.sequence.next() };
        if content {
            out.quiet_runs = 0;
        }
        self.tell(complete_to);
        self.incoming.nack = false;
        self.incoming.owe_ack = false;
        self.incoming.took_off = false;
        self.last_sealed = Some(now);
        header
    }

    fn header(&self, id: BundleId, reach: Reach, due: Due, outlook: Outlook) -> Header {
        let out = &self.outgoing;
        // A part tells nothing new of what is complete: only the last one ends where everything does.
        let complete_to = match reach {
            Reach::Rest => outlook.complete_to,
            Reach::Part => out.built_on().map_or(Reading(0), |base| base.complete_to),
        };
        let begins = out.base.sequence == Sequence(0);
        Header {
            epoch: out.epoch,
            sequence: out.next,
            id,
            base: out.base,
            ack: self.incoming.last,
            beside: self.incoming.beside,
            nack: self.incoming.nack,
            ask: self.ask,
            probe: due == Due::Probe || self.incoming.took_off,
            clock: outlook.clock,
            complete_to,
            horizon: outlook.horizon,
            lives: if begins { out.lives.had().to_vec() } else { Vec::new() },
            refused: self.refused_lives(),
            before_package: self.role == Role::Remote && self.incoming.before_package,
        }
    }

    /// What the peer will be told was applied last.
    pub fn applied(&self) -> Option<Ack> {
        self.incoming.last
    }
}

impl Outgoing {
    /// What the next bundle builds on.
    fn built_on(&self) -> Option<&Sealed> {
        self.history.get(&self.base.sequence)
    }

    /// Goes back to what the peer has acknowledged: the next bundle builds on that, and what followed is selected again.
    pub(super) fn go_back(&mut self) {
        let Some(acked) = self.history.get(&self.acked).cloned() else { return };
        self.withdrawing.go_back(acked.cut);
        self.sent = acked.cut;
        self.floor = acked.floor;
        self.extent = acked.extent;
        self.sweep = acked.sweep;
        self.base = Base { sequence: self.acked, id: acked.id };
    }
}
