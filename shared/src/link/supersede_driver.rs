//! A random driver of a link whose remote is hardly ever there: nothing is lost by superseding.

use super::supersede_tests::{DAY, named};
use super::tests::End;
use super::*;
use crate::bundle::BundleName;

/// Numbers that look random and come back for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A bundle with what it holds: records, each with the cut of its latest change.
type Filled = (Header, BundleName, BTreeMap<u64, Cut>);

/// A hub whose records change, the mailbox, and a remote that calls now and then.
struct World {
    hub: End,
    remote: End,
    dice: Dice,
    here: BTreeMap<u64, Cut>,
    there: BTreeMap<u64, Cut>,
    outbox: Vec<Filled>,
    mailbox: Vec<Filled>,
    inbox: Vec<Filled>,
    answers: Vec<Header>,
    superseded: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let (hub, remote) = End::pair();
        let (here, there) = (BTreeMap::new(), BTreeMap::new());
        let (outbox, mailbox, inbox, answers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { hub, remote, dice: Dice(seed), here, there, outbox, mailbox, inbox, answers, superseded: 0 }
    }

    fn edit(&mut self) {
        for _ in 0..self.dice.roll(4) {
            self.hub.cut = self.hub.cut.next();
            self.here.insert(self.dice.roll(10), self.hub.cut);
        }
    }

    /// Seals, in parts of three records. A kill leaves the outbox as it is after one of them.
    fn seal(&mut self) {
        let names: Vec<BundleName> = self.outbox.iter().map(|(_, name, _)| name.clone()).collect();
        if let Some(unfetched) = self.hub.unfetched(&names) {
            self.hub.link.supersede(&unfetched);
            self.superseded += 1;
        }
        loop {
            let mut owed: Vec<(Cut, u64)> = self.here.iter().map(|(record, cut)| (*cut, *record)).collect();
            owed.retain(|(cut, _)| *cut > self.hub.link.sent());
            owed.sort_unstable();
            let reach = if owed.len() > 3 { Reach::Part } else { Reach::Rest };
            owed.truncate(3);
            let due = self.hub.link.due_without_content();
            if owed.is_empty() && due == Due::Nothing {
                self.hub.link.skip_to(self.hub.cut, Reach::Rest);
                break;
            }
            let cut = if reach == Reach::Part { owed[2].0 } else { self.hub.cut };
            let contents = Contents { cut, reach, content: !owed.is_empty(), withdraws: false, sweep: Sweep::Done };
            let id = BundleId(self.dice.roll(u64::MAX));
            let header = self.hub.link.seal(id, contents, due, Outlook::default(), self.hub.now);
            let name = named(&header);
            self.hub.link.sealed_as(&name);
            self.outbox.push((header, name, owed.into_iter().map(|(cut, record)| (record, cut)).collect()));
            if reach == Reach::Rest {
                self.outbox.retain(|(_, name, _)| !self.hub.link.is_obsolete(name));
                break;
            }
            if self.dice.roll(8) == 0 {
                break;
            }
        }
    }

    fn transfer_hub(&mut self, faulty: bool) {
        let mut whole = true;
        for bundle in std::mem::take(&mut self.outbox) {
            if faulty && self.dice.roll(6) == 0 {
                self.outbox.push(bundle);
                whole = false;
            } else if !(faulty && self.dice.roll(12) == 0) {
                self.mailbox.push(bundle);
            }
        }
        if whole {
            self.mailbox.retain(|(_, name, _)| !self.hub.link.is_obsolete(name));
        }
        let lying: Vec<BundleName> = self.mailbox.iter().map(|(_, name, _)| name.clone()).collect();
        self.hub.link.looked(&lying, &[], self.hub.now);
        if whole && lying.is_empty() {
            self.hub.link.quiet_run();
        }
    }

    /// The remote calls: it fetches some of what is there, in any order, applies it and answers.
    fn call(&mut self, faulty: bool) {
        for bundle in std::mem::take(&mut self.mailbox) {
            if faulty && self.dice.roll(4) == 0 {
                self.mailbox.push(bundle);
            } else {
                self.inbox.push(bundle);
            }
        }
        self.inbox.sort_by_key(|(header, ..)| (header.epoch, header.sequence));
        let mut waits = false;
        for (header, name, content) in std::mem::take(&mut self.inbox) {
            match self.remote.link.judge(&header) {
                Verdict::Apply => {
                    self.remote.link.accept(&header, !content.is_empty(), self.remote.now);
                    for (record, cut) in content {
                        let known = self.there.entry(record).or_default();
                        *known = (*known).max(cut);
                    }
                }
                Verdict::Old => self.remote.link.dropped_old(&header, self.remote.now),
                Verdict::Wait => {
                    waits = true;
                    self.inbox.push((header, name, content));
                }
            }
        }
        if waits {
            self.remote.link.run_ended_waiting(&[]);
        }
        match self.remote.link.due_without_content() {
            Due::Nothing => {}
            due => {
                let answer = self.remote.seal(false, due);
                self.answers.push(answer);
            }
        }
    }

    fn hear(&mut self, faulty: bool) {
        for answer in std::mem::take(&mut self.answers) {
            if !(faulty && self.dice.roll(5) == 0) {
                self.hub.receive(&answer, false);
            }
        }
    }

    fn day(&mut self, faulty: bool) {
        self.hub.now.0 += DAY / 2 + self.dice.roll(2 * DAY);
        self.seal();
        self.transfer_hub(faulty);
        if !faulty || self.dice.roll(5) == 0 {
            self.call(faulty);
            self.hear(faulty);
        }
    }
}

/// Loss, disorder, kills between the parts of a run, an absent peer: in the end it has everything, and the hub knows.
#[test]
fn nothing_is_lost_by_superseding_whatever_happens() {
    let mut superseded = 0;
    for seed in 0..500 {
        let mut world = World::new(seed);
        for _ in 0..40 {
            world.edit();
            world.day(true);
        }
        for _ in 0..15 {
            world.day(false);
        }
        assert_eq!(world.here, world.there, "seed {seed}");
        assert_eq!(world.hub.link.unacknowledged(), 0, "seed {seed}");
        assert!(world.mailbox.is_empty() && world.outbox.is_empty(), "seed {seed}");
        superseded += world.superseded;
    }
    assert!(superseded > 1_000, "{superseded}");
}
