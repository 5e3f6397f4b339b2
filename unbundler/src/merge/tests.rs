//! The rules, case by case.

use super::*;
use packhorse_shared::clock::WallTime;
use packhorse_shared::replica::{Counter, Difference, Prefer, Rules};
use packhorse_shared::value::{Key, Value};

const ARRIVAL: Arrival = Arrival {
    link: LinkId(2),
    via: LinkId(2),
    cut: Cut(50),
    seen: Cut(10),
    may_have_seen: Cut(10),
    heard: Cut(10),
    awaits_answer: false,
    tells_again: false,
    knew_genesis: true,
    sender: NodeId(2),
    hub: None,
    past: Past::Known,
    horizon: Horizon::NONE,
    births: Horizon::NONE,
    left_out: Horizon::NONE,
    dropped: Horizon::NONE,
    owed: Extent::Changes,
    had: Reading(0),
    known_to: Reading(0),
    returned: Reading(0),
    told: Told::NOTHING,
    silence: Silence::OVER,
    deletions: Deletions::Count,
};

fn stamp(reading: u64, node: u64) -> Stamp {
    Stamp { reading: Reading(reading), node: NodeId(node) }
}

fn ours(reading: u64, cut: u64) -> Mark {
    Mark { stamp: stamp(reading, 1), cut: Cut(cut), via: LinkId::LOCAL }
}

fn change(dead: Option<u64>, fields: &[u64]) -> RecordChange {
    let field =
        |&reading: &u64| FieldChange { column: 0, value: Value::Null, stamp: stamp(reading, 2), refers_to: None };
    RecordChange {
        key: Key(vec![Value::Integer(1)]),
        birth: None,
        dead: dead.map(|reading| stamp(reading, 2)),
        whole: false,
        fields: fields.iter().map(field).collect(),
    }
}

#[test]
fn the_later_stamp_wins_and_it_is_a_conflict_only_if_the_loser_was_not_seen() {
    assert_eq!(field(None, stamp(1, 2), &ARRIVAL), Field::Theirs);
    assert_eq!(field(Some(ours(5, 10)), stamp(6, 2), &ARRIVAL), Field::Theirs);
    assert_eq!(field(Some(ours(5, 11)), stamp(6, 2), &ARRIVAL), Field::TheirsOverUnseen);
    assert_eq!(field(Some(ours(7, 11)), stamp(6, 2), &ARRIVAL), Field::OursOverBlind);
    assert_eq!(field(Some(ours(7, 9)), stamp(7, 1), &ARRIVAL), Field::Ours);
}

#[test]
fn what_was_lost_here_and_comes_back_is_late_where_others_were_told_of_its_time() {
    let told = Told::of([(LinkId(2), Reading(9)), (LinkId(3), Reading(7))]);
    let arrival = |returned| Arrival { had: Reading(8), returned: Reading(returned), told, ..ARRIVAL };
    assert!(arrival(4).is_late(stamp(5, 1)) && !arrival(5).is_late(stamp(5, 1)));
    assert!(!arrival(4).is_late(stamp(8, 1)));
}

#[test]
fn what_lies_before_everything_is_overruled_in_a_conflict_by_who_was_never_told_of_it() {
    let blind = Arrival { knew_genesis: false, ..ARRIVAL };
    assert_eq!(field(None, stamp(1, 2), &blind), Field::TheirsOverUnseen);
}

#[test]
fn what_comes_twice_changes_nothing_and_is_no_conflict() {
    let known = Mark { stamp: stamp(6, 2), cut: Cut(20), via: LinkId(2) };
    assert_eq!(field(Some(known), stamp(6, 2), &ARRIVAL), Field::Ours);
    let by_another_way = Mark { via: LinkId(3), ..known };
    assert_eq!(field(Some(by_another_way), stamp(6, 2), &ARRIVAL), Field::Ours);
}

#[test]
fn what_one_node_made_and_was_held_together_is_no_conflict_in_either_order() {
    let placed = |reading| Mark { stamp: stamp(reading, 3), cut: ARRIVAL.cut, via: LinkId::LOCAL };
    assert_eq!(field(Some(placed(5)), stamp(6, 3), &ARRIVAL), Field::Theirs);
    assert_eq!(field(Some(placed(6)), stamp(5, 3), &ARRIVAL), Field::Ours);
    assert_eq!(field(Some(placed(5)), stamp(6, 2), &ARRIVAL), Field::TheirsOverUnseen, "of another node");
}

#[test]
fn both_ends_decide_alike_when_the_clocks_agree() {
    let (a, b) = (stamp(5, 1), stamp(5, 2));
    let at_a = field(Some(Mark { stamp: a, cut: Cut(1), via: LinkId::LOCAL }), b, &ARRIVAL);
    let at_b = field(Some(Mark { stamp: b, cut: Cut(1), via: LinkId::LOCAL }), a, &ARRIVAL);
    assert!(at_a.is_theirs() && !at_b.is_theirs());
}

