//! The container against every kind of wrong file, and against the tools that it promises to work with.

use std::io::{Read, Seek, SeekFrom, Write};
use std::process::Command;

use super::container::SEAL_HEAD;
use super::*;
use crate::change::{FieldChange, Passage, RecordChange, TableChanges};
use crate::clock::{Reading, Stamp, WallTime};
use crate::horizon::Horizon;
use crate::id::{BundleId, Digest, Epoch, NetworkId, NodeId, Sequence};
use crate::link::{Ack, Base, Header};
use crate::value::{Key, Value};

const NODE: NodeId = NodeId(0x6b1f_a9c3_52d8_0e47);

pub(super) fn manifest() -> Manifest {
    let header = Header {
        epoch: Epoch(0x6741_02f0),
        sequence: Sequence(42),
        id: BundleId(0x91d2_7c33_f04a_65be),
        base: Base { sequence: Sequence(41), id: Some(BundleId(0x23fe_8801_9bd4_7a6c)) },
        beside: None,
        ack: Some(Ack { epoch: Epoch(0x6741_1b22), sequence: Sequence(17), id: Some(BundleId(0xc45a_0be7_3d91_f826)) }),
        nack: false,
        ask: 0,
        probe: false,
        clock: Reading::at(WallTime(1_795_253_400_123)),
        complete_to: Reading::at(WallTime(1_795_253_400_123)),
        horizon: Horizon::NONE,
        lives: Vec::new(),
        refused: Vec::new(),
        before_package: false,
    };
    Manifest {
        format: FORMAT,
        kind: Kind::Bundle,
        network: NetworkId(0x8ac1_5f27_d3e9_4b06),
        from: "hq".parse().unwrap(),
        to: "alice".parse().unwrap(),
        addressee: Addressee::Anybody,
        node: NODE,
        header: Some(header),
        counts: Counts { records: 1, fields: 1, deletes: 0 },
        schema: 0x51e8_20c7_9f3b_d46a,
        set: 0xe7b4_6d19_0a82_c5f3,
        members: Vec::new(),
    }
}

pub(super) fn one_field() -> Vec<u8> {
    let stamp = Stamp { reading: Reading::at(WallTime(1_795_253_399_481)), node: NODE };
    let value = Value::Text(b"+44 20 7946 0958".to_vec());
    let changes = TableChanges {
        table: "contacts".to_owned(),
        passage: Passage::Within,
        key_columns: vec!["id".to_owned()],
        columns: vec!["phone".to_owned()],
        records: vec![RecordChange {
            key: Key(vec![Value::Integer(4711)]),
            birth: None,
            dead: None,
            whole: false,
            fields: vec![FieldChange { column: 0, value, stamp, refers_to: None }],
        }],
    };
    columns::encode(&changes, NODE).unwrap()
}

fn write(writer: &mut BundleWriter<'_>) -> (Written, Vec<u8>) {
    let mut file = Vec::new();
    let written = writer.write(manifest(), &mut file).unwrap();
    (written, file)
}

pub(super) fn small() -> Vec<u8> {
    write(BundleWriter::new().bytes("changes/contacts", one_field())).1
}

fn read(file: &[u8]) -> Result<read::Contents, BundleError> {
    BundleReader::read_all(file, Limits::BUNDLE, &Opening::default(), |_| true)
}

#[test]
fn a_bundle_comes_back_and_its_name_can_be_made() {
    let mut writer = BundleWriter::new();
    writer.bytes("changes/a", vec![1; 512]).bytes("changes/b", Vec::new()).bytes("notices", b"x".as_slice());
    let (written, file) = write(&mut writer);
    assert_eq!(written.length, file.len() as u64);
    assert_eq!(written.digest, ShortDigest::of(file.as_slice()).unwrap());
    let (manifest, members) = read(&file).unwrap();
    assert_eq!(manifest, written.manifest);
    let contents: Vec<_> = members.iter().map(|(name, content)| (name.as_str(), content.len())).collect();
    assert_eq!(contents, [("changes/a", 512), ("changes/b", 0), ("notices", 1)]);
    assert_eq!(write(&mut writer).1, file, "the same content gives the same bytes");
}

