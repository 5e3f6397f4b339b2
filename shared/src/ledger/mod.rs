//! The ledger: the books of the bundle queue, in sled.
//!
//! Owns, in a home, the folder `ledger`, the files `ledger.generation` and `ledger.lock` beside it, and what was moved
//! aside as `ledger.damaged-TIME`. Invariants: nothing depends on it, since all of it can be made again from the spool
//! and the links; it is open only for moments; whatever it holds, no call panics, and damage is told once, in words.
//! Leaves to the caller what happened to which bundle, and to [`crate::spool`] and [`crate::link`] the truth.
//!
//! * [`state`]: where a bundle stands, and the steps between; [`entry`]: what is known of one; [`books`]: of all;
//! * [`stock`]: what the spool and the links show, which the books are brought in line with;
//! * `store` calls sled, on the threads of `contained`; `generation` tells a ledger that has lost something; `aside`
//!   keeps the damaged ones.

mod aside;
pub mod books;
#[cfg(test)]
mod books_tests;
mod contained;
pub mod entry;
mod generation;
pub mod state;
pub mod stock;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use books::Books;
pub use contained::is_of_ledger;
pub use entry::{Entry, Key, LastError};
pub use state::{Direction, Event, State};
pub use stock::{Lying, Standing, Stock, Why};

pub(crate) use aside::DAMAGED;

use crate::seam::World;
use generation::{Beside, Generation};
use store::{Store, StoreError};

/// The ledger's folder in a home.
pub(crate) const FOLDER: &str = "ledger";
const GENERATION: &str = "ledger.generation";
const LOCK: &str = "ledger.lock";
/// What it may leave in a home beside its folder.
pub(crate) const FILES: [&str; 3] = [GENERATION, "ledger.generation.new", LOCK];

/// How long it is waited for another process to be done with it: by whoever works on the queue, and by whoever only looks,
/// which must be quick at any time.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_OF_A_LOOK: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(10);

/// The ledger of a home; closed between calls.
pub struct Ledger<'a> {
    home: PathBuf,
    world: World<'a>,
    purpose: Purpose,
}

/// What it is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Work,
    Look,
}

impl Purpose {
    fn patience(self) -> Duration {
        match self {
            Self::Work => PATIENCE,
            Self::Look => PATIENCE_OF_A_LOOK,
        }
    }
}

/// A ledger that was not as it should be was made again. Its words are for a person, who is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remade {
    fate: Fate,
    aside: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Missing,
    Damaged(String),
}

impl fmt::Display for Remade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fate {
            Fate::Missing => f.write_str("the ledger was missing and has been")?,
            Fate::Damaged(why) => write!(f, "the ledger was damaged ({why}) and has been")?,
        }
        f.write_str(" made again from what lies in the spool; no change is lost")?;
        self.aside.as_ref().map_or(Ok(()), |aside| write!(f, ", and the old one is kept as {}", aside.display()))
    }
}

