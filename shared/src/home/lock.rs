//! Who works on a home: one run at a time, one transfer at a time, one service.
//!
//! Owns the lock files and the words in them that tell a second one who holds what. Invariants: the operating system holds
//! a lock, so that a killed run leaves none behind; the words are only true while it is held. Whoever takes several takes
//! them in the order of [`Claim`], or two runs could wait for each other.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::INBOX;
use crate::calls;
use crate::config::one_line;
use crate::seam::{Disk, OsDisk, open_lock, open_to_read};

/// The longest description of a holder that is written or read.
const HOLDER_MAX: usize = 300;

/// What of a home one process at a time can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The service's place: held for as long as it runs.
    Service,
    /// The courier's place: held for as long as it, or a service that makes its calls itself, runs.
    Courier,
    /// The moving of bundles between the spool and the relays, which may take as long as the line is slow.
    Transfer,
    /// Everything else that changes the home or its database.
    Work,
}

impl Claim {
    /// Every claim.
    pub(super) const ALL: [Self; 4] = [Self::Service, Self::Courier, Self::Transfer, Self::Work];

    /// The name of its lock file.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Service => "watch.lock",
            Self::Courier => calls::LOCKS[1],
            Self::Transfer => calls::LOCKS[0],
            Self::Work => "lock",
        }
    }

    fn held(self) -> &'static str {
        match self {
            Self::Service => "a service runs already for",
            Self::Courier => "another service makes the calls of",
            Self::Transfer => "another run moves the bundles of",
            Self::Work => "another run works on",
        }
    }

    fn way_out(self) -> &'static str {
        match self {
            Self::Service | Self::Courier => "one is enough: let it run, or stop it first",
            Self::Transfer | Self::Work => "wait until it is done",
        }
    }
}

/// A part of a home held by this run, until it is dropped.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

/// Who holds a lock, as its words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// Whether it has told who it is.
    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether it is another process than this one.
    pub fn is_another(&self) -> bool {
        self.is_known() && !self.0.ends_with(&process())
    }

    /// Whether it is the unattended service, whose turns are short.
    pub fn is_service(&self) -> bool {
        self.0.starts_with(&words_of(SERVICE))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "it has not told who it is" } else { &self.0 })
    }
}

/// The command that is the service.
pub const SERVICE: &str = "watch";

