//! The files in `tests/vectors`: what every later version reads as it was read, and refuses as it was refused.
//!
//! `tests/vectors/README.md` says what they are. A file that is there is never made again, and neither is what is expected of
//! it; who adds one makes it here, and looks at what the index then says of it.

mod bundles;
mod changes;
mod container;
mod envelopes;
mod judging;
mod manifests;
mod msgpack;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use packhorse_shared::change::Passage;
use packhorse_shared::keys::{KeyNumber, NodeKeys, Passphrase};

use crate::support::files;
use judging::judged;

/// What the signature in a good bundle is for.
const PURPOSE: &str = "hq.alice.674102f0.000042";

/// No more than this is asked of whoever clones the repository, in bytes.
const SIZE_MAX: u64 = 400_000;

/// As what a file is read.
#[derive(Clone, Copy)]
enum Reading {
    /// A bundle or package on a link that is not sealed.
    Plain,
    /// The same, under the file's own name.
    Named,
    /// A bundle, by alice, whose hub seals and signs.
    Sealed,
    /// A package, by whom who has been told the passphrase.
    Passphrase,
    /// A manifest.
    Manifest,
    /// The changes of a table, from a member of this kind.
    Changes(Passage),
}

impl Reading {
    const ALL: [(&str, Self); 11] = [
        ("plain", Self::Plain),
        ("named", Self::Named),
        ("sealed", Self::Sealed),
        ("passphrase", Self::Passphrase),
        ("manifest", Self::Manifest),
        ("changes", Self::Changes(Passage::Within)),
        ("entered", Self::Changes(Passage::Entered { since: packhorse_shared::clock::Reading(0) })),
        ("withdrawn", Self::Changes(Passage::Withdrawn)),
        ("limbo", Self::Changes(Passage::Limbo)),
        ("overruled", Self::Changes(Passage::Overruled)),
        ("refused", Self::Changes(Passage::Refused)),
    ];

    fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("nothing is read as {name:?}")).1
    }

    fn name(self) -> &'static str {
        let same = |other: &Self| match (self, other) {
            (Self::Changes(one), Self::Changes(other)) => one == *other,
            (one, other) => std::mem::discriminant(&one) == std::mem::discriminant(other),
        };
        Self::ALL.iter().find(|(_, reading)| same(reading)).map(|(name, _)| *name).expect("a name")
    }
}

/// A file to be.
#[derive(Clone)]
struct Vector {
    /// Its folder and name.
    file: String,
    reading: Reading,
    bytes: Vec<u8>,
}

impl Vector {
    fn new(folder: &str, name: &str, reading: Reading, bytes: Vec<u8>) -> Self {
        Self { file: format!("{folder}/{name}"), reading, bytes }
    }
}

// The keys stand in the vectors' README too.

fn hub() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(1), [1; 32])
}

fn alice() -> NodeKeys {
    hub().of_remote(&"alice".parse().expect("a name"), KeyNumber(2))
}

fn bob() -> NodeKeys {
    hub().of_remote(&"bob".parse().expect("a name"), KeyNumber(2))
}

/// Whose keys lie beside the files.
fn all_keys() -> [(&'static str, NodeKeys); 3] {
    [("hub", hub()), ("alice", alice()), ("bob", bob())]
}

fn passphrase() -> Passphrase {
    Passphrase::given("correct horse battery staple").expect("a passphrase")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/format-1")
}

/// By file: as what it is read, and what comes of it.
fn index(folder: &Path) -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(folder.join("index")).unwrap_or_default();
    let line = |line: &str| {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let mut part = || parts.next().expect("three parts");
        (part(), (part(), part()))
    };
    text.lines().map(line).collect()
}

/// Every file of the folder's folders, but for the keys, and its size.
fn there(folder: &Path) -> BTreeMap<String, u64> {
    let folders = files(folder).into_iter().filter(|path| path.is_dir() && !path.ends_with("keys"));
    let all = folders.flat_map(|folder| files(&folder));
    let name = |path: &Path| path.strip_prefix(folder).expect("within").to_string_lossy().replace('\\', "/");
    all.map(|path| (name(&path), fs::metadata(&path).expect("a file").len())).collect()
}

#[test]
fn every_file_is_read_and_refused_as_it_always_was() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (file, (reading, expected)) in index(&folder) {
        let found = judged(&folder.join(&file), Reading::named(&reading));
        if found != expected {
            wrong.push(format!("{file}, read as {reading}:\n  expected {expected}\n  found    {found}"));
        }
        let name = file.rsplit('/').next().unwrap_or_default();
        let is_good = expected.starts_with("good");
        assert!(reading == "named" || is_good == name.starts_with("good-"), "{file} has another's name");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_names_every_file_and_most_of_them_are_bad() {
    let (index, there) = (index(&folder()), there(&folder()));
    assert_eq!(index.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    let good = index.values().filter(|(_, expected)| expected.starts_with("good")).count();
    assert!(good > 10 && index.len() > 5 * good, "{good} of {} are good", index.len());
    let size: u64 = there.values().sum();
    assert!(size < SIZE_MAX, "{size} bytes");
}

#[test]
fn whoever_reads_what_is_sealed_finds_the_keys_beside_it() {
    for (name, keys) in all_keys() {
        let text = fs::read_to_string(folder().join("keys").join(name)).expect("keys");
        assert_eq!(text, keys.to_file(), "{name}");
    }
}

/// Makes those that are not there yet, and adds what comes of them to the index.
#[test]
#[ignore = "adds files to the repository"]
fn make() {
    let folder = folder();
    let mut index = index(&folder);
    let all = [bundles::vectors(), envelopes::vectors(), manifests::vectors(), changes::vectors()].concat();
    for Vector { file, reading, bytes } in all {
        if index.contains_key(&file) {
            continue;
        }
        let path = folder.join(&file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        index.insert(file, (reading.name().to_owned(), judged(&path, reading)));
    }
    for (name, keys) in all_keys() {
        fs::write(folder.join("keys").join(name), keys.to_file()).expect("keys");
    }
    let lines = index.iter().map(|(file, (reading, expected))| format!("{file}\t{reading}\t{expected}\n"));
    fs::write(folder.join("index"), lines.collect::<String>()).expect("an index");
}
