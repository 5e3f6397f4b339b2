//! What befalls the run under way on this thread.
//!
//! Owns the plan of a run, the counting of the calls that can fail, and what every thread's runs have met. Invariants: a
//! refused call does nothing, but for a failing write, which may have written a part; after a kill every call is refused
//! until the next run begins, so that nothing can be tidied up. Outside of a run nothing is counted and nothing fails.
//! Leaves to the disk and to SQLite's files in which words they refuse.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use packhorse_shared::seam::{Step, Steps};

/// The number of EIO on every system that has it.
const EIO: i32 = 5;

/// The calls of the disk and of SQLite's files that can fail; but for `db-truncate`, to which no program of ours comes.
pub const CALLS: [&str; 17] = [
    "disk-create",
    "disk-create-folder",
    "disk-write",
    "disk-rename",
    "disk-remove",
    "disk-sync",
    "disk-sync-folder",
    "db-open",
    "db-write",
    "db-sync",
    "db-sync-folder",
    "db-delete",
    DISK_OPEN,
    DISK_READ,
    DISK_LIST,
    DB_READ,
    DB_OPEN_OLD,
];

/// The opening of a file that is there.
pub(crate) const DISK_OPEN: &str = "disk-open";
/// A read of it.
pub(crate) const DISK_READ: &str = "disk-read";
/// The listing of a folder.
pub(crate) const DISK_LIST: &str = "disk-list";
/// A read of a file of SQLite's.
pub(crate) const DB_READ: &str = "db-read";
/// The opening of a file of SQLite's that is there.
pub(crate) const DB_OPEN_OLD: &str = "db-open-old";

/// The calls for which a full disk has no room.
const NEED_ROOM: [&str; 5] = ["disk-create", "disk-create-folder", "disk-write", "db-open", "db-write"];

/// Whether a point only reads: there is no room that it needs, and a run is not killed there.
pub fn only_reads(point: &str) -> bool {
    [DISK_OPEN, DISK_READ, DISK_LIST, DB_READ, DB_OPEN_OLD].contains(&point)
}

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// There is no room (ENOSPC).
    Full,
    /// The device does not answer (EIO).
    Broken,
}

/// What happens when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The call fails; those after it work.
    Once(Fault),
    /// From the call on all fail that the fault concerns: those that need room, or all of a disk, reading too.
    FromThenOn(Fault),
    /// The reading fails that has this number among the readings; those after it, and all that changes anything, work.
    Reading,
    /// The run is killed before the call does anything.
    Kill,
}

/// What befalls a run, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The number of the call, from 1; those that only read are counted by themselves.
    pub at: u64,
    /// What happens there.
    pub end: End,
}

/// What befalls a run the first time that it comes to a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The name of a durable step, or one of [`CALLS`].
    pub point: &'static str,
    /// What happens there; where a run only reads [`End::Reading`].
    pub end: End,
}

/// Why a call does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The disk fails.
    Failed(Fault),
    /// The run has been killed.
    Dead,
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(Fault::Full) => io::ErrorKind::StorageFull.into(),
            Refusal::Failed(Fault::Broken) => io::Error::from_raw_os_error(EIO),
            Refusal::Dead => io::Error::other("the simulated run has been killed"),
        }
    }
}

/// How often a point was reached, and what happened there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// How often a living run came to it.
    pub reached: u64,
    /// How often it found no room.
    pub full: u64,
    /// How often it found the device broken.
    pub broken: u64,
    /// How often a run was killed there.
    pub killed: u64,
}

static TALLY: Mutex<BTreeMap<&'static str, Met>> = Mutex::new(BTreeMap::new());

thread_local!(static RUN: RefCell<Run> = RefCell::default());

#[derive(Debug, Default)]
struct Run {
    planned: Option<Fate>,
    fate: Option<Fate>,
    aims_planned: Vec<Aim>,
    aims: Vec<Aim>,
    hit: Option<Aim>,
    calls: u64,
    readings: u64,
    refused: u64,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    None,
    UnderWay,
    Dead,
}

impl Run {
    fn meet(&mut self, point: &str) -> Result<(), Refusal> {
        self.calls += 1;
        self.hit_at(point, self.calls);
        let Some(fate) = self.fate.filter(|fate| self.calls >= fate.at) else { return Ok(()) };
        match fate.end {
            End::Reading => Ok(()),
            End::Once(fault) => {
                self.fate = None;
                Err(Refusal::Failed(fault))
            }
            End::FromThenOn(fault) if concerns(fault, point) => Err(Refusal::Failed(fault)),
            End::FromThenOn(_) => Ok(()),
            End::Kill => {
                self.standing = Standing::Dead;
                Err(Refusal::Dead)
            }
        }
    }
}

