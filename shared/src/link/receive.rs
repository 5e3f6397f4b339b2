//! The receiving side: whether a bundle is new, old or must wait for the one that it builds on.

use super::{APPLIED_MAX, Ack, Base, Header, Link, PATIENCE_RUNS, Role};
use crate::bundle::BundleName;
use crate::clock::{Reading, WallTime};
use crate::id::{Cut, Epoch, Sequence};
use crate::seam::{Saboteur, is_at_work};

/// What is to be done with a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its base is applied and it is new.
    Apply,
    /// It was applied or overtaken: drop it, acknowledge again.
    Old,
    /// The bundle that it builds on has not come.
    Wait,
}

impl Link {
    /// Judges a bundle by its header alone.
    pub fn judge(&self, header: &Header) -> Verdict {
        let last = self.incoming.last;
        if last.is_some_and(|last| (header.epoch, header.sequence) <= (last.epoch, last.sequence)) {
            return Verdict::Old;
        }
        let same_epoch = last.is_some_and(|last| last.epoch == header.epoch);
        let known = if same_epoch {
            self.incoming.applied.get(&header.base.sequence) == Some(&header.base.id)
        } else {
            header.base == Base::default()
        };
        if known || is_at_work(Saboteur::SkipBaseCheck) { Verdict::Apply } else { Verdict::Wait }
    }

    /// Whether a bundle of an installation that was not met before comes from the latest package: it has applied the
    /// start of the epoch which that opened, or more. (Ours may be a later one, begun since we come from a backup; a
    /// later one of its is one that a backup of ours does not know of.)
    pub fn is_of_latest_package(&self, header: &Header) -> bool {
        let opened = self.package.unwrap_or(self.outgoing.epoch);
        header.ack.is_some_and(|ack| ack.epoch >= opened)
    }

    /// Takes account of a bundle that was applied; belongs in the transaction that applied it.
    pub fn accept(&mut self, header: &Header, content: bool, now: WallTime) {
        let incoming = &mut self.incoming;
        if incoming.last.is_none_or(|last| last.epoch != header.epoch) {
            incoming.applied = [(header.base.sequence, header.base.id)].into();
            incoming.beside = None;
            incoming.lineage.follow(&header.lives);
        } else if let Some(last) = incoming.last.filter(|last| last.sequence > header.base.sequence) {
            incoming.beside = Some(Base { sequence: last.sequence, id: last.id });
        }
        incoming.lineage.go_on(header);
        incoming.last = Some(Ack { epoch: header.epoch, sequence: header.sequence, id: Some(header.id) });
        incoming.applied.insert(header.sequence, Some(header.id));
        let base = header.base.sequence;
        while incoming.applied.len() > APPLIED_MAX
            // A sender that has heard of nothing later builds on the same one again and again.
            && let Some(oldest) = incoming.applied.keys().find(|sequence| **sequence != base).copied()
        {
            incoming.applied.remove(&oldest);
        }
        incoming.waiting_runs = 0;
        incoming.nack = false;
        incoming.owe_ack |= content || header.probe;
        self.learn_horizon(header);
        // It has everything once it says no more that it has not.
        self.incoming.before_package &= self.role == Role::Remote || header.before_package;
        self.last_accepted = Some(now);
        let known = (self.outgoing.epoch, self.outgoing.acked);
        self.acknowledged(header, now);
        self.learn_complete(header);
        self.learn_answer(header);
        // A part of all that the peer has tells of no time that is complete: what it kept of before it heard of ours may follow.
        if header.complete_to > Reading(0) {
            self.incoming.seen = self.seen_by(header);
        }
        self.drop_history(header);
        self.reopen(now);
        self.heard((self.outgoing.epoch, self.outgoing.acked) != known);
    }

    /// Takes account of records that were taken off by the peer's word: it is to tell that it has heard of that.
    pub fn took_off(&mut self) {
        self.incoming.took_off = true;
    }

    /// Whether what the hub sealed in this epoch was for an installation that ours has replaced: nobody waits for that.
    pub fn is_for_predecessor(&self, epoch: Epoch) -> bool {
        self.role == Role::Hub && self.package.is_some_and(|package| epoch < package)
    }

