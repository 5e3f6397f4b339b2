//! A simulated machine for tests: it loses its power, fills its disk, breaks it and is killed wherever it is told to.
//!
//! Owns the seams of the code under test (clock, randomness, disk, steps) and what stands between SQLite and the system,
//! and puts virtual time, seeded randomness and planned faults in their place. The files are real ones; what a power cut
//! would take from them is remembered beside them. Invariants: everything is of one thread, so that several simulations
//! run in one process, a thread each; a thread on which none is armed meets the real system. Leaves to the tests what
//! runs, when it fails, and what must be true afterwards.
//!
//! ```no_run
//! use simulated_machine::fate::{self, End, Fate};
//!
//! let machine = simulated_machine::arm(7, 1_790_000_000_000);
//! // Make the scene, then:
//! let node = std::path::Path::new("node");
//! simulated_machine::settle(&[node]);
//! fate::plan(Some(Fate { at: 40, end: End::Kill }));
//! fate::begin();
//! // Run the code under test with `SimClock`, `SimRandom`, `SimDisk` and `SimSteps`, and close its connections.
//! fate::end();
//! simulated_machine::power_cut(&[node], 7);
//! drop(machine);
//! ```

pub mod clock;
mod dice;
mod disk;
pub mod fate;
mod unsynced;
mod vfs;

use std::cell::Cell;
use std::marker::PhantomData;

pub use clock::{SimClock, SimRandom};
pub use disk::SimDisk;
pub use fate::SimSteps;
pub use unsynced::{PowerCut, elsewhere, is_at_risk, power_cut, settle};

thread_local!(static ARMED: Cell<bool> = const { Cell::new(false) });

/// A simulation on this thread, until it is dropped.
#[must_use = "the simulation ends when this is dropped"]
#[derive(Debug)]
pub struct Armed {
    /// It belongs to its thread.
    here: PhantomData<*const ()>,
}

/// Begins a simulation on this thread: randomness of this seed, virtual time from here on.
///
/// # Panics
///
/// If there is one already.
pub fn arm(seed: u64, start_millis: u64) -> Armed {
    vfs::install();
    assert!(!ARMED.replace(true), "a simulation is under way on this thread");
    clock::start(seed, start_millis);
    fate::clear();
    unsynced::clear();
    vfs::reseed();
    Armed { here: PhantomData }
}

/// Whether there is a simulation on this thread.
pub fn is_armed() -> bool {
    ARMED.get()
}

impl Drop for Armed {
    fn drop(&mut self) {
        ARMED.set(false);
        fate::clear();
        unsynced::clear();
    }
}
