//! Whether the simulator is blind to a fault that was planted on purpose: it has to find a story that fails with the
//! saboteur at work, and does not fail without.

use std::time::{Duration, Instant};

use packhorse_shared::seam::{Saboteur, set_to_work};

use crate::play;

/// A saboteur must be caught within this time.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How a saboteur was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// By which invariant.
    pub invariant: String,
    /// In which story.
    pub seed: u64,
    /// After how long.
    pub after: Duration,
    /// What was seen.
    pub why: String,
}

/// Plays stories from this seed on until one catches the saboteur, or the time is over.
pub fn catch(saboteur: Saboteur, first: u64) -> Option<Caught> {
    let began = Instant::now();
    for seed in first.. {
        if began.elapsed() > LIMIT {
            break;
        }
        set_to_work(Some(saboteur));
        let played = play::outcome(seed, None);
        set_to_work(None);
        if let Err(why) = played
            && play::outcome(seed, None).is_ok()
        {
            let line = why.lines().next().unwrap_or_default().to_owned();
            let invariant = line.split(':').next().unwrap_or_default().to_owned();
            return Some(Caught { invariant, seed, after: began.elapsed(), why: line });
        }
    }
    None
}
