//! The disk of a simulated machine: the real file system, where any call can fail and nothing is waited for.
//!
//! Owns the asking before each call and the telling of what it has changed. Invariants: a refused call changes nothing,
//! but for a write that may have written half; syncing only notes what is on the disk for certain. On a thread without a
//! simulation it is the real disk.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use packhorse_shared::seam::{Disk, DurableFile, OsDisk, ReadableFile};

use crate::fate::{self, Refusal};
use crate::unsynced::{self, whole};

/// The simulated disk of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimDisk;

/// A new file that is being written from its beginning to its end.
struct SimFile {
    file: Box<dyn DurableFile>,
    place: PathBuf,
    length: u64,
}

impl SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unsynced::appending(&self.place, self.length, bytes);
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match fate::meet("disk-write") {
            Ok(()) => self.append(bytes),
            Err(refusal) => {
                if matches!(refusal, Refusal::Failed(_)) {
                    self.append(&bytes[..bytes.len() / 2])?;
                }
                Err(refusal.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DurableFile for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        fate::meet("disk-sync")?;
        unsynced::synced(&self.place, self.length);
        Ok(())
    }
}

/// A file that is read.
struct SimReading(Box<dyn ReadableFile>);

impl Read for SimReading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        fate::meet_reading(fate::DISK_READ)?;
        self.0.read(into)
    }
}

impl Seek for SimReading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl SimDisk {
    fn make_folder(self, folder: &Path) -> io::Result<()> {
        fate::meet("disk-create-folder")?;
        fs::create_dir(folder)?;
        unsynced::folder_made(&whole(folder));
        Ok(())
    }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        if !crate::is_armed() {
            return OsDisk.create_new(path);
        }
        fate::meet("disk-create")?;
        let file = OsDisk.create_new(path)?;
        let place = whole(path);
        unsynced::made(&place);
        Ok(Box::new(SimFile { file, place, length: 0 }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if !crate::is_armed() {
            return OsDisk.create_folder(path);
        }
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<&Path> = path.ancestors().take_while(is_new).collect();
        missing.iter().rev().try_for_each(|folder| self.make_folder(folder))?;
        // What is in the way of a folder is told as the real disk tells it.
        fs::create_dir_all(path)?;
        let above = missing.iter().copied().chain([path]).filter_map(Path::parent);
        above.collect::<std::collections::BTreeSet<_>>().into_iter().try_for_each(|folder| self.sync_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if !crate::is_armed() {
            return OsDisk.rename(from, to);
        }
        fate::meet("disk-rename")?;
        let (from, to) = (whole(from), whole(to));
        let replaced = unsynced::last(&to);
        OsDisk.rename(&from, &to)?;
        unsynced::renamed(&from, &to, replaced);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !crate::is_armed() {
            return OsDisk.remove(path);
        }
        fate::meet("disk-remove")?;
        let last = unsynced::last(path);
        OsDisk.remove(path)?;
        if let Some(last) = last {
            unsynced::removed(&whole(path), last);
        }
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        if !crate::is_armed() {
            return OsDisk.sync_file(path);
        }
        fate::meet("disk-sync")?;
        let length = File::open(path)?.metadata()?.len();
        unsynced::synced(&whole(path), length);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if !crate::is_armed() {
            return OsDisk.sync_folder(path);
        }
        fate::meet("disk-sync-folder")?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        unsynced::folder_synced(&path.canonicalize()?);
        Ok(())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadableFile>> {
        fate::meet_reading(fate::DISK_OPEN)?;
        Ok(Box::new(SimReading(OsDisk.open(path)?)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<DirEntry>> {
        fate::meet_reading(fate::DISK_LIST)?;
        OsDisk.list(folder)
    }
}
