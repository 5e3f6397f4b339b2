//! The spool: the folders through which bundle files pass.
//!
//! Owns `outbox/PEER/`, `inbox/`, `tmp/` and `quarantine/` of a home, which may be shared with a courier, and `packing/`, which is
//! not. Invariants: a name in an outbox or the inbox is
//! that of a complete file, on the disk with its content; every operation can be given again after any failure, and
//! then ends as if it had not failed; no name from outside becomes a path. Leaves to others what is in the files, what
//! the parts of their names mean, and which of them are due.

mod name;
mod quarantine;
#[cfg(test)]
mod tests;

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use name::{FILE_NAME_MAX, FileNameError};
pub use quarantine::Quarantined;

use crate::home::Home;
use crate::id::NodeName;
use crate::seam::{Disk, Saboteur, Steps, Uninterrupted, is_at_work, publish};
use name::{check, check_complete};

/// The spool of one home.
#[derive(Clone)]
pub struct Spool<'a> {
    home: PathBuf,
    outbox: PathBuf,
    inbox: PathBuf,
    tmp: PathBuf,
    quarantine: PathBuf,
    packing: PathBuf,
    disk: &'a dyn Disk,
    steps: &'a dyn Steps,
}

/// A file of the spool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpoolFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, where the system tells.
    pub written: Option<SystemTime>,
}

/// Something that the spool could not do.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The name is none for a file here.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// The file system refused something.
    #[error("cannot {what} ({}): {source}", path.display())]
    Failed {
        /// What was tried, in words.
        what: String,
        /// The folder or file concerned.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SpoolError {
    fn at(what: String, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Failed { what, path, source }
    }
}

impl<'a> Spool<'a> {
    /// The spool of a home, on this disk.
    pub fn new(home: &Home, disk: &'a dyn Disk) -> Self {
        let (outbox, inbox, tmp, quarantine) = (home.outbox(), home.inbox(), home.tmp(), home.quarantine());
        let (packing, home) = (home.packing(), home.folder().to_owned());
        Self { home, outbox, inbox, tmp, quarantine, packing, disk, steps: &Uninterrupted }
    }

    /// The same, telling of its durable steps.
    pub fn with_steps(self, steps: &'a dyn Steps) -> Self {
        Self { steps, ..self }
    }

    /// The complete files waiting for a node, sorted by name.
    pub fn outbox(&self, peer: &NodeName) -> Result<Vec<SpoolFile>, SpoolError> {
        list(self.disk, &self.outbox.join(peer.as_str()), check_complete)
    }

    /// The nodes for which there is an outbox, sorted.
    pub fn peers(&self) -> Result<Vec<NodeName>, SpoolError> {
        let mut peers: Vec<NodeName> = entries(self.disk, &self.outbox)?
            .into_iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        peers.sort();
        Ok(peers)
    }

    /// The complete files that have arrived, sorted by name.
    pub fn inbox(&self) -> Result<Vec<SpoolFile>, SpoolError> {
        list(self.disk, &self.inbox, check_complete)
    }

    /// What lies in the inbox and can be no bundle: folders, links, names that are none of ours.
    pub fn strangers_in_inbox(&self) -> Result<Vec<String>, SpoolError> {
        strangers(self.disk, &self.inbox)
    }

    /// What is being written, or was when a run ended early; sorted by name.
    pub fn leftovers(&self) -> Result<Vec<SpoolFile>, SpoolError> {
        list(self.disk, &self.tmp, check)
    }

    /// Where a file of this name is written before it is complete; there may be a part of it already.
    pub fn tmp_path(&self, name: &str) -> Result<PathBuf, SpoolError> {
        check(name)?;
        Ok(self.tmp.join(name))
    }

    /// The same, with nothing there: a leftover of that name is removed.
    pub fn fresh_tmp(&self, name: &str) -> Result<PathBuf, SpoolError> {
        let path = self.tmp_path(name)?;
        self.need_folder(&self.tmp)?;
        let what = format!("remove the leftover \"{name}\"");
        self.disk.remove(&path).map_err(SpoolError::at(what, &path))?;
        Ok(path)
    }

    /// Where a database is made that nobody else may see, with nothing there.
    pub fn fresh_packing(&self, name: &str) -> Result<PathBuf, SpoolError> {
        check(name)?;
        let path = self.packing.join(name);
        self.need_folder(&self.packing)?;
        self.disk.remove(&path).map_err(SpoolError::at(format!("remove the leftover \"{name}\""), &path))?;
        Ok(path)
    }

    /// The names of what was being made there when a run ended early.
    pub fn packings(&self) -> Result<Vec<String>, SpoolError> {
        Ok(list(self.disk, &self.packing, check)?.into_iter().map(|file| file.name).collect())
    }

    /// Moves a complete file from `tmp` into a node's outbox, durably, and returns where it is.
    pub fn publish_to_outbox(&self, peer: &NodeName, tmp_name: &str) -> Result<PathBuf, SpoolError> {
        check_complete(tmp_name)?;
        let folder = self.outbox.join(peer.as_str());
        // Each time, because a folder that an earlier run made may not have been synced.
        self.make_folder(&folder)?;
        self.publish(tmp_name, &folder, &format!("the outbox of {peer}"))
    }

