//! How far stamps may be forgotten, who is no longer waited for, and copies that speak beside each other.

use super::tests::End;
use super::*;
use crate::id::LinkId;

fn reading(millis: u64) -> Reading {
    Reading::at(WallTime(millis))
}

/// A link whose peer has sent everything up to here.
fn complete_to(millis: u64) -> Link {
    Link::new(Role::Remote, WallTime(1_000), Cut(3), reading(millis), Epoch(0))
}

#[test]
fn the_horizon_is_the_lowest_of_all_links_and_below_what_is_held() {
    let links = [complete_to(9_500), complete_to(7_500)];
    assert_eq!(Forgettable::of(&links, None).horizon.reading(), reading(7_000));
    assert_eq!(Forgettable::of(&links, Some(reading(5_000))).horizon.reading(), reading(4_000));
    let moment = reading(5_000 + crate::clock::BIRTHS_AHEAD);
    assert_eq!(Forgettable::of(&links, Some(moment)).horizon.reading(), reading(4_000), "its birth may be ahead of it");
    assert_eq!(Forgettable::of(&[], None), Forgettable { horizon: Horizon::NONE, cut: Cut(0) });
}

#[test]
fn only_what_an_accepted_bundle_acknowledged_is_forgotten() {
    let (mut hub, mut remote) = End::pair();
    let bundle = hub.content();
    remote.receive(&bundle, true);
    let _lost = remote.content();
    let overheard = remote.content();
    hub.receive(&overheard, true);
    assert_eq!(hub.link.acked(), hub.cut, "the waiting bundle acknowledges");
    assert_eq!(Forgettable::of([&hub.link], None).cut, Cut(0), "but what came before it may not have seen that");
}

#[test]
fn only_what_every_peer_has_is_forgotten() {
    let (mut hub, mut remote) = End::pair();
    let bundle = hub.content();
    remote.receive(&bundle, true);
    let answer = remote.content();
    hub.receive(&answer, true);
    assert_eq!(Forgettable::of([&hub.link], None).cut, hub.cut);
    let other = complete_to(9_500);
    assert_eq!(Forgettable::of([&hub.link, &other], None).cut, Cut(0));
    assert_eq!(Forgettable::of([&other, &hub.link], None).cut, Cut(0));
}

#[test]
fn a_node_answers_for_what_came_over_its_other_links() {
    let links = [complete_to(9_500), complete_to(7_500), complete_to(8_500)];
    let numbered = || (1..).map(LinkId).zip(&links);
    let beyond = Beyond::of(numbered(), None);
    let clock = reading(10_500);
    assert_eq!(beyond.complete_to(clock, LinkId(1)), reading(7_000));
    assert_eq!(beyond.complete_to(clock, LinkId(2)), reading(8_000), "a peer need not wait for itself");
    assert_eq!(Beyond::of(numbered(), Some(reading(3_000))).complete_to(clock, LinkId(2)), reading(2_000));
    assert_eq!(Beyond::default().complete_to(clock, LinkId(2)), clock, "a node with one link answers for itself alone");
}

/// Its remotes would forget the births of what they made before its own hub has said which numbers that has.
#[test]
fn a_middle_hub_says_of_its_hub_only_how_far_that_has_decided() {
    let (mut root, mut middle) = End::pair();
    let told = |middle: &End| Beyond::of([(LinkId(1), &middle.link)], None).complete_to(reading(9_000_000), LinkId(2));
    let word = middle.content();
    let blind = root.content();
    middle.receive(&blind, true);
    assert_eq!((middle.link.complete_to(), told(&middle)), (blind.complete_to, Reading(0)));
    root.receive(&word, true);
    let part = root.part();
    middle.receive(&part, true);
    assert_eq!(told(&middle), Reading(0), "what it decided may be in a later part");
    let answer = root.content();
    middle.receive(&answer, true);
    assert_eq!(told(&middle), word.complete_to);
}

/// The root would forget who died or moved before a remote of the middle hub, which has not heard of it, speaks of them.
#[test]
fn and_of_its_remotes_only_how_far_they_have_heard_of_its_hub() {
    let (mut root, mut middle) = End::pair();
    let (mut above, mut below) = End::pair();
    let told = |root: &End, above: &End| {
        Beyond::of([(LinkId(1), &root.link), (LinkId(2), &above.link)], None).complete_to(reading(9_000_000), LinkId(1))
    };
    let death = root.content();
    middle.receive(&death, true);
    above.hub_to = middle.link.complete_to();
    let deaf = below.content();
    above.receive(&deaf, true);
    assert_eq!((above.link.complete_to(), told(&middle, &above)), (deaf.complete_to, Reading(0)));
    let part = above.part();
    below.receive(&part, true);
    above.receive(&below.content(), true);
    assert_eq!(told(&middle, &above), Reading(0), "what became of them may be in a later part");
    below.receive(&above.content(), true);
    above.receive(&below.content(), true);
    assert_eq!(told(&middle, &above), death.complete_to);
}

