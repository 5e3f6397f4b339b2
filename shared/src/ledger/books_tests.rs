//! The bookkeeping rules: what stock-takings and reports make of a bundle, and what is forgotten.

use std::collections::BTreeSet;

use super::books::{Books, FINISHED_FOR, FINISHED_MAX};
use super::{Direction, Event, Key, Lying, Standing, State, Stock, Why};
use crate::clock::WallTime;
use crate::id::{Epoch, NodeName, Sequence};

fn file(from: &str, to: &str, epoch: u64, sequence: u64) -> String {
    format!("{from}.{to}.{epoch:08x}.{sequence:06}.9a41c07be2d65f18.bundle")
}

fn to_alice(sequence: u64) -> String {
    file("hq", "alice", 5, sequence)
}

fn from_alice(sequence: u64) -> String {
    file("alice", "hq", 9, sequence)
}

fn lying(file: String) -> Lying {
    Lying { file, size: 800, written: WallTime(10), why: Why::Untold }
}

fn alice() -> NodeName {
    "alice".parse().unwrap()
}

/// What there is at a time: one link to alice, whose epoch is 5 and of which nothing was acknowledged or applied. The
/// eighth bundle holds nothing.
fn stock(now: u64) -> Stock {
    let link = Standing {
        peer: alice(),
        epoch: Epoch(5),
        acknowledged: Sequence(0),
        empty: [Sequence(8)].into(),
        superseded: BTreeSet::new(),
        applied: None,
    };
    Stock { now: WallTime(now), links: vec![link], ..Stock::default() }
}

fn with_outbox(now: u64, sequences: &[u64]) -> Stock {
    Stock { outbox: sequences.iter().map(|one| (alice(), lying(to_alice(*one)))).collect(), ..stock(now) }
}

fn with_inbox(now: u64, sequences: &[u64]) -> Stock {
    Stock { inbox: sequences.iter().map(|one| lying(from_alice(*one))).collect(), ..stock(now) }
}

fn with_quarantine(now: u64, files: &[String]) -> Stock {
    let refused = |file: &String| Lying { why: Why::Told("it is cut short".to_owned()), ..lying(file.clone()) };
    Stock { quarantine: files.iter().map(refused).collect(), ..stock(now) }
}

#[track_caller]
fn state(books: &Books, file: &str) -> State {
    books.get(&Key::queued(file)).expect("it is in the books").state
}

#[test]
fn an_outgoing_bundle_is_followed_from_the_outbox_to_its_acknowledgement() {
    let (mut books, name) = (Books::default(), to_alice(1));
    books.take_stock(&with_outbox(20, &[1]));
    let entry = books.get(&Key::queued(&name)).unwrap();
    assert_eq!((entry.state, entry.direction, &entry.peer), (State::Sealed, Direction::Outgoing, &alice()));
    assert_eq!((entry.first_seen, entry.since, entry.size, entry.attempts), (WallTime(10), WallTime(10), 800, 0));
    books.not_moved(&name, "no room on the relay", WallTime(25));
    assert_eq!(state(&books, &name), State::Sealed);
    books.sent(&name, "/srv/relay", WallTime(30));
    books.take_stock(&stock(30));
    let entry = books.get(&Key::queued(&name)).unwrap();
    assert_eq!((entry.state, entry.since, entry.attempts), (State::Sent, WallTime(30), 2));
    assert_eq!(entry.error.as_ref().map(|error| (error.text.as_str(), error.at.0)), Some(("no room on the relay", 25)));
    books.listed(&alice(), "/srv/relay", &[&name], WallTime(40));
    books.listed(&alice(), "/media/stick", &[], WallTime(41));
    books.listed(&"bob".parse().unwrap(), "/srv/relay", &[], WallTime(42));
    assert_eq!(state(&books, &name), State::Sent, "it lies there, and the others know nothing of it");
    books.listed(&alice(), "/srv/relay", &[], WallTime(50));
    assert_eq!(state(&books, &name), State::Fetched);
    let mut acknowledged = stock(60);
    acknowledged.links[0].acknowledged = Sequence(1);
    books.take_stock(&acknowledged);
    assert_eq!(state(&books, &name), State::Acknowledged);
}

