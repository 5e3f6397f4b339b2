//! Whether the simulator is blind to a fault that was planted on purpose: it has to find a story that fails with the
//! saboteur at work, and does not fail without.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
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

/// Plays stories from this seed on, on all cores, until one catches the saboteur, or the time is over.
pub fn catch(saboteur: Saboteur, first: u64, cores: usize) -> Option<Caught> {
    let (began, next, caught) = (Instant::now(), AtomicU64::new(first), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while began.elapsed() <= LIMIT && caught.lock().expect("nobody panics with it").is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if let Some(why) = fails_by(saboteur, seed) {
                        let line = why.lines().next().unwrap_or_default().to_owned();
                        let invariant = line.split(':').next().unwrap_or_default().to_owned();
                        let found = Caught { invariant, seed, after: began.elapsed(), why: line };
                        let mut caught = caught.lock().expect("nobody panics with it");
                        *caught = caught.take().or(Some(found).filter(|found| found.after <= LIMIT));
                    }
                }
            });
        }
    });
    caught.into_inner().expect("nobody panics with it")
}

/// Whether one of these stories catches the saboteur, one after the other and however long they take.
pub fn is_caught_among(saboteur: Saboteur, mut seeds: Range<u64>) -> bool {
    seeds.any(|seed| fails_by(saboteur, seed).is_some())
}

/// Why a story fails with a saboteur at work, if it does not fail without.
fn fails_by(saboteur: Saboteur, seed: u64) -> Option<String> {
    set_to_work(Some(saboteur));
    let played = play::outcome(seed, None);
    set_to_work(None);
    played.err().filter(|_| play::outcome(seed, None).is_ok())
}
