//! The readers of a bundle, on what is nearly one.

use std::io::Read;

use super::fuzzing;
use super::package::{AccessStart, KeysStart, LinkStart};
use super::tests::{manifest, one_field, small};
use super::*;
use crate::bending::holds;
use crate::change::{FieldChange, Passage, RecordChange, TableChanges};
use crate::clock::{Reading, Stamp, WallTime};
use crate::id::{Epoch, NodeId};
use crate::keys::{KeyNumber, NodeKeys};
use crate::replica::{Granularity, Policy, Prefer, Reference, Refers, SharedColumns, Terms};
use crate::value::{Key, Value};

fn keys() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(1), [1; 32])
}

/// To the keys that the property reads with, by those that it believes.
fn sealed() -> Vec<u8> {
    let keys = keys();
    let to = keys.of_remote(&"alice".parse().unwrap(), KeyNumber(2)).public();
    let mut file = Vec::new();
    let sealing = Sealing { from: &keys, to: crate::keys::envelope::SealedTo::Keys(&to) };
    BundleWriter::new().bytes("changes/t", one_field()).sealing(Some(sealing)).write(manifest(), &mut file).unwrap();
    file
}

#[test]
fn whatever_lies_on_a_relay() {
    let mut empty = Vec::new();
    BundleWriter::new().write(manifest(), &mut empty).unwrap();
    holds("bundle", fuzzing::bundle, &[small(), empty, sealed()], 1_500);
}

/// The archives of a file, as the target takes them.
fn archives(file: &[u8]) -> Vec<u8> {
    let mut from = file;
    let mut archive = || {
        let mut content = Vec::new();
        let mut frame = zstd::Decoder::with_buffer(&mut from).unwrap().single_frame();
        frame.read_to_end(&mut content).unwrap();
        content
    };
    let (first, second) = (archive(), archive());
    [&(first.len() as u16).to_le_bytes()[..], &first, &second].concat()
}

#[test]
fn whatever_stands_in_the_archives() {
    let mut two = Vec::new();
    let mut writer = BundleWriter::new();
    writer.bytes("changes/a", vec![1; 512]).bytes("b", Vec::new()).optional();
    writer.write(manifest(), &mut two).unwrap();
    holds("archive", fuzzing::archive, &[archives(&small()), archives(&two)], 1_500);
}

/// What the fuzzer has found: all of the name was told, in escapes.
#[test]
fn a_long_name_in_a_header_is_told_in_short() {
    let mut header = tape::header("manifest", 5).unwrap();
    header[..100].fill(0x84);
    header[345..500].fill(0x11);
    fuzzing::archive(&[&(tape::BLOCK as u16).to_le_bytes()[..], &header].concat());
}

#[test]
fn whatever_the_members_are_called_and_hold() {
    let good = [&b"\x00\x00\x00\x01a\x02xy"[..], b"\x07\x02\x01\x09changes/a\x05first\x03b/c\x00", b"\xff\xff\xff"];
    holds("members", fuzzing::members, &good.map(<[u8]>::to_vec), 1_000);
}

fn manifests() -> Vec<Vec<u8>> {
    let mut told = manifest();
    let header = told.header.as_mut().unwrap();
    (header.nack, header.probe, header.ask, header.before_package) = (true, true, 7, true);
    (header.beside, header.complete_to) = (Some(header.base), Reading(5));
    (header.lives, header.refused) = (vec![header.id], vec![header.id, header.id]);
    told.addressee = Addressee::Installation(NodeId(u64::MAX));
    let entry = MemberEntry { name: "a".to_owned(), length: 1, digest: crate::id::Digest([7; 32]), optional: true };
    let unmet = Manifest { addressee: Addressee::PackageOf(Epoch(5)), members: vec![entry], ..manifest() };
    let package = Manifest { kind: Kind::Package, header: None, ..manifest() };
    [manifest(), told, unmet, package].map(|manifest| manifest.to_bytes().unwrap()).to_vec()
}

#[test]
fn whatever_a_manifest_says() {
    holds("manifest", fuzzing::manifest, &manifests(), 4_000);
}

