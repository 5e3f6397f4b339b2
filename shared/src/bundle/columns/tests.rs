//! The codec against all kinds of changes, and against bytes that are none.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::bundle::Room;
use crate::bundle::values;
use crate::change::{FieldChange, Passage};
use crate::clock::WallTime;
use crate::id::NodeId;
use crate::value::{Key, Value};

const SENDER: NodeId = NodeId(77);
const ROOM: Room = Room { records: 100_000, fields: 100_000, key_values: 100_000, names: 100 };

fn a_value() -> impl Strategy<Value = Value> {
    let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX];
    prop_oneof![
        Just(Value::Null),
        prop_oneof![any::<i64>(), -200..200i64, Just(i64::MIN), Just(i64::MAX)].prop_map(Value::Integer),
        prop_oneof![
            any::<f64>().prop_filter("SQLite stores no NaN", |number| !number.is_nan()),
            proptest::sample::select(special.to_vec())
        ]
        .prop_map(Value::Real),
        ".{0,40}".prop_map(|text| Value::Text(text.into_bytes())),
        vec(any::<u8>(), 0..300).prop_map(Value::Text),
        vec(any::<u8>(), 0..300).prop_map(Value::Blob),
    ]
}

fn a_stamp() -> impl Strategy<Value = Stamp> {
    let reading = prop_oneof![0..=Reading::MAX.0, 100_000_000_000_000u64..100_000_001_000_000, Just(Reading::MAX.0)];
    (reading, prop_oneof![Just(77), 70..80u64, any::<u64>()])
        .prop_map(|(reading, node)| Stamp { reading: Reading(reading), node: NodeId(node) })
}

type Rest = (Option<Stamp>, bool, Vec<Option<(Value, Stamp, Option<Stamp>)>>);

fn a_record(columns: usize) -> impl Strategy<Value = Rest> {
    let field = proptest::option::of((a_value(), a_stamp(), proptest::option::weighted(0.1, a_stamp())));
    (proptest::option::weighted(0.2, a_stamp()), any::<bool>(), vec(field, columns))
}

fn changes_of(keys: usize, columns: usize) -> impl Strategy<Value = TableChanges> {
    let key = prop_oneof![vec((-50..50i64).prop_map(Value::Integer), keys), vec(a_value(), keys)].prop_map(Key);
    let birth = proptest::option::weighted(0.3, a_stamp());
    btree_map((key, birth), a_record(columns), 0..12).prop_map(move |records| TableChanges {
        table: "täble".to_owned(),
        passage: Passage::Within,
        key_columns: (0..keys).map(|at| format!("k{at}")).collect(),
        columns: (0..columns).map(|at| format!("c{at}")).collect(),
        records: records.into_iter().map(|((key, birth), rest)| record(key, birth, rest)).collect(),
    })
}

fn record(key: Key, birth: Option<Stamp>, (dead, whole, fields): Rest) -> RecordChange {
    let field = |(column, field): (usize, Option<_>)| {
        field.map(|(value, stamp, refers_to)| FieldChange { column, value, stamp, refers_to })
    };
    RecordChange { key, birth, dead, whole, fields: fields.into_iter().enumerate().filter_map(field).collect() }
}

fn some_changes() -> impl Strategy<Value = TableChanges> {
    (1..4usize, 0..5usize).prop_flat_map(|(keys, columns)| changes_of(keys, columns))
}

fn stamp(millis: u64, node: u64) -> Stamp {
    Stamp { reading: Reading::at(WallTime(millis)), node: NodeId(node) }
}

fn plain(keys: impl IntoIterator<Item = i64>) -> TableChanges {
    let field =
        FieldChange { column: 0, value: Value::Integer(5), stamp: stamp(1_795_253_399_481, 77), refers_to: None };
    let record = |number| RecordChange {
        key: Key(vec![Value::Integer(number)]),
        birth: None,
        dead: None,
        whole: false,
        fields: vec![field.clone()],
    };
    TableChanges {
        table: "t".to_owned(),
        passage: Passage::Within,
        key_columns: vec!["id".to_owned()],
        columns: vec!["a".to_owned()],
        records: keys.into_iter().map(record).collect(),
    }
}

fn round_trip(changes: &TableChanges) -> usize {
    let bytes = encode(changes, SENDER).unwrap();
    assert_eq!(decode(Passage::Within, &bytes, SENDER, ROOM).as_ref(), Ok(changes));
    bytes.len()
}

