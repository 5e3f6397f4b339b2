//! The local ends of a transfer: an outbox file that is read, a `tmp` file that is written.
//!
//! Owns the stop between chunks when the time budget is over, and the resuming of a `tmp` file at its size.
//! Invariant: after [`TmpFile::finish`] every byte taken is on the disk. Leaves checking and publishing to the run.

use std::fs::OpenOptions;
use std::io::{self, SeekFrom, Write};
use std::path::{Path, PathBuf};

use packhorse_shared::seam::{Disk, DurableFile, ReadableFile, Saboteur, is_at_work};

use crate::carrier::{Sink, Source};
use crate::error::TransportError;
use crate::stopwatch::Deadline;

/// How many bytes are moved between two looks at the clock.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Bytes at hand are a source.
impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.get(from..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        into.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}

/// Memory is a sink.
impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// A local file that is being put.
pub(crate) struct OutgoingFile<'a> {
    path: &'a Path,
    file: Box<dyn ReadableFile>,
    size: u64,
    farthest: u64,
    deadline: Deadline<'a>,
}

impl<'a> OutgoingFile<'a> {
    /// Opens it; None if it is gone, as when a newer bundle has superseded it meanwhile.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &'a Path,
        deadline: Deadline<'a>,
    ) -> Result<Option<Self>, TransportError> {
        let opened = disk.open(path).and_then(|mut file| file.seek(SeekFrom::End(0)).map(|size| (file, size)));
        match opened {
            Ok((file, size)) => Ok(Some(Self { path, file, size, farthest: 0, deadline })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TransportError::local("read", path, error)),
        }
    }

    /// Up to where it has been read.
    pub(crate) fn farthest(&self) -> u64 {
        self.farthest
    }
}

impl Source for OutgoingFile<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        let read = read_fully(&mut *self.file, offset, into);
        let count = read.map_err(|error| TransportError::local("read", self.path, error))?;
        self.farthest = offset.saturating_add(count as u64).max(self.farthest);
        Ok(count)
    }
}

/// Reads from a place on until the buffer is full or the file ends.
pub(crate) fn read_fully(file: &mut dyn ReadableFile, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A local file that is being fetched, resumed at its size.
pub(crate) struct TmpFile<'a> {
    path: PathBuf,
    file: Box<dyn Write>,
    size: u64,
    taken: u64,
    disk: &'a dyn Disk,
    deadline: Deadline<'a>,
}

impl<'a> TmpFile<'a> {
    /// Opens or makes it. What is longer than the whole file is no beginning of it, and goes.
    pub(crate) fn open(
        disk: &'a dyn Disk,
        path: PathBuf,
        whole: u64,
        deadline: Deadline<'a>,
    ) -> Result<Self, TransportError> {
        let found = std::fs::symlink_metadata(&path).ok().filter(|found| found.is_file()).map(|found| found.len());
        let opened = match found.filter(|size| *size <= whole) {
            Some(size) => {
                OpenOptions::new().append(true).open(&path).map(|file| (Box::new(file) as Box<dyn Write>, size))
            }
            None => {
                let fresh = disk.remove(&path).and_then(|()| disk.create_for_all(&path));
                fresh.map(|file| (Box::new(Fresh(file)) as Box<dyn Write>, 0))
            }
        };
        let (file, size) = opened.map_err(|error| TransportError::local("write", &path, error))?;
        Ok(Self { path, file, size, taken: 0, disk, deadline })
    }

    /// Where the next byte goes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes taken since it was opened.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Returns when everything is on the disk.
    pub(crate) fn finish(self) -> Result<(), TransportError> {
        let Self { path, mut file, disk, .. } = self;
        let forgets = is_at_work(Saboteur::ForgetFileSync);
        let done = file.flush().and_then(|()| if forgets { Ok(()) } else { disk.sync_file(&path) });
        done.map_err(|error| TransportError::local("write", &path, error))
    }
}

impl Sink for TmpFile<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        self.file.write_all(bytes).map_err(|error| TransportError::local("write", &self.path, error))?;
        self.size += bytes.len() as u64;
        self.taken += bytes.len() as u64;
        Ok(())
    }
}

/// A new file, made through the seam.
struct Fresh(Box<dyn DurableFile>);

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
