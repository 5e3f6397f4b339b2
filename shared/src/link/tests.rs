//! Two ends of a link, with bundles as bare headers: what is lost, doubled or late, and who was restored.

use super::*;

/// The hub's clock when the package was made.
const CLOCK: Reading = Reading(1_000);

fn beginning(epoch: Epoch) -> Beginning {
    Beginning { epoch, complete_to: CLOCK }
}

pub(super) struct End {
    pub(super) link: Link,
    pub(super) cut: Cut,
    pub(super) ids: u64,
    pub(super) now: WallTime,
    /// How far it has what its own hub made, if it has one.
    pub(super) hub_to: Reading,
    /// How far those below it have heard of that, if there are any.
    pub(super) heard_to: Option<Reading>,
}

impl End {
    pub(super) fn pair() -> (Self, Self) {
        let now = WallTime(1_000_000);
        let hub = Link::new(Role::Remote, now, Cut(7), CLOCK, Epoch(0));
        let remote = Link::restored_from_package(now, beginning(hub.epoch()));
        let end = |link, ids| Self { link, cut: Cut(7), ids, now, hub_to: Reading(0), heard_to: None };
        (end(hub, 100), end(remote, 900))
    }

    pub(super) fn seal(&mut self, content: bool, due: Due) -> Header {
        self.ids += 1;
        self.now.0 += 1_000;
        self.cut = if content { self.cut.next() } else { self.cut };
        let contents = Contents { cut: self.cut, reach: Reach::Rest, content, withdraws: false, sweep: Sweep::Done };
        self.link.seal(BundleId(self.ids), contents, due, self.outlook(), self.now)
    }

    /// A bundle that ends a cut further on, with more to follow from the same selection.
    pub(super) fn part(&mut self) -> Header {
        self.ids += 1;
        self.now.0 += 1_000;
        self.cut = self.cut.next();
        let contents =
            Contents { cut: self.cut, reach: Reach::Part, content: true, withdraws: false, sweep: Sweep::Done };
        self.link.seal(BundleId(self.ids), contents, Due::Nothing, self.outlook(), self.now)
    }

    /// The bundle that a run sends for this reason, whatever else there is.
    pub(super) fn quiet_run_with(&mut self, due: Due) -> Header {
        self.seal(false, due)
    }

    /// A bundle of the records without stamps, up to here.
    pub(super) fn swept(&mut self, sweep: Sweep) {
        self.ids += 1;
        let contents = Contents { cut: self.link.sent(), reach: Reach::Part, content: true, withdraws: false, sweep };
        self.link.seal(BundleId(self.ids), contents, Due::Nothing, self.outlook(), self.now);
    }

    /// A copy of this end, some milliseconds later.
    pub(super) fn copied(&self, later: u64) -> Self {
        let (link, now) = (self.link.clone(), WallTime(self.now.0 + later));
        Self { link, cut: self.cut, ids: self.ids + 10_000 + later, now, hub_to: self.hub_to, heard_to: self.heard_to }
    }

    /// As at a node without other links.
    fn outlook(&self) -> Outlook {
        let clock = Reading::at(self.now);
        let heard_to = self.heard_to.unwrap_or(self.link.complete_to());
        let (hub_to, horizon) = (self.hub_to, Horizon::NONE);
        Outlook { clock, complete_to: clock, come_to: clock, hub_to, heard_to, horizon }
    }

    pub(super) fn content(&mut self) -> Header {
        self.seal(true, Due::Nothing)
    }

    /// Receives a bundle as a run does, and tells what became of it.
    pub(super) fn receive(&mut self, header: &Header, content: bool) -> Verdict {
        let verdict = self.link.judge(header);
        match verdict {
            Verdict::Apply => self.link.accept(header, content, self.now),
            Verdict::Old => self.link.dropped_old(header, self.now),
            Verdict::Wait => {
                self.link.overheard(header, self.now);
                self.link.run_ended_waiting(&[]);
            }
        }
        verdict
    }

    /// A run with nothing new to say: the bundle that it sends all the same, if any.
    pub(super) fn quiet_run(&mut self) -> Option<Header> {
        self.link.quiet_run();
        match self.link.due_without_content() {
            Due::Nothing => None,
            due => Some(self.seal(false, due)),
        }
    }
}