    /// Whether the peer has begun this epoch since it was heard last: what we cannot open of it may be for whoever has taken our
    /// place.
    pub fn is_new_epoch(&self, epoch: Epoch) -> bool {
        let heard = self.incoming.heard.map(|(epoch, _)| epoch);
        let known = [self.incoming.last.map(|last| last.epoch), heard, self.package];
        known.into_iter().flatten().max().is_some_and(|known| epoch > known)
    }

    /// Takes account of such a bundle: a hub that sends it may come from a backup of the time before our package was made, and
    /// knows nothing of us before it hears from us.
    pub fn dropped_predecessors(&mut self) {
        self.incoming.owe_ack = true;
    }

    /// Forgets the bundles before the one that an accepted one acknowledges. One that waits may acknowledge more, but what is
    /// accepted before that was said without view of it.
    fn drop_history(&mut self, header: &Header) {
        let out = &mut self.outgoing;
        if let Some(ack) = header.ack.filter(|ack| ack.epoch == out.epoch && ack.sequence <= out.acked) {
            out.history = out.history.split_off(&ack.sequence);
            out.replaced.forget_before(ack.sequence);
        }
    }

    /// Whatever becomes of a bundle: before anything is answered to it, it must be known what its sender has forgotten, or lost.
    fn learn_horizon(&mut self, header: &Header) {
        self.incoming.horizon = self.incoming.horizon.max(header.horizon);
        self.incoming.before_package |= self.role == Role::Hub && header.before_package;
    }

    /// Takes account of an old bundle: its sender has not heard of our progress, so it is told again. One that is not
    /// merely late or doubled is of a sender that comes from a backup.
    pub fn dropped_old(&mut self, header: &Header, now: WallTime) {
        self.incoming.owe_ack = true;
        self.learn_horizon(header);
        self.watch_for_copies(header);
        let is_current = self.incoming.last.is_some_and(|last| last.epoch == header.epoch);
        if !(is_current && self.incoming.applied.get(&header.sequence) == Some(&Some(header.id))) {
            self.reopen(now);
        }
    }

    /// Takes account of what a bundle that has to wait acknowledges.
    pub fn overheard(&mut self, header: &Header, now: WallTime) {
        let before = self.incoming.heard;
        self.learn_horizon(header);
        self.watch_for_copies(header);
        self.acknowledged(header, now);
        // One that waits is met in every run, and is news once.
        if self.incoming.heard != before {
            self.reopen(now);
        }
    }

    /// Whether a bundle builds on another one than was applied under that number: its sender was put back between the two. What
    /// it has of ours in the one life says nothing of the other, and nobody can tell yet in which it lives.
    pub(super) fn builds_on_another_life(&self, header: &Header) -> bool {
        let is_same_epoch = self.incoming.last.is_some_and(|last| last.epoch == header.epoch);
        let applied = self.incoming.applied.get(&header.base.sequence);
        is_same_epoch && applied.is_some_and(|applied| *applied != header.base.id)
    }

