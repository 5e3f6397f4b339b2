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

/// The place, held until this is dropped: all that its service does at the home, each claimed by itself.
pub struct Place {
    folder: PathBuf,
    claims: Vec<(Claim, HomeLock)>,
}

impl Place {
    /// Takes the place, by claims in their order; refused if another service has any of it.
    pub fn take(home: &Home, claims: &[Claim]) -> Result<Self, Failure> {
        let claims = claims.iter().map(|claim| Ok((*claim, take(home, *claim)?)));
        Ok(Self { folder: home.folder().to_owned(), claims: claims.collect::<Result<_, LockError>>()? })
    }

    /// Takes it again if the home is another one under its old name. Fails if that one has a service of its own.
    pub fn keep(&mut self) -> Result<(), Failure> {
        // Where there is no home now there is no place to lose.
        let Ok(home) = Home::open(&self.folder) else { return Ok(()) };
        for (claim, lock) in &mut self.claims {
            if home.holder(*claim).is_some_and(|holder| !holder.is_another()) {
                continue;
            }
            match take(&home, *claim) {
                Ok(taken) => *lock = taken,
                Err(busy @ LockError::Busy { .. }) => return Err(busy.into()),
                // A disk that is about to go away, or full: the next turn looks again.
                Err(LockError::Failed { .. }) => {}
            }
        }
        Ok(())
    }
}

fn take(home: &Home, claim: Claim) -> Result<HomeLock, LockError> {
    let began = Instant::now();
    loop {
        match home.lock(claim, SERVICE) {
            Err(LockError::Busy { .. }) if began.elapsed() < LOOKED_AT => sleep(PAUSE),
            claimed => return claimed,
        }
    }
}