#[test]
fn a_file_that_has_gone_because_later_ones_replace_it_was_superseded() {
    let mut books = Books::default();
    books.take_stock(&with_outbox(20, &[3, 4]));
    let mut after = with_outbox(30, &[5]);
    after.links[0].superseded = [Sequence(3), Sequence(4)].into();
    books.take_stock(&after);
    assert_eq!(state(&books, &to_alice(3)), State::Superseded);
    assert_eq!(state(&books, &to_alice(5)), State::Sealed);
}

#[test]
fn a_file_that_has_gone_from_the_outbox_was_sent_and_one_of_an_earlier_epoch_was_superseded() {
    let mut books = Books::default();
    books.take_stock(&with_outbox(20, &[1]));
    books.take_stock(&stock(30));
    assert_eq!(state(&books, &to_alice(1)), State::Sent);
    let mut later = stock(40);
    later.links[0].epoch = Epoch(6);
    books.take_stock(&later);
    assert_eq!(state(&books, &to_alice(1)), State::Superseded);
}

#[test]
fn a_bundle_that_holds_nothing_is_finished_when_it_has_been_fetched() {
    let mut books = Books::default();
    books.take_stock(&with_outbox(20, &[7, 8]));
    [7, 8].iter().for_each(|sequence| books.sent(&to_alice(*sequence), "/srv/relay", WallTime(30)));
    books.take_stock(&stock(31));
    let finished = |books: &Books, sequence| books.get(&Key::queued(&to_alice(sequence))).unwrap().is_finished();
    assert!(!finished(&books, 7) && !finished(&books, 8));
    books.listed(&alice(), "/srv/relay", &[], WallTime(40));
    books.take_stock(&stock(41));
    assert!(!finished(&books, 7) && finished(&books, 8), "nobody acknowledges an acknowledgement");
}

#[test]
fn what_belongs_to_no_link_any_more_is_discarded_when_its_file_has_gone() {
    let mut books = Books::default();
    books.take_stock(&with_outbox(20, &[1]));
    books.take_stock(&Stock { links: Vec::new(), ..with_outbox(30, &[1]) });
    assert_eq!(state(&books, &to_alice(1)), State::Sealed);
    books.take_stock(&Stock { links: Vec::new(), ..stock(40) });
    assert_eq!(state(&books, &to_alice(1)), State::Discarded);
}

#[test]
fn an_incoming_bundle_is_followed_from_the_inbox_to_its_application() {
    let (mut books, name) = (Books::default(), from_alice(2));
    books.take_stock(&with_inbox(20, &[2]));
    assert_eq!(state(&books, &name), State::Received);
    books.looked_at(&name, Event::Waits, None, WallTime(30));
    books.take_stock(&with_inbox(31, &[2]));
    assert_eq!(state(&books, &name), State::Waiting);
    books.looked_at(&name, Event::Applied, None, WallTime(40));
    books.take_stock(&stock(41));
    let entry = books.get(&Key::queued(&name)).unwrap();
    assert_eq!((entry.state, entry.since, entry.attempts), (State::Applied, WallTime(40), 2));
}

#[test]
fn what_a_killed_run_did_not_report_is_told_by_the_link() {
    let mut books = Books::default();
    books.take_stock(&with_inbox(20, &[2, 3]));
    let mut applied = stock(30);
    applied.links[0].applied = Some((Epoch(9), Sequence(2)));
    books.take_stock(&applied);
    assert_eq!(state(&books, &from_alice(2)), State::Applied);
    let lost = books.get(&Key::queued(&from_alice(3))).unwrap();
    assert_eq!(lost.state, State::Discarded);
    assert!(lost.error.as_ref().unwrap().text.contains("gone"));
}