proptest! {
    #[test]
    fn values_come_back(value in a_value()) {
        let mut bytes = Vec::new();
        values::put(&mut bytes, &value);
        let mut rest = bytes.as_slice();
        prop_assert_eq!(values::take(&mut rest), Some(value));
        prop_assert!(rest.is_empty());
        for length in 0..bytes.len() {
            prop_assert_eq!(values::take(&mut &bytes[..length]), None);
        }
    }

    #[test]
    fn changes_come_back(changes in some_changes()) {
        round_trip(&changes);
    }

    #[test]
    fn cut_changes_are_refused(changes in changes_of(1, 2)) {
        let bytes = encode(&changes, SENDER).unwrap();
        for length in 0..bytes.len() {
            prop_assert!(decode(Passage::Within, &bytes[..length], SENDER, ROOM).is_err());
        }
        prop_assert!(decode(Passage::Within, &[&bytes[..], &[0xc0]].concat(), SENDER, ROOM).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), part in vec(any::<u8>(), 0..100)) {
        let _ = decode(Passage::Within, &bytes, SENDER, ROOM);
        let _ = decode(Passage::Within, &[&[0x99, 0xa1, b't', 0x91, 0xa1, b'k', 0xc4, 0x00][..], &part].concat(), SENDER, ROOM);
        let _ = values::take(&mut &bytes[..]);
    }

    #[test]
    fn damaged_changes_never_panic(changes in changes_of(1, 2), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&changes, SENDER).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = decode(Passage::Within, &bytes, SENDER, ROOM) {
            round_trip(&other);
        }
    }
}

#[test]
fn a_single_field_takes_few_bytes() {
    let length = round_trip(&plain([4711]));
    assert!(length <= 40, "{length}");
}

#[test]
fn many_single_fields_take_a_few_bytes_each() {
    let mut changes = plain((0..10_000).map(|at| at * 10));
    for (at, record) in changes.records.iter_mut().enumerate() {
        record.fields[0].stamp = stamp(1_795_253_399_481 + at as u64 * 7919 % 100_000, 77);
    }
    let length = round_trip(&changes);
    assert!(length < 52_000, "{length}");
}

#[test]
fn an_empty_table_comes_back() {
    let mut empty = plain([]);
    round_trip(&empty);
    empty.columns.clear();
    round_trip(&empty);
}

#[test]
fn many_nodes_come_back_and_the_sender_is_not_named() {
    let mut changes = plain(0..1_000);
    for (at, record) in changes.records.iter_mut().enumerate() {
        record.fields[0].stamp.node = NodeId(at as u64 % 300);
        record.birth = (at % 3 == 0).then(|| stamp(at as u64, u64::MAX));
    }
    round_trip(&changes);
    let own = encode(&plain([1]), SENDER).unwrap();
    assert!(!own.windows(8).any(|bytes| bytes == SENDER.0.to_be_bytes()));
}

#[test]
fn a_number_given_again_is_two_records() {
    let mut changes = plain([5, 5, 5]);
    changes.records[1].birth = Some(stamp(10, 1));
    changes.records[2].birth = Some(stamp(10, 2));
    changes.records[0].dead = Some(stamp(9, 1));
    round_trip(&changes);
    changes.records[2].birth = Some(stamp(10, 1));
    assert!(encode(&changes, SENDER).is_err());
}

#[test]
fn what_breaks_a_rule_is_not_written() {
    let broken = |change: &dyn Fn(&mut TableChanges)| {
        let mut changes = plain([1, 2]);
        change(&mut changes);
        encode(&changes, SENDER)
    };
    assert!(broken(&|_| {}).is_ok());
    assert!(broken(&|changes| changes.records.reverse()).is_err());
    assert!(broken(&|changes| changes.key_columns.clear()).is_err());
    assert!(broken(&|changes| changes.key_columns = vec!["a".to_owned()]).is_ok(), "it says whose numbers they are");
    assert!(broken(&|changes| changes.columns = vec!["a".to_owned(); 2]).is_err());
    assert!(broken(&|changes| changes.records[0].key.0.push(Value::Null)).is_err());
    assert!(broken(&|changes| changes.records[0].fields[0].column = 1).is_err());
    assert!(
        broken(&|changes| changes.records[0].birth = Some(Stamp { reading: Reading(u64::MAX), node: SENDER })).is_err()
    );
    assert!(broken(&|changes| changes.records[1].fields.extend_from_within(..)).is_err());
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let bytes = encode(&plain(0..10), SENDER).unwrap();
    let within = |room| decode(Passage::Within, &bytes, SENDER, room);
    let room = Room { records: 10, fields: 10, key_values: 10, names: 2 };
    assert!(within(room).is_ok());
    for (room, what) in [
        (Room { records: 9, ..room }, "there are too many records"),
        (Room { fields: 9, ..room }, "there are too many fields"),
        (Room { key_values: 9, ..room }, "there are too many key values"),
        (Room { names: 1, ..room }, "the columns are wrong"),
        (Room { names: 0, ..room }, "the key columns are wrong"),
    ] {
        let refused = within(room).unwrap_err();
        assert!(refused.to_string().ends_with(what), "{refused}");
    }
}

