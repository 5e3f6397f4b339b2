//! Patience: for how many runs a gap, and a last bundle without an answer, are waited for, and what begins the count anew.

use super::tests::End;
use super::*;
use crate::bundle::{BundleName, ShortDigest};

/// So many runs in which this bundle has to wait.
fn wait(remote: &mut End, runs: u32, bundle: &Header) {
    for _ in 0..runs {
        assert_eq!(remote.receive(bundle, true), Verdict::Wait);
    }
}

#[test]
fn what_has_come_meanwhile_begins_the_patience_with_a_gap_anew() {
    let (mut hub, mut remote) = End::pair();
    let (first, second, _lost, fourth) = (hub.content(), hub.content(), hub.content(), hub.content());
    wait(&mut remote, PATIENCE_RUNS - 1, &second);
    remote.receive(&first, true);
    remote.receive(&second, true);
    wait(&mut remote, PATIENCE_RUNS - 1, &fourth);
    assert!(!remote.quiet_run().expect("an acknowledgement").nack);
    wait(&mut remote, 1, &fourth);
    assert!(remote.quiet_run().expect("a request").nack);
}

#[test]
fn what_is_acknowledged_or_sent_begins_the_patience_with_a_lost_last_one_anew() {
    let (mut hub, mut remote) = End::pair();
    let (first, _lost) = (hub.content(), hub.content());
    let quiet = |hub: &mut End| (0..PATIENCE_RUNS).all(|_| hub.quiet_run().is_none());
    assert!(quiet(&mut hub));
    remote.receive(&first, true);
    let answer = remote.quiet_run().expect("an acknowledgement");
    hub.receive(&answer, false);
    assert!(quiet(&mut hub));
    hub.content();
    assert!(quiet(&mut hub));
    assert!(hub.quiet_run().expect("it may be lost").probe);
}

#[test]
fn nobody_is_asked_again_before_the_request_was_fetched() {
    let (mut hub, mut remote) = End::pair();
    let (_lost, second) = (hub.content(), hub.content());
    wait(&mut remote, PATIENCE_RUNS, &second);
    let request = remote.quiet_run().expect("a request");
    let (from, to, digest) = ("alice".parse().unwrap(), "hq".parse().unwrap(), ShortDigest(1));
    let name = BundleName { from, to, epoch: request.epoch, sequence: request.sequence, digest };
    remote.link.sealed_as(&name);
    for _ in 0..2 * PATIENCE_RUNS {
        remote.link.run_ended_waiting([&name]);
    }
    remote.link.looked(std::slice::from_ref(&name), &[], remote.now);
    wait(&mut remote, 2 * PATIENCE_RUNS, &second);
    assert_eq!(remote.quiet_run(), None, "it lies there");
    remote.link.looked(&[], &[], remote.now);
    wait(&mut remote, PATIENCE_RUNS, &second);
    assert!(remote.quiet_run().expect("it was fetched, and nothing came of it").nack);
}
