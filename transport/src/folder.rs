//! A relay that is a folder: a share, a disk that is carried along, or a folder that another tool synchronises.
//!
//! Invariants: a name appears by renaming a complete, synced `.part` beside it, never over another file; nothing is
//! made while the root is missing, since a mount point without its share must stay empty; a link planted in the
//! place of a file is not followed when writing. Relay files get the permissions of the share (the umask's), not of
//! the seam's private files: the other end reads them from another account. What is durable goes through [`Disk`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packhorse_shared::id::NodeName;
use packhorse_shared::seam::{Disk, Step, Steps, Uninterrupted};

use crate::carrier::{Carrier, Get, Listing, MARKER, MARKER_MAX, Put, Sink, Source};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;
use crate::stream::{CHUNK, read_fully};

/// Carries over a folder.
pub struct FolderCarrier<'a> {
    root: PathBuf,
    shown: String,
    disk: &'a dyn Disk,
    steps: &'a dyn Steps,
}

impl<'a> FolderCarrier<'a> {
    /// A carrier for a folder that need not exist yet, for `init`, which makes it.
    pub fn new(root: &Path, disk: &'a dyn Disk) -> Self {
        Self { root: root.to_owned(), shown: root.display().to_string(), disk, steps: &Uninterrupted }
    }

    /// The same, telling of its durable steps.
    pub fn with_steps(self, steps: &'a dyn Steps) -> Self {
        Self { steps, ..self }
    }

    /// A carrier for a folder that is there.
    pub fn open(root: &Path, disk: &'a dyn Disk) -> Result<Self, TransportError> {
        let carrier = Self::new(root, disk);
        carrier.require_root()?;
        Ok(carrier)
    }

    fn require_root(&self) -> Result<(), TransportError> {
        let found = fs::metadata(&self.root).and_then(|found| match found.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        });
        found.map_err(|source| TransportError::Unreachable { relay: self.shown.clone(), source: Arc::new(source) })
    }

    fn of_remote(&self, remote: Option<&NodeName>) -> PathBuf {
        remote.map_or_else(|| self.root.clone(), |remote| self.root.join(remote.as_str()))
    }

    fn folder(&self, mailbox: &Mailbox) -> PathBuf {
        mailbox.under(&self.root)
    }

    fn failed<'e>(
        &'e self,
        doing: &'static str,
        what: &'e dyn std::fmt::Display,
    ) -> impl Fn(io::Error) -> TransportError + 'e {
        move |source| TransportError::Failed {
            relay: self.shown.clone(),
            doing,
            what: what.to_string(),
            source: Arc::new(source),
        }
    }

    fn ensure_folder(&self, mailbox: &Mailbox, folder: &Path) -> Result<(), TransportError> {
        self.require_root()?;
        if folder.is_dir() {
            return Ok(());
        }
        // Step by step, each made durable, and the root itself never.
        let steps = [self.of_remote(mailbox.remote()), folder.to_owned()];
        let made = steps.iter().filter(|step| !step.is_dir()).try_for_each(|step| self.disk.create_folder(step));
        made.map_err(self.failed("make", mailbox))
    }

    fn clear(&self, mailbox: &Mailbox, paths: impl Iterator<Item = PathBuf>) -> Result<(), TransportError> {
        for path in paths {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let file = format!("{mailbox}/{}", path.file_name().unwrap_or_default().display());
                    return Err(self.failed("remove", &file)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Carrier for FolderCarrier<'_> {
    fn relay(&self) -> &str {
        &self.shown
    }

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let entries = match self.disk.list(&self.folder(mailbox)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.require_root().map(|()| Listing::default());
            }
            other => other.map_err(self.failed("list", mailbox))?,
        };
        let mut listing = Listing { present: true, ..Listing::default() };
        for entry in entries {
            note(&mut listing, &entry);
        }
        Ok(listing)
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        let folder = self.folder(mailbox);
        self.ensure_folder(mailbox, &folder)?;
        Placing {
            carrier: self,
            file: format!("{mailbox}/{name}"),
            target: folder.join(name.as_str()),
            part: folder.join(name.partial()),
            folder,
        }
        .run(source)
    }

    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        let path = self.folder(mailbox).join(name.as_str());
        let file = format!("{mailbox}/{name}");
        let mut opened = match self.disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.require_root().map(|()| Get::Absent),
            other => other.map_err(self.failed("read", &file))?,
        };
        let mut at = from;
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = read_fully(&mut *opened, at, &mut chunk).map_err(self.failed("read", &file))?;
            match chunk.get(..count).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => sink.take(bytes)?,
                None => return Ok(Get::Ended),
            }
            at += count as u64;
        }
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        let folder = self.folder(mailbox);
        self.clear(mailbox, names.iter().map(|name| folder.join(name.as_str())))
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        let folder = self.folder(mailbox);
        self.clear(mailbox, names.iter().map(|name| folder.join(name.partial())))
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        Ok(self.folder(mailbox).is_dir())
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.ensure_folder(mailbox, &self.folder(mailbox))
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        for folder in mailbox.below_root().map(|folder| self.folder(&folder)) {
            match fs::remove_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("remove", mailbox)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        let opened = match self.disk.open(&self.of_remote(remote).join(MARKER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(self.failed("read", &marker_of(remote)))?,
        };
        let mut content = Vec::new();
        let limit = MARKER_MAX as u64 + 1;
        opened.take(limit).read_to_end(&mut content).map_err(self.failed("read", &marker_of(remote)))?;
        Ok(Some(content))
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        let folder = self.of_remote(remote);
        let write = || {
            self.disk.create_folder(&folder)?;
            let beside = folder.join(format!("{MARKER}.new"));
            self.disk.remove(&beside)?;
            create(&beside)?.write_all(content)?;
            self.disk.sync_file(&beside)?;
            self.disk.rename(&beside, &folder.join(MARKER))?;
            self.disk.sync_folder(&folder)
        };
        write().map_err(self.failed("write", &marker_of(remote)))
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.disk.remove(&self.of_remote(None).join(MARKER)).map_err(self.failed("remove", &MARKER))
    }
}

