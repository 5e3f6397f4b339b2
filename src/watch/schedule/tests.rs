//! The rules of the schedule, each on a clock that the test sets.

use super::*;

const RHYTHM: Rhythm = Rhythm { apply_every: Duration::from_secs(120), transfer_every: Duration::from_secs(900) };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A schedule whose first turns have all been done at its first second.
fn settled() -> Schedule {
    let mut schedule = Schedule::new(RHYTHM);
    schedule.applied(Outcome::Done, 0, at(0));
    schedule.bundled(Outcome::Done, 0, None, at(0), at(0));
    schedule.transferring(Cause::Clock);
    schedule.transferred(Outcome::Done, Lot::NONE, at(0));
    schedule
}

fn due(schedule: &Schedule, now: Duration) -> Vec<Job> {
    [Job::Apply, Job::Bundle, Job::Transfer].into_iter().filter(|job| schedule.is_due(*job, now)).collect()
}

#[test]
fn everything_is_due_at_the_beginning_and_then_by_the_clock() {
    assert_eq!(due(&Schedule::new(RHYTHM), at(0)), [Job::Apply, Job::Bundle, Job::Transfer]);
    let schedule = settled();
    assert_eq!(due(&schedule, at(119)), []);
    assert_eq!(due(&schedule, at(120)), [Job::Apply, Job::Bundle]);
    assert_eq!(due(&schedule, at(900)), [Job::Apply, Job::Bundle, Job::Transfer]);
    assert_eq!((schedule.next(&[Job::Apply, Job::Transfer]), schedule.next(&[Job::Transfer])), (at(120), at(900)));
    assert_eq!(schedule.cause(at(900)), Cause::Clock);
}

#[test]
fn what_arrives_is_applied_and_acknowledged_at_once() {
    let mut schedule = settled();
    schedule.arrived(at(10));
    assert_eq!(due(&schedule, at(10)), []);
    assert_eq!(due(&schedule, at(11)), [Job::Apply]);
    schedule.applied(Outcome::Done, 1, at(11));
    assert_eq!(due(&schedule, at(11)), [Job::Bundle]);
    schedule.bundled(Outcome::Done, 1, None, at(0), at(11));
    assert_eq!((due(&schedule, at(11)), schedule.cause(at(11))), (vec![Job::Transfer], Cause::Ready));
}

#[test]
fn a_change_is_looked_at_soon_and_again_when_it_reaches_the_threshold() {
    let mut schedule = settled();
    schedule.changed(at(10));
    assert_eq!(due(&schedule, at(10)), []);
    assert_eq!(due(&schedule, at(11)), [Job::Bundle]);
    schedule.bundled(Outcome::Done, 0, Some(at(60)), at(0), at(11));
    assert_eq!(due(&schedule, at(70)), []);
    assert_eq!(due(&schedule, at(71)), [Job::Bundle]);
}

#[test]
fn a_database_that_is_written_all_the_time_is_looked_at_for_a_small_part_of_it() {
    let mut schedule = settled();
    let (mut looks, mut now) = (0, at(0));
    while now < at(1_000) {
        schedule.changed(now);
        if schedule.is_due(Job::Bundle, now) {
            schedule.bundled(Outcome::Done, 0, None, at(2), now + at(2));
            looks += 1;
            now += at(2);
        }
        now += Duration::from_millis(100);
    }
    assert!((20..=25).contains(&looks), "{looks}");
}

#[test]
fn what_fails_is_tried_again_after_growing_pauses_up_to_its_interval() {
    let mut schedule = settled();
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        schedule.applied(Outcome::Failed, 0, now);
        let next = schedule.next(&[Job::Apply]);
        pauses.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120, 120]);
    schedule.applied(Outcome::Done, 0, now);
    schedule.applied(Outcome::Failed, 0, now);
    assert_eq!(schedule.next(&[Job::Apply]) - now, at(5));
}

#[test]
fn what_becomes_ready_during_a_transfer_makes_another_one() {
    let mut schedule = settled();
    schedule.transferring(Cause::Clock);
    assert!(!schedule.is_due(Job::Transfer, at(5_000)), "one at a time");
    schedule.bundled(Outcome::Done, 1, None, at(0), at(10));
    schedule.transferred(Outcome::Done, Lot::NONE, at(20));
    assert_eq!((due(&schedule, at(20)), schedule.cause(at(20))), (vec![Job::Transfer], Cause::Ready));
    schedule.transferring(Cause::Ready);
    schedule.transferred(Outcome::Done, Lot::NONE, at(30));
    assert_eq!((schedule.next(&[Job::Transfer]), schedule.cause(at(920))), (at(920), Cause::Clock));
}