#[test]
fn a_bundle_with_one_changed_field_is_small() {
    let file = small();
    println!("one field: {} bytes, empty: {} bytes", file.len(), write(&mut BundleWriter::new()).1.len());
    assert!(file.len() < 460, "{}", file.len());
}

#[test]
fn every_truncation_is_refused() {
    let file = small();
    for length in 0..file.len() {
        let error = read(&file[..length]).unwrap_err();
        assert!(matches!(error, BundleError::Truncated), "{length}: {error:?}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = small();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for more in [&[0][..], &SEAL_HEAD, &small()] {
        let error = read(&[&small(), more].concat()).unwrap_err();
        assert!(matches!(error, BundleError::Unexpected { .. }), "{error:?}");
    }
}

#[test]
fn files_of_another_kind_are_no_bundles() {
    for other in [&b"PK\x03\x04"[..], b"x", b"SQLite format 3\0", &[0; 600]] {
        assert!(matches!(read(other), Err(BundleError::NotABundle)));
    }
    let other = sealed(&zstd_frame(&[7; 2048]), &[]);
    assert!(matches!(read(&other), Err(BundleError::NotABundle | BundleError::Unexpected { .. })));
}

// Bundles made by hand, to be wrong in one respect and right in all others.

fn zstd_frame(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 3).unwrap()
}

fn sealed(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut file = [first, second].concat();
    let seal = ShortDigest::of(file.as_slice()).unwrap().0.to_be_bytes();
    file.extend(SEAL_HEAD);
    file.extend(seal);
    file
}

fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = tape::header(name, content.len() as u64).unwrap().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len() + tape::padding(content.len() as u64), 0);
    bytes
}

fn listed(members: &[(&str, &[u8])]) -> Vec<u8> {
    let entry = |(name, content): &(&str, &[u8])| MemberEntry {
        name: (*name).to_owned(),
        length: content.len() as u64,
        digest: Digest::of(content),
        optional: false,
    };
    Manifest { members: members.iter().map(entry).collect(), ..manifest() }.to_bytes().unwrap()
}

fn by_hand(manifest: &[u8], archive: &[Vec<u8>]) -> Vec<u8> {
    let rest = [archive.concat(), tape::END.to_vec()].concat();
    sealed(&zstd_frame(&member("manifest", manifest)), &zstd_frame(&rest))
}

const A: (&str, &[u8]) = ("changes/a", b"first");
const B: (&str, &[u8]) = ("changes/b", b"second");

#[test]
fn members_that_are_not_those_listed_are_refused() {
    let [a, b] = [A, B].map(|(name, content)| member(name, content));
    let list = listed(&[A, B]);
    assert!(read(&by_hand(&list, &[a.clone(), b.clone()])).is_ok());
    for (what, archive) in [
        ("wrong order", vec![b.clone(), a.clone()]),
        ("missing first", vec![b.clone()]),
        ("missing last", vec![a.clone()]),
        ("none", vec![]),
        ("extra", vec![a.clone(), b.clone(), member("changes/c", b"")]),
        ("twice", vec![a.clone(), a.clone(), b.clone()]),
        ("another name", vec![a.clone(), member("changes/x", B.1)]),
        ("longer", vec![a.clone(), member(B.0, b"second!")]),
        ("end marker between", vec![a.clone(), tape::END.to_vec(), b.clone()]),
        ("more after the end", vec![a.clone(), b.clone(), tape::END.to_vec()]),
    ] {
        let error = read(&by_hand(&list, &archive)).unwrap_err();
        assert!(matches!(error, BundleError::Unexpected { .. }), "{what}: {error:?}");
    }
    let error = read(&by_hand(&list, &[a, member(B.0, b"sEcond")])).unwrap_err();
    assert!(matches!(error, BundleError::Damaged { ref member } if member == B.0), "{error:?}");
}

