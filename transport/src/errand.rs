//! Single files that are put into a folder, or got from it: packages, which lie in no mailbox.
//!
//! Owns the retries. Invariants: what an earlier file of the same name has left there is taken away before anything is
//! put, since a carrier that cannot compare content would go on with it; as long as each try comes further than all
//! before it, it is tried again;
//! what has come stays where it is got to, and the next errand goes on with it. Leaves to the caller what is in a file,
//! and so whether one that was got in pieces is whole.

use std::path::{Path, PathBuf};

use packhorse_shared::seam::{Disk, Random};

use crate::backoff::{Backoff, Next};
use crate::carrier::{Bounded, Carrier, Entry, Get, Sink, Source};
use crate::error::TransportError;
use crate::location::Location;
use crate::mailbox::Mailbox;
use crate::name::FileName;
use crate::relays::{Approach, Dial};
use crate::stopwatch::{Deadline, Stopwatch};
use crate::stream::{OutgoingFile, TmpFile};

/// What an errand needs of the outside.
#[derive(Clone)]
pub struct Errand<'a> {
    /// Makes connections.
    pub dial: &'a dyn Dial,
    /// How it comes to servers, and until when.
    pub approach: Approach<'a>,
    /// Durable files.
    pub disk: &'a dyn Disk,
    /// Measures and waits.
    pub stopwatch: &'a dyn Stopwatch,
    /// Spreads what all would do at once.
    pub random: &'a dyn Random,
    /// Is told how many bytes of how many a file has moved.
    pub progress: &'a dyn Fn(&FileName, u64, u64),
}

/// A file that is to be put, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// As it is to be called.
    pub name: FileName,
    /// The local file.
    pub path: PathBuf,
}

/// How a file was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// From its beginning, by this errand.
    Anew,
    /// The beginning was there, and may have been another file's.
    Resumed,
}

impl Errand<'_> {
    /// Whether the folder is there and lets us in; asked before something is made that is to go there.
    pub fn look(&self, folder: &Location) -> Result<(), TransportError> {
        self.persist(folder, &mut |carrier, _| require_folder(carrier))
    }

    /// Puts a file in place of an earlier one of its name.
    pub fn deliver(&self, folder: &Location, parcel: &Parcel) -> Result<(), TransportError> {
        let mut is_clear = false;
        self.persist(folder, &mut |carrier, farthest| {
            if !is_clear {
                require_folder(carrier)?;
                clear(carrier, &parcel.name)?;
                is_clear = true;
            }
            self.put(carrier, parcel, farthest)
        })
    }

    fn put(&self, carrier: &mut dyn Carrier, parcel: &Parcel, farthest: &mut u64) -> Result<(), TransportError> {
        let deadline = Deadline::after(self.stopwatch, None);
        let opened = OutgoingFile::open(self.disk, &parcel.path, deadline)?;
        let gone = || TransportError::local("read", &parcel.path, std::io::ErrorKind::NotFound.into());
        let mut file = opened.ok_or_else(gone)?;
        let mut told = Told { inner: &mut file, name: &parcel.name, farthest, progress: self.progress };
        carrier.put(&Mailbox::root(), &parcel.name, &mut told).map(drop)
    }

    /// Gets a file, going on with what an earlier errand has left at `to`. It is on the disk when this returns.
    pub fn fetch(&self, folder: &Location, name: &FileName, to: &Path) -> Result<Fetched, TransportError> {
        let mut fetched = None;
        self.persist(folder, &mut |carrier, farthest| {
            let entry = find(carrier, name)?;
            let deadline = Deadline::after(self.stopwatch, None);
            let mut file = TmpFile::open(self.disk, to.to_owned(), entry.size, deadline)?;
            let from = file.size();
            fetched.get_or_insert(if from == 0 { Fetched::Anew } else { Fetched::Resumed });
            let relay = carrier.relay().to_owned();
            let mut bounded = Bounded { sink: &mut file, at: from, whole: entry.size, relay, file: name.as_str() };
            let mut told = Collected { inner: &mut bounded, entry: &entry, progress: self.progress };
            let got = match from < entry.size {
                true => carrier.get(&Mailbox::root(), name, from, &mut told),
                false => Ok(Get::Ended),
            };
            let found = file.size();
            *farthest = found.max(*farthest);
            file.finish()?;
            complete(got?, found, carrier.relay(), &entry)
        })?;
        Ok(fetched.unwrap_or(Fetched::Anew))
    }

    /// Tries until it is done, each time over a new connection.
    fn persist(
        &self,
        folder: &Location,
        act: &mut dyn FnMut(&mut dyn Carrier, &mut u64) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let deadline = Deadline::after(self.stopwatch, None);
        let mut backoff = Backoff::new(deadline, self.random);
        let mut farthest = 0;
        loop {
            let dialled = self.dial.dial(folder, &self.approach);
            let Err(error) = dialled.and_then(|mut carrier| act(&mut *carrier, &mut farthest)) else { return Ok(()) };
            // Trying again does not help against this node's own disk, which a person waits in front of.
            let may_pass = error.may_pass() && !matches!(error, TransportError::Local { .. });
            match backoff.after(farthest, may_pass) {
                Next::Again => {}
                Next::Over => return Err(TransportError::BudgetOver),
                Next::GiveUp => return Err(error),
            }
        }
    }
}

fn require_folder(carrier: &mut dyn Carrier) -> Result<(), TransportError> {
    match carrier.has_mailbox(&Mailbox::root())? {
        true => Ok(()),
        false => Err(TransportError::NoFolder { relay: carrier.relay().to_owned() }),
    }
}

fn clear(carrier: &mut dyn Carrier, name: &FileName) -> Result<(), TransportError> {
    let names = std::slice::from_ref(name);
    carrier.remove(&Mailbox::root(), names)?;
    carrier.remove_partials(&Mailbox::root(), names)
}

fn find(carrier: &mut dyn Carrier, name: &FileName) -> Result<Entry, TransportError> {
    let listing = carrier.list(&Mailbox::root())?;
    let relay = || carrier.relay().to_owned();
    if !listing.present {
        return Err(TransportError::NoFolder { relay: relay() });
    }
    let found = listing.files.into_iter().find(|entry| entry.name == *name);
    found.ok_or_else(|| TransportError::NoFile { relay: relay(), file: name.to_string() })
}

fn complete(got: Get, found: u64, relay: &str, entry: &Entry) -> Result<(), TransportError> {
    let (relay, file, expected) = (relay.to_owned(), entry.name.to_string(), entry.size);
    match got {
        Get::Absent => Err(TransportError::NoFile { relay, file }),
        Get::Ended if found == expected => Ok(()),
        Get::Ended => Err(TransportError::WrongSize { relay, file, expected, found }),
    }
}

/// A source that tells how far it was read.
struct Told<'a> {
    inner: &'a mut dyn Source,
    name: &'a FileName,
    farthest: &'a mut u64,
    progress: &'a dyn Fn(&FileName, u64, u64),
}

impl Source for Told<'_> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        let count = self.inner.read_at(offset, into)?;
        *self.farthest = offset.saturating_add(count as u64).max(*self.farthest);
        (self.progress)(self.name, offset, self.size());
        Ok(count)
    }
}

/// A file that tells how much of it has come.
struct Collected<'f, 's> {
    inner: &'f mut Bounded<'s>,
    entry: &'f Entry,
    progress: &'f dyn Fn(&FileName, u64, u64),
}

impl Sink for Collected<'_, '_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.inner.take(bytes)?;
        (self.progress)(&self.entry.name, self.inner.at, self.entry.size);
        Ok(())
    }
}
