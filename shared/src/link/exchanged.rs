//! How far everything has been exchanged: what bounds the forgetting of stamps and tombstones (DESIGN section 5).
//!
//! Every bundle says up to which reading everything made on its sender's side has been sent. Owns the conclusions: the
//! *horizon* of a node is the lowest such reading over its links (not the lowest clock: a hub's clock says nothing of
//! what its other remotes have not sent yet), and what it may forget must besides be acknowledged on every link, by
//! bundles that were accepted. A peer that was silent for longer than `expire_after` no longer holds either. Pure.

use super::{Extent, Header, Link, Outgoing, Role, Standing, Sweep};
use crate::clock::{BIRTHS_AHEAD, Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{Cut, LinkId};
use crate::seam::{Saboteur, is_at_work};

/// What a node may forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgettable {
    /// Stamps up to here.
    pub horizon: Horizon,
    /// Changes up to here.
    pub cut: Cut,
}

impl Forgettable {
    /// What may be forgotten by the state of all links. `held`: the earliest stamp that is held and not placed yet.
    /// Nothing without any link: nobody has anything.
    pub fn of<'a>(links: impl IntoIterator<Item = &'a Link>, held: Option<Reading>) -> Self {
        let open = links.into_iter().filter(|link| link.standing.is_waited_for());
        let bounds = open.map(|link| (link.exchanged_to(), link.answered()));
        let lowest = if is_at_work(Saboteur::ForgetEarly) {
            bounds.max()
        } else {
            bounds.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))
        };
        let (reading, cut) = lowest.unwrap_or_default();
        Self { horizon: Horizon::before(held.map_or(reading, |held| reading.min(well_before(held)))), cut }
    }
}

/// The lowest reading of all links, and of all but one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lowest {
    lowest: Option<(Reading, LinkId)>,
    /// The lowest but for that link.
    second: Option<Reading>,
}

impl Lowest {
    fn of(readings: impl Iterator<Item = (Reading, LinkId)>) -> Self {
        let mut readings: Vec<_> = readings.collect();
        readings.sort_unstable();
        Self { lowest: readings.first().copied(), second: readings.get(1).map(|second| second.0) }
    }

    fn but_for(&self, peer: LinkId) -> Option<Reading> {
        match self.lowest {
            Some((_, lowest)) if lowest == peer => self.second,
            lowest => lowest.map(|lowest| lowest.0),
        }
    }
}

/// What a node knows of how far everything on its own side is in its database: by the other links, and by what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// What has come over the links, and been decided on.
    decided: Lowest,
    /// What has come over them.
    come: Lowest,
    held: Option<Reading>,
    /// How far everything on the hub's side has come, and how far our remotes have heard of it too.
    hub: Option<(Reading, Reading)>,
}

impl Beyond {
    /// By the state of all links, and the earliest stamp that is held.
    pub fn of<'a>(links: impl IntoIterator<Item = (LinkId, &'a Link)>, held: Option<Reading>) -> Self {
        let open = links.into_iter().filter(|(_, link)| link.standing.is_waited_for());
        let open: Vec<_> = open.collect();
        let hub = open.iter().find(|(_, link)| link.role == Role::Hub).map(|(_, link)| link.complete_to());
        let reading = |link: &Link| if hub.is_some() { link.decided_to() } else { link.complete_to() };
        let decided = Lowest::of(open.iter().map(|(id, link)| (reading(link), *id)));
        let come = Lowest::of(open.iter().map(|(id, link)| (link.complete_to(), *id)));
        let remotes = open.iter().filter(|(_, link)| link.role == Role::Remote).map(|(_, link)| link.decided_to());
        let hub = hub.map(|hub| (hub, remotes.fold(hub, Ord::min)));
        Self { decided, come, held, hub }
    }

    /// Whether this node has a hub, which may withdraw from it what it has.
    pub fn has_hub(&self) -> bool {
        self.hub.is_some()
    }

    /// Up to where everything made on the hub's side is in the database; nothing if there is no hub.
    pub fn hub_to(&self) -> Reading {
        self.hub.unwrap_or_default().0
    }

    /// Whatever is said on our side from now on, also by our remotes, is said in view of everything made up to here on the
    /// hub's side.
    pub fn heard_to(&self) -> Reading {
        self.hub.unwrap_or_default().1
    }

    /// What can be said to one peer: up to here everything made on our side, by this node with this clock or by nodes
    /// beyond it, is in the database.
    pub fn complete_to(&self, clock: Reading, peer: LinkId) -> Reading {
        self.up_to(self.decided.but_for(peer), clock)
    }

    /// Up to where it is, whether our hub has decided on it or not: what a peer has of our side once it has all that is here.
    pub fn come_to(&self, clock: Reading, peer: LinkId) -> Reading {
        self.up_to(self.come.but_for(peer), clock)
    }

    fn up_to(&self, others: Option<Reading>, clock: Reading) -> Reading {
        let lowest = others.into_iter().chain(self.held.map(well_before)).min();
        lowest.map_or(clock, |lowest| Horizon::before(lowest.min(clock)).reading())
    }
}

