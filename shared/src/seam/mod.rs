//! The seams through which the outside world comes in: wall clock, randomness, the file calls that make things durable,
//! the steps between them at which a test may stop a run, and the wish that one end soon.
//!
//! Owns the traits and their real implementations, so that a simulator can put virtual time, seeded randomness and
//! injected faults in their place. Everything that writes a file whose loss would matter does it through [`Disk`]. Each seam
//! can be used by several threads at once: a service makes its calls on one of its own.

mod disk;
#[cfg(test)]
pub(crate) mod faults;
mod os;
#[cfg(test)]
mod os_tests;
mod saboteur;
mod step;
mod stop;

pub use disk::{Disk, DurableFile, FileRefused, ReadableFile, publish, rewrite_durably, write_durably, write_for_all};
pub use os::{OsDisk, is_private};
pub(crate) use os::{open_lock, open_to_read};
#[cfg(debug_assertions)]
pub use saboteur::set_to_work;
pub use saboteur::{Saboteur, is_at_work};
pub use step::{Step, Steps, Uninterrupted, UnknownStep};
pub use stop::Stop;

use crate::clock::WallTime;

/// Tells the time of day.
pub trait WallClock: Sync {
    /// The time now.
    fn now(&self) -> WallTime;
}

/// Gives random numbers that nobody can guess or repeat.
pub trait Random: Sync {
    /// Sixty-four random bits.
    fn next_u64(&self) -> u64;
}

/// The seams as a node's run is given them.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The time of day.
    pub clock: &'a dyn WallClock,
    /// Random numbers.
    pub random: &'a dyn Random,
    /// Durable files.
    pub disk: &'a dyn Disk,
    /// Who is told of durable steps.
    pub steps: &'a dyn Steps,
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsClock;

impl WallClock for OsClock {
    fn now(&self) -> WallTime {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The machine's own randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    #[allow(
        clippy::expect_used,
        reason = "the system's source fails only where there is none at all; ids of less than full randomness are worse than \
                  stopping"
    )]
    fn next_u64(&self) -> u64 {
        getrandom::u64().expect("the system has a source of randomness")
    }
}