#[test]
fn a_record_dies_only_if_its_deletion_is_the_latest_word() {
    let fate = |marks: &Marks, change: &RecordChange| fate(marks, &[ColumnId(1)], change, &ARRIVAL);
    assert_eq!(fate(&Marks::default(), &change(None, &[9])), Fate::Lives);
    assert_eq!(fate(&Marks::default(), &change(Some(5), &[])), Fate::Dies(stamp(5, 2)));
    assert_eq!(fate(&Marks::of_all(ours(6, 1)), &change(Some(5), &[])), Fate::Outlives);
    assert_eq!(fate(&Marks::of_all(ours(4, 1)), &change(Some(5), &[6])), Fate::Outlives);
}

#[test]
fn which_number_a_record_has_is_no_edit_of_it() {
    let mut marks = Marks::of_all(ours(4, 1));
    marks.set(ColumnId::EXISTENCE, ours(6, 1));
    assert_eq!(fate(&marks, &[ColumnId(1)], &change(Some(5), &[]), &ARRIVAL), Fate::Dies(stamp(5, 2)));
    assert_eq!(
        fate(&marks, &[], &change(Some(5), &[]), &ARRIVAL),
        Fate::Outlives,
        "unless it is all that there is of it"
    );
}

/// Births up to 100 s may have been dropped, here or at the sender.
#[test]
fn a_record_without_a_birth_is_none_that_was_born_after_what_is_known_of_it() {
    let at = |second: u64| Stamp { reading: Reading::at(WallTime(second * 1000)), node: NodeId(1) };
    let mark = |second| Mark { stamp: at(second), cut: Cut(1), via: LinkId::LOCAL };
    let arrival = Arrival { births: Horizon::before(at(100).reading), ..ARRIVAL };
    let columns = [ColumnId(1)];
    let standing = |second| Present { birth: None, marks: Marks::of_all(mark(second)) };
    let of = |birth, second: u64| RecordChange { birth, ..change(None, &[Reading::at(WallTime(second * 1000)).0]) };
    let theirs = of(Some(at(50)), 60);
    assert!(arrival.is_same_standing(&standing(60), &theirs, &columns));
    assert!(!arrival.is_same_standing(&standing(40), &theirs, &columns));
    let unmarked = Present { birth: None, marks: Marks::default() };
    assert!(!arrival.is_same_standing(&unmarked, &theirs, &columns), "nothing was ever dropped here");
    let dropped = Arrival { horizon: arrival.births, ..arrival };
    assert!(dropped.is_same_standing(&unmarked, &theirs, &columns));
    let left = |remains| Buried { birth: None, remains };
    assert!(arrival.is_same_left(&left(Remains::tombstone(mark(60))), &theirs));
    assert!(!arrival.is_same_left(&left(Remains::tombstone(mark(40))), &theirs));
    let mut remains = Remains::tombstone(mark(60));
    remains.set(RemainsField::new(ColumnId(1), Some(mark(40)), Value::Null));
    assert!(!arrival.is_same_left(&left(remains), &theirs));
    let born = Present { birth: Some(at(50)), marks: Marks::of_all(mark(50)) };
    assert!(!arrival.is_same_standing(&born, &of(None, 60), &columns), "its sender has dropped nothing");
    let arrival = Arrival { left_out: arrival.births, ..arrival };
    assert!(arrival.is_same_standing(&born, &of(None, 60), &columns));
    assert!(!arrival.is_same_standing(&born, &of(None, 40), &columns), "they speak of one before it");
}

#[test]
fn gathering_is_the_same_in_any_order() {
    let column = |_: &FieldChange| Some(ColumnId(1));
    let parts = [change(None, &[7]), change(Some(5), &[]), change(None, &[6]), change(Some(4), &[])];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut remains = Remains::default();
        for at in order {
            gather(&mut remains, &parts[at], column, &ARRIVAL);
        }
        assert_eq!(remains.dead.map(|mark| mark.stamp), Some(stamp(5, 2)));
        assert_eq!(remains.latest_field(), Some(stamp(7, 2)));
        assert!(remains.living());
    }
}

#[test]
fn a_record_sent_whole_keeps_its_stamps() {
    let columns = [ColumnId(1), ColumnId(2)];
    let mut marks = Marks::default();
    marks.set(ColumnId(1), ours(5, 3));
    send_whole(&mut marks, &columns, Cut(9), Horizon::NONE);
    assert_eq!(marks.get(ColumnId(1)).map(|mark| (mark.stamp, mark.cut)), Some((stamp(5, 1), Cut(9))));
    assert_eq!(marks.get(ColumnId(2)).map(|mark| (mark.stamp, mark.cut)), Some((Stamp::ZERO, Cut(9))));
}

