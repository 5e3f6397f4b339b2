//! The seams of the real world: a clock that the driver sets, randomness of a seed, a disk that does not wait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use packhorse_shared::clock::WallTime;
use packhorse_shared::seam::{Disk, DurableFile, Random, Uninterrupted, WallClock, World};

use super::dice::Dice;

/// All three.
pub struct Seams {
    clock: VirtualClock,
    random: SeededRandom,
    pace: u64,
}

struct VirtualClock(AtomicU64);

struct SeededRandom(Mutex<Dice>);

struct QuickDisk;

struct QuickFile(File);

impl Seams {
    /// Those of a seed, at this time. `pace`: how many milliseconds pass for one of the driver's.
    pub fn new(dice: Dice, now: u64, pace: u64) -> Self {
        Self { clock: VirtualClock(AtomicU64::new(now)), random: SeededRandom(Mutex::new(dice)), pace }
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.clock.0.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub fn advance(&self, steps: u64) {
        self.clock.0.fetch_add(steps * self.pace, Ordering::Relaxed);
    }

    /// As the crates are given them.
    pub fn world(&self) -> World<'_> {
        World { clock: &self.clock, random: &self.random, disk: &QuickDisk, steps: &Uninterrupted }
    }
}

impl WallClock for VirtualClock {
    fn now(&self) -> WallTime {
        WallTime(self.0.load(Ordering::Relaxed))
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        self.0.lock().expect("the dice").throw()
    }
}

impl Write for QuickFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DurableFile for QuickFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing here is killed, so nothing need be synced.
impl Disk for QuickDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        Ok(Box::new(QuickFile(OpenOptions::new().write(true).create_new(true).open(path)?)))
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
    fn sync_file(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}