    /// Takes account of a run that ended with bundles waiting; after a patience of a few runs the sender is asked to
    /// send again. `outbox`: what lies there for it. While the request has not been fetched, no other is made: a sender
    /// that is away for months would find thousands.
    pub fn run_ended_waiting<'a>(&mut self, outbox: impl IntoIterator<Item = &'a BundleName>) {
        if self.request_lies(outbox) {
            return;
        }
        self.incoming.waiting_runs += 1;
        if self.incoming.waiting_runs >= PATIENCE_RUNS {
            self.ask_again();
        }
    }

    /// The cut of ours up to which the sender of a bundle had seen our changes when it sealed it. What it changed
    /// without having seen a change of ours is in conflict with it.
    pub fn seen_by(&self, header: &Header) -> Cut {
        // Who has applied nothing of ours has seen no more than where we began, whatever was acknowledged in another life of its.
        if header.ack.is_none() {
            return self.outgoing.history.get(&Sequence(0)).map_or(Cut(0), |start| start.cut);
        }
        let ack = header.ack.filter(|ack| ack.epoch == self.outgoing.epoch);
        // Another bundle under that number is of a life that was lost with a return to a backup.
        ack.and_then(|ack| self.outgoing.end_of(&ack)).unwrap_or_else(|| self.outgoing.acked_cut())
    }

    /// The cut of ours up to which it may have seen them: what it acknowledges may be a bundle of which nothing is known any more.
    pub fn may_have_seen_by(&self, header: &Header) -> Cut {
        let out = &self.outgoing;
        let unknown = |ack: &Ack| ack.epoch == out.epoch && ack.sequence > out.acked && out.end_of(ack).is_none();
        if header.ack.as_ref().is_some_and(unknown) { self.sealed_to() } else { self.seen_by(header) }
    }

    /// Asks the sender to go back to what we have applied: a bundle of its was lost or damaged on the way.
    pub fn ask_again(&mut self) {
        self.incoming.waiting_runs = 0;
        self.incoming.nack = !is_at_work(Saboteur::NeverAsk);
        self.incoming.owe_ack = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::End;
    use super::*;

    /// A hub that was put back goes on under the numbers that it had used. What it says in the one life reaches a remote after
    /// what it says in the other, on which it does not build.
    #[test]
    fn what_was_heard_in_another_life_is_not_heard_in_this_one() {
        let (mut hub, mut remote) = End::pair();
        let start = remote.link.acked();
        let mut put_back = hub.copied(5);
        let edit = remote.content();
        hub.content();
        hub.receive(&edit, true);
        let said_before = hub.content();
        let said_since = put_back.content();
        assert_eq!(remote.receive(&said_since, true), Verdict::Apply);
        assert_eq!(remote.receive(&said_before, true), Verdict::Wait);
        assert_eq!(remote.link.acked(), start, "the hub does not have the edit");
        let next = put_back.content();
        assert_eq!(remote.link.seen_by(&next), start);
        assert_eq!(remote.receive(&next, true), Verdict::Apply);
    }

    /// Asked for everything it tells what it kept of what was taken off there, and says with the first part that it has heard.
    #[test]
    fn what_a_part_of_everything_acknowledges_is_answered_with_the_last() {
        let (mut hub, mut remote) = End::pair();
        hub.link.exchange_everything(hub.now);
        let start = hub.link.answered();
        let told = hub.content();
        remote.receive(&told, true);
        let (part, rest) = (remote.part(), remote.content());
        assert_eq!(hub.receive(&part, true), Verdict::Apply);
        assert_eq!((hub.link.acked(), hub.link.answered()), (hub.cut, start));
        assert_eq!(hub.receive(&rest, true), Verdict::Apply);
        assert!(hub.link.answered() > start);
    }

    /// Nor has who acknowledges what we said under the same number in a life that is lost seen what we say in this one.
    #[test]
    fn what_was_seen_in_a_lost_life_is_not_what_bears_its_number_in_this_one() {
        let (mut hub, mut remote) = End::pair();
        let start = hub.link.acked();
        let mut put_back = hub.copied(5);
        let said_before = hub.content();
        assert_eq!(remote.receive(&said_before, true), Verdict::Apply);
        put_back.content();
        let answer = remote.content();
        assert_eq!(put_back.link.seen_by(&answer), start);
        assert!(hub.link.seen_by(&answer) > start);
    }

    /// It may as well come first, when what it builds on may still come.
    #[test]
    fn who_has_applied_nothing_has_seen_nothing_whatever_was_overheard() {
        let (mut hub, mut remote) = End::pair();
        let start = remote.link.acked();
        let mut put_back = hub.copied(5);
        let edit = remote.content();
        hub.content();
        hub.receive(&edit, true);
        let said_before = hub.content();
        let said_since = Header { ack: None, ..put_back.content() };
        assert_eq!(remote.receive(&said_before, true), Verdict::Wait);
        assert!(remote.link.acked() > start);
        assert_eq!(remote.link.seen_by(&said_since), start);
    }
}
