//! The warden: ends the service if it does not end by itself soon after it was asked to.
//!
//! A first harvest of millions of changes, or a call to a server that says nothing, can take longer than whoever stops a
//! service waits before killing it. Invariant: the end is as a kill where it was, which every step survives.

use std::thread::{self, sleep};
use std::time::Duration;

use packhorse_shared::config::Part;
use packhorse_shared::seam::Stop;

use crate::failure::{Exit, Failure};
use crate::journal::Event;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long what is under way may go on.
const GRACE: Duration = Duration::from_secs(8);

/// Starts the thread.
pub fn start(stop: Stop) -> Result<(), Failure> {
    let started = thread::Builder::new().name("warden".to_owned()).spawn(move || {
        while !stop.is_asked() {
            sleep(LOOK_EVERY);
        }
        sleep(GRACE);
        let words = "the service has stopped in the middle of something; the next one goes on from there";
        Event::new(Part::Watch, words).tell();
        std::process::exit(Exit::Done.code().into());
    });
    started.map(drop).map_err(|error| Failure::new(Exit::Failed, format!("cannot start a thread: {error}")))
}
