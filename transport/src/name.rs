//! Names of files on a relay.
//!
//! Invariant: a [`FileName`] is one harmless path segment on every operating system. A name that comes from a relay
//! becomes part of a path only as a [`FileName`]. Leaves what the names mean to the caller.

use std::fmt;
use std::str::FromStr;

/// The longest file name carried, in bytes; with `.part` it still fits every file system and FTP server.
pub const FILE_NAME_MAX: usize = 200;

/// What an incomplete file's name ends in; such names are never listed as files.
pub const PART: &str = ".part";

/// Names that Windows gives to devices, whatever follows them after a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A file's name in a mailbox: `[A-Za-z0-9._-]`, 1 to [`FILE_NAME_MAX`], no dot at either end, not `*.part`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// A name that is not carried.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not a file name that is carried: use A-Z, a-z, 0-9, \".\", \"_\" and \"-\"")]
pub struct FileNameError(String);

impl FileName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that the file bears while it is incomplete.
    pub fn partial(&self) -> String {
        format!("{}{PART}", self.0)
    }
}

impl FromStr for FileName {
    type Err = FileNameError;
    fn from_str(text: &str) -> Result<Self, FileNameError> {
        let fits = (1..=FILE_NAME_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !text.ends_with(PART)
            && !is_device(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(FileNameError(shown(text))) }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = stem.len() == 4
        && (stem.starts_with("com") || stem.starts_with("lpt"))
        && stem.bytes().last().is_some_and(|b| b.is_ascii_digit());
    numbered || DEVICES.contains(&stem.as_str())
}

/// Somebody else's text, cut and escaped so that a report can show it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_one_harmless_segment() {
        for good in ["hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle", "a", "A_b-c.1", &"x".repeat(200)] {
            assert_eq!(good.parse::<FileName>().map(|name| name.0), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", ".x", "x.", "a/b", "a\\b", "a b", "ä", "x.part", "NUL", "com1.txt", "con.bundle"] {
            assert!(bad.parse::<FileName>().is_err(), "{bad}");
        }
        assert!("x".repeat(201).parse::<FileName>().is_err());
    }

    #[test]
    fn a_strange_name_is_shown_escaped() {
        assert_eq!(shown("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
