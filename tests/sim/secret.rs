//! What a remote may know: nothing of a record that was never in its set, wherever it could be read.
//!
//! Invariant: it goes by the words that the application writes, of which the oracle knows whose each is; so a value that came
//! without its record gives it away too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::application::Picture;
use crate::ids::{At, Uid};
use crate::judge::Complaint;
use crate::node::files;
use crate::shares::Share;
use crate::world::World;

/// What a frame of zstd begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The files that were looked at, each with its size and time then.
pub type Looked = BTreeMap<PathBuf, (u64, SystemTime)>;

static NOBODY: BTreeSet<Uid> = BTreeSet::new();

/// What a node may have; None for everything. Who shares everything with its hub may have all that this may have: also what
/// was made and deleted between two looks at the hub, since edits travel even if their record has since been deleted.
fn own(world: &World, at: At) -> Option<&BTreeSet<Uid>> {
    let node = &world.nodes[at.0];
    let hub = node.hub?;
    match node.share {
        Share::Everything => own(world, hub),
        Share::Sales(_) => Some(world.judge.members.get(&at).unwrap_or(&NOBODY)),
    }
}

/// A remote has no record that was never its own: neither in its tables nor in a file that it keeps for or has from others.
pub fn is_kept(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
    if let Some(own) = own(world, at)
        && let Some(uid) = picture.keys().find(|uid| !own.contains(*uid))
    {
        return Err(("secret", format!("{} has {uid}, which was never in its set", world.nodes[at.0].name)));
    }
    let home = world.nodes[at.0].home();
    let spool = ["inbox", "outbox", "tmp", "quarantine"].map(|folder| home.join(folder));
    spool.iter().try_for_each(|folder| is_free(world, at, folder))
}

/// Nor anywhere else in its folder: its package, its ledger, its database with what of it is free.
pub fn is_kept_for_good(world: &mut World, at: At) -> Result<(), Complaint> {
    let folder = world.nodes[at.0].folder.clone();
    is_free(world, at, &folder)
}

/// Whether a folder of a node is free of what is none of its business.
fn is_free(world: &mut World, at: At, folder: &Path) -> Result<(), Complaint> {
    if own(world, at).is_none() {
        return Ok(());
    }
    for file in files(folder) {
        let found = fs::metadata(&file).and_then(|found| Ok((found.len(), found.modified()?))).expect("a file");
        if world.judge.looked.insert(file.clone(), found) != Some(found) {
            tells_nothing(world, at, &file)?;
        }
    }
    Ok(())
}

fn tells_nothing(world: &World, at: At, file: &Path) -> Result<(), Complaint> {
    let raw = fs::read(file).expect("a file");
    let unpacked = if raw.starts_with(&MAGIC) { unpacked(&raw) } else { None };
    [Some(raw), unpacked].iter().flatten().try_for_each(|content| is_own(world, at, &file.to_string_lossy(), content))
}

/// What is in some frames of zstd. None if they are damaged: then it may be anything.
pub fn unpacked(frames: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    zstd::Decoder::new(frames).and_then(|mut opened| opened.read_to_end(&mut content)).ok()?;
    Some(content)
}

/// Some bytes that a node has or gets hold nothing that was never its own.
pub fn is_own(world: &World, at: At, name: &str, content: &[u8]) -> Result<(), Complaint> {
    let Some(own) = own(world, at) else { return Ok(()) };
    let words: Vec<String> = [b'u', b'v'].into_iter().flat_map(|kind| words_in(kind, content)).collect();
    if let Some(word) = words.iter().find(|word| world.judge.bare.hidden.contains(*word)) {
        let node = world.nodes[at.0].name;
        return Err(("secret", format!("{name} holds {word}, of a column that is out of the set of {node}")));
    }
    let strange = |word: &String| world.oracle.whose(word).is_some_and(|uid| !own.contains(uid));
    words.into_iter().find(strange).map_or(Ok(()), |word| {
        let (uid, node) = (world.oracle.whose(&word), world.nodes[at.0].name);
        Err(("secret", format!("{name} holds {word} of {uid:?}, which was never in the set of {node}")))
    })
}

/// The words of a kind in some bytes, wherever they stand: a letter, five digits and a semicolon.
pub fn words_in(kind: u8, bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    let ends = bytes.iter().enumerate().filter(|(at, byte)| **byte == b';' && *at >= 6).map(|(at, _)| at);
    let words = ends.map(|end| &bytes[end - 6..=end]);
    let is_word = move |word: &&[u8]| word[0] == kind && word[1..6].iter().all(u8::is_ascii_digit);
    words.filter(is_word).map(|word| String::from_utf8_lossy(word).into_owned())
}