/// A home that cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("{} {} ({holder}): {}", claim.held(), home.display(), claim.way_out())]
    Busy {
        /// The home.
        home: PathBuf,
        /// What of it.
        claim: Claim,
        /// By whom.
        holder: Holder,
    },
    /// The lock file cannot be used.
    #[error("cannot lock this home ({}): {source}", path.display())]
    Failed {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl HomeLock {
    pub(super) fn take(home: &Path, claim: Claim, command: &str) -> Result<Self, LockError> {
        let path = &home.join(claim.file());
        let failed = |source| LockError::Failed { path: path.to_owned(), source };
        make_folder(home, path).map_err(failed)?;
        let mut file = open_lock(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Busy { home: home.to_owned(), claim, holder: Holder::read(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let lock = Self { file };
        // A full disk must not keep anybody from working: the words are a courtesy.
        let _ = lock.describe(command);
        Ok(lock)
    }

    /// Whether somebody holds it, and who. Looking holds it for a moment together with whoever else looks.
    pub(super) fn holder(home: &Path, claim: Claim) -> Option<Holder> {
        let mut file = open_to_read(&home.join(claim.file())).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Holder::read(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    fn describe(&self, command: &str) -> io::Result<()> {
        let words = format!("{}{}", words_of(command), process());
        self.file.set_len(0)?;
        (&self.file).rewind()?;
        (&self.file).write_all(shortened(&words).as_bytes())
    }
}

/// A lock may lie in a folder of the home's, which a copy can have lost.
fn make_folder(home: &Path, lock: &Path) -> io::Result<()> {
    match lock.parent().filter(|folder| *folder != home && !folder.exists()) {
        Some(folder) if home.is_dir() => {
            OsDisk.create_folder(folder).and_then(|()| OsDisk.share_folder(folder, &home.join(INBOX)))
        }
        _ => Ok(()),
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // Closing the file gives the lock back; the words go first, so that they are not taken for the next holder's.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

impl Holder {
    fn read(file: &mut File) -> Self {
        let mut bytes = Vec::new();
        // Some systems let nobody read a locked file, and the holder may not have come to writing yet.
        let _ = file.take(HOLDER_MAX as u64).read_to_end(&mut bytes);
        Self(shortened(&String::from_utf8_lossy(&bytes)))
    }
}

fn process() -> String {
    format!(", process {}", std::process::id())
}

fn words_of(command: &str) -> String {
    format!("packhorse {command}")
}

fn shortened(words: &str) -> String {
    let line = one_line(words);
    line.get(..line.floor_char_boundary(HOLDER_MAX)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn busy(home: &Path) -> String {
        match HomeLock::take(home, Claim::Work, "second") {
            Err(LockError::Busy { holder, .. }) => holder.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn take(home: &Path, command: &str) -> HomeLock {
        HomeLock::take(home, Claim::Work, command).unwrap()
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_home_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let lock = take(home, "sync --for 60s");
        assert_eq!(busy(home), format!("packhorse sync --for 60s, process {}", std::process::id()));
        drop(lock);
        assert_eq!(fs::read(home.join("lock")).unwrap(), b"");
        let _again = take(home, "third");
        assert!(busy(home).starts_with("packhorse third"));
    }

    #[test]
    fn each_claim_is_held_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let _locks = Claim::ALL.map(|claim| HomeLock::take(folder.path(), claim, "watch").unwrap());
        let told = Claim::ALL.map(|claim| HomeLock::take(folder.path(), claim, "watch").unwrap_err().to_string());
        assert!(told[0].starts_with("a service runs already for"), "{}", told[0]);
        assert!(told[1].starts_with("another service makes the calls of"), "{}", told[1]);
        assert!(told[2].starts_with("another run moves the bundles of"), "{}", told[2]);
        assert!(told[3].starts_with("another run works on"), "{}", told[3]);
    }

    #[test]
    fn who_holds_it_can_be_asked_without_taking_it() {
        let folder = tempfile::tempdir().unwrap();
        let ask = || {
            HomeLock::holder(folder.path(), Claim::Service).map(|holder| holder.is_service() && !holder.is_another())
        };
        assert_eq!(ask(), None, "there is no file");
        let lock = HomeLock::take(folder.path(), Claim::Service, SERVICE).unwrap();
        assert_eq!((ask(), ask()), (Some(true), Some(true)));
        drop(lock);
        assert_eq!(ask(), None);
        HomeLock::take(folder.path(), Claim::Service, SERVICE).unwrap();
    }

    #[test]
    fn the_service_is_told_from_other_holders() {
        let folder = tempfile::tempdir().unwrap();
        let is_service = |command: &str| {
            let _lock = take(folder.path(), command);
            match HomeLock::take(folder.path(), Claim::Work, "second") {
                Err(LockError::Busy { holder, .. }) => holder.is_service(),
                other => panic!("{other:?}"),
            }
        };
        assert!(is_service(SERVICE));
        assert!(!is_service("sync"));
    }

    #[test]
    fn the_words_of_a_killed_run_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let words = "process 1: a very long command that was killed and left its words here";
        fs::write(home.join("lock"), words).unwrap();
        let _lock = take(home, "x");
        assert_eq!(busy(home), format!("packhorse x, process {}", std::process::id()));
    }

    #[test]
    fn words_are_one_bounded_line_and_nonsense_is_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let lock = take(home, &format!("a\nb\u{1b}[2J{}", "ä".repeat(1000)));
        let words = busy(home);
        assert!(words.len() <= HOLDER_MAX + 3 && words.contains("a; b; [2J"), "{words}");
        lock.file.set_len(0).unwrap();
        assert_eq!(busy(home), "it has not told who it is");
    }

    #[test]
    fn a_lock_that_cannot_be_made_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone");
        let refused = HomeLock::take(&missing, Claim::Work, "x");
        assert!(matches!(refused, Err(LockError::Failed { path, .. }) if path == missing.join("lock")));
    }
}
