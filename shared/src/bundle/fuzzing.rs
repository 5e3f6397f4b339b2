//! What holds of the readers of a bundle, whatever they are given.
//!
//! Owns one property for each reader, as a function of any bytes that fails an assertion where it does not hold: nothing
//! panics; an error has a kind of its own and is one short line; what is taken comes back the same when it is written again;
//! nothing is larger than the limits. The fuzz targets and the property tests call the same functions. Leaves to them
//! which bytes to try.

use std::fmt::Display;

use super::columns::{self, ColumnsError, passage_of};
use super::container::{SEAL_HEAD, open_frame};
use super::manifest::MANIFEST;
use super::package::LinkStart;
use super::read::Contents;
use super::tape::is_member_name;
use super::{
    Addressee, BundleError, BundleName, BundleReader, BundleWriter, Counts, FORMAT, Kind, Limits, Manifest,
    MemberEntry, Opening, Room, ShortDigest, tape,
};
use crate::change::Passage;
use crate::clock::Reading;
use crate::horizon::Horizon;
use crate::id::{BundleId, Digest, Epoch, NetworkId, NodeId, NodeName, Sequence};
use crate::keys::{KeyNumber, NodeKeys, Passphrase};
use crate::link::{Base, Header};
use crate::replica::Terms;

/// What a reader is given here: little enough that going beyond it shows at once.
pub const LIMITS: Limits = Limits { members: 50, ..Limits::bundle(64 << 10, ROOM.records, ROOM.fields) };

/// So many records and fields are read at most.
const ROOM: Room = Room { records: 1_000, fields: 10_000, key_values: 10_000, names: 1_000 };

/// No error says more.
const LINE_MAX: usize = 1_000;

/// The installation that the changes are said to come from.
const SENDER: NodeId = NodeId(77);

/// An error is for a person: one line, none of whose characters can move a terminal's cursor.
fn is_one_line(error: &impl Display) {
    let line = error.to_string();
    assert!(!line.chars().any(char::is_control), "an error with control characters: {line:?}");
    assert!(line.len() <= LINE_MAX, "an error of {} bytes", line.len());
}

/// Nothing that is read from memory can fail but by its content.
fn is_of_the_content(error: &BundleError) {
    assert!(!matches!(error, BundleError::Io(_) | BundleError::Changed { .. }), "{error:?}");
    is_one_line(error);
}

/// A whole file, as it lies on a relay; read as one who looks into it, and as one who wants it sealed and signed. The keys are
/// those of the test vectors.
pub fn bundle(bytes: &[u8]) {
    let hub = NodeKeys::from_secret(KeyNumber(1), [1; 32]);
    let Ok(alice) = "alice".parse() else { return };
    let keys = hub.of_remote(&alice, KeyNumber(2));
    match BundleReader::read_all(bytes, LIMITS, &Opening::with(Some(&keys)), |_| true) {
        Ok(contents) => comes_back(&contents),
        Err(error) => is_of_the_content(&error),
    }
    let known = |number| Some(hub.public()).filter(|known| known.number() == number);
    let strict = Opening { keys: Some(&keys), signers: Some(&known), ..Opening::default() };
    if let Err(error) = BundleReader::open(bytes, LIMITS, &strict) {
        is_of_the_content(&error);
    }
}

/// What was read is within the limits, and is read again from what is written of it.
fn comes_back((manifest, members): &Contents) {
    let total: usize = members.iter().map(|(_, content)| content.len()).sum();
    assert!(members.len() as u64 <= LIMITS.members && total as u64 <= LIMITS.total, "more than the limits allow");
    let mut writer = BundleWriter::new();
    for ((name, content), entry) in members.iter().zip(&manifest.members) {
        assert!(*name == entry.name && Digest::of(content) == entry.digest, "a member that was not promised");
        writer.bytes(name.as_str(), content.as_slice());
        if entry.optional {
            writer.optional();
        }
    }
    let mut file = Vec::new();
    let written = writer.level(1).write(manifest.clone(), &mut file);
    assert_eq!(written.map(|written| written.manifest).ok().as_ref(), Some(manifest), "it can be written");
    let again = BundleReader::read_all(file.as_slice(), LIMITS, &Opening::default(), |_| true);
    assert_eq!(again.ok().as_ref(), Some(&(manifest.clone(), members.clone())), "it comes back");
}