fn terms() -> Terms {
    let by_type = Refers::ByType { column: "kind".to_owned(), tables: [("7".to_owned(), "t".to_owned())].into() };
    let reference = |to| Reference { table: "t".to_owned(), column: "c".to_owned(), to };
    let shared = |columns| SharedColumns { table: "t".to_owned(), columns, part: true };
    let group = ["a", "b"].map(str::to_owned).to_vec();
    let (prefer, granularity) = (Prefer::Hub, Granularity::Record);
    let (title, stale_after, add) = (Some("a || b".to_owned()), Some(9), vec!["c".to_owned()]);
    let policy = Policy { prefer, granularity, together: vec![group], add, title, stale_after };
    Terms {
        tables: Some(vec![shared(None), shared(Some(vec!["c".to_owned()]))]),
        references: vec![reference(Refers::To("t".to_owned())), reference(by_type)],
        identities: [("t".to_owned(), vec!["c".to_owned()])].into(),
        policies: [("t".to_owned(), policy)].into(),
    }
}

#[test]
fn whatever_a_package_says_of_the_link() {
    let start = LinkStart {
        epoch: Epoch(3),
        clock: Reading(9),
        complete_to: Reading(8),
        relays: vec!["file:///srv/relay".to_owned()],
        keys: KeysStart { number: KeyNumber(1), secret: [7; 32], hub: keys().public(), sealed: true },
        access: vec![AccessStart {
            user: Some("alice".to_owned()),
            certificate: Some([9; 32]),
            ..AccessStart::of("h:21".to_owned())
        }],
    };
    let good = [start.to_bytes().unwrap(), terms().to_bytes().unwrap(), Terms::default().to_bytes().unwrap()];
    holds("link", fuzzing::link, &good, 4_000);
}

/// Three records by two key columns, with all that can be said of one.
fn all_kinds(passage: Passage, is_within: bool) -> Vec<u8> {
    let stamp = |millis: u64, node| Stamp { reading: Reading::at(WallTime(millis)), node: NodeId(node) };
    let field =
        |column, value, refers_to| FieldChange { column, value, stamp: stamp(1_795_253_399_481, 77), refers_to };
    let record = |number, fields| RecordChange {
        key: Key(vec![Value::Integer(number), Value::Text(b"k".to_vec())]),
        birth: (number > 1).then(|| stamp(1_795_253_399_000 + number as u64, 5)),
        dead: (is_within && number == 2).then_some(Stamp { reading: Reading(3), node: NodeId(6) }),
        whole: !matches!(passage, Passage::Withdrawn) && (number != 2 || !is_within),
        fields,
    };
    let values = [Value::Real(-0.5), Value::Text(vec![0xff]), Value::Blob(vec![7; 40]), Value::Null];
    let [real, text, blob, null] = values;
    // Of what leaves nothing is told but what its key refers to.
    let names = if matches!(passage, Passage::Withdrawn) { ["id", "unchanged", "ä"] } else { ["a", "unchanged", "b"] };
    let changes = TableChanges {
        table: "Order Details".to_owned(),
        passage,
        key_columns: vec!["id".to_owned(), "ä".to_owned()],
        columns: names.map(str::to_owned).to_vec(),
        records: vec![
            record(1, vec![field(0, real, None), field(2, text, None)]),
            record(2, vec![field(0, blob, Some(stamp(7, 77)))]),
            record(3, vec![field(0, null, None)]),
        ],
    };
    columns::encode(&changes, NodeId(77)).unwrap()
}

#[test]
fn whatever_is_said_to_have_changed() {
    let entered = Passage::Entered { since: Reading(77 << 16) };
    let kinds = [(Passage::Within, true), (entered, false), (Passage::Withdrawn, false), (Passage::Limbo, false)];
    let mut good: Vec<Vec<u8>> = kinds.map(|(passage, is_within)| all_kinds(passage, is_within)).to_vec();
    good.push(one_field());
    holds("changes", fuzzing::changes, &good, 4_000);
}

#[test]
fn whatever_a_file_is_called() {
    let good = [
        &b"hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle"[..],
        b"a.b.118f3c2a1.1000042.0000000000000001.bundle",
        b"shop-7",
    ];
    holds("name", fuzzing::name, &good.map(<[u8]>::to_vec), 2_000);
}
