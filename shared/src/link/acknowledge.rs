//! What the peer's acknowledgement proves: progress, a gap, or that one of the two was restored from a backup.

use std::collections::BTreeMap;

use super::{Ack, Extent, Header, Link, Sealed};
use crate::clock::WallTime;
use crate::id::{Cut, Sequence};
use crate::seam::{Saboteur, is_at_work};

/// What an acknowledgement says of our own past.
enum Word {
    /// The peer has applied this of our current epoch.
    Applied(Sequence),
    /// It speaks of what we never sent: our past is ahead of us.
    AheadOfUs,
}

impl Link {
    pub(super) fn acknowledged(&mut self, header: &Header, now: WallTime) {
        let place = (header.epoch, header.sequence);
        if self.incoming.heard.is_some_and(|heard| place <= heard) {
            return;
        }
        self.incoming.heard = Some(place);
        if self.is_refused_by(header) {
            return self.refused();
        }
        let word = self.weigh(header);
        let asked = header.ask > self.answered;
        if asked {
            self.answered = header.ask;
            // Whoever is asked for everything asks back: it may have been restored too.
            self.ask = self.ask.max(header.ask);
            self.incoming.answer_to_come = true;
        }
        match word {
            Word::AheadOfUs if is_at_work(Saboteur::IgnoreOwnFuture) => {}
            Word::AheadOfUs => self.start_over(header.ack, asked, now),
            Word::Applied(_) if asked => self.outgoing_everything(now),
            // A peer that has less than it acknowledged before comes from a backup. Its old bases are forgotten here, so
            // that nothing but a new start reaches it; and it may hold what was deleted and forgotten since.
            Word::Applied(sequence) if sequence < self.outgoing.acked => self.exchange_everything(now),
            Word::Applied(_) if self.builds_on_another_life(header) => self.progress(self.outgoing.acked, header.nack),
            Word::Applied(sequence) => self.progress(sequence, header.nack),
        }
    }

    fn weigh(&self, header: &Header) -> Word {
        let out = &self.outgoing;
        let Some(ack) = header.ack else { return Word::Applied(Sequence(0)) };
        if ack.epoch > out.epoch {
            return Word::AheadOfUs;
        }
        if ack.epoch == out.epoch {
            let beside = header.beside.map(|it| Ack { epoch: ack.epoch, sequence: it.sequence, id: it.id });
            let mut words = [Some(ack), beside].into_iter().flatten();
            let fits = !words.any(|word| contradicts(&word, out.next, &out.history));
            return if fits { Word::Applied(ack.sequence) } else { Word::AheadOfUs };
        }
        // The peer has not seen this epoch yet; what it saw must have been ours.
        let ours = out.past.get(&ack.epoch).is_some_and(|past| !contradicts(&ack, past.next, &past.history));
        if ours || out.lost.contains(&ack.epoch) { Word::Applied(Sequence(0)) } else { Word::AheadOfUs }
    }

    /// We come from a backup: a later epoch of whole records, and a request for everything.
    fn start_over(&mut self, ack: Option<Ack>, asked: bool, now: WallTime) {
        if let Some(ack) = ack.filter(|ack| ack.epoch > self.outgoing.epoch) {
            self.outgoing.lose(ack.epoch);
        }
        self.outgoing.lives.start_over();
        self.ask = self.ask.max(self.answered).max(now.0) + 1;
        self.incoming.recovers_by = self.ask;
        self.incoming.answer_to_come = true;
        if asked {
            self.outgoing_everything(now);
        } else {
            let acked = self.outgoing.acked_cut();
            self.outgoing.start_epoch(now, acked, Extent::Records);
            self.incoming.owe_ack = true;
        }
    }

    /// Sends everything and asks for everything, without having been asked.
    pub(super) fn exchange_everything(&mut self, now: WallTime) {
        self.ask = self.ask.max(self.answered).max(now.0) + 1;
        // Whoever is asked asks back, which is being answered already.
        self.answered = self.ask;
        self.incoming.answer_to_come = true;
        self.outgoing_everything(now);
    }

    fn outgoing_everything(&mut self, now: WallTime) {
        self.outgoing.start_epoch(now, Cut(0), Extent::Everything);
        self.outgoing.begin_sweep();
        self.incoming.owe_ack = true;
    }

    fn progress(&mut self, sequence: Sequence, nack: bool) {
        let out = &mut self.outgoing;
        if sequence > out.acked && out.history.contains_key(&sequence) {
            out.acked = sequence;
            out.quiet_runs = 0;
        }
        if !nack {
            return;
        }
        self.resend();
    }
}

/// Whether an acknowledgement speaks of something that this epoch never sent.
fn contradicts(ack: &Ack, next: Sequence, history: &BTreeMap<Sequence, Sealed>) -> bool {
    ack.sequence >= next || history.get(&ack.sequence).is_some_and(|sealed| sealed.id != ack.id)
}

#[cfg(test)]
mod tests {
    use super::super::tests::End;

    /// What it says before it has heard that it is asked back is no answer, nor is a part of that.
    #[test]
    fn everything_has_come_of_who_was_put_back_with_the_end_of_its_answer() {
        let (mut hub, mut remote) = End::pair();
        let mut put_back = hub.copied(5);
        let lost = hub.content();
        remote.receive(&lost, true);
        put_back.receive(&remote.content(), true);
        assert!(put_back.link.awaits_answer() && !remote.link.awaits_answer());
        let (request, next) = (put_back.content(), put_back.content());
        let waits = |remote: &mut End, said| {
            remote.receive(said, true);
            remote.link.awaits_answer()
        };
        assert!(waits(&mut remote, &request) && waits(&mut remote, &next));
        let everything = remote.content();
        put_back.receive(&everything, true);
        let (part, end) = (put_back.part(), put_back.content());
        assert!(waits(&mut remote, &part));
        assert!(!waits(&mut remote, &end));
        put_back.receive(&remote.content(), true);
        assert!(!put_back.link.awaits_answer());
    }

    /// Who tells everything of its own accord has no answer to give; what is said to its own is heard with its next word.
    #[test]
    fn everything_has_come_of_who_tells_it_of_its_own_accord_once_it_has_heard_the_same() {
        let (mut hub, mut remote) = End::pair();
        hub.link.exchange_everything(hub.now);
        remote.receive(&hub.content(), true);
        assert!(remote.link.awaits_answer());
        hub.receive(&remote.content(), true);
        assert!(!hub.link.awaits_answer());
        remote.receive(&hub.content(), true);
        assert!(!remote.link.awaits_answer());
    }
}