/// The marker as it is told: the relay's own, or that in a remote's folder.
fn marker_of(remote: Option<&NodeName>) -> String {
    remote.map_or_else(|| MARKER.to_owned(), |remote| format!("{remote}/{MARKER}"))
}

/// One put: the steps from the bytes to the published name.
struct Placing<'c, 'a> {
    carrier: &'c FolderCarrier<'a>,
    file: String,
    folder: PathBuf,
    target: PathBuf,
    part: PathBuf,
}

impl Placing<'_, '_> {
    fn run(&self, source: &mut dyn Source) -> Result<Put, TransportError> {
        if self.is_taken()? {
            return self.settle_taken(source);
        }
        let from = self.resume_point(source)?;
        self.append(from, source)?;
        self.publish(source)?;
        Ok(Put::Placed { moved: source.size().saturating_sub(from) })
    }

    fn failed(&self, error: io::Error) -> TransportError {
        self.carrier.failed("put", &self.file)(error)
    }

    fn is_taken(&self) -> Result<bool, TransportError> {
        match fs::symlink_metadata(&self.target) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn settle_taken(&self, source: &mut dyn Source) -> Result<Put, TransportError> {
        if length(&self.target) != Some(source.size()) || !self.begins_alike(&self.target, source.size(), source)? {
            return Err(TransportError::NameTaken { relay: self.carrier.shown.clone(), file: self.file.clone() });
        }
        // An earlier attempt may have been killed between the rename and its fsync.
        let disk = self.carrier.disk;
        disk.remove(&self.part).and_then(|()| disk.sync_folder(&self.folder)).map_err(|error| self.failed(error))?;
        Ok(Put::Already)
    }

    /// Where to go on: the part's size if it is the beginning of the source, else 0 with the part gone.
    fn resume_point(&self, source: &mut dyn Source) -> Result<u64, TransportError> {
        let begun = length(&self.part).filter(|size| *size <= source.size());
        if let Some(size) = begun
            && self.begins_alike(&self.part, size, source)?
        {
            return Ok(size);
        }
        self.carrier.disk.remove(&self.part).map_err(|error| self.failed(error))?;
        Ok(0)
    }

    fn begins_alike(&self, path: &Path, size: u64, source: &mut dyn Source) -> Result<bool, TransportError> {
        let mut file = self.carrier.disk.open(path).map_err(|error| self.failed(error))?;
        let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = 0;
        while at < size {
            let count = read_fully(&mut *file, at, &mut theirs).map_err(|error| self.failed(error))?;
            let other = fill(source, at, &mut ours)?;
            let common = count.min(other).min(usize::try_from(size - at).unwrap_or(usize::MAX));
            if common == 0 || theirs.get(..common) != ours.get(..common) {
                return Ok(false);
            }
            at += common as u64;
        }
        Ok(true)
    }

    fn append(&self, from: u64, source: &mut dyn Source) -> Result<(), TransportError> {
        let opened = if length(&self.part).is_some() {
            OpenOptions::new().append(true).open(&self.part)
        } else {
            create(&self.part)
        };
        let mut part = opened.map_err(|error| self.failed(error))?;
        let mut chunk = vec![0; CHUNK];
        let mut at = from;
        loop {
            let count = source.read_at(at, &mut chunk)?;
            let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            part.write_all(bytes).map_err(|error| self.failed(error))?;
            at += count as u64;
        }
    }

    /// Asks whether the name is free just before the rename. Between the two only another run of the same sender
    /// could take it, with the same bytes, since names carry a digest; a hard link would be exact, but sticks and
    /// many shares have none.
    fn publish(&self, source: &mut dyn Source) -> Result<(), TransportError> {
        let disk = self.carrier.disk;
        disk.sync_file(&self.part).map_err(|error| self.failed(error))?;
        let (found, expected) = (length(&self.part).unwrap_or(0), source.size());
        if found != expected {
            let relay = self.carrier.shown.clone();
            return Err(TransportError::WrongSize { relay, file: self.file.clone(), expected, found });
        }
        if self.is_taken()? {
            return self.settle_taken(source).map(|_| ());
        }
        let steps = self.carrier.steps;
        let placed = steps
            .reached(Step::RelayPartWritten)
            .and_then(|()| disk.rename(&self.part, &self.target))
            .and_then(|()| disk.sync_folder(&self.folder))
            .and_then(|()| steps.reached(Step::RelayPlaced));
        placed.map_err(|error| self.failed(error))
    }
}

/// Makes a new file with the share's permissions; a planted link makes it fail.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A regular file's size; None for anything else, or nothing.
fn length(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(|found| found.is_file()).map(|found| found.len())
}

fn fill(source: &mut dyn Source, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read_at(offset + filled as u64, rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn note(listing: &mut Listing, entry: &fs::DirEntry) {
    let name = entry.file_name();
    // What cannot be looked at has just gone.
    let Ok(found) = entry.metadata() else { return };
    match name.to_str().filter(|_| found.is_file()) {
        Some(name) => listing.add(name, found.len()),
        None => listing.add_foreign(&name.to_string_lossy()),
    }
}