/// What was said below before that was heard of goes up without a birth: once the middle told that it drops births up to there,
/// its hub would take it for whoever has the number since.
#[test]
fn who_has_a_hub_forgets_only_what_that_knows_all_that_was_said_without_view_of() {
    let (mut root, mut middle) = End::pair();
    let (mut above, mut below) = End::pair();
    let horizon = |middle: &End, above: &End| Forgettable::of([&middle.link, &above.link], None).horizon;
    let mut speak = |middle: &mut End, above: &End, whole: bool| {
        middle.heard_to = Some(Beyond::of([(LinkId(1), &middle.link), (LinkId(2), &above.link)], None).heard_to());
        let word = if whole { middle.content() } else { middle.part() };
        root.receive(&word, true);
        let answer = root.content();
        middle.receive(&answer, true);
        answer
    };
    let death = speak(&mut middle, &above, true);
    above.hub_to = middle.link.complete_to();
    above.receive(&below.content(), true);
    speak(&mut middle, &above, true);
    assert_eq!(horizon(&middle, &above), Horizon::NONE, "the remote has not heard of it");
    below.receive(&above.content(), true);
    above.receive(&below.content(), true);
    assert_eq!(horizon(&middle, &above), Horizon::NONE, "what it said before has not been told to the hub");
    speak(&mut middle, &above, false);
    assert_eq!(horizon(&middle, &above), Horizon::NONE, "it may be in a later part");
    speak(&mut middle, &above, true);
    assert_eq!(horizon(&middle, &above), Horizon::before(death.complete_to));
}

#[test]
fn a_part_says_no_more_of_what_is_complete_than_the_bundle_that_it_builds_on() {
    let (mut hub, mut remote) = End::pair();
    let whole = hub.content();
    assert_eq!(whole.complete_to, whole.clock);
    let (part, last) = (hub.part(), hub.content());
    assert_eq!((part.complete_to, last.complete_to), (whole.clock, last.clock));
    remote.receive(&whole, true);
    remote.receive(&part, true);
    assert_eq!(remote.link.complete_to(), whole.clock);
}

#[test]
fn a_silent_peer_expires_once_and_its_next_word_has_everything_exchanged() {
    let (mut hub, mut remote) = End::pair();
    let began = hub.now;
    assert!(!hub.link.expire(WallTime(began.0 + 500), 500));
    assert!(hub.link.expire(WallTime(began.0 + 501), 500));
    assert!(!hub.link.expire(WallTime(began.0 + 900), 500), "it is told once");
    assert_eq!(Forgettable::of([&hub.link], None).cut, Cut(0));
    let other = complete_to(9_000);
    assert_eq!(Forgettable::of([&hub.link, &other], None).horizon.reading(), reading(9_000));
    let word = remote.content();
    assert_eq!(hub.receive(&word, true), Verdict::Apply);
    assert_eq!((hub.link.standing(), hub.link.extent()), (Standing::Open, Extent::Everything));
    let answer = hub.content();
    assert!(answer.ask > 0 && answer.epoch > word.epoch);
}

#[test]
fn everything_begins_with_the_records_without_stamps_where_anybody_has_dropped_some() {
    let (mut hub, mut remote) = End::pair();
    remote.link.ask = 5;
    let mut request = remote.quiet_run_with(Due::Acknowledgement);
    request.horizon = Horizon::before(reading(5_000));
    hub.receive(&request, false);
    assert_eq!(hub.link.sweep(Horizon::NONE, Holds::All), Sweep::Begin, "the peer has dropped some");
    let half = Sweep::After(SweepPlace(vec![1]));
    hub.swept(half.clone());
    assert_eq!((hub.link.sweep(Horizon::NONE, Holds::All), hub.link.acked()), (half, Cut(0)));
    hub.link.resend();
    assert_eq!(hub.link.sweep(Horizon::NONE, Holds::All), Sweep::Begin, "nothing of it was acknowledged");
    let (mut plain, mut other) = End::pair();
    other.link.ask = 5;
    let request = other.quiet_run_with(Due::Acknowledgement);
    plain.receive(&request, false);
    assert_eq!(plain.link.sweep(Horizon::NONE, Holds::All), Sweep::Done, "both ends hold the same of them");
    assert_eq!(plain.link.sweep(Horizon::NONE, Holds::Part), Sweep::Begin, "the peer may have taken some off");
}

