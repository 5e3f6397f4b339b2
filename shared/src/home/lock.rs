//! One run at a time on a home: the file `lock`.
//!
//! Owns the lock and the words in it that tell a second run who holds it. Invariant: the operating system holds the
//! lock, so that a killed run leaves none behind; the words are only for people and only true while it is held.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::config::one_line;

/// The longest description of a holder that is written or read.
const HOLDER_MAX: usize = 300;

/// A home held by this run, until it is dropped.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

/// A home that cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run works on {} ({holder}): wait until it is done", home.display())]
    Busy {
        /// The home.
        home: PathBuf,
        /// Who, in words: process and command where they can be told.
        holder: String,
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
    pub(super) fn take(path: &Path, command: &str) -> Result<Self, LockError> {
        let failed = |source| LockError::Failed { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let home = path.parent().unwrap_or(path).to_owned();
                return Err(LockError::Busy { home, holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let lock = Self { file };
        // A full disk must not keep anybody from working: the words are a courtesy.
        let _ = lock.describe(command);
        Ok(lock)
    }

    fn describe(&self, command: &str) -> io::Result<()> {
        let words = format!("packhorse {command}, process {}", std::process::id());
        self.file.set_len(0)?;
        (&self.file).rewind()?;
        (&self.file).write_all(shortened(&words).as_bytes())
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // Closing the file gives the lock back; the words go first, so that they are not taken for the next holder's.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // Some systems let nobody read a locked file, and the holder may not have come to writing yet.
    let _ = file.take(HOLDER_MAX as u64).read_to_end(&mut bytes);
    let words = shortened(&String::from_utf8_lossy(&bytes));
    if words.is_empty() { "it has not told who it is".to_owned() } else { words }
}

fn shortened(words: &str) -> String {
    let line = one_line(words);
    line.get(..line.floor_char_boundary(HOLDER_MAX)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn busy(path: &Path) -> String {
        match HomeLock::take(path, "second") {
            Err(LockError::Busy { holder, .. }) => holder,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_home_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = HomeLock::take(&path, "sync --for 60s").unwrap();
        assert_eq!(busy(&path), format!("packhorse sync --for 60s, process {}", std::process::id()));
        drop(lock);
        assert_eq!(fs::read(&path).unwrap(), b"");
        let _again = HomeLock::take(&path, "third").unwrap();
        assert!(busy(&path).starts_with("packhorse third"));
    }

    #[test]
    fn the_words_of_a_killed_run_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, "process 1: a very long command that was killed and left its words here").unwrap();
        let _lock = HomeLock::take(&path, "x").unwrap();
        assert_eq!(busy(&path), format!("packhorse x, process {}", std::process::id()));
    }

    #[test]
    fn words_are_one_bounded_line_and_nonsense_is_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = HomeLock::take(&path, &format!("a\nb\u{1b}[2J{}", "ä".repeat(1000))).unwrap();
        let words = busy(&path);
        assert!(words.len() <= HOLDER_MAX + 3 && words.contains("a; b; [2J"), "{words}");
        lock.file.set_len(0).unwrap();
        assert_eq!(busy(&path), "it has not told who it is");
    }

    #[test]
    fn a_lock_that_cannot_be_made_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone").join("lock");
        assert!(matches!(HomeLock::take(&missing, "x"), Err(LockError::Failed { path, .. }) if path == missing));
    }
}