#[test]
fn however_much_lies_ready_transfers_by_the_clock_come_round() {
    let mut schedule = settled();
    let mut by_the_clock = Vec::new();
    for now in (0..4_000).step_by(10).map(at) {
        schedule.lies_on_relay(now);
        let now = now + at(1);
        let cause = schedule.cause(now);
        if cause == Cause::Clock {
            by_the_clock.push(now.as_secs());
        }
        schedule.transferring(cause);
        schedule.transferred(Outcome::Done, Lot::NONE, now);
    }
    assert_eq!(by_the_clock, [901, 1_801, 2_701, 3_601]);
}

#[test]
fn a_transfer_that_another_run_is_in_the_way_of_is_due_for_the_same_again() {
    for cause in [Cause::Clock, Cause::Ready] {
        let mut schedule = settled();
        if cause == Cause::Ready {
            schedule.lies_on_relay(at(10));
        }
        let now = if cause == Cause::Ready { at(11) } else { at(900) };
        for now in [now, now + at(1)] {
            assert_eq!((schedule.is_due(Job::Transfer, now), schedule.cause(now)), (true, cause));
            schedule.transferring(cause);
            schedule.transferred(Outcome::Busy, Lot::NONE, now);
            assert!(!schedule.is_due(Job::Transfer, now), "not without a pause");
        }
    }
}

#[test]
fn without_a_line_bundles_that_are_sealed_make_no_more_calls() {
    let mut schedule = settled();
    schedule.transferring(Cause::Clock);
    schedule.transferred(Outcome::Failed, Lot::NONE, at(10));
    schedule.bundled(Outcome::Done, 1, None, at(0), at(11));
    schedule.lies_on_relay(at(11));
    assert_eq!(due(&schedule, at(14)), []);
    assert_eq!(due(&schedule, at(15)), [Job::Transfer]);
}

#[test]
fn another_run_is_waited_for_and_is_no_failure() {
    let mut schedule = settled();
    schedule.bundled(Outcome::Busy, 0, None, at(0), at(10));
    assert_eq!(due(&schedule, at(11)), [Job::Bundle]);
    schedule.bundled(Outcome::Busy, 0, None, at(0), at(11));
    assert_eq!(due(&schedule, at(12)), [Job::Bundle]);
}

#[test]
fn a_machine_that_slept_does_at_once_what_was_due() {
    let mut schedule = settled();
    schedule.woke(at(10));
    assert_eq!(due(&schedule, at(10)), [Job::Apply, Job::Bundle, Job::Transfer]);
}

#[test]
fn another_rhythm_holds_from_now_on() {
    let mut schedule = settled();
    schedule.keep_to(Rhythm { apply_every: at(1), transfer_every: at(2) }, at(10));
    assert_eq!(due(&schedule, at(11)), [Job::Apply, Job::Bundle]);
    assert_eq!(due(&schedule, at(12)), [Job::Apply, Job::Bundle, Job::Transfer]);
}

#[test]
fn many_nodes_do_not_try_again_in_the_same_second() {
    let next = |lot| {
        let mut schedule = settled();
        (0..3).for_each(|_| {
            schedule.transferring(Cause::Clock);
            schedule.transferred(Outcome::Failed, lot, at(0));
        });
        schedule.next(&[Job::Transfer])
    };
    assert_eq!(next(Lot::NONE), at(20));
    assert!(next(Lot(255)) < at(16) && next(Lot(255)) >= at(15), "{:?}", next(Lot(255)));
    assert!(next(Lot(100)) > next(Lot(200)));
}

#[test]
fn a_service_that_is_started_again_goes_on_waiting_until_somebody_gets_through() {
    let mut schedule = Schedule::new(RHYTHM);
    schedule.resume(4, at(40), at(0));
    assert_eq!(due(&schedule, at(39)), [Job::Apply, Job::Bundle]);
    schedule.bundled(Outcome::Done, 1, None, at(0), at(1));
    assert!(!schedule.is_due(Job::Transfer, at(39)), "what is sealed makes no vain call");
    assert_eq!(schedule.redial(), Some((4, at(40))));
    schedule.transferring(Cause::Clock);
    schedule.transferred(Outcome::Failed, Lot::NONE, at(40));
    assert_eq!(schedule.redial(), Some((5, at(120))));
    schedule.line_is_back(at(50));
    assert_eq!((schedule.redial(), schedule.is_due(Job::Transfer, at(50))), (None, true));
    schedule.resume(9, at(1 << 40), at(50));
    assert_eq!(schedule.next(&[Job::Transfer]), at(950), "a clock that was set keeps nobody waiting for ever");
}