/// The archives in a file whose frames and seal are right: two bytes say how long the first is, the other is the rest.
pub fn archive(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (first, second) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    match read_plain(&framed(first, second)) {
        Ok(contents) => comes_back(&contents),
        Err(error) => is_of_the_content(&error),
    }
}

/// Any members, of which the manifest tells the truth, and then one byte of their archive changed. Names and contents are
/// taken from the bytes, each after its length; the first three say where the change is and what.
pub fn members(bytes: &[u8]) {
    let Some(([low, high, change], rest)) = bytes.split_first_chunk::<3>() else { return };
    let members = named(rest);
    let archive = archive_of(&members);
    let (first, all) = (manifest_of(&members), members.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
    let fits = members.len() as u64 <= LIMITS.members && all <= LIMITS.total;
    let Some(first) = first.filter(|_| fits && is_listable(&members)) else { return };
    let contents = read_plain(&framed(&first, &archive)).map(|(_, contents)| contents);
    assert_eq!(contents.ok().as_ref(), Some(&members), "what is right is read");
    let mut changed = archive;
    let at = usize::from(u16::from_le_bytes([*low, *high])) % changed.len();
    let Some(byte) = changed.get_mut(at).filter(|_| *change != 0) else { return };
    *byte ^= change;
    match read_plain(&framed(&first, &changed)) {
        Ok(_) => assert_eq!(*change, 0, "the byte {at} of the archive is read, whatever it is"),
        Err(error) => is_of_the_content(&error),
    }
}

fn read_plain(file: &[u8]) -> Result<Contents, BundleError> {
    BundleReader::read_all(file, LIMITS, &Opening::default(), |_| true)
}

/// A file of two archives, with the seal that belongs to them.
fn framed(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut file = [frame(first), frame(second)].concat();
    let seal = ShortDigest::of(file.as_slice()).map(|digest| digest.0.to_be_bytes()).unwrap_or_default();
    file.extend(SEAL_HEAD);
    file.extend(seal);
    file
}

fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    if let Ok(mut encoder) = open_frame(&mut frame, 1, content.len() as u64) {
        let _ = std::io::Write::write_all(&mut encoder, content);
        let _ = encoder.finish();
    }
    frame
}

type Members = Vec<(String, Vec<u8>)>;

fn named(mut bytes: &[u8]) -> Members {
    let mut members = Vec::new();
    while let (Some(name), Some(content)) = (counted(&mut bytes), counted(&mut bytes)) {
        members.push((String::from_utf8_lossy(name).into_owned(), content.to_vec()));
    }
    members
}

/// So many bytes as the first says, or as there are.
fn counted<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (count, rest) = bytes.split_first()?;
    let (taken, rest) = rest.split_at(usize::from(*count).min(rest.len()));
    *bytes = rest;
    Some(taken)
}

fn is_listable(members: &Members) -> bool {
    let names: std::collections::BTreeSet<_> = members.iter().map(|(name, _)| name).collect();
    names.len() == members.len() && members.iter().all(|(name, _)| is_member_name(name))
}

fn archive_of(members: &Members) -> Vec<u8> {
    let mut archive: Vec<u8> = members.iter().flat_map(|(name, content)| block_of(name, content)).collect();
    archive.extend(tape::END);
    archive
}

fn block_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = tape::header(name, content.len() as u64).map(|header| header.to_vec()).unwrap_or_default();
    bytes.extend(content);
    bytes.resize(bytes.len() + tape::padding(content.len() as u64), 0);
    bytes
}