#[test]
fn a_refused_bundle_takes_its_past_into_quarantine_and_out_again() {
    let (mut books, name) = (Books::default(), from_alice(2));
    books.take_stock(&with_inbox(20, &[2]));
    books.looked_at(&name, Event::Waits, None, WallTime(25));
    let kept = format!("{name}.1");
    books.take_stock(&with_quarantine(30, std::slice::from_ref(&kept)));
    let entry = books.get(&Key::refused(&kept)).unwrap();
    assert_eq!((entry.state, entry.first_seen, entry.attempts), (State::Quarantined, WallTime(10), 1));
    assert_eq!(entry.error.as_ref().unwrap().text, "it is cut short");
    assert_eq!(books.get(&Key::queued(&name)), None);
    books.take_stock(&with_inbox(40, &[2]));
    assert_eq!(state(&books, &name), State::Received);
    assert_eq!(books.get(&Key::refused(&kept)), None);
}

#[test]
fn a_refused_copy_and_a_whole_one_of_the_same_name_are_two() {
    let (mut books, name) = (Books::default(), from_alice(2));
    let both = Stock { inbox: vec![lying(name.clone())], ..with_quarantine(20, std::slice::from_ref(&name)) };
    books.take_stock(&both);
    assert_eq!(state(&books, &name), State::Received);
    assert_eq!(books.get(&Key::refused(&name)).unwrap().state, State::Quarantined);
    books.looked_at(&name, Event::Applied, None, WallTime(30));
    books.take_stock(&with_quarantine(31, std::slice::from_ref(&name)));
    assert_eq!(state(&books, &name), State::Applied);
    books.take_stock(&stock(40));
    assert_eq!(books.get(&Key::refused(&name)).unwrap().state, State::Discarded);
}

#[test]
fn discarding_and_trying_again_are_kept() {
    let (mut books, key) = (Books::default(), Key::queued(&to_alice(1)));
    books.take_stock(&with_outbox(20, &[1]));
    books.not_moved(&key.file, "no room", WallTime(21));
    books.try_again(&key);
    assert_eq!((books.get(&key).unwrap().attempts, &books.get(&key).unwrap().error), (0, &None));
    books.discarded(&key, WallTime(30));
    let mut acknowledged = stock(40);
    acknowledged.links[0].acknowledged = Sequence(9);
    books.take_stock(&acknowledged);
    assert_eq!(state(&books, &key.file), State::Discarded);
}

#[test]
fn names_that_are_no_bundles_are_not_in_the_books_and_reports_of_unknown_ones_change_nothing() {
    let mut books = Books::default();
    let strange = |file: &str| lying(file.to_owned());
    books.take_stock(&Stock { inbox: vec![strange("letter.txt")], quarantine: vec![strange("x.1")], ..stock(20) });
    books.sent(&to_alice(7), "/srv/relay", WallTime(21));
    assert_eq!(books, Books::default());
}

#[test]
fn what_is_finished_is_kept_for_a_while_only() {
    let mut books = Books::default();
    let many = FINISHED_MAX as u64 + 5;
    let all: Vec<u64> = (1..=many).collect();
    books.take_stock(&with_outbox(20, &all));
    for sequence in &all {
        books.happened(&to_alice(*sequence), Event::Acknowledged, WallTime(100 + sequence));
    }
    books.take_stock(&Stock { inbox: vec![lying(from_alice(1))], ..stock(2_000) });
    books.forget_old(WallTime(2_000));
    assert_eq!(books.entries().count(), FINISHED_MAX + 1, "what is not finished does not count");
    assert_eq!(books.get(&Key::queued(&to_alice(5))), None, "the oldest go first");
    assert_eq!(state(&books, &to_alice(6)), State::Acknowledged);
    books.forget_old(WallTime(101 + many + FINISHED_FOR));
    let left: Vec<State> = books.entries().map(|(_, entry)| entry.state).collect();
    assert_eq!(left, [State::Received]);
}
