//! Playing a seed's story, or some of its events.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::event::{Climate, schedule};
use crate::happen::happen;
use crate::verdict;
use crate::world::World;

static SILENCE: Once = Once::new();

thread_local! {
    /// While a story is played on this thread: where it panicked.
    static PLAYING: Cell<Option<String>> = const { Cell::new(None) };
}

/// Plays a seed's events with these numbers. Panics with the story if it fails.
pub fn play(seed: u64, numbers: Option<&[usize]>) {
    let mut world = World::new(seed);
    for event in schedule(seed, &Climate::of(seed)) {
        if numbers.is_none_or(|numbers| numbers.contains(&event.number)) {
            happen(&mut world, &event);
        }
    }
    verdict::judge(&mut world, seed);
}

/// Plays it; why it failed, if it did.
pub fn outcome(seed: u64, numbers: Option<&[usize]>) -> Result<(), String> {
    caught(|| play(seed, numbers))
}

/// Plays something; why it failed, if it did. What panics meanwhile says so here alone.
pub fn caught(play: impl FnOnce()) -> Result<(), String> {
    SILENCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLAYING.with(|playing| match playing.take() {
                None => usual(info),
                Some(_) => playing.set(Some(place.unwrap_or_default())),
            });
        }));
    });
    PLAYING.set(Some(String::new()));
    let played = catch_unwind(AssertUnwindSafe(play));
    let place = PLAYING.take().unwrap_or_default();
    played.map_err(|cause| {
        let words = cause.downcast_ref::<String>().cloned();
        let words = words.or_else(|| cause.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default();
        if words.contains("\nThe story:") { words } else { format!("panic: at {place}: {words}") }
    })
}

/// The shortest part of a seed's story that still fails by the same invariant, as far as leaving out events finds it.
pub fn shrink(seed: u64) -> Option<(Vec<usize>, String)> {
    let mut kept: Vec<usize> = schedule(seed, &Climate::of(seed)).iter().map(|event| event.number).collect();
    let mut why = outcome(seed, Some(&kept)).err()?;
    let invariant = |why: &str| why.split(':').next().unwrap_or_default().to_owned();
    let broken = invariant(&why);
    let mut piece = kept.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < kept.len() {
            let fewer = [&kept[..at], &kept[kept.len().min(at + piece)..]].concat();
            match outcome(seed, Some(&fewer)) {
                Err(other) if invariant(&other) == broken => (kept, why) = (fewer, other),
                _ => at += piece,
            }
        }
        piece /= 2;
    }
    Some((kept, why))
}