#[test]
fn counts_beyond_the_bytes_are_refused_before_anything_is_made() {
    let start = [0x99, 0xa1, b't', 0x91, 0xa1, b'k', 0xc4, 0x00];
    let million = [0xce, 0x00, 0x10, 0x00, 0x00];
    for keys in [&[0x91, 0xc4, 0x01, 0x00][..], &[0x91, 0xdd, 0x00, 0x10, 0x00, 0x00], &[0x91]] {
        assert!(decode(Passage::Within, &[&start[..], &million, keys].concat(), SENDER, ROOM).is_err());
    }
    assert!(decode(Passage::Within, &[0x99, 0xdb, 0xff, 0xff, 0xff, 0xff], SENDER, ROOM).is_err());
    assert!(decode(Passage::Within, &[0x99, 0xa1, b't', 0xdd, 0xff, 0xff, 0xff, 0xff], SENDER, ROOM).is_err());
}

#[test]
fn long_forms_and_odd_values_are_refused() {
    let nan = [&[0xcb][..], &f64::NAN.to_bits().to_be_bytes()].concat();
    for bad in [
        &[0xcc, 5][..],
        &[0xd0, 5],
        &[0xd1, 0xff, 0xff],
        &[0xd9, 1, b'a'],
        &[0xc5, 0, 1, 7],
        &[0xc7, 1, 1, 0xff],
        &[0xd4, 2, 0xff],
        &[0xd4, 1, b'a'],
        &[0xa1, 0xff],
        &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xca, 0, 0, 0, 0],
        &[0xc3],
        &[0x90],
        &[0xc1],
        &nan,
    ] {
        assert_eq!(values::take(&mut &bad[..]), None, "{bad:?}");
    }
}

#[test]
fn member_names_are_plain_and_distinct() {
    assert_eq!(member_name(Passage::Within, "contacts"), "changes/contacts");
    assert_eq!(member_name(Passage::Within, "Order Details"), "changes/Order%20Details");
    assert_eq!(member_name(Passage::Within, "../ä%"), "changes/%2E%2E%2F%C3%A4%25");
    let long = ["x".repeat(200), format!("{}y", "x".repeat(199)), "ü".repeat(40)];
    let names: HashSet<String> = long.iter().map(|table| member_name(Passage::Within, table)).collect();
    assert_eq!(names.len(), 3);
    for table in [&long[..], &["".to_owned(), "a".to_owned(), "\u{10ffff}/..".to_owned()]].concat() {
        let name = member_name(Passage::Within, &table);
        assert!(name.len() <= 90 && crate::bundle::tape::is_member_name(&name), "{name}");
    }
}

#[test]
fn what_comes_in_tells_since_when_and_what_leaves_has_nothing_to_tell() {
    let whole = |mut changes: TableChanges| {
        changes.records.iter_mut().for_each(|record| record.whole = true);
        changes
    };
    let since = Reading(77 << 16);
    let entered = TableChanges { passage: Passage::Entered { since }, ..whole(plain([1, 2])) };
    let bytes = encode(&entered, SENDER).unwrap();
    let read = |passage| decode(passage, &bytes, SENDER, ROOM);
    assert_eq!(read(Passage::Entered { since: Reading(0) }), Ok(entered));
    assert!(read(Passage::Withdrawn).is_err(), "whole records do not leave");
    for (changes, passage) in [(whole(plain([1])), Passage::Entered { since }), (whole(plain([1])), Passage::Withdrawn)]
    {
        let bytes = encode(&changes, SENDER).unwrap();
        assert!(decode(passage, &bytes, SENDER, ROOM).is_err(), "{passage:?}");
    }
    let telling = TableChanges { passage: Passage::Withdrawn, ..plain([1]) };
    let told = encode(&telling, SENDER).unwrap();
    assert!(decode(Passage::Withdrawn, &told, SENDER, ROOM).is_err(), "nothing but keys");
    let leaving = TableChanges { columns: vec!["id".to_owned()], ..telling };
    assert_eq!(decode(Passage::Withdrawn, &encode(&leaving, SENDER).unwrap(), SENDER, ROOM), Ok(leaving));
    let mut limbo = TableChanges { passage: Passage::Limbo, ..whole(plain([1])) };
    assert_eq!(decode(Passage::Limbo, &encode(&limbo, SENDER).unwrap(), SENDER, ROOM).as_ref(), Ok(&limbo));
    limbo.records[0].dead = Some(Stamp { reading: since, node: SENDER });
    assert!(
        decode(Passage::Limbo, &encode(&limbo, SENDER).unwrap(), SENDER, ROOM).is_err(),
        "who is in limbo is not dead"
    );
}
