//! What a command needs of the outside world, handed to it by whoever runs it.
//!
//! Owns the machine that the program itself is run on. Invariant: no command tells the time of day, draws a number, makes
//! a file durable or reaches a relay but through the machine that it was given, so that a simulator can run whole commands
//! on one of its own. Leaves to the seams what each part does, and to the system what has no seam: the current folder, the
//! environment, locks, reading, and how long something takes.

use packhorse_shared::seam::Stop;
use packhorse_shared::seam::{OsClock, OsDisk, OsRandom, Steps, World};
use packhorse_transport::{Dial, OsDial, OsStopwatch, Stopwatch};

/// The outside world, as a command meets it.
#[derive(Clone, Copy)]
pub struct Machine {
    /// The time of day, randomness, durable files, and who is told of durable steps.
    pub world: World<'static>,
    /// How relays are reached.
    pub dial: &'static dyn Dial,
    /// Starts what measures a call, and waits in it, until it is asked to stop.
    pub start: fn(Stop) -> Box<dyn Stopwatch>,
}

/// How the real machine reaches relays.
static RELAYS: OsDial<'static> = OsDial { disk: &OsDisk, steps: listener() };

impl Machine {
    /// The real clock, randomness and file system, folders and the network. A build for tests may be stopped at any
    /// durable step, if the program has read from its environment where.
    pub fn real() -> Self {
        let world = World { clock: &OsClock, random: &OsRandom, disk: &OsDisk, steps: listener() };
        Self { world, dial: &RELAYS, start: |stop| Box::new(OsStopwatch::start(stop)) }
    }
}

#[cfg(debug_assertions)]
const fn listener() -> &'static dyn Steps {
    &crate::faults::Faults
}

#[cfg(not(debug_assertions))]
const fn listener() -> &'static dyn Steps {
    &packhorse_shared::seam::Uninterrupted
}
