//! The files in a home that hold what a package has brought to log in to relays with.
//!
//! Owns their names, and which key of `[access."HOST:PORT"]` names each. Invariant: the names come from here alone, never from
//! the package. Leaves the writing to [`crate::home`], and the section to the initial configuration.

use crate::bundle::package::AccessStart;

/// The folder in a home where they lie.
pub const FOLDER: &str = "access";

/// The keys of a section that name a file, and the endings of the files.
const KINDS: [(&str, &str); 4] =
    [("key", "key"), ("password_file", "password"), ("known_hosts", "known_hosts"), ("ca", "ca")];

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtFile<'a> {
    /// The key that names it.
    pub key: &'static str,
    /// Its name in the folder.
    pub name: String,
    /// What it holds.
    pub content: &'a [u8],
}

/// The files for one server, which is the so manyth of its package, from 0.
pub fn files(at: usize, start: &AccessStart) -> Vec<BroughtFile<'_>> {
    let contents = [
        start.key.as_deref(),
        start.secret.as_deref().map(str::as_bytes),
        start.known_hosts.as_deref().map(str::as_bytes),
        start.ca.as_deref(),
    ];
    let there = KINDS.into_iter().zip(contents).filter_map(|(kind, content)| Some((kind, content?)));
    there.map(|((key, ending), content)| BroughtFile { key, name: format!("{}.{ending}", at + 1), content }).collect()
}

/// Whether a file in the folder has the name of one, or of one that is being written.
pub fn is_name(name: &str) -> bool {
    let parts = name.strip_suffix(".new").unwrap_or(name).split_once('.');
    parts.is_some_and(|(number, ending)| {
        number.bytes().all(|byte| byte.is_ascii_digit()) && KINDS.iter().any(|(_, known)| *known == ending)
    })
}