#[test]
fn an_acknowledgement_settles_what_was_sent_and_is_not_acknowledged_itself() {
    let (mut hub, mut remote) = End::pair();
    let bundle = hub.content();
    assert_eq!(remote.receive(&bundle, true), Verdict::Apply);
    assert_eq!(hub.link.unacknowledged(), 1);
    let answer = remote.quiet_run().expect("an acknowledgement is owed");
    assert_eq!(hub.receive(&answer, false), Verdict::Apply);
    assert_eq!((hub.link.unacknowledged(), hub.link.acked()), (0, hub.cut));
    assert_eq!((hub.quiet_run(), remote.quiet_run()), (None, None));
}

#[test]
fn what_comes_twice_is_old_and_acknowledged_again() {
    let (mut hub, mut remote) = End::pair();
    let bundle = hub.content();
    remote.receive(&bundle, true);
    remote.quiet_run();
    assert_eq!(remote.receive(&bundle, true), Verdict::Old);
    assert!(remote.quiet_run().is_some());
}

#[test]
fn a_gap_waits_and_after_some_runs_is_asked_for() {
    let (mut hub, mut remote) = End::pair();
    let _lost = hub.content();
    let second = hub.content();
    for _ in 1..PATIENCE_RUNS {
        assert_eq!(remote.receive(&second, true), Verdict::Wait);
        assert_eq!(remote.quiet_run(), None);
    }
    assert_eq!(remote.receive(&second, true), Verdict::Wait);
    let nack = remote.quiet_run().expect("a gap is asked for");
    assert!(nack.nack);
    hub.receive(&nack, false);
    assert_eq!(hub.link.sent(), Cut(7), "everything since the acknowledged cut is sent again");
    let again = hub.content();
    assert!(again.sequence > second.sequence, "a sequence number is never used twice");
    assert_eq!(remote.receive(&again, true), Verdict::Apply);
    assert_eq!(remote.receive(&second, true), Verdict::Old);
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!(hub.link.unacknowledged(), 0);
}

#[test]
fn what_was_late_and_not_lost_is_taken_in_order() {
    let (mut hub, mut remote) = End::pair();
    let (first, second) = (hub.content(), hub.content());
    assert_eq!(remote.receive(&second, true), Verdict::Wait);
    assert_eq!(remote.receive(&first, true), Verdict::Apply);
    assert_eq!(remote.receive(&second, true), Verdict::Apply);
}

#[test]
fn an_acknowledgement_of_a_superseded_bundle_still_counts() {
    let (mut hub, mut remote) = End::pair();
    let (first, second) = (hub.content(), hub.content());
    for _ in 0..PATIENCE_RUNS {
        remote.receive(&second, true);
    }
    let nack = remote.quiet_run().unwrap();
    hub.receive(&nack, false);
    remote.receive(&first, true);
    remote.receive(&second, true);
    let late = remote.quiet_run().unwrap();
    hub.receive(&late, false);
    assert_eq!(hub.link.acked(), hub.cut);
}

#[test]
fn a_lost_last_bundle_shows_by_an_empty_one() {
    let (mut hub, mut remote) = End::pair();
    let _lost = hub.content();
    let probes: Vec<Header> = (0..=PATIENCE_RUNS).filter_map(|_| hub.quiet_run()).collect();
    assert_eq!(probes.len(), 1);
    assert!(probes[0].probe);
    assert_eq!(remote.receive(&probes[0], false), Verdict::Wait);
}

#[test]
fn without_quiet_runs_on_line_nothing_counts_as_lost() {
    let (mut hub, _) = End::pair();
    hub.content();
    for _ in 0..10 {
        assert_eq!(hub.link.due_without_content(), Due::Nothing);
    }
}

#[test]
fn a_waiting_bundle_speaks_once() {
    let (mut hub, mut remote) = End::pair();
    let theirs = remote.content();
    hub.receive(&theirs, true);
    let _lost = hub.content();
    let mut nack = hub.content();
    nack.nack = true;
    remote.receive(&nack, true);
    let resent = remote.content();
    remote.receive(&nack, true);
    assert_eq!(remote.link.sent(), remote.cut, "the same request is not answered again: {resent:?}");
}