/// What a policy says of a field that both ends changed, at the hub and at its remote.
#[test]
fn both_ends_prefer_the_same_value() {
    let hub = Arrival { hub: None, ..ARRIVAL };
    let remote = Arrival { hub: Some(ARRIVAL.link), ..ARRIVAL };
    let rules = |prefer| Rules { prefer, ..Rules::default() };
    let decided =
        |weighed, prefer, arrival: &Arrival| decide(weighed, (stamp(5, 1), stamp(5, 2)), &rules(prefer), arrival);
    let (theirs, ours) = (Field::TheirsOverUnseen, Field::OursOverBlind);
    for (weighed, prefer, arrival, stands) in [
        (theirs, Prefer::Hub, &hub, Decided::ByPolicy(ours)),
        (ours, Prefer::Hub, &hub, Decided::ByStamp(ours)),
        (theirs, Prefer::Remote, &hub, Decided::ByStamp(theirs)),
        (ours, Prefer::Remote, &hub, Decided::ByPolicy(theirs)),
        (theirs, Prefer::Hub, &remote, Decided::ByStamp(theirs)),
        (ours, Prefer::Hub, &remote, Decided::ByPolicy(theirs)),
        (theirs, Prefer::Remote, &remote, Decided::ByPolicy(ours)),
        (ours, Prefer::Remote, &remote, Decided::ByStamp(ours)),
        (Field::Theirs, Prefer::Hub, &hub, Decided::ByStamp(Field::Theirs)),
        (Field::Ours, Prefer::Remote, &remote, Decided::ByStamp(Field::Ours)),
    ] {
        assert_eq!(decided(weighed, prefer, arrival), stands, "{weighed:?}, prefer {prefer:?}");
    }
}

/// A record that goes whole to a remote once more brings nothing that the remote had not seen.
#[test]
fn what_the_other_end_had_seen_is_no_policy_s_to_decide() {
    let rules = Rules { prefer: Prefer::Hub, ..Rules::default() };
    let hub = Arrival { hub: None, known_to: Reading(5), ..ARRIVAL };
    let remote = Arrival { hub: Some(ARRIVAL.link), had: Reading(5), ..ARRIVAL };
    let decided =
        |weighed, reading, arrival: &Arrival| decide(weighed, (stamp(reading, 1), stamp(reading, 2)), &rules, arrival);
    assert_eq!(decided(Field::TheirsOverUnseen, 5, &hub), Decided::ByStamp(Field::TheirsOverUnseen));
    assert_eq!(decided(Field::TheirsOverUnseen, 6, &hub), Decided::ByPolicy(Field::OursOverBlind));
    assert_eq!(decided(Field::OursOverBlind, 5, &remote), Decided::ByStamp(Field::OursOverBlind));
    assert_eq!(decided(Field::OursOverBlind, 6, &remote), Decided::ByPolicy(Field::TheirsOverUnseen));
    // What a remote says once more stands against nothing that was made here in view of it.
    let (rules, hub) = (Rules { prefer: Prefer::Remote, ..Rules::default() }, Arrival { had: Reading(5), ..hub });
    let again = decide(Field::OursOverBlind, (stamp(9, 1), stamp(5, 2)), &rules, &hub);
    assert_eq!(again, Decided::ByStamp(Field::OursOverBlind));
}

/// One that has gone from 10 to 7 here, where nobody has seen it, and to 5 by what its sender said.
fn counter() -> Counter {
    let difference = |by, cut, via, said| Difference { cut: Cut(cut), via, by: Value::Integer(by), said };
    let differences =
        vec![difference(-3, 20, LinkId::LOCAL, Stamp::ZERO), difference(-2, 30, ARRIVAL.link, stamp(6, 2))];
    Counter { value: Value::Integer(5), since: (Cut(0), LinkId::LOCAL), differences }
}

fn counted(value: i64, said: u64, arrival: &Arrival) -> Option<Counted> {
    count(&counter(), (&Value::Integer(value), stamp(said, 2)), arrival)
}

#[test]
fn a_counter_adds_what_its_sender_does_not_know_of_to_what_that_says() {
    let sum = |sum| Some(Counted::Sum(Value::Integer(sum)));
    assert_eq!(counted(7, 8, &ARRIVAL), sum(4));
    let has_seen = Arrival { seen: Cut(20), ..ARRIVAL };
    assert_eq!(counted(4, 8, &has_seen), Some(Counted::AsSaid));
    assert_eq!(counted(4, 7, &Arrival { link: LinkId(9), ..has_seen }), sum(2));
}

#[test]
fn what_is_said_again_was_counted_when_it_was_said_first() {
    for said in [5, 6] {
        assert_eq!(counted(8, said, &ARRIVAL), Some(Counted::AsHere), "{said}");
    }
}

#[test]
fn nothing_is_counted_where_nobody_knows_what_was_or_to_what_is_no_number() {
    assert_eq!(counted(7, 8, &Arrival { tells_again: true, ..ARRIVAL }), None);
    // Nobody knows whether it has seen by how much the counter has changed here.
    assert_eq!(counted(7, 8, &Arrival { may_have_seen: Cut(20), ..ARRIVAL }), None);
    assert_eq!(count(&counter(), (&Value::Null, stamp(8, 2)), &ARRIVAL), None);
    let blind = Counter { since: (Cut(11), LinkId::LOCAL), ..counter() };
    assert_eq!(count(&blind, (&Value::Integer(7), stamp(8, 2)), &ARRIVAL), None);
    let none = Counter { value: Value::Null, ..counter() };
    assert_eq!(count(&none, (&Value::Integer(7), stamp(8, 2)), &ARRIVAL), None);
}
