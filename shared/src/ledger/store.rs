//! The ledger's database on disk: a folder of sled's.
//!
//! Owns every call of sled. Invariants: whatever the folder holds, a call ends with a result; what is read passed its
//! checksum; everything written in one go is there whole or not at all. sled's flush leaves the data to the system, so
//! the file is synced after it. Leaves to [`super`] what is done about damage.

use std::io;
use std::path::{Path, PathBuf};

use sled::{Batch, Db};

use super::books::Books;
use super::contained::{Mishap, contained};
use super::entry::{Entry, Key, checksum};
use super::generation::{GENERATION_LENGTH, Generation};
use crate::seam::Disk;

/// The most that sled keeps in memory, in bytes.
const CACHE: u64 = 16 << 20;

/// Where the generation stands among the entries.
const GENERATION_KEY: &[u8] = b"generation";

/// sled's main file in its folder.
const FILE: &str = "db";

/// Why a call on the store did not succeed.
#[derive(Debug)]
pub(super) enum StoreError {
    /// Another process has it open.
    InUse,
    /// The disk does not take what is to be written, or does not give what is there.
    Refused(io::Error),
    /// It does not hold what was written to it.
    Damaged(String),
}

impl From<Mishap> for StoreError {
    fn from(mishap: Mishap) -> Self {
        match mishap {
            Mishap::NoThread => Self::Refused(io::Error::other(mishap.to_string())),
            Mishap::Panicked | Mishap::StoodStill => Self::Damaged(mishap.to_string()),
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            // sled has no other word for it.
            sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => Self::InUse,
            sled::Error::Io(error) if is_of_the_disk(&error) => Self::Refused(error),
            other => Self::Damaged(words(&other)),
        }
    }
}

/// What sled says is for its makers.
fn words(error: &sled::Error) -> String {
    match error {
        sled::Error::Corruption { .. } => "what is in it does not have sled's checksum".to_owned(),
        sled::Error::CollectionNotFound(_) => "its entries cannot be found".to_owned(),
        sled::Error::Io(error) => format!("reading it failed: {}", error.kind()),
        _ => "sled cannot make anything of it".to_owned(),
    }
}

/// Refusals that say nothing of what is on the disk.
fn is_of_the_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::OutOfMemory
    )
}

/// The open store.
pub(super) struct Store {
    /// Present until it is closed; a standing call may hold a copy.
    db: Option<Db>,
    folder: PathBuf,
}

impl Store {
    /// Opens the store of a folder, or makes one there.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.to_owned();
        let opening = move || {
            let config = sled::Config::new().path(path).cache_capacity(CACHE);
            // Each call flushes by itself; a flusher's thread that panicked would be waited for without end.
            config.flush_every_ms(None).open()
        };
        Ok(Self { db: Some(contained(opening)??), folder: folder.to_owned() })
    }

    /// Reads everything, and checks it.
    pub(super) fn load(&self) -> Result<(Generation, Books), StoreError> {
        self.with(read_all)
    }

    /// Writes entries, takes others away, and sets the generation: all at once, durably.
    pub(super) fn write(
        &self,
        disk: &dyn Disk,
        generation: Generation,
        changes: Vec<(Key, Option<Entry>)>,
    ) -> Result<(), StoreError> {
        self.with(move |db| {
            let mut batch = Batch::default();
            for (key, entry) in changes {
                match entry.as_ref().and_then(|entry| entry.to_bytes(&key)) {
                    Some(bytes) => batch.insert(key.to_bytes(), bytes),
                    None => batch.remove(key.to_bytes()),
                }
            }
            batch.insert(GENERATION_KEY, sealed(generation));
            db.apply_batch(batch)?;
            db.flush()?;
            Ok(())
        })?;
        disk.sync_file(&self.folder.join(FILE)).map_err(StoreError::Refused)
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(db) = self.db.clone() else { return Err(StoreError::InUse) };
        // The copy kept here sees to it that a panic does not close the database while it unwinds.
        contained(move || work(&db))?
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing writes, and can panic like anything else there.
        let _ = contained(move || drop(db));
    }
}

fn read_all(db: &Db) -> Result<(Generation, Books), StoreError> {
    let damaged = |why: &str| StoreError::Damaged(why.to_owned());
    let (mut books, mut generation) = (Books::default(), None);
    for pair in db.iter() {
        let (key, value) = pair?;
        if key == GENERATION_KEY {
            generation = unsealed(&value);
            continue;
        }
        let key = Key::from_bytes(&key).ok_or_else(|| damaged("a key in it is none of ours"))?;
        let entry = Entry::from_bytes(&key, &value).ok_or_else(|| damaged("an entry does not have its checksum"))?;
        books.entries.insert(key, entry);
    }
    Ok((generation.ok_or_else(|| damaged("its generation is missing"))?, books))
}

fn sealed(generation: Generation) -> Vec<u8> {
    let content = generation.to_bytes();
    [&checksum(GENERATION_KEY, &content)[..], &content].concat()
}

fn unsealed(bytes: &[u8]) -> Option<Generation> {
    let content = bytes.last_chunk::<GENERATION_LENGTH>()?;
    let generation = Generation::from_bytes(*content);
    (sealed(generation) == bytes).then_some(generation)
}