#[test]
fn links_odd_headers_and_padding_are_refused() {
    let odd = |change: &dyn Fn(&mut tar::Header)| {
        let mut header = tar::Header::from_byte_slice(&tape::header(A.0, 5).unwrap()).clone();
        change(&mut header);
        header.set_cksum();
        let mut bytes = member(A.0, A.1);
        bytes[..tape::BLOCK].copy_from_slice(header.as_bytes());
        read(&by_hand(&listed(&[A]), &[bytes])).unwrap_err()
    };
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Directory, tar::EntryType::XHeader] {
        let error = odd(&|header| header.set_entry_type(kind));
        assert!(matches!(error, BundleError::Unexpected { .. }), "{error:?}");
    }
    let mut padded = member(A.0, A.1);
    *padded.last_mut().unwrap() = 1;
    let error = read(&by_hand(&listed(&[A]), &[padded])).unwrap_err();
    assert!(matches!(error, BundleError::Damaged { .. }), "{error:?}");
    for error in [odd(&|header| header.set_mode(0o4755)), odd(&|header| header.set_link_name("/etc").unwrap())] {
        assert!(matches!(error, BundleError::Unexpected { .. }), "{error:?}");
    }
}

#[test]
fn names_that_could_be_paths_elsewhere_are_refused() {
    let long = "x".repeat(101);
    for bad in ["../x", "/x", "a/../b", "a//b", "a/", ".", "", "a\\b", "a b", "ä", "manifest", &long] {
        assert!(!tape::is_member_name(bad), "{bad}");
        let error = read(&by_hand(&listed(&[(bad, b"x")]), &[])).unwrap_err();
        assert!(matches!(error, BundleError::Manifest { .. }), "{bad}: {error:?}");
        let error = BundleWriter::new().bytes(bad, Vec::new()).write(manifest(), Vec::new()).unwrap_err();
        assert!(matches!(error, BundleError::Manifest { .. }), "{bad}: {error:?}");
    }
    let error = read(&by_hand(&listed(&[A, A]), &[member(A.0, A.1), member(A.0, A.1)])).unwrap_err();
    assert!(matches!(error, BundleError::Manifest { .. }), "{error:?}");
}

/// A zstd frame of 2 GiB of zeros in 65 KB: blocks of one repeated byte.
fn bomb() -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for block in (0..16_384).rev() {
        let head = u32::from(block == 0) | (1 << 1) | ((128 << 10) << 3);
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn bombs_are_refused() {
    let first = zstd_frame(&member("manifest", &listed(&[A])));
    let error = read(&sealed(&first, &bomb())).unwrap_err();
    assert!(matches!(error, BundleError::Unexpected { .. }), "{error:?}");
    assert!(matches!(read(&sealed(&bomb(), &[])), Err(BundleError::NotABundle | BundleError::Unexpected { .. })));
    let header = tape::header("manifest", 2 << 30).unwrap();
    let error = read(&sealed(&zstd_frame(&header), &bomb())).unwrap_err();
    assert!(matches!(error, BundleError::TooLarge { .. } | BundleError::NotAccepted { .. }), "{error:?}");
    let entry = |length| MemberEntry { name: "a".to_owned(), length, digest: Digest([0; 32]), optional: false };
    for length in [Limits::BUNDLE.member + 1, 2 << 30, u64::MAX] {
        let list = Manifest { members: vec![entry(length)], ..manifest() }.to_bytes().unwrap();
        let error = read(&by_hand(&list, &[])).unwrap_err();
        assert!(matches!(error, BundleError::TooLarge { .. } | BundleError::NotAccepted { .. }), "{error:?}");
    }
}

#[test]
fn a_window_beyond_the_limit_is_refused() {
    let mut wide = zstd::Encoder::new(Vec::new(), 1).unwrap();
    wide.window_log(28).unwrap();
    wide.write_all(&[member(A.0, A.1), tape::END.to_vec()].concat()).unwrap();
    let first = zstd_frame(&member("manifest", &listed(&[A])));
    let error = read(&sealed(&first, &wide.finish().unwrap())).unwrap_err();
    assert!(matches!(error, BundleError::Damaged { .. }), "{error:?}");
}

#[test]
fn unknown_members_are_skipped_only_if_optional() {
    let mut writer = BundleWriter::new();
    writer.bytes("changes/a", vec![1]).bytes("later", vec![2; 2000]).optional();
    let known = |name: &str| columns::passage_of(name).is_some();
    let file = write(&mut writer).1;
    let (_, members) = BundleReader::read_all(file.as_slice(), Limits::BUNDLE, &Opening::default(), known).unwrap();
    assert_eq!(members, [("changes/a".to_owned(), vec![1])]);
    let file = write(BundleWriter::new().bytes("later", vec![2])).1;
    let error = BundleReader::read_all(file.as_slice(), Limits::BUNDLE, &Opening::default(), known).unwrap_err();
    assert!(matches!(error, BundleError::UnknownMember { .. }), "{error:?}");
}

#[test]
fn files_are_streamed_both_ways() {
    let mut file = tempfile::tempfile().unwrap();
    let content: Vec<u8> = (0..3_000_001u32).map(|at| (at % 251) as u8).collect();
    file.write_all(&content).unwrap();
    let package = Manifest { kind: Kind::Package, header: None, ..manifest() };
    let mut packed = Vec::new();
    BundleWriter::new().file("database", file).write(package.clone(), &mut packed).unwrap();
    let limits = Limits { memory: 1000, ..Limits::PACKAGE };
    let (manifest, mut members) = BundleReader::open(packed.as_slice(), limits, &Opening::default()).unwrap();
    assert_eq!((manifest.kind, manifest.header), (Kind::Package, None));
    assert!(matches!(members.read(), Err(BundleError::TooLarge { .. })));
    let mut back = Vec::new();
    members.copy_to(&mut back).unwrap();
    assert!(back == content);
    members.finish().unwrap();
}

#[test]
fn an_error_of_the_file_is_not_taken_for_damage() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let file = small();
    for length in [0, 3, 60, file.len() - 20, file.len() - 5, file.len()] {
        let error = BundleReader::read_all(file[..length].chain(Broken), Limits::BUNDLE, &Opening::default(), |_| true)
            .unwrap_err();
        assert!(matches!(error, BundleError::Io(_)), "{length}: {error:?}");
    }
}

