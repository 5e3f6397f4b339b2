//! Superseding at both ends of a link: when it waits, what it goes back to, and what it counts as obsolete.

use super::supersede::Unfetched;
use super::tests::End;
use super::*;
use crate::bundle::{BundleName, ShortDigest};

pub(super) const DAY: u64 = 24 * 3_600_000;

impl End {
    /// Seals, and names the bundle.
    fn sealed(&mut self, reach: Reach) -> (Header, BundleName) {
        let header = if reach == Reach::Part { self.part() } else { self.content() };
        let name = named(&header);
        self.link.sealed_as(&name);
        (header, name)
    }

    pub(super) fn unfetched(&self, outbox: &[BundleName]) -> Option<Unfetched> {
        self.link.unfetched(outbox, self.now, DAY)
    }

    /// A day passes, at whose end the transfer sees these in the mailbox.
    fn a_day_with(&mut self, lying: &[BundleName]) {
        self.now.0 += DAY;
        self.link.looked(lying, &[], self.now);
    }

    fn supersede(&mut self) {
        let unfetched = self.unfetched(&[]).expect("nothing is in its way");
        self.link.supersede(&unfetched);
    }
}

pub(super) fn named(header: &Header) -> BundleName {
    let (from, to) = ("hq".parse().unwrap(), "alice".parse().unwrap());
    BundleName { from, to, epoch: header.epoch, sequence: header.sequence, digest: ShortDigest(header.id.0) }
}

/// A hub with one bundle in the mailbox for a day.
fn waiting() -> (End, End, Header, BundleName) {
    let (mut hub, remote) = End::pair();
    let (header, name) = hub.sealed(Reach::Rest);
    hub.a_day_with(std::slice::from_ref(&name));
    (hub, remote, header, name)
}

/// What was said in a life that is lost has its number in this one too, and what is applied next builds on neither.
#[test]
fn what_replaces_a_bundle_does_not_hide_what_was_said_under_its_number_in_a_lost_life() {
    let (hub, mut remote) = End::pair();
    let mut before = hub.copied(5);
    let (mut hub, name) = (hub, before.sealed(Reach::Rest));
    assert_eq!(remote.receive(&name.0, true), Verdict::Apply);
    let (_, name) = hub.sealed(Reach::Rest);
    hub.a_day_with(std::slice::from_ref(&name));
    hub.supersede();
    let fresh = hub.content();
    assert_eq!(remote.receive(&fresh, true), Verdict::Apply);
    let answer = remote.content();
    hub.receive(&answer, true);
    assert!(hub.link.recovers() && answer.beside.is_some());
}

/// It was taken for unfetched twice, and has been applied all the same: what its receiver says is said in view of it.
#[test]
fn of_what_was_replaced_and_is_not_there_any_more_it_is_known_where_it_ends() {
    let (mut hub, mut remote, header, name) = waiting();
    let ends = hub.link.sealed_to();
    hub.supersede();
    let (_, second) = hub.sealed(Reach::Rest);
    assert_eq!(remote.receive(&header, true), Verdict::Apply);
    let answer = remote.content();
    hub.a_day_with(std::slice::from_ref(&second));
    hub.supersede();
    assert!(hub.link.superseded().all(|sequence| sequence != name.sequence), "nothing else is kept of it");
    assert_eq!(hub.link.seen_by(&answer), ends);
    let other = Header { ack: answer.ack.map(|ack| Ack { id: Some(BundleId(7)), ..ack }), ..answer.clone() };
    assert!(hub.link.seen_by(&other) < ends, "another bundle under its number is not known");
    assert_eq!((hub.link.may_have_seen_by(&answer), hub.link.may_have_seen_by(&other)), (ends, hub.link.sealed_to()));
    let later = hub.content();
    assert_eq!(remote.receive(&later, true), Verdict::Apply);
    hub.receive(&remote.content(), true);
    assert!(hub.link.seen_by(&answer) >= ends);
}

#[test]
fn bundles_give_way_only_after_the_time_and_wherever_they_lie() {
    let (mut hub, _) = End::pair();
    let (_, name) = hub.sealed(Reach::Rest);
    let outbox = [name];
    hub.now.0 += DAY - 1;
    assert_eq!(hub.unfetched(&outbox), None);
    hub.now.0 += 1;
    assert_eq!(hub.unfetched(&outbox).map(|unfetched| unfetched.runs), Some(1));
    assert_eq!(hub.unfetched(&[]), None, "what lies neither here nor there was carried away");
    hub.link.looked(&outbox, &[], hub.now);
    assert!(hub.unfetched(&[]).is_some(), "it lies in the mailbox");
    let stranger = BundleName { digest: ShortDigest(1), ..outbox[0].clone() };
    hub.link.looked(&[stranger], &[], WallTime(0));
    hub.now.0 += 10 * DAY;
    assert_eq!(hub.unfetched(&[]), None, "another file under its number is not ours");
}