/// Books that cannot be kept or read now. Bundles move all the same.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has them open for longer than it is waited for.
    #[error("the ledger {} is in use by another run; its books are brought up to date by the next one", .0.display())]
    Busy(PathBuf),
    /// The same, for a look that is not to wait.
    #[error(
        "the ledger {} is in use by another run: this is what lies in the spool; ask again in a moment for what was \
         finished and what was tried", .0.display()
    )]
    BusyForLook(PathBuf),
    /// The disk refuses them.
    #[error("the ledger {} cannot be kept now ({source}); bundles move all the same", path.display())]
    Refused {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new one is no better than the damaged one was.
    #[error("the ledger {} cannot be made again ({why}); bundles move all the same", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What is found when the ledger is opened.
enum Found {
    Sound(Open),
    /// A home's first.
    Fresh,
    Missing,
    Damaged(String),
}

/// An open ledger, with what it held.
struct Open {
    store: Store,
    generation: Generation,
    books: Books,
}

impl<'a> Ledger<'a> {
    /// The ledger of a home folder.
    pub fn new(home: &Path, world: World<'a>) -> Self {
        Self { home: home.to_owned(), world, purpose: Purpose::Work }
    }

    /// The same for a mere look: another process is waited for only for a moment.
    #[must_use]
    pub fn for_a_look(self) -> Self {
        Self { purpose: Purpose::Look, ..self }
    }

    /// Changes the books. The change is given empty ones if there are none or if they are damaged; it should take
    /// stock of everything there is.
    pub fn keep(&self, change: impl FnOnce(&mut Books)) -> Result<Option<Remade>, LedgerError> {
        let _lock = self.lock()?;
        let (mut open, mut remade) = self.open()?;
        let before = open.books.clone();
        change(&mut open.books);
        open.books.forget_old(self.world.clock.now());
        let changes = differences(&before, &open.books);
        if changes.is_empty() && open.generation.write > 0 {
            return Ok(remade);
        }
        match self.write(&open, changes) {
            Err(StoreError::Damaged(why)) if remade.is_none() => {
                let books = std::mem::take(&mut open.books);
                drop(open);
                remade = Some(self.move_aside(why)?);
                let all = differences(&Books::default(), &books);
                self.write(&self.make()?, all).map_err(|error| self.failed(error))?;
            }
            other => other.map_err(|error| self.failed(error))?,
        }
        Ok(remade)
    }

    /// Reads the books. They are written only if they have to be made again, and then from this stock.
    pub fn read(&self, stock: &Stock) -> Result<(Books, Option<Remade>), LedgerError> {
        if let Some(mut books) = self.kept()? {
            books.take_stock(stock);
            return Ok((books, None));
        }
        let mut books = Books::default();
        books.take_stock(stock);
        Ok((books, self.keep(|books| books.take_stock(stock))?))
    }

    /// The books as they were kept last; None if they have to be made again.
    pub fn kept(&self) -> Result<Option<Books>, LedgerError> {
        let _lock = self.lock()?;
        match self.look()? {
            Found::Sound(mut open) => Ok(Some(std::mem::take(&mut open.books))),
            Found::Fresh | Found::Missing | Found::Damaged(_) => Ok(None),
        }
    }

    /// The lock that each call holds: sled itself knows no waiting.
    fn lock(&self) -> Result<File, LedgerError> {
        let path = self.home.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| self.refused(error))?;
        self.patiently(|| match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.refused(error)),
        })?;
        Ok(file)
    }

    /// Tries until there is a result, for a bounded time.
    fn patiently<T>(&self, attempt: impl Fn() -> Result<Option<T>, LedgerError>) -> Result<T, LedgerError> {
        let started = Instant::now();
        loop {
            if let Some(result) = attempt()? {
                return Ok(result);
            }
            if started.elapsed() > self.purpose.patience() {
                return Err(self.busy());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Opens the ledger, or makes it anew.
    fn open(&self) -> Result<(Open, Option<Remade>), LedgerError> {
        let remade = match self.look()? {
            Found::Sound(open) => return Ok((open, None)),
            Found::Fresh => None,
            Found::Missing => Some(Remade { fate: Fate::Missing, aside: None }),
            Found::Damaged(why) => Some(self.move_aside(why)?),
        };
        Ok((self.make()?, remade))
    }

    fn look(&self) -> Result<Found, LedgerError> {
        let (folder, refused) = (self.folder(), |error| self.refused(error));
        let beside = Beside::read(&self.home.join(GENERATION)).map_err(refused)?;
        let being_made = matches!(beside, Beside::Says(generation) if generation.write == 0);
        let is_empty = match folder.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && being_made => return Ok(Found::Fresh),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(refused(error)),
            Ok(about) if !about.is_dir() => return Ok(Found::Damaged("it is no folder".to_owned())),
            Ok(_) => fs::read_dir(&folder).map_err(refused)?.next().is_none(),
        };
        match beside {
            Beside::Nothing if is_empty => Ok(Found::Fresh),
            Beside::Says(_) if is_empty && being_made => Ok(Found::Fresh),
            _ if is_empty => Ok(Found::Damaged("its folder is empty".to_owned())),
            Beside::Nothing | Beside::Nonsense => Ok(Found::Damaged(format!("{GENERATION} does not fit it"))),
            Beside::Says(beside) => self.look_inside(beside),
        }
    }

    fn look_inside(&self, beside: Generation) -> Result<Found, LedgerError> {
        let loaded = self.open_store().and_then(|store| {
            let (generation, books) = store.load()?;
            Ok(Open { store, generation, books })
        });
        match loaded {
            Ok(open) if !open.generation.follows(beside) => Ok(Found::Damaged("a part of it is missing".to_owned())),
            Ok(open) => {
                if open.generation != beside {
                    // The word of a write that a kill kept from being said.
                    let said = open.generation.write_beside(self.world.disk, &self.home.join(GENERATION));
                    said.map_err(|error| self.refused(error))?;
                }
                Ok(Found::Sound(open))
            }
            // The making was cut short: nothing has been in it yet.
            Err(StoreError::Damaged(_)) if beside.write == 0 => Ok(Found::Fresh),
            Err(StoreError::Damaged(why)) => Ok(Found::Damaged(why)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// sled gives its lock back only when its last thread is done, which may be after the handle is gone.
    fn open_store(&self) -> Result<Store, StoreError> {
        let started = Instant::now();
        loop {
            let opened = Store::open(&self.folder());
            // sled makes its folder wherever it is told to: also in the place of a home whose disk has just gone away.
            fs::metadata(self.home.join(LOCK)).map_err(StoreError::Refused)?;
            match opened {
                Err(StoreError::InUse) if started.elapsed() < self.purpose.patience() => std::thread::sleep(PAUSE),
                other => return other,
            }
        }
    }

    /// Makes an empty ledger where there is none, or one whose making was cut short.
    fn make(&self) -> Result<Open, LedgerError> {
        let (folder, disk) = (self.folder(), self.world.disk);
        let generation = Generation { ledger: self.world.random.next_u64(), write: 0 };
        let prepared = generation
            .write_beside(disk, &self.home.join(GENERATION))
            .and_then(|()| aside::remove_whole(&folder))
            .and_then(|()| disk.create_folder(&folder));
        prepared.map_err(|error| self.refused(error))?;
        let store = self.open_store().map_err(|error| self.failed(error))?;
        Ok(Open { store, generation, books: Books::default() })
    }

    fn write(&self, open: &Open, changes: Vec<(Key, Option<Entry>)>) -> Result<(), StoreError> {
        let (next, disk) = (open.generation.next(), self.world.disk);
        open.store.write(disk, next, changes)?;
        next.write_beside(disk, &self.home.join(GENERATION)).map_err(StoreError::Refused)
    }

    fn move_aside(&self, why: String) -> Result<Remade, LedgerError> {
        let aside = aside::move_aside(self.world.disk, &self.home, &self.folder(), self.world.clock.now());
        Ok(Remade { fate: Fate::Damaged(why), aside: Some(aside.map_err(|error| self.refused(error))?) })
    }

    fn folder(&self) -> PathBuf {
        self.home.join(FOLDER)
    }

    fn busy(&self) -> LedgerError {
        match self.purpose {
            Purpose::Work => LedgerError::Busy(self.folder()),
            Purpose::Look => LedgerError::BusyForLook(self.folder()),
        }
    }

    fn refused(&self, source: io::Error) -> LedgerError {
        LedgerError::Refused { path: self.folder(), source }
    }

    fn failed(&self, error: StoreError) -> LedgerError {
        match error {
            StoreError::InUse => self.busy(),
            StoreError::Refused(source) => self.refused(source),
            StoreError::Damaged(why) => LedgerError::Unusable { path: self.folder(), why },
        }
    }
}

/// What has to be written to make one of the other.
fn differences(before: &Books, after: &Books) -> Vec<(Key, Option<Entry>)> {
    let gone = before.entries.keys().filter(|key| !after.entries.contains_key(key)).map(|key| (key.clone(), None));
    let changed = after.entries.iter().filter(|(key, entry)| before.entries.get(key) != Some(entry));
    gone.chain(changed.map(|(key, entry)| (key.clone(), Some(entry.clone())))).collect()
}
