//! The relays that were found to be ours.
//!
//! Owns the file `relays`: what a server tells of a relay's marker, so that it need not be read again while that
//! stays the same. Nothing depends on it: without it, or if it is damaged, markers are read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::seam::{Disk, write_for_all};

const KNOWN: &str = "relays";

pub(super) fn read(folder: &Path) -> BTreeMap<String, String> {
    let text = super::read_if_sound(&folder.join(KNOWN));
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(likeness, relay)| (relay.to_owned(), likeness.to_owned())).collect()
}

/// Relays that no line can hold are left out.
pub(super) fn write(disk: &dyn Disk, folder: &Path, known: &BTreeMap<String, String>) -> io::Result<()> {
    let fits = |text: &str| !text.contains(['\t', '\n', '\r']);
    let known = known.iter().filter(|(relay, likeness)| fits(relay) && fits(likeness));
    let lines: String = known.map(|(relay, likeness)| format!("{likeness}\t{relay}\n")).collect();
    write_for_all(disk, &folder.join(KNOWN), lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::seam::OsDisk;

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), BTreeMap::new());
        let known =
            |relays: &[&str]| relays.iter().map(|relay| (relay.to_string(), "91 20261127".to_owned())).collect();
        write(&OsDisk, folder.path(), &known(&["ftp://a@b/c d", "sftp://a@b", "sftp://a\nb", "a\tb"])).unwrap();
        assert_eq!(read(folder.path()), known(&["ftp://a@b/c d", "sftp://a@b"]));
        for damaged in [&b""[..], b"x", b"\xff\tsftp://a@b\n"] {
            fs::write(folder.path().join(KNOWN), damaged).unwrap();
            assert_eq!(read(folder.path()), BTreeMap::new());
        }
    }
}
