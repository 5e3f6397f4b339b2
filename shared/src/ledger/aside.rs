//! Damaged ledgers, moved aside so that somebody may look at them.
//!
//! Owns the folders `ledger.damaged-TIME` of a home. Invariant: only a few are kept.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::clock::WallTime;
use crate::seam::Disk;

/// How many damaged ledgers are kept.
pub const DAMAGED_MAX: usize = 3;

/// What their names begin with.
pub(crate) const DAMAGED: &str = "ledger.damaged-";

/// Moves a damaged ledger aside and returns where it is; the oldest of many go.
pub(super) fn move_aside(disk: &dyn Disk, home: &Path, ledger: &Path, now: WallTime) -> io::Result<PathBuf> {
    let place = free_place(home, now)?;
    disk.rename(ledger, &place)?;
    disk.sync_folder(home)?;
    let kept = damaged(home)?;
    for old in kept.iter().take(kept.len().saturating_sub(DAMAGED_MAX)) {
        // What cannot be cleared away does no harm.
        let _ = remove_whole(old);
    }
    Ok(place)
}

/// Takes away a folder of ours, or what somebody has put in its place.
pub(super) fn remove_whole(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn free_place(home: &Path, now: WallTime) -> io::Result<PathBuf> {
    let time = i64::try_from(now.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let time = time.map_or_else(|| now.0.to_string(), |time| time.strftime("%Y%m%dT%H%M%SZ").to_string());
    let numbered = (2..1000).map(|number| format!("{DAMAGED}{time}-{number:03}"));
    let names = std::iter::once(format!("{DAMAGED}{time}")).chain(numbered);
    let mut places = names.map(|name| home.join(name));
    places.find(|place| place.symlink_metadata().is_err()).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// The damaged ledgers of a home, the oldest first.
fn damaged(home: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(DAMAGED) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