#[test]
fn a_newer_format_is_named_before_anything_else_is_interpreted() {
    #[derive(serde::Serialize)]
    struct Newer {
        kind: u8,
        format: u32,
    }
    let bytes = rmp_serde::to_vec_named(&Newer { kind: 9, format: FORMAT + 1 }).unwrap();
    let error = read(&by_hand(&bytes, &[])).unwrap_err();
    assert!(matches!(error, BundleError::NewerFormat { found: 2, known: 1 }), "{error:?}");
}

/// The manifest's map with one more key at its end.
fn with_key(key: &str, value: &[u8]) -> Vec<u8> {
    let mut more = manifest().to_bytes().unwrap();
    assert!((0x80..0x8f).contains(&more[0]), "a map of up to 14");
    more[0] += 1;
    msgpack::put_text(&mut more, key);
    more.extend(value);
    more
}

#[test]
fn keys_of_later_versions_are_ignored_and_nonsense_is_refused() {
    assert_eq!(Manifest::from_bytes(&with_key("colour", &[0xc3])).unwrap(), manifest());
    let good = manifest().to_bytes().unwrap();
    let deep = [vec![0x91; 5_000], vec![0xc0]].concat();
    let mut bad = vec![with_key("set", &[1]), with_key("deep", &deep), [&good[..], &[0xc0]].concat(), Vec::new()];
    bad.extend((0..good.len()).map(|length| good[..length].to_vec()));
    for bytes in bad {
        assert!(matches!(Manifest::from_bytes(&bytes), Err(BundleError::Manifest { .. })));
    }
}

#[test]
fn the_ordinary_tools_list_and_test_a_bundle() {
    if ["tar", "zstd"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        eprintln!("SKIPPED: tar and zstd are needed to see that they read a bundle");
        return;
    }
    let mut writer = BundleWriter::new();
    writer.bytes("changes/contacts", one_field()).bytes("notices", vec![1; 700]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&write(&mut writer).1).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let listed = Command::new("tar").args(["--zstd", "-tvf"]).arg(file.path()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.status.success() && listed.stderr.is_empty(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["manifest", "changes/contacts", "notices"]);
    assert!(text.lines().all(|line| line.starts_with("-rw-r--r-- 0/0")), "{text}");
    assert!(Command::new("zstd").arg("-tq").arg(file.path()).status().unwrap().success());
}