/// A horizon below what waits must lie further below it than births may be ahead of stamps. What bears no stamp counts as
/// changed at the horizon: who had died under the number of a new record that waits would seem to have changed when that was
/// born, and be taken for it once births up to there may be missing.
fn well_before(held: Reading) -> Reading {
    Reading::at(WallTime(held.time().0.saturating_sub(BIRTHS_AHEAD + 1)))
}

impl Link {
    /// Everything made up to here on the peer's side has come.
    pub fn complete_to(&self) -> Reading {
        self.incoming.complete_to
    }

    /// The peer has applied all changes of ours up to here, and all that it said before it had is here: an acknowledgement may
    /// run ahead of that, in a bundle that cannot be accepted yet.
    pub fn answered(&self) -> Cut {
        self.acked().min(self.incoming.seen)
    }

    /// Whether we come from a backup, and what we told the peer since is still to come back from it.
    pub fn recovers(&self) -> bool {
        self.incoming.recovers_by > 0
    }

    /// Whether the peer is to tell everything that it has, and has not told all of it yet: what it speaks of may still come.
    pub fn awaits_answer(&self) -> bool {
        self.incoming.answer_to_come
    }

    /// Takes account of the end of everything that the peer was asked for. A part of it says of no time that all has come, and
    /// what the peer said before it was asked acknowledges nothing of what asked it.
    pub(super) fn learn_answer(&mut self, header: &Header) {
        let has_heard = header.ack.is_some_and(|ack| ack.epoch == self.outgoing.epoch);
        let is_end = has_heard && header.complete_to > Reading(0) && self.outgoing.has_exchanged_everything();
        self.incoming.answer_to_come &= !is_end;
    }

    /// What the peer made has come up to there. Not if we come from a backup, before the answer of a peer that we asked for
    /// everything: what we made ourselves and lost is still to come from it. Nor before it has applied all that we have:
    /// of what was deleted and forgotten there, it tells only then.
    pub(super) fn learn_complete(&mut self, header: &Header) {
        if self.incoming.recovers_by > 0 {
            if header.ask < self.incoming.recovers_by || !self.outgoing.has_exchanged_everything() {
                return;
            }
            self.incoming.recovers_by = 0;
        }
        let (settled, answered) = self.applied_by(header);
        self.incoming.answered_to = self.incoming.answered_to.max(answered);
        // What does not tell more than before may be a part: what the peer decided may be in a later one.
        if header.complete_to > self.incoming.complete_to {
            self.incoming.complete_to = header.complete_to;
            self.incoming.settled = self.incoming.settled.max(settled);
            // Of the answer it is the end: a part of it tells nothing of that.
            self.incoming.before_package &= self.role == Role::Hub;
        }
    }