impl Run {
    /// A call that only reads. It is never refused to one that has been killed, who must let go of what it holds.
    fn meet_reading(&mut self, point: &str) -> Result<(), Refusal> {
        self.readings += 1;
        self.hit_at(point, self.readings);
        let fails = self.fate.is_some_and(|Fate { at, end }| match end {
            End::Reading => self.readings == at,
            End::FromThenOn(Fault::Broken) => self.calls >= at,
            _ => false,
        });
        if fails { Err(Refusal::Failed(Fault::Broken)) } else { Ok(()) }
    }

    /// One of the aims falls here. No other falls on the same run.
    fn hit_at(&mut self, point: &str, at: u64) {
        if let Some(aim) = self.aims.iter().find(|aim| aim.point == point).copied() {
            self.aims.clear();
            self.hit = Some(aim);
            self.fate = Some(Fate { at, end: aim.end });
        }
    }

    fn answered(&mut self, point: &'static str, answer: Result<(), Refusal>) -> Result<(), Refusal> {
        self.refused += u64::from(answer.is_err());
        note(point, answer);
        answer
    }
}

fn concerns(fault: Fault, point: &str) -> bool {
    match fault {
        Fault::Full => NEED_ROOM.contains(&point),
        Fault::Broken => point.starts_with("disk-") || point.starts_with("db-"),
    }
}

/// Plans what befalls the next run that begins; None lets it come to its own end.
pub fn plan(fate: Option<Fate>) {
    RUN.with_borrow_mut(|run| run.planned = fate);
}

/// Aims at these points in the next run that begins: the first of them to which it comes is hit, and no other.
pub fn aim(at: Vec<Aim>) {
    RUN.with_borrow_mut(|run| run.aims_planned = at);
}

/// Which of the aims the run under way has hit, or the last one if none is.
pub fn hit() -> Option<Aim> {
    RUN.with_borrow(|run| run.hit)
}

/// The next call of the run under way, or the next that reads, meets this.
pub fn befall(end: End) {
    RUN.with_borrow_mut(|run| {
        let made = if end == End::Reading { run.readings } else { run.calls };
        run.fate = Some(Fate { at: made + 1, end });
    });
}

/// Begins a run under the plan and with the aims, which are used up by it. Calls are counted from 1.
pub fn begin() {
    RUN.with_borrow_mut(|run| {
        let aims = std::mem::take(&mut run.aims_planned);
        *run = Run { fate: run.planned.take(), aims, standing: Standing::UnderWay, ..Run::default() };
    });
}

/// Ends the run: what follows is not counted, and does not fail, until another begins. The count stays to be read.
pub fn end() {
    RUN.with_borrow_mut(|run| run.standing = Standing::None);
}

/// Whether the run has been killed.
pub fn is_dead() -> bool {
    RUN.with_borrow(|run| run.standing == Standing::Dead)
}

/// How many calls the run has made that could fail, or the last one if none is under way.
pub fn calls() -> u64 {
    RUN.with_borrow(|run| run.calls)
}

/// How many calls that only read the run has made, or the last one if none is under way.
pub fn readings() -> u64 {
    RUN.with_borrow(|run| run.readings)
}

/// Whether anything has befallen the run under way, or the last one.
pub fn has_struck() -> bool {
    RUN.with_borrow(|run| run.refused > 0)
}

/// Asks whether a call may be made. On a thread without a simulation, and outside of a run, it always may.
pub fn meet(point: &'static str) -> Result<(), Refusal> {
    if !crate::is_armed() {
        return Ok(());
    }
    RUN.with_borrow_mut(|run| match run.standing {
        Standing::None => Ok(()),
        Standing::Dead => Err(Refusal::Dead),
        Standing::UnderWay => {
            let answer = run.meet(point);
            run.answered(point, answer)
        }
    })
}

/// Asks whether a call may be made that only reads.
pub fn meet_reading(point: &'static str) -> Result<(), Refusal> {
    if !crate::is_armed() {
        return Ok(());
    }
    RUN.with_borrow_mut(|run| match run.standing {
        Standing::None | Standing::Dead => Ok(()),
        Standing::UnderWay => {
            let answer = run.meet_reading(point);
            run.answered(point, answer)
        }
    })
}

fn note(point: &'static str, answer: Result<(), Refusal>) {
    let mut tally = TALLY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let met = tally.entry(point).or_default();
    met.reached += 1;
    match answer {
        Ok(()) => {}
        Err(Refusal::Failed(Fault::Full)) => met.full += 1,
        Err(Refusal::Failed(Fault::Broken)) => met.broken += 1,
        Err(Refusal::Dead) => met.killed += 1,
    }
}

/// What the runs of all threads of this process have met, point by point.
pub fn tally() -> BTreeMap<&'static str, Met> {
    TALLY.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

/// Nothing is planned and no run is under way.
pub(crate) fn clear() {
    RUN.set(Run::default());
}

/// The durable steps as calls that can fail; each step's point is its name.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimSteps;

impl Steps for SimSteps {
    fn reached(&self, step: Step) -> io::Result<()> {
        Ok(meet(step.name())?)
    }
}