#[test]
fn acknowledgements_alone_are_not_worth_it() {
    let (mut hub, _) = End::pair();
    let name = named(&hub.seal(false, Due::Acknowledgement));
    hub.link.sealed_as(&name);
    hub.a_day_with(&[name]);
    assert_eq!(hub.unfetched(&[]), None);
}

#[test]
fn after_it_one_run_from_the_acknowledged_cut_replaces_them() {
    let (mut hub, mut remote, first, old) = waiting();
    let (_, second) = hub.sealed(Reach::Rest);
    let outbox = [second.clone()];
    assert_eq!(hub.unfetched(&outbox).map(|unfetched| unfetched.runs), Some(2));
    hub.link.supersede(&hub.unfetched(&outbox).unwrap());
    assert_eq!((hub.link.sent(), hub.link.floor()), (Cut(7), Cut(7)), "all is selected again");
    assert!(!hub.link.is_obsolete(&old), "nothing replaces it yet");
    let (part, _) = hub.sealed(Reach::Part);
    assert!(!hub.link.is_obsolete(&old), "more is to follow");
    let (rest, _) = hub.sealed(Reach::Rest);
    assert!(hub.link.is_obsolete(&old) && hub.link.is_obsolete(&second));
    assert!(!hub.link.is_obsolete(&named(&rest)));
    assert!(!hub.link.is_obsolete(&BundleName { digest: ShortDigest(1), ..old }), "known by its digest");
    assert_eq!((part.base, part.sequence), (first.base, Sequence(3)), "numbers are never used twice");
    assert_eq!(hub.link.unacknowledged(), 2);
    for bundle in [&part, &rest] {
        assert_eq!(remote.receive(bundle, true), Verdict::Apply);
    }
    assert_eq!(remote.receive(&first, true), Verdict::Old);
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!((hub.link.acked(), hub.link.unacknowledged()), (hub.cut, 0));
}

#[test]
fn an_old_one_that_comes_all_the_same_is_applied_before_the_fresh_one_and_its_acknowledgement_counts() {
    let (mut hub, mut remote, old, _) = waiting();
    hub.supersede();
    let (fresh, _) = hub.sealed(Reach::Rest);
    assert_eq!(remote.receive(&old, true), Verdict::Apply);
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!((hub.link.acked(), hub.link.unacknowledged()), (Cut(8), 1));
    assert_eq!(remote.receive(&fresh, true), Verdict::Apply, "its base is known");
}

#[test]
fn one_that_was_fetched_is_waited_for_until_a_later_look_and_again_as_long() {
    let (mut hub, _, _, name) = waiting();
    let (_, other) = hub.sealed(Reach::Rest);
    hub.a_day_with(std::slice::from_ref(&other));
    assert_eq!(hub.unfetched(&[]), None, "{name} was fetched");
    hub.now.0 += 2 * DAY;
    assert_eq!(hub.unfetched(&[]), None, "and nobody has looked since");
    hub.link.looked(std::slice::from_ref(&other), &[], hub.now);
    assert!(hub.unfetched(&[]).is_some());
    let (_, third) = hub.sealed(Reach::Rest);
    hub.link.supersede(&hub.unfetched(std::slice::from_ref(&third)).unwrap());
    hub.sealed(Reach::Rest);
    assert!(hub.link.is_obsolete(&other) && hub.link.is_obsolete(&third));
    assert!(!hub.link.is_obsolete(&name), "what was fetched is not taken back");
}

#[test]
fn what_is_taken_away_because_it_was_superseded_is_no_sign_of_life() {
    let (mut hub, _, _, _) = waiting();
    hub.supersede();
    let (_, fresh) = hub.sealed(Reach::Rest);
    hub.a_day_with(std::slice::from_ref(&fresh));
    assert!(hub.unfetched(&[]).is_some());
}

#[test]
fn a_brief_line_may_take_many_days_to_put_one() {
    let (mut hub, _) = End::pair();
    let (_, name) = hub.sealed(Reach::Rest);
    let outbox = [name.clone()];
    for day in 0..9 {
        hub.link.looked(&[], &[(name.clone(), day * 30_000)], hub.now);
        hub.now.0 += DAY + 5_000;
        assert_eq!(hub.unfetched(&outbox), None, "day {day}");
    }
    hub.link.looked(&[], &[(name.clone(), 8 * 30_000)], hub.now);
    assert!(hub.unfetched(&outbox).is_some(), "the line carries nothing any more");
}