    /// What we told with the bundle that the sender had applied last: a hub of our side, a remote of our hub's. And of a hub,
    /// in view of how much of its side that was said, but for what it holds of that; of a remote, of our side.
    fn applied_by(&self, header: &Header) -> (Reading, Reading) {
        let ack = header.ack.filter(|ack| ack.epoch == self.outgoing.epoch);
        let sealed = ack.and_then(|ack| self.outgoing.history.get(&ack.sequence));
        sealed.map_or((Reading(0), Reading(0)), |sealed| match self.role {
            // It has not everything of the time of what it holds, and gives no number to who was made here before it is placed.
            Role::Hub => (sealed.complete_to, sealed.hub_to.min(header.complete_to)),
            Role::Remote => (sealed.hub_to, sealed.come_to.max(sealed.complete_to)),
        })
    }

    /// Up to where nothing is said any more that may mean someone who had died or moved on the peer's side by then. What was
    /// said without view of that and is still on its way to a hub means by a number whoever had it before; once we told that we
    /// drop births up to there, it would be taken for whoever has the number since. Nor does anything come back from a remote
    /// any more that we made up to there ourselves: who comes from a backup and has not found that out yet may have sent what
    /// it lost since, and the remote speaks meanwhile of what it had before.
    fn exchanged_to(&self) -> Reading {
        self.incoming.complete_to.min(self.incoming.answered_to)
    }

    /// Up to where nothing comes back from the peer any more that we made ourselves and lost with a return to a backup, found out
    /// or not. What a hub brings back it has decided on.
    pub fn returned_to(&self) -> Reading {
        match self.role {
            Role::Hub => self.complete_to(),
            Role::Remote => self.exchanged_to(),
        }
    }

    /// What can be said of the peer's side to others, at a node that has a hub. That has the last word on numbers, also on
    /// those of what our own remotes made: they must not forget a birth before it has spoken, for by nothing else do they know
    /// whom it means. Nor must it forget whom a remote of ours may still speak of that has not heard what became of them.
    fn decided_to(&self) -> Reading {
        self.incoming.complete_to.min(self.incoming.settled)
    }

    /// Everything made up to here on our side the peer, a remote, had applied when it said what it said last.
    pub fn answered_to(&self) -> Reading {
        self.incoming.answered_to
    }

    /// The peer was told that everything made up to here on our side had been sent.
    pub fn told(&self) -> Reading {
        self.outgoing.told
    }

    /// Takes account of what a bundle or a package tells the peer of that.
    pub fn tell(&mut self, complete_to: Reading) {
        self.outgoing.told = self.outgoing.told.max(complete_to);
    }

    /// Marks a link as expired whose peer has been silent for longer than `expire_after` milliseconds; true if it is
    /// now and was not.
    pub fn expire(&mut self, now: WallTime, expire_after: u64) -> bool {
        let heard = self.last_accepted.map_or(self.begun, |at| at.max(self.begun));
        let expires = self.standing == Standing::Open && now.0.saturating_sub(heard.0) > expire_after;
        if expires {
            self.standing = Standing::Expired;
        }
        expires
    }

    /// An expired peer speaks again: what it has not seen may be forgotten here, so everything is exchanged both ways.
    pub(super) fn reopen(&mut self, now: WallTime) {
        if self.standing == Standing::Expired {
            self.standing = Standing::Open;
            self.begun = now;
            self.exchange_everything(now);
        }
    }
}

impl Outgoing {
    /// Whether the peer has acknowledged all of what it was sent to begin an epoch.
    fn has_exchanged_everything(&self) -> bool {
        let acked = self.history.get(&self.acked);
        acked.is_some_and(|acked| acked.extent == Extent::Changes && acked.sweep == Sweep::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::End;
    use super::*;

    #[test]
    fn of_the_time_of_what_its_hub_holds_a_remote_forgets_nothing() {
        let (mut hub, mut remote) = End::pair();
        let told = hub.content();
        remote.receive(&told, true);
        hub.receive(&remote.content(), true);
        let holds = Header { complete_to: Reading::at(WallTime(500_000)), ..hub.content() };
        remote.receive(&holds, true);
        let horizon = |remote: &End| Forgettable::of([&remote.link], None).horizon;
        assert_eq!(
            (remote.link.complete_to(), horizon(&remote)),
            (told.complete_to, Horizon::before(holds.complete_to))
        );
        remote.receive(&hub.content(), true);
        assert_eq!(horizon(&remote), Horizon::before(told.complete_to));
    }
}
