//! The time and the randomness of a simulated machine.
//!
//! Owns the virtual time and the seeded generator of each thread. Invariants: time passes only when it is told to, or
//! when SQLite would sleep; the same seed gives the same numbers. On a thread without a simulation both are the system's.

use std::cell::{Cell, RefCell};

use packhorse_shared::clock::WallTime;
use packhorse_shared::seam::{OsClock, OsRandom, Random, WallClock};

use crate::dice::Dice;

thread_local! {
    static MILLIS: Cell<u64> = const { Cell::new(0) };
    static DICE: RefCell<Dice> = RefCell::default();
    static DICE_OF_SQLITE: RefCell<Dice> = RefCell::default();
}

/// The virtual clock of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimClock;

/// The seeded randomness of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimRandom;

impl WallClock for SimClock {
    fn now(&self) -> WallTime {
        if crate::is_armed() { WallTime(now()) } else { OsClock.now() }
    }
}

impl Random for SimRandom {
    fn next_u64(&self) -> u64 {
        if crate::is_armed() { DICE.with_borrow_mut(Dice::throw) } else { OsRandom.next_u64() }
    }
}

/// The virtual time in milliseconds since the Unix epoch.
pub fn now() -> u64 {
    MILLIS.get()
}

/// Sets the virtual time, forward or back.
pub fn set(millis: u64) {
    MILLIS.set(millis);
}

/// Lets virtual time pass.
pub fn advance(millis: u64) {
    MILLIS.set(now().saturating_add(millis));
}

/// A random byte for SQLite. Its generator is the process's and asks whichever thread comes first, so it has dice of its
/// own: those of the simulation fall the same whether it asks or not.
pub(crate) fn byte_for_sqlite() -> u8 {
    DICE_OF_SQLITE.with_borrow_mut(|dice| dice.throw().to_le_bytes()[0])
}

/// Begins anew.
pub(crate) fn start(seed: u64, millis: u64) {
    MILLIS.set(millis);
    DICE.set(Dice::new(seed));
    DICE_OF_SQLITE.set(Dice::new(!seed));
}