#[test]
fn whoever_was_restored_from_a_backup_starts_a_later_epoch_and_asks_for_everything() {
    let (mut hub, mut remote) = End::pair();
    let backup = remote.link.clone();
    let bundle = remote.content();
    hub.receive(&bundle, true);
    let answer = hub.quiet_run().unwrap();
    remote.link = backup;
    let before = remote.link.epoch();
    remote.receive(&answer, false);
    assert!(remote.link.epoch() > before);
    assert_eq!(remote.link.extent(), Extent::Records);
    let request = remote.quiet_run().expect("the request travels");
    assert!(request.ask > 0);
    assert_eq!(hub.receive(&request, false), Verdict::Apply, "a later epoch builds on nothing");
    assert_eq!((hub.link.extent(), hub.link.sent()), (Extent::Everything, Cut(0)));
    let everything = hub.content();
    assert_eq!(everything.ask, request.ask, "whoever is asked for everything asks back");
    assert_eq!(remote.receive(&everything, true), Verdict::Apply);
    let epoch = hub.link.epoch();
    for _ in 0..5 {
        if let Some(bundle) = remote.quiet_run() {
            hub.receive(&bundle, false);
        }
        if let Some(bundle) = hub.quiet_run() {
            remote.receive(&bundle, false);
        }
    }
    assert_eq!(hub.link.epoch(), epoch, "a request is answered once");
}

#[test]
fn a_known_sequence_with_another_id_shows_a_backup_too() {
    let (mut hub, mut remote) = End::pair();
    let backup = remote.link.clone();
    let bundle = remote.content();
    hub.receive(&bundle, true);
    remote.link = backup;
    let other = remote.content();
    assert_eq!((other.sequence, other.id == bundle.id), (bundle.sequence, false));
    assert_eq!(hub.receive(&other, true), Verdict::Old);
    let answer = hub.quiet_run().unwrap();
    let before = remote.link.epoch();
    remote.receive(&answer, false);
    assert!(remote.link.epoch() > before);
}

#[test]
fn a_peer_that_has_less_than_it_acknowledged_is_sent_everything_anew() {
    let (mut hub, mut remote) = End::pair();
    let backup = remote.link.clone();
    for _ in 0..2 {
        let bundle = hub.content();
        remote.receive(&bundle, true);
    }
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!(hub.link.unacknowledged(), 0);
    // Its number is used again, but what bears it is lost, so that neither end sees the contradiction.
    remote.link = backup;
    assert_eq!(remote.content().sequence, answer.sequence);
    let next = remote.content();
    assert_eq!(hub.receive(&next, true), Verdict::Wait);
    assert_eq!((hub.link.extent(), hub.link.sent()), (Extent::Everything, Cut(0)));
    let anew = hub.content();
    assert_eq!(remote.receive(&anew, true), Verdict::Apply);
}

#[test]
fn a_package_made_again_is_a_later_epoch_and_no_backup() {
    let (mut hub, mut remote) = End::pair();
    let bundle = hub.content();
    remote.receive(&bundle, true);
    hub.link.repack(WallTime(9_000_000), hub.cut, CLOCK);
    let old_laptop = remote.quiet_run().unwrap();
    let epoch = hub.link.epoch();
    hub.receive(&old_laptop, false);
    assert_eq!(hub.link.epoch(), epoch);
    let mut renewed = Link::restored_from_package(WallTime(9_000_000), beginning(epoch));
    let next = hub.content();
    assert_eq!(renewed.judge(&next), Verdict::Apply);
    renewed.accept(&next, true, WallTime(9_000_001));
}

#[test]
fn what_a_sender_had_seen_is_told_by_its_acknowledgement() {
    let (mut hub, mut remote) = End::pair();
    let blind = remote.content();
    assert_eq!(hub.link.seen_by(&blind), Cut(7), "what the package held was seen");
    let bundle = hub.content();
    remote.receive(&bundle, true);
    let seeing = remote.content();
    assert_eq!(hub.link.seen_by(&seeing), hub.cut);
}