#[test]
fn what_a_peer_has_forgotten_is_learned_from_bundles_that_are_old_or_have_to_wait() {
    for waits in [false, true] {
        let (mut hub, mut remote) = End::pair();
        hub.link.outgoing.begin_sweep();
        assert_eq!(hub.link.sweep(Horizon::NONE, Holds::All), Sweep::Done, "nobody has dropped anything");
        let mut bundle = remote.content();
        bundle.horizon = Horizon::before(reading(5_000));
        match waits {
            true => hub.link.overheard(&bundle, hub.now),
            false => hub.link.dropped_old(&bundle, hub.now),
        }
        assert_eq!(hub.link.sweep(Horizon::NONE, Holds::All), Sweep::Begin);
    }
}

/// Lets the peer's bundle in, and the answer to it.
fn speak(hub: &mut End, copy: &mut End) -> bool {
    let bundle = copy.content();
    if hub.link.is_fork(&bundle) {
        return false;
    }
    hub.receive(&bundle, true);
    let answer = hub.content();
    copy.receive(&answer, true);
    true
}

#[test]
fn a_copy_that_speaks_in_turn_is_refused_and_the_other_line_goes_on() {
    let (mut hub, mut original) = End::pair();
    assert!(speak(&mut hub, &mut original));
    let mut copy = original.copied(5_000);
    assert!(speak(&mut hub, &mut original));
    let turns: Vec<bool> =
        (0..24).map(|turn| speak(&mut hub, if turn % 2 == 0 { &mut copy } else { &mut original })).collect();
    let refused = turns.iter().position(|heard| !heard).expect("one of them is refused");
    assert!(refused <= 16, "{turns:?}");
    let goes_on = turns.iter().skip(refused).step_by(2).all(|heard| !heard)
        && turns.iter().skip(refused + 1).step_by(2).all(|heard| *heard);
    assert!(goes_on, "{turns:?}");
}

#[test]
fn whoever_is_restored_from_a_backup_once_or_twice_is_no_copy() {
    let (mut hub, mut remote) = End::pair();
    for _ in 0..2 {
        assert!(speak(&mut hub, &mut remote));
    }
    let backup = remote.copied(0);
    for times in 0..3 {
        remote = backup.copied(10_000 * (times + 1));
        for _ in 0..5 {
            assert!(speak(&mut hub, &mut remote), "restored {times} times");
        }
    }
}

#[test]
fn a_node_that_hears_that_it_is_refused_falls_silent() {
    let (mut hub, mut remote) = End::pair();
    let backup = remote.link.clone();
    let bundle = remote.content();
    hub.receive(&bundle, true);
    remote.link = backup;
    let answer = hub.content();
    remote.receive(&answer, true);
    let first = remote.content();
    assert_eq!(first.lives, [first.id], "it has started over");
    let mut refusal = hub.content();
    refusal.refused = vec![first.id];
    remote.receive(&refusal, true);
    assert_eq!(remote.link.standing(), Standing::Refused);
}

const AFTER: u64 = 10_000;

/// Two that have exchanged something, of which the first no longer waits for the second.
fn expired() -> (End, End) {
    let (mut hub, mut remote) = End::pair();
    let bundle = remote.content();
    hub.receive(&bundle, true);
    assert!(!hub.link.expire(hub.now, AFTER));
    hub.now.0 += AFTER + 1;
    assert!(hub.link.expire(hub.now, AFTER) && !hub.link.expire(hub.now, AFTER));
    hub.receive(&bundle, true);
    assert_eq!(hub.link.standing(), Standing::Expired, "what is doubled does not come from it now");
    (hub, remote)
}

#[test]
fn an_expired_peer_that_comes_from_a_backup_opens_the_link_by_an_old_number() {
    let (mut hub, _) = expired();
    let (_, mut restored) = End::pair();
    restored.ids += 1_000;
    let bundle = restored.content();
    assert_eq!(hub.receive(&bundle, true), Verdict::Old);
    assert_eq!(hub.link.standing(), Standing::Open);
    assert!(!hub.link.expire(hub.now, AFTER), "it has its time again");
}

