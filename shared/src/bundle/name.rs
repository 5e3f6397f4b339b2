//! A bundle's file name: whose it is, for whom, which, and the digest that tells whether it is whole.
//!
//! Owns the name's text form. Invariant: a name has one spelling, so that two files are the same bundle exactly if
//! their names are equal. Leaves it to [`super::manifest`] to say the same inside the file, and to the caller to
//! compare the two.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, NodeName, Sequence};

const SUFFIX: &str = "bundle";

/// The first eight bytes of the BLAKE3 digest of a whole file, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShortDigest(pub u64);

impl ShortDigest {
    /// The digest of everything that a reader gives, in constant memory.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut reader)?;
        Ok(Self::from_hasher(&hasher))
    }

    pub(super) fn from_hasher(hasher: &blake3::Hasher) -> Self {
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A bundle's file name, such as `hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle`. Names sort by sender, receiver,
/// epoch, sequence and digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleName {
    /// The sender.
    pub from: NodeName,
    /// The receiver.
    pub to: NodeName,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The bundle's number in it.
    pub sequence: Sequence,
    /// The digest of the whole file.
    pub digest: ShortDigest,
}

/// A file name that is not a bundle's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not a bundle's name")]
pub struct BundleNameError(String);

impl fmt::Display for BundleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, epoch, sequence, digest } = self;
        write!(f, "{from}.{to}.{:08x}.{:06}.{digest}.{SUFFIX}", epoch.0, sequence.0)
    }
}

impl FromStr for BundleName {
    type Err = BundleNameError;

    /// Accepts only the spelling that [`fmt::Display`] gives.
    fn from_str(text: &str) -> Result<Self, BundleNameError> {
        parse(text).ok_or_else(|| BundleNameError(text.chars().flat_map(char::escape_debug).take(160).collect()))
    }
}

fn parse(text: &str) -> Option<BundleName> {
    let mut parts = text.split('.');
    let name = BundleName {
        from: parts.next()?.parse().ok()?,
        to: parts.next()?.parse().ok()?,
        epoch: Epoch(stored(number(parts.next()?, 8, 16)?)?),
        sequence: Sequence(stored(number(parts.next()?, 6, 10)?)?),
        digest: ShortDigest(number(parts.next()?, 16, 16)?),
    };
    (parts.next() == Some(SUFFIX) && parts.next().is_none()).then_some(name)
}

/// A number in its one spelling: at least so wide, with no more zeros in front than that takes.
fn number(text: &str, width: usize, radix: u32) -> Option<u64> {
    let is_digit = |b: u8| b.is_ascii_digit() || (radix == 16 && (b'a'..=b'f').contains(&b));
    let is_one_spelling = text.len() == width || (text.len() > width && !text.starts_with('0'));
    (is_one_spelling && text.bytes().all(is_digit)).then(|| u64::from_str_radix(text, radix).ok()).flatten()
}

/// A counter that fits the database's signed integers, so that counting on from it cannot overflow.
pub(super) fn stored(number: u64) -> Option<u64> {
    i64::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle";

    #[test]
    fn a_name_comes_back_and_says_what_it_says() {
        let name: BundleName = EXAMPLE.parse().unwrap();
        assert_eq!(name.to_string(), EXAMPLE);
        assert_eq!((name.from.as_str(), name.to.as_str()), ("hq", "alice"));
        assert_eq!((name.epoch, name.sequence), (Epoch(0x18f3_c2a1), Sequence(42)));
        assert_eq!(name.digest, ShortDigest(0x9a41_c07b_e2d6_5f18));
        let large = "a.b.118f3c2a1.1000042.0000000000000001.bundle";
        assert_eq!(large.parse::<BundleName>().map(|name| name.to_string()), Ok(large.to_owned()));
    }

    #[test]
    fn only_the_canonical_spelling_is_a_name() {
        for bad in [
            "",
            "hq.alice.18f3c2a1.000042.9a41c07be2d65f18",
            "hq.alice.18F3c2a1.000042.9a41c07be2d65f18.bundle",
            "hq.alice.018f3c2a1.000042.9a41c07be2d65f18.bundle",
            "hq.alice.+8f3c2a1.000042.9a41c07be2d65f18.bundle",
            "hq.alice.18f3c2a1.42.9a41c07be2d65f18.bundle",
            "hq.alice.18f3c2a1.0000042.9a41c07be2d65f18.bundle",
            "hq.alice.18f3c2a1.+00042.9a41c07be2d65f18.bundle",
            "hq.alice.18f3c2a1.000042.9a41c07be2d65f1.bundle",
            "hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle.part",
            "hq.alice.18f3c2a1.18446744073709551615.9a41c07be2d65f18.bundle",
            "HQ.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle",
            "../hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle",
        ] {
            assert!(bad.parse::<BundleName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_spelled_as_it_is_told(name in "[a-c.]{2,5}\\.[0-9a-f+A]{7,9}\\.[0-9+]{5,8}\\.[0-9a-f]{15,17}\\.bundle") {
            if let Ok(parsed) = name.parse::<BundleName>() {
                prop_assert_eq!(parsed.to_string(), name);
            }
        }

        #[test]
        fn every_name_comes_back(epoch in 0..=i64::MAX as u64, sequence in 0..=i64::MAX as u64, digest: u64, small in 0..3) {
            let few = |number: u64| number >> (24 * small);
            let name = BundleName {
                epoch: Epoch(few(epoch)),
                sequence: Sequence(few(sequence)),
                digest: ShortDigest(digest),
                ..EXAMPLE.parse().unwrap()
            };
            prop_assert_eq!(name.to_string().parse::<BundleName>(), Ok(name));
        }
    }

    #[test]
    fn names_sort_by_number_and_not_by_spelling() {
        let at = |epoch: u64, sequence: u64| BundleName {
            epoch: Epoch(epoch),
            sequence: Sequence(sequence),
            ..EXAMPLE.parse().unwrap()
        };
        let mut names = [at(0x1_0000_0000, 1), at(2, 1_000_000), at(2, 999_999)];
        names.sort();
        assert_eq!(names, [at(2, 999_999), at(2, 1_000_000), at(0x1_0000_0000, 1)]);
    }

    #[test]
    fn the_digest_is_the_start_of_blake3_of_all_bytes() {
        let bytes = vec![7; 100_000];
        let whole = crate::id::Digest::of(&bytes).to_string();
        assert_eq!(ShortDigest::of(bytes.as_slice()).unwrap().to_string(), whole[..16]);
    }
}
