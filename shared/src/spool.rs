//! The folders of bundle files in a node's home.
//!
//! Owns where a bundle lies at each stage, and the steps between the stages. Invariants: a file in `outbox` or `inbox`
//! is complete and on the disk; a name that came from outside never becomes a path before it was checked; nothing in
//! `quarantine` is without its reason. Leaves names' meaning to [`crate::bundle::BundleName`].
//!
//! `outbox/PEER/` holds what is sealed, `inbox/` what has arrived, `tmp/` what is being made or fetched, `quarantine/`
//! what could not be used.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::clock::WallTime;
use crate::home::Home;
use crate::id::NodeName;
use crate::seam::{Disk, publish};

/// The longest file name.
const NAME_MAX: usize = 255;

/// Endings of files that are not bundles: unfinished ones, and reasons.
const OTHER_ENDINGS: [&str; 3] = [".part", ".new", ".reason"];

/// A file in one of the folders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpoolFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system said no.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that must not become a path.
    #[error("\"{name}\" cannot be the name of a file in the spool")]
    Name {
        /// The name, cut to a readable length.
        name: String,
    },
}

/// The folders of one node.
pub struct Spool<'a> {
    folder: PathBuf,
    disk: &'a dyn Disk,
}

impl<'a> Spool<'a> {
    /// The spool of a home.
    pub fn new(home: &Home, disk: &'a dyn Disk) -> Self {
        Self { folder: home.folder().to_owned(), disk }
    }

    /// What waits to leave for a peer, by name.
    pub fn outbox(&self, peer: &NodeName) -> Result<Vec<SpoolFile>, SpoolError> {
        list(&self.folder_of_outbox(peer))
    }

    /// What has arrived, by name.
    pub fn inbox(&self) -> Result<Vec<SpoolFile>, SpoolError> {
        list(&self.folder.join("inbox"))
    }

    /// What lies in the inbox and can be no bundle: folders, links, names that are none of ours.
    pub fn strangers_in_inbox(&self) -> Result<Vec<String>, SpoolError> {
        Ok(sorted_out(&self.folder.join("inbox"))?.1)
    }

    /// What could not be used, by name; the reasons lie beside it.
    pub fn quarantined(&self) -> Result<Vec<SpoolFile>, SpoolError> {
        list(&self.folder.join("quarantine"))
    }

    /// What lies in `tmp`, finished or not.
    pub fn leftovers(&self) -> Result<Vec<SpoolFile>, SpoolError> {
        read(&self.folder_of_tmp())
    }

    /// The folder in which files are made and fetched; on one file system with the others.
    pub fn folder_of_tmp(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    fn folder_of_outbox(&self, peer: &NodeName) -> PathBuf {
        self.folder.join("outbox").join(peer.as_str())
    }

    /// A place in `tmp`, cleared of what an earlier run left there.
    pub fn fresh_tmp(&self, name: &str) -> Result<PathBuf, SpoolError> {
        let path = self.folder_of_tmp().join(checked(name)?);
        self.disk.remove(&path).map_err(failed("remove", &path))?;
        Ok(path)
    }

    /// Moves a finished file from `tmp` into the outbox for a peer.
    pub fn publish_to_outbox(&self, peer: &NodeName, name: &str) -> Result<(), SpoolError> {
        let folder = self.folder_of_outbox(peer);
        self.disk.create_folder(&folder).map_err(failed("make the folder", &folder))?;
        self.publish(name, &folder)
    }

    /// Moves a finished file from `tmp` into the inbox.
    pub fn publish_to_inbox(&self, name: &str) -> Result<(), SpoolError> {
        self.publish(name, &self.folder.join("inbox"))
    }

    fn publish(&self, name: &str, folder: &Path) -> Result<(), SpoolError> {
        let name = checked(name)?;
        let (from, to) = (self.folder_of_tmp().join(name), folder.join(name));
        self.disk.sync_file(&from).map_err(failed("sync", &from))?;
        publish(self.disk, &from, &to).map_err(failed("put in place", &to))
    }

    /// Takes a file out of the outbox: the relay has it.
    pub fn remove_from_outbox(&self, peer: &NodeName, name: &str) -> Result<(), SpoolError> {
        self.remove(&self.folder_of_outbox(peer).join(checked(name)?))
    }

    /// Takes a file out of the inbox: the database has it.
    pub fn remove_from_inbox(&self, name: &str) -> Result<(), SpoolError> {
        self.remove(&self.folder.join("inbox").join(checked(name)?))
    }

    fn remove(&self, path: &Path) -> Result<(), SpoolError> {
        self.disk.remove(path).map_err(failed("remove", path))
    }

    /// Moves a file into quarantine, its reason first, and tells where it lies. A name that is taken gets a number.
    pub fn quarantine(&self, from: &Path, name: &str, why: &str, now: WallTime) -> Result<PathBuf, SpoolError> {
        let folder = self.folder.join("quarantine");
        let place = free_place(&folder, checked(name)?);
        let mut reason = place.clone().into_os_string();
        reason.push(".reason");
        let reason = PathBuf::from(reason);
        let told = jiff::Timestamp::from_millisecond(i64::try_from(now.0).unwrap_or(0)).unwrap_or_default();
        let text = format!(
            "{told}\n{name}\n{why}\n\nIts sender is asked to send again; this file is kept to be looked at and can be removed.\n"
        );
        self.write_reason(&reason, &text).map_err(failed("write", &reason))?;
        publish(self.disk, from, &place).map_err(failed("put into quarantine", from))?;
        Ok(place)
    }

    fn write_reason(&self, path: &Path, text: &str) -> io::Result<()> {
        // A reason without its file is what a run that was cut short left.
        self.disk.remove(path)?;
        let mut file = self.disk.create_new(path)?;
        file.write_all(text.as_bytes())?;
        file.sync()
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::File { doing, path, source }
}

/// A name that can stand for a file and for nothing else.
fn checked(name: &str) -> Result<&str, SpoolError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte);
    let fits = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
    if fits { Ok(name) } else { Err(SpoolError::Name { name: name.chars().take(64).collect() }) }
}

fn free_place(folder: &Path, name: &str) -> PathBuf {
    let mut place = folder.join(name);
    let mut number = 1u32;
    while place.exists() {
        number += 1;
        place = folder.join(format!("{name}.{number}"));
    }
    place
}

fn list(folder: &Path) -> Result<Vec<SpoolFile>, SpoolError> {
    let is_bundle = |file: &SpoolFile| !OTHER_ENDINGS.iter().any(|ending| file.name.ends_with(ending));
    Ok(read(folder)?.into_iter().filter(is_bundle).collect())
}

/// The plain files of a folder that bear names of ours.
fn read(folder: &Path) -> Result<Vec<SpoolFile>, SpoolError> {
    Ok(sorted_out(folder)?.0)
}

/// The plain files of a folder that bear names of ours, and the names of everything else; a folder that is not there
/// is empty. Links are not followed: what they lead to is not in the spool.
fn sorted_out(folder: &Path) -> Result<(Vec<SpoolFile>, Vec<String>), SpoolError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let (mut files, mut strangers) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.map_err(failed("list", folder))?;
        // What cannot be looked at has just gone.
        let Ok(about) = entry.metadata() else { continue };
        match entry.file_name().into_string() {
            Ok(name) if about.is_file() && checked(&name).is_ok() => {
                files.push(SpoolFile { name, path: entry.path(), size: about.len() });
            }
            Ok(name) => strangers.push(name),
            Err(name) => strangers.push(name.to_string_lossy().into_owned()),
        }
    }
    files.sort();
    strangers.sort();
    Ok((files, strangers))
}