    /// Moves a complete file from `tmp` into the inbox, durably, and returns where it is.
    pub fn publish_to_inbox(&self, tmp_name: &str) -> Result<PathBuf, SpoolError> {
        check_complete(tmp_name)?;
        self.need_folder(&self.inbox)?;
        self.publish(tmp_name, &self.inbox, "the inbox")
    }

    /// Takes a file out of a node's outbox; success if it is not there.
    pub fn remove_from_outbox(&self, peer: &NodeName, name: &str) -> Result<(), SpoolError> {
        self.remove(name, &self.outbox.join(peer.as_str()), &format!("the outbox of {peer}"))
    }

    /// Takes a file out of the inbox; success if it is not there.
    pub fn remove_from_inbox(&self, name: &str) -> Result<(), SpoolError> {
        self.remove(name, &self.inbox, "the inbox")
    }

    /// The name has been checked.
    fn publish(&self, name: &str, folder: &Path, into: &str) -> Result<PathBuf, SpoolError> {
        let (from, to) = (self.tmp.join(name), folder.join(name));
        let moved = match from.symlink_metadata() {
            // An earlier run was cut off between the move and the last sync.
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_file(&to) => self.sync_both(&from, &to),
            Err(error) => Err(error),
            Ok(_) if is_at_work(Saboteur::ForgetFileSync) => publish(self.disk, &from, &to),
            Ok(_) => self.disk.sync_file(&from).and_then(|()| publish(self.disk, &from, &to)),
        };
        moved.map_err(SpoolError::at(format!("move \"{name}\" into {into}"), folder))?;
        Ok(to)
    }

    /// Without a sync: a file that comes back after a power cut is sent or applied once more, which does no harm.
    fn remove(&self, name: &str, folder: &Path, out_of: &str) -> Result<(), SpoolError> {
        check(name)?;
        let what = format!("remove \"{name}\" from {out_of}");
        self.disk.remove(&folder.join(name)).map_err(SpoolError::at(what, folder))
    }

    fn sync_both(&self, from: &Path, to: &Path) -> io::Result<()> {
        [to.parent(), from.parent()].into_iter().flatten().try_for_each(|folder| self.disk.sync_folder(folder))
    }

    /// A folder with which a new one is shared, if it is shared: with a courier.
    fn shared_like(&self, folder: &Path) -> &Path {
        let others = [&self.inbox, &self.tmp, &self.quarantine];
        others.into_iter().find(|other| *other != folder && other.is_dir()).unwrap_or(&self.home)
    }

    /// Copying a home can lose its empty folders.
    fn need_folder(&self, folder: &Path) -> Result<(), SpoolError> {
        if folder.is_dir() { Ok(()) } else { self.make_folder(folder) }
    }

    /// Where the home itself is not, its disk has gone away: nothing may be written in its place.
    fn make_folder(&self, folder: &Path) -> Result<(), SpoolError> {
        fs::metadata(&self.home).map_err(SpoolError::at("find the home".to_owned(), &self.home))?;
        let made = self.disk.create_folder(folder).and_then(|()| match *folder == self.packing {
            true => Ok(()),
            false => self.disk.share_folder(folder, self.shared_like(folder)),
        });
        made.map_err(SpoolError::at("make the folder".to_owned(), folder))
    }
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// The files of a folder whose names pass, sorted; what else somebody has put there is passed over.
fn list(
    disk: &dyn Disk,
    folder: &Path,
    pass: fn(&str) -> Result<(), FileNameError>,
) -> Result<Vec<SpoolFile>, SpoolError> {
    let mut files = Vec::new();
    for entry in entries(disk, folder)? {
        let Some(name) = entry.file_name().to_str().filter(|name| pass(name).is_ok()).map(str::to_owned) else {
            continue;
        };
        let path = entry.path();
        match entry.metadata() {
            Ok(meta) if meta.is_file() => {
                files.push(SpoolFile { name, path, size: meta.len(), written: meta.modified().ok() });
            }
            Ok(_) => {}
            // Moved on since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(SpoolError::at(format!("look at \"{name}\""), folder)(error)),
        }
    }
    files.sort();
    Ok(files)
}

/// The names in a folder of what [`list`] passes over and is not merely unfinished: folders, links, foreign names.
fn strangers(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, SpoolError> {
    let mut names = Vec::new();
    for entry in entries(disk, folder)? {
        let name = entry.file_name();
        let fits = name.to_str().is_some_and(|name| check(name).is_ok());
        // Links are not followed: what they lead to is not in the spool.
        let is_file = entry.metadata().is_ok_and(|about| about.is_file());
        if !(fits && is_file) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// What is in a folder; nothing, if there is none.
fn entries(disk: &dyn Disk, folder: &Path) -> Result<Vec<DirEntry>, SpoolError> {
    match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(SpoolError::at("list the folder".to_owned(), folder)),
    }
}
