//! A disk for tests that fails at a chosen call.
//!
//! Owns the counting of calls and the fault. Invariant: a failing call does nothing (a failing write may have written
//! a part, as a full disk does). Everything else is the real file system's.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Disk, DurableFile, OsDisk};

/// What happens after the call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Calls work again, as after a moment of a full disk.
    Once,
    /// Nothing works any more: as after a kill, nothing can be tidied up.
    ForGood,
}

/// The disk; calls are counted from 1.
pub(crate) struct FaultyDisk {
    calls: Arc<Counter>,
}

struct Counter {
    made: AtomicU32,
    fails_at: u32,
    fault: Fault,
}

impl Counter {
    fn call(&self) -> io::Result<()> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = number == self.fails_at || (self.fault == Fault::ForGood && number > self.fails_at);
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl FaultyDisk {
    pub(crate) fn new(fails_at: u32, fault: Fault) -> Self {
        Self { calls: Arc::new(Counter { made: AtomicU32::new(0), fails_at, fault }) }
    }

    /// Whether the call that was to fail has been made.
    pub(crate) fn struck(&self) -> bool {
        self.calls.made.load(Ordering::Relaxed) >= self.calls.fails_at
    }
}

/// Runs a test with a disk that fails at the first call, then at the second, and so on, until one run makes fewer
/// calls than that; with each kind of fault.
pub(crate) fn sweep(mut test: impl FnMut(&FaultyDisk)) {
    for fault in [Fault::Once, Fault::ForGood] {
        for fails_at in 1.. {
            assert!(fails_at < 200, "the test never runs to its end");
            let disk = FaultyDisk::new(fails_at, fault);
            test(&disk);
            if !disk.struck() {
                assert!(fails_at > 1, "the test makes no calls");
                break;
            }
        }
    }
}

struct FaultyFile {
    file: Box<dyn DurableFile>,
    calls: Arc<Counter>,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.calls.call() {
            let _ = self.file.write(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DurableFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        self.calls.call()?;
        self.file.sync()
    }
}

impl Disk for FaultyDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        self.calls.call()?;
        Ok(Box::new(FaultyFile { file: OsDisk.create_new(path)?, calls: Arc::clone(&self.calls) }))
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.calls.call()?;
        OsDisk.create_folder(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.calls.call()?;
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.calls.call()?;
        OsDisk.remove(path)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.calls.call()?;
        OsDisk.sync_file(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.calls.call()?;
        OsDisk.sync_folder(path)
    }
}