/// The first archive of a bundle with these members.
fn manifest_of(members: &Members) -> Option<Vec<u8>> {
    let entry = |(name, content): &(String, Vec<u8>)| MemberEntry {
        name: name.clone(),
        length: content.len() as u64,
        digest: Digest::of(content),
        optional: false,
    };
    let header = Header {
        epoch: Epoch(1),
        sequence: Sequence(1),
        id: BundleId(1),
        base: Base::default(),
        beside: None,
        ack: None,
        nack: false,
        ask: 0,
        probe: false,
        clock: Reading(1),
        complete_to: Reading(1),
        horizon: Horizon::NONE,
        lives: Vec::new(),
        refused: Vec::new(),
        before_package: false,
    };
    let manifest = Manifest {
        format: FORMAT,
        kind: Kind::Bundle,
        network: NetworkId(1),
        from: "hq".parse().ok()?,
        to: "alice".parse().ok()?,
        addressee: Addressee::Anybody,
        node: SENDER,
        header: Some(header),
        counts: Counts::default(),
        schema: 1,
        set: 1,
        members: members.iter().map(entry).collect(),
    };
    Some(block_of(MANIFEST, &manifest.to_bytes().ok()?))
}

/// The bytes of a manifest.
pub fn manifest(bytes: &[u8]) {
    let read = match Manifest::from_bytes(bytes) {
        Ok(read) => read,
        Err(error) => return is_of_the_content(&error),
    };
    assert_eq!(read.format, FORMAT);
    assert_eq!(read.kind == Kind::Bundle, read.header.is_some());
    is_one_line(&read.purpose());
    if let Err(error) = read.check(&LIMITS) {
        is_of_the_content(&error);
    }
    let written = read.to_bytes().unwrap_or_default();
    let again = Manifest::from_bytes(&written).ok();
    assert_eq!(again.as_ref(), Some(&read), "what is read comes back");
    assert!(written.len() <= bytes.len(), "what is written is the shortest form");
}

/// The bytes of the members that say where a link begins, and what is shared over it.
pub fn link(bytes: &[u8]) {
    match LinkStart::from_bytes(bytes) {
        Ok(read) => {
            let written = read.to_bytes().unwrap_or_default();
            assert_eq!(LinkStart::from_bytes(&written).ok(), Some(read), "what is read comes back");
        }
        Err(error) => is_of_the_content(&error),
    }
    match Terms::from_bytes(bytes) {
        Ok(read) => {
            let written = read.to_bytes().unwrap_or_default();
            assert_eq!(Terms::from_bytes(&written).ok(), Some(read), "what is read comes back");
        }
        Err(error) => is_one_line(&error),
    }
}

/// The bytes of a table's changes, in each of the places where they may stand.
pub fn changes(bytes: &[u8]) {
    let since = Reading(0);
    for passage in [
        Passage::Within,
        Passage::Entered { since },
        Passage::Withdrawn,
        Passage::Limbo,
        Passage::Overruled,
        Passage::Refused,
    ] {
        let read = match columns::decode(passage, bytes, SENDER, ROOM) {
            Ok(read) => read,
            Err(ColumnsError::Damaged { reason }) => {
                is_one_line(&reason);
                continue;
            }
            Err(other) => return assert_eq!(other, ColumnsError::Damaged { reason: "" }, "an error of writing"),
        };
        let name = columns::member_name(read.passage, &read.table);
        assert!(is_member_name(&name) && passage_of(&name).is_some(), "{name}");
        let written = columns::encode(&read, SENDER).unwrap_or_default();
        match passage {
            // Since when may differ from record to record, and the latest stands for all.
            Passage::Entered { .. } => assert_eq!(columns::decode(passage, &written, SENDER, ROOM), Ok(read)),
            _ => assert_eq!(written, bytes, "there is one form of what was read"),
        }
    }
}

/// The names of files and of nodes, and a passphrase that somebody gives.
pub fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<BundleName>() {
        Ok(name) => assert_eq!(name.to_string(), text, "a name has one spelling"),
        Err(error) => is_one_line(&error),
    }
    match text.parse::<NodeName>() {
        Ok(name) => assert_eq!(name.as_str(), text, "a name has one spelling"),
        Err(error) => is_one_line(&error),
    }
    assert_eq!(Passphrase::given(&text).is_some(), !text.is_empty());
}