#[test]
fn a_relay_that_takes_nothing_has_the_benefit_of_the_doubt_once() {
    let (mut hub, _) = End::pair();
    let (_, name) = hub.sealed(Reach::Rest);
    let outbox = [name.clone()];
    hub.link.looked(&[], &[(name.clone(), 0)], hub.now);
    hub.now.0 += DAY;
    assert_eq!(hub.unfetched(&outbox), None);
    hub.link.looked(&[], &[(name, 0)], hub.now);
    assert!(hub.unfetched(&outbox).is_some());
}

#[test]
fn a_peer_that_was_heard_is_waited_for_and_longer_if_it_left_open_what_it_has() {
    let (mut hub, mut remote, first, name) = waiting();
    let word = remote.content();
    hub.receive(&word, true);
    hub.now.0 += 2 * DAY;
    assert_eq!(hub.unfetched(&[]), None, "it may be fetching");
    hub.now.0 += 5 * DAY;
    assert!(hub.unfetched(&[]).is_some(), "but not for ever");

    remote.receive(&first, true);
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    let (_, second) = hub.sealed(Reach::Rest);
    hub.link.looked(&[name, second.clone()], &[], hub.now);
    hub.now.0 += DAY - 2_000;
    assert_eq!(hub.unfetched(&[]), None, "heard within the time");
    hub.now.0 += 2_000;
    assert!(hub.unfetched(&[]).is_some(), "it had all that there was");
}

#[test]
fn who_holds_a_part_says_so_once_an_hour() {
    let (_, mut remote) = End::pair();
    remote.content();
    remote.link.holds_part(remote.now);
    assert_eq!(remote.link.due_without_content(), Due::Nothing);
    remote.link.holds_part(WallTime(remote.now.0 + 3_600_000));
    assert_eq!(remote.link.due_without_content(), Due::Acknowledgement);
}

#[test]
fn bundles_of_an_earlier_epoch_are_obsolete_once_the_later_one_has_begun_with_a_whole_run() {
    let (mut hub, _, _, name) = waiting();
    hub.link.outgoing.start_epoch(hub.now, hub.cut, Extent::Everything);
    assert!(!hub.link.is_obsolete(&name));
    hub.sealed(Reach::Part);
    assert!(!hub.link.is_obsolete(&name));
    hub.sealed(Reach::Rest);
    assert!(hub.link.is_obsolete(&name));
    assert!(!hub.link.is_obsolete(&BundleName { digest: ShortDigest(1), ..name }), "from a past that was lost");
}

#[test]
fn what_was_for_the_installation_that_a_package_replaces_is_obsolete_at_once() {
    let (mut hub, _, _, name) = waiting();
    hub.link.repack(hub.now, hub.cut, Reading(0));
    assert!(hub.link.is_obsolete(&name), "its successor has everything by the package");
    assert!(!hub.link.is_obsolete(&BundleName { digest: ShortDigest(1), ..name }), "from a past that was lost");
    let (_, later) = hub.sealed(Reach::Rest);
    hub.link.outgoing.start_epoch(hub.now, hub.cut, Extent::Everything);
    assert!(!hub.link.is_obsolete(&later), "the successor waits for it");
}

#[test]
fn a_request_in_a_superseded_bundle_is_made_again_unless_something_has_come_since() {
    for answered in [false, true] {
        let (mut hub, mut remote) = End::pair();
        hub.link.ask_again();
        let (header, name) = hub.sealed(Reach::Rest);
        assert!(header.nack);
        if answered {
            let answer = remote.content();
            hub.now.0 += 1_000;
            hub.receive(&answer, true);
            hub.now.0 += 6 * DAY;
        }
        hub.a_day_with(&[name]);
        hub.supersede();
        assert_eq!(hub.sealed(Reach::Rest).0.nack, !answered);
    }
}

#[test]
fn the_state_of_a_link_to_an_absent_peer_stays_small() {
    let (mut hub, mut remote, _, _) = waiting();
    for _ in 0..400 {
        hub.supersede();
        let (header, name) = hub.sealed(Reach::Rest);
        hub.a_day_with(&[name]);
        assert!(rmp_serde::to_vec_named(&hub.link).unwrap().len() < 900);
        // One of them reaches the peer by another way each day, and no answer comes back.
        assert_eq!(remote.receive(&header, true), Verdict::Apply, "the base in use stays known");
    }
    let answer = remote.quiet_run().unwrap();
    hub.receive(&answer, false);
    assert_eq!(hub.link.unacknowledged(), 0);
}

#[test]
fn a_state_stored_by_the_first_version_is_read() {
    let bytes: Vec<u8> = include_str!("first_state.hex")
        .trim()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let link: Link = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(link.unacknowledged(), 1);
    assert_eq!(link.unfetched(&[], WallTime(u64::MAX), 1), None);
}
