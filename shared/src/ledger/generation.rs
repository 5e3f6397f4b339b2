//! Which ledger this is, and how often it was written: kept in it and in a small file beside it.
//!
//! Owns that file. Invariant: the file tells a write only after it is in the ledger, so a ledger that says less than
//! the file has lost something: sled opens a file that was cut short as if nothing had ever been in it.

use std::path::Path;
use std::{fs, io};

use crate::seam::{Disk, write_durably};

/// The length of a generation in bytes.
pub(super) const GENERATION_LENGTH: usize = 16;

/// A ledger's identity and the number of its latest write; 0 while it is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) ledger: u64,
    pub(super) write: u64,
}

/// What the file beside the ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Nonsense,
    Says(Generation),
}

impl Generation {
    /// That of the next write.
    pub(super) fn next(self) -> Self {
        Self { write: self.write.saturating_add(1), ..self }
    }

    /// Whether a ledger that says this is whole, if this is what stands beside it. A kill can come between a write
    /// and the word of it.
    pub(super) fn follows(self, beside: Self) -> bool {
        self.ledger == beside.ledger && (self.write == beside.write || self == beside.next())
    }

    pub(super) fn to_bytes(self) -> [u8; GENERATION_LENGTH] {
        let mut bytes = [0; GENERATION_LENGTH];
        let (ledger, write) = bytes.split_at_mut(8);
        ledger.copy_from_slice(&self.ledger.to_be_bytes());
        write.copy_from_slice(&self.write.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; GENERATION_LENGTH]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { ledger: (both >> 64) as u64, write: both as u64 }
    }

    pub(super) fn write_beside(self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        write_durably(disk, path, format!("{:016x} {}\n", self.ledger, self.write).as_bytes())
    }
}

impl Beside {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(parse(&bytes).map_or(Self::Nonsense, Self::Says)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(Self::Nonsense),
            Err(error) => Err(error),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Generation> {
    let (ledger, write) = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split_once(' ')?;
    Some(Generation { ledger: u64::from_str_radix(ledger, 16).ok()?, write: write.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::OsDisk;

    #[test]
    fn a_generation_comes_back_from_its_file_and_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.generation");
        assert_eq!(Beside::read(&path).unwrap(), Beside::Nothing);
        for generation in [Generation { ledger: u64::MAX, write: 0 }, Generation { ledger: 1, write: u64::MAX }] {
            generation.write_beside(&OsDisk, &path).unwrap();
            assert_eq!(Beside::read(&path).unwrap(), Beside::Says(generation));
            assert_eq!(Generation::from_bytes(generation.to_bytes()), generation);
        }
        for bad in [&b""[..], b"\xff", b"0000000000000001", b"0000000000000001 2", b"1 -2\n", b"x 2\n"] {
            fs::write(&path, bad).unwrap();
            assert_eq!(Beside::read(&path).unwrap(), Beside::Nonsense);
        }
    }

    #[test]
    fn a_ledger_may_be_one_write_ahead_and_never_behind() {
        let at = |write| Generation { ledger: 7, write };
        assert!(at(3).follows(at(3)) && at(4).follows(at(3)));
        assert!(!at(2).follows(at(3)) && !at(5).follows(at(3)) && !at(0).follows(at(3)));
        assert!(!Generation { ledger: 8, write: 3 }.follows(at(3)));
    }
}
