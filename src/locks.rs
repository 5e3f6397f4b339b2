//! Taking a home's locks, and waiting for the service to give them back.
//!
//! Owns how long a person's command waits. The service's turns are short, so that a command that meets one is not refused;
//! another person's run is, at once, since nobody knows how long it will take.

use std::thread::sleep;
use std::time::{Duration, Instant};

use packhorse_shared::home::{Claim, Holder, Home, HomeLock, LockError};

use crate::failure::Failure;
use crate::report::note;

/// How long it is waited for the service. A transfer of its may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// After how long it is told that there is a wait.
const SILENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Takes a lock for a command.
pub fn take(home: &Home, claim: Claim, command: &str) -> Result<HomeLock, Failure> {
    let mut wait = Wait { began: Instant::now(), known: None, told: false };
    loop {
        match home.lock(claim, command) {
            Err(LockError::Busy { holder, .. }) if wait.goes_on(&holder) => {
                wait.tell(home);
                sleep(PAUSE);
            }
            taken => return Ok(taken?),
        }
    }
}

/// A wait for a lock.
struct Wait {
    began: Instant,
    /// When the holder was last known to be the service.
    known: Option<Instant>,
    told: bool,
}

impl Wait {
    fn goes_on(&mut self, holder: &Holder) -> bool {
        if holder.is_service() {
            self.known = Some(Instant::now());
            return self.began.elapsed() < PATIENCE;
        }
        // Whoever has only just come has not written its words yet, and whoever goes takes them away first.
        !holder.is_known() && self.known.unwrap_or(self.began).elapsed() < SILENCE
    }

    fn tell(&mut self, home: &Home) {
        if !self.told && self.began.elapsed() > SILENCE {
            note(&format!("waiting for the service, which is at work on {}", home.folder().display()));
            self.told = true;
        }
    }
}
