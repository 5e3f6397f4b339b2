//! What comes of a file: what it holds, or why it is refused.

use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;

use packhorse_shared::bundle::columns::{self, passage_of};
use packhorse_shared::bundle::read::Contents;
use packhorse_shared::bundle::{
    BundleError, BundleName, BundleReader, CONFIG, Kind, Limits, Manifest, Opening, Room, ShortDigest, package,
};
use packhorse_shared::change::Passage;
use packhorse_shared::id::NodeId;

use super::{Reading, alice, hub, passphrase};

/// The installation that the changes come from.
const SENDER: NodeId = NodeId(77);
const ROOM: Room = Room { records: 1 << 20, fields: 1 << 22, key_values: 1 << 22, names: 1 << 20 };

/// One line: `good` and what it holds, or the kind of the error and its words.
pub fn judged(path: &Path, reading: Reading) -> String {
    let bytes = fs::read(path).expect("a file");
    let judged = match reading {
        Reading::Plain => file(&bytes, &Opening::default()),
        Reading::Named => under_its_name(path, &bytes),
        Reading::Sealed => sealed(&bytes),
        Reading::Passphrase => file(&bytes, &Opening { passphrase: Some(&passphrase()), ..Opening::default() }),
        Reading::Manifest => manifest(&bytes),
        Reading::Changes(passage) => changes(passage, &bytes),
    };
    judged.map_or_else(|refusal| refusal, |held| format!("good: {held}"))
}

/// What kind of error, and what it says.
fn refusal(error: &(impl Debug + Display)) -> String {
    let debug = format!("{error:?}");
    let kind = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("{kind}: {error}")
}

fn sealed(bytes: &[u8]) -> Result<String, String> {
    let (keys, believed) = (alice(), hub().public());
    let known = |number| Some(believed.clone()).filter(|known| known.number() == number);
    file(bytes, &Opening { keys: Some(&keys), signers: Some(&known), ..Opening::default() })
}

fn file(bytes: &[u8], opening: &Opening<'_>) -> Result<String, String> {
    let knows = |name: &str| passage_of(name).is_some() || [CONFIG, package::DATABASE, package::LINK].contains(&name);
    let (manifest, members) = read(bytes, opening, knows).map_err(|error| refusal(&error))?;
    let mut held = vec![manifest.purpose()];
    for (name, content) in members {
        let is = match passage_of(&name) {
            Some(passage) => changes(passage, &content)?,
            None => format!("{} bytes", content.len()),
        };
        held.push(format!("{name} {is}"));
    }
    Ok(held.join("; "))
}

fn read(bytes: &[u8], opening: &Opening<'_>, knows: impl Fn(&str) -> bool) -> Result<Contents, BundleError> {
    BundleReader::read_all(bytes, Limits::of(Kind::Bundle), opening, knows)
}

fn under_its_name(path: &Path, bytes: &[u8]) -> Result<String, String> {
    let name = path.file_name().expect("a name").to_string_lossy();
    let name: BundleName = name.parse().map_err(|error| refusal(&error))?;
    let found = ShortDigest::of(bytes).expect("memory can be read");
    if found != name.digest {
        return Err(format!("the file has the digest {found}, and its name another"));
    }
    file(bytes, &Opening::default())
}

fn manifest(bytes: &[u8]) -> Result<String, String> {
    let manifest = Manifest::from_bytes(bytes).map_err(|error| refusal(&error))?;
    manifest.check(&Limits::of(manifest.kind)).map_err(|error| refusal(&error))?;
    Ok(format!("{}; {} members", manifest.purpose(), manifest.members.len()))
}

fn changes(passage: Passage, bytes: &[u8]) -> Result<String, String> {
    let changes = columns::decode(passage, bytes, SENDER, ROOM).map_err(|error| refusal(&error))?;
    let again = columns::encode(&changes, SENDER).expect("what was read can be written");
    assert!(again == bytes, "what is written again is the same");
    let digest = ShortDigest::of(format!("{changes:?}").as_bytes()).expect("memory can be read");
    let (records, fields) = (changes.records.len(), changes.field_count());
    Ok(format!("{records} records, {fields} fields, {} deleted, {digest}", changes.deleted_count()))
}
