//! When the service calls next after calls that failed.
//!
//! Owns the file `redial`: a line that is down is not asked at once by a service that is started again, and a
//! call that gets through, whoever made it, ends the waiting by taking the file away. Nothing depends on it: without it, or
//! if it is damaged, the next call is made at once.

use std::io;
use std::path::Path;

use crate::clock::WallTime;
use crate::seam::{Disk, write_for_all};

const REDIAL: &str = "redial";

/// The next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redial {
    /// How many calls in a row have failed.
    pub failures: u32,
    /// When the next one is made.
    pub next: WallTime,
}

impl Redial {
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = super::read_if_sound(&folder.join(REDIAL));
        let (failures, next) = text.trim_end().split_once(' ')?;
        Some(Self { failures: failures.parse().ok()?, next: WallTime(next.parse().ok()?) })
    }

    pub(super) fn write(self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        write_for_all(disk, &folder.join(REDIAL), format!("{} {}\n", self.failures, self.next.0).as_bytes())
    }

    pub(super) fn clear(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let path = folder.join(REDIAL);
        // Taking away what is not there would cost every call a write.
        if path.exists() { disk.remove(&path) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::seam::OsDisk;

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let redial = Redial { failures: 3, next: WallTime(1_900_000_000_000) };
        assert_eq!(Redial::read(folder.path()), None);
        Redial::clear(&OsDisk, folder.path()).unwrap();
        redial.write(&OsDisk, folder.path()).unwrap();
        assert_eq!(Redial::read(folder.path()), Some(redial));
        for damaged in ["", "3", "3 x", "x 3", "-1 5", "\u{fffd}"] {
            fs::write(folder.path().join(REDIAL), damaged).unwrap();
            assert_eq!(Redial::read(folder.path()), None, "{damaged}");
        }
        Redial::clear(&OsDisk, folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
