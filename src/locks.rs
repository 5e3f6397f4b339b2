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
    let began = Instant::now();
    let mut told = false;
    loop {
        match home.lock(claim, command) {
            Err(LockError::Busy { holder, .. }) if began.elapsed() < patience(&holder) => {
                if began.elapsed() > SILENCE && !told {
                    note(&format!("waiting for the service, which is at work on {}", home.folder().display()));
                    told = true;
                }
                sleep(PAUSE);
            }
            taken => return Ok(taken?),
        }
    }
}

/// Whoever has only just come has not written its words yet.
fn patience(holder: &Holder) -> Duration {
    match holder.is_known() {
        _ if holder.is_service() => PATIENCE,
        true => Duration::ZERO,
        false => SILENCE,
    }
}
