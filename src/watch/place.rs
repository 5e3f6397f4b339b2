//! The service's place at a home: who has it, no other service gets.
//!
//! Owns the lock. Invariant: it is the lock of the home that lies there now. A home that was put back from a copy has a lock
//! file of its own, which this service does not hold until it has looked.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use packhorse_shared::home::{Claim, Home, HomeLock, LockError, SERVICE};

use crate::failure::Failure;

/// How long somebody may hold the place who only looks whether there is a service.
const LOOKED_AT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(25);

/// The place, held until this is dropped.
pub struct Place {
    folder: PathBuf,
    lock: HomeLock,
}

impl Place {
    /// Takes the place; refused if another service has it.
    pub fn take(home: &Home) -> Result<Self, Failure> {
        Ok(Self { folder: home.folder().to_owned(), lock: claim(home)? })
    }

    /// Takes it again if the home is another one under its old name. Fails if that one has a service of its own.
    pub fn keep(&mut self) -> Result<(), Failure> {
        // Where there is no home now there is no place to lose.
        let Ok(home) = Home::open(&self.folder) else { return Ok(()) };
        if home.holder(Claim::Service).is_some_and(|holder| !holder.is_another()) {
            return Ok(());
        }
        match claim(&home) {
            Ok(lock) => self.lock = lock,
            Err(busy @ LockError::Busy { .. }) => return Err(busy.into()),
            // A disk that is about to go away, or full: the next turn looks again.
            Err(LockError::Failed { .. }) => {}
        }
        Ok(())
    }
}

fn claim(home: &Home) -> Result<HomeLock, LockError> {
    let began = Instant::now();
    loop {
        match home.lock(Claim::Service, SERVICE) {
            Err(LockError::Busy { .. }) if began.elapsed() < LOOKED_AT => sleep(PAUSE),
            claimed => return claimed,
        }
    }
}