#[test]
fn an_expired_peer_opens_the_link_by_a_bundle_that_has_to_wait_once() {
    let (mut hub, mut remote) = expired();
    remote.content();
    let later = remote.content();
    assert_eq!(hub.receive(&later, true), Verdict::Wait);
    assert_eq!(hub.link.standing(), Standing::Open);
    hub.now.0 += AFTER + 1;
    assert!(hub.link.expire(hub.now, AFTER));
    hub.receive(&later, true);
    assert_eq!(hub.link.standing(), Standing::Expired);
}

#[test]
fn a_package_made_again_gives_an_expired_remote_its_time() {
    let (mut hub, _) = expired();
    hub.link.repack(hub.now, Cut(5), Reading::at(hub.now));
    assert!(!hub.link.expire(hub.now, AFTER));
}

#[test]
fn nothing_counts_as_complete_for_a_restored_node_before_everything_is_exchanged() {
    let (mut hub, mut remote) = End::pair();
    let mut backup = hub.copied(1);
    let lost = hub.content();
    remote.receive(&lost, true);
    let before = backup.link.complete_to();
    for under_way in [remote.content(), remote.content()] {
        backup.receive(&under_way, true);
        assert_eq!(backup.link.complete_to(), before, "it may hold what the backup lost, and does not send it");
    }
    let request = backup.content();
    remote.receive(&request, true);
    let answer = remote.content();
    assert_eq!(backup.receive(&answer, true), Verdict::Apply);
    assert_eq!(
        backup.link.complete_to(),
        before,
        "nor has it told what it deleted and forgot of all that the backup has"
    );
    let everything = backup.content();
    remote.receive(&everything, true);
    let last = remote.content();
    assert_eq!(backup.receive(&last, true), Verdict::Apply);
    assert_eq!(backup.link.complete_to(), last.complete_to);
}

/// What it sent between the two may still be on its way to the peer, and come back from there.
#[test]
fn who_was_put_back_and_has_not_found_that_out_forgets_nothing_that_it_may_have_lost() {
    let (mut hub, mut remote) = End::pair();
    let horizon = |hub: &End| Forgettable::of([&hub.link], None).horizon;
    let known = hub.content();
    remote.receive(&known, true);
    let mut backup = hub.copied(1_000);
    let lost = hub.content();
    let before = remote.content();
    backup.receive(&before, true);
    assert_eq!((backup.link.complete_to(), horizon(&backup)), (before.complete_to, Horizon::before(known.complete_to)));
    assert!(backup.link.returned_to() < lost.clock);
    remote.receive(&lost, true);
    backup.receive(&remote.content(), true);
    assert!(backup.link.recovers() && horizon(&backup).reading() < lost.clock);
}

/// A remote and a copy of its disk, whose first bundles since have just come to the hub in this order.
fn side_by_side() -> (End, End, End) {
    let (mut hub, mut remote) = End::pair();
    hub.receive(&remote.content(), true);
    let mut copy = remote.copied(500);
    assert_eq!(hub.receive(&remote.content(), true), Verdict::Apply);
    let stray = copy.content();
    assert!(!hub.link.is_fork(&stray), "a restored backup's is just like it");
    assert_eq!(hub.receive(&stray, true), Verdict::Old);
    (hub, remote, copy)
}

#[test]
fn a_copy_that_never_hears_of_the_hub_is_told_by_the_other_going_on() {
    let (mut hub, mut remote, mut copy) = side_by_side();
    let further = copy.content();
    assert!(!hub.link.is_fork(&further));
    assert_eq!(hub.receive(&remote.content(), true), Verdict::Apply);
    assert!(hub.link.is_fork(&further) && hub.link.is_fork(&copy.content()));
    let next = remote.content();
    assert!(!hub.link.is_fork(&next));
    assert_eq!(hub.receive(&next, true), Verdict::Apply);
}

#[test]
fn what_was_under_way_when_a_backup_was_restored_makes_no_copy_of_it() {
    let (mut hub, mut remote) = End::pair();
    hub.receive(&remote.content(), true);
    let mut restored = remote.copied(60_000);
    hub.receive(&remote.content(), true);
    let late = remote.content();
    assert_eq!(hub.receive(&restored.content(), true), Verdict::Old);
    assert_eq!(hub.receive(&late, true), Verdict::Apply);
    assert!(!hub.link.is_fork(&restored.content()));
    let (mut hub, mut remote) = End::pair();
    let (mut restored, late) = (remote.copied(60_000), remote.content());
    assert_eq!(hub.receive(&restored.content(), true), Verdict::Apply);
    assert_eq!(hub.receive(&late, true), Verdict::Old);
    assert_eq!(hub.receive(&restored.content(), true), Verdict::Apply);
    assert!(!hub.link.is_fork(&remote.content()));
}
