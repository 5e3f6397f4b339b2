//! Machines of the test's own: a clock that stands, numbers that follow from nothing, and on some a fault.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use packhorse::Machine;
use packhorse_shared::clock::WallTime;
use packhorse_shared::seam::{Disk, DurableFile, OsDisk, Random, Step, Steps, Uninterrupted, WallClock, World};
use packhorse_transport::{Approach, Carrier, Dial, Location, OsDial, TransportError};

static FOLDERS: OsDial<'static> = OsDial { disk: &OsDisk, steps: &Uninterrupted };

/// Clock and numbers.
struct Still {
    now: u64,
    drawn: AtomicU64,
}

impl WallClock for Still {
    fn now(&self) -> WallTime {
        WallTime(self.now)
    }
}

impl Random for Still {
    fn next_u64(&self) -> u64 {
        // Far apart, as ids are.
        (self.drawn.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A sound machine on which it is always this time. A machine is there for good: a process of many simulated ones has
/// theirs for as long as it runs.
pub fn machine(now: u64) -> Machine {
    let still: &'static Still = Box::leak(Box::new(Still { now, drawn: AtomicU64::new(0) }));
    let world = World { clock: still, random: still, disk: &OsDisk, steps: &Uninterrupted };
    Machine { world, dial: &FOLDERS, ..Machine::real() }
}

/// One whose disk is full.
pub fn on_full_disk(now: u64) -> Machine {
    let machine = machine(now);
    Machine { world: World { disk: &Flawed::Full, ..machine.world }, ..machine }
}

/// One whose disk does not answer when it is waited for with this file or folder.
pub fn never_done_with(now: u64, path: PathBuf) -> Machine {
    let machine = machine(now);
    Machine { world: World { disk: Box::leak(Box::new(Flawed::NeverDone(path))), ..machine.world }, ..machine }
}

/// One whose steps somebody listens to.
pub fn with_steps(now: u64, steps: &'static dyn Steps) -> Machine {
    let machine = machine(now);
    Machine { world: World { steps, ..machine.world }, ..machine }
}

/// One that no relay answers.
pub fn with_silent_relays(now: u64) -> Machine {
    Machine { dial: &Silent, ..machine(now) }
}

/// A disk with a flaw.
enum Flawed {
    /// It takes no new file.
    Full,
    /// It takes everything, and of one path never tells that it has.
    NeverDone(PathBuf),
}

impl Flawed {
    fn is_done(&self, path: &Path) -> io::Result<()> {
        if matches!(self, Self::NeverDone(stuck) if stuck == path) {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(())
        }
    }
}

impl Disk for Flawed {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        if matches!(self, Self::Full) { Err(io::ErrorKind::StorageFull.into()) } else { OsDisk.create_new(path) }
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_folder(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.is_done(path).and_then(|()| OsDisk.sync_file(path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.is_done(path).and_then(|()| OsDisk.sync_folder(path))
    }
}

/// Fails at a step.
pub struct Stopped {
    step: Step,
    reached: AtomicBool,
}

impl Stopped {
    /// At this one.
    pub fn at(step: Step) -> &'static Self {
        Box::leak(Box::new(Self { step, reached: AtomicBool::new(false) }))
    }

    /// Whether a run has come there.
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}

impl Steps for Stopped {
    fn reached(&self, step: Step) -> io::Result<()> {
        if step != self.step {
            return Ok(());
        }
        self.reached.store(true, Ordering::Relaxed);
        Err(io::Error::other("stopped here"))
    }
}

/// Lets two runs go on from a step together, so that they are under way at the same time.
#[derive(Default)]
pub struct Meeting {
    came: Mutex<u32>,
    both: Condvar,
}

impl Meeting {
    /// At the making of a hub.
    pub fn new() -> &'static Self {
        Box::leak(Box::default())
    }
}

impl Steps for Meeting {
    fn reached(&self, step: Step) -> io::Result<()> {
        if step != Step::InitHomeMade {
            return Ok(());
        }
        let mut came = self.came.lock().expect("the other one");
        *came += 1;
        self.both.notify_all();
        let waited = self.both.wait_timeout_while(came, Duration::from_secs(60), |came| *came < 2);
        if waited.expect("the other one").1.timed_out() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

/// No relay answers.
struct Silent;

impl Dial for Silent {
    fn dial<'a>(
        &'a self,
        location: &Location,
        _approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        let source = Arc::new(io::Error::from(io::ErrorKind::TimedOut));
        Err(TransportError::Unreachable { relay: location.to_string(), source })
    }
}