/// What waits tells that the peer has seen more by now, and not what it had seen when it said what is accepted after that.
#[test]
fn what_is_accepted_after_a_later_word_was_overheard_was_said_without_view_of_that() {
    let (mut hub, mut remote) = End::pair();
    let first = remote.content();
    hub.receive(&first, true);
    let before = hub.content();
    let second = remote.content();
    hub.receive(&second, true);
    let after = hub.content();
    let seen = remote.cut;
    remote.content();
    // The one that was said first is late: what builds on it waits.
    assert_eq!(remote.receive(&after, true), Verdict::Wait);
    assert_eq!(remote.link.acked(), seen);
    assert!(remote.link.seen_by(&before) < seen, "{:?}", remote.link.seen_by(&before));
}

#[test]
fn while_parts_are_under_way_the_floor_stays_where_the_first_began() {
    let (mut hub, mut remote) = End::pair();
    let (first, second) = (hub.part(), hub.part());
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(9), Cut(7)));
    let last = hub.content();
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(10), Cut(10)));
    remote.receive(&first, true);
    for _ in 0..PATIENCE_RUNS {
        remote.receive(&last, true);
    }
    let nack = remote.quiet_run().unwrap();
    hub.receive(&nack, false);
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(8), Cut(7)), "records after the first part, from its floor");
    assert_eq!(remote.receive(&second, true), Verdict::Apply);
}

#[test]
fn everything_goes_on_being_everything_when_a_later_part_of_it_is_lost() {
    let (mut hub, mut remote) = End::pair();
    remote.link.ask = 5;
    let request = remote.seal(false, Due::Acknowledgement);
    hub.receive(&request, false);
    assert_eq!(hub.link.extent(), Extent::Everything);
    let first = hub.part();
    let _lost = hub.part();
    let last = hub.content();
    assert_eq!(hub.link.extent(), Extent::Changes);
    remote.receive(&first, true);
    for _ in 0..PATIENCE_RUNS {
        remote.receive(&last, true);
    }
    let nack = remote.quiet_run().unwrap();
    hub.receive(&nack, false);
    assert_eq!((hub.link.extent(), hub.link.floor()), (Extent::Everything, Cut(0)));
}

#[test]
fn everything_ends_also_when_nothing_is_left_for_its_last_part() {
    let (mut hub, mut remote) = End::pair();
    remote.link.ask = 5;
    let request = remote.seal(false, Due::Acknowledgement);
    hub.receive(&request, false);
    hub.link.skip_to(Cut(30), Reach::Rest);
    assert_eq!(hub.link.extent(), Extent::Everything, "the peer has not heard of the epoch");
    hub.part();
    hub.link.skip_to(Cut(30), Reach::Rest);
    assert_eq!((hub.link.extent(), hub.link.floor()), (Extent::Changes, Cut(30)));
}

#[test]
fn passing_over_records_that_do_not_concern_the_peer_keeps_the_floor_until_all_were_looked_at() {
    let (mut hub, _) = End::pair();
    hub.link.skip_to(Cut(20), Reach::Part);
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(20), Cut(7)), "a later record may have an earlier field");
    hub.link.skip_to(Cut(30), Reach::Rest);
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(30), Cut(30)));
}

#[test]
fn a_discarded_bundle_is_sent_again_under_a_new_number_and_the_later_ones_are_overtaken() {
    let (mut hub, mut remote) = End::pair();
    let (discarded, later) = (hub.content(), hub.content());
    hub.link.resend();
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(7), Cut(7)));
    assert_eq!(hub.link.due_without_content(), Due::Acknowledgement, "it goes out even if it holds nothing");
    let again = hub.content();
    assert!(again.sequence > later.sequence && again.base == Base::default() && again.id != discarded.id);
    assert_eq!(remote.receive(&later, true), Verdict::Wait);
    assert_eq!(remote.receive(&again, true), Verdict::Apply);
    assert_eq!(remote.receive(&later, true), Verdict::Old);
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!((hub.link.unacknowledged(), hub.link.acknowledged_sequence()), (0, again.sequence));
}
