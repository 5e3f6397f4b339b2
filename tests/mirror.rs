//! The mirror: the real crates beside an executable model of the design, through the same random schedules.
//!
//! A seed makes a hub with two or three remotes, in the model and of the real crates, and drives both through the same
//! edits, runs, faults of the line, backups and returns to them. Then the faults end, and everything must be alike. See
//! `tests/README.md` for how a seed is played again.

pub mod dice;
mod doubt;
mod driver;
mod model;
mod model_link;
mod node;
mod relay;
mod seams;
mod tables;
mod verdict;
mod worlds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use driver::{Driver, Plan};

/// Seeds of a normal run.
const SEEDS: u64 = 300;

/// Seeds of a thorough run, unless `PACKHORSE_MIRROR_SEEDS` says otherwise.
const SEEDS_OF_THOROUGH_RUN: u64 = 4_000;

#[test]
fn the_real_crates_end_as_the_model_does() {
    match number("PACKHORSE_MIRROR_SEED") {
        Some(seed) => report(one(seed, true).into_iter().collect()),
        None => all(0..SEEDS),
    }
}

/// Of the thorough run, those that a mistake was found by.
#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    let seeds = [300, 304, 382, 391, 403, 450, 499, 511, 521, 546, 654, 727, 935, 983, 1_031, 1_151, 1_271, 2_487];
    report(seeds.into_iter().filter_map(|seed| one(seed, false)).collect());
}

#[test]
#[ignore = "takes long: thousands of seeds"]
fn the_real_crates_end_as_the_model_does_in_thousands_of_seeds() {
    let first = number("PACKHORSE_MIRROR_FIRST").unwrap_or(SEEDS);
    all(first..first + number("PACKHORSE_MIRROR_SEEDS").unwrap_or(SEEDS_OF_THOROUGH_RUN));
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Plays many seeds on all processors.
fn all(seeds: std::ops::Range<u64>) {
    let (next, failures) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            if let Some(failure) = one(seed, false) {
                println!("seed {seed} fails");
                failures.lock().expect("nobody panics here").push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |count| count.get()) {
            scope.spawn(work);
        }
    });
    report(failures.into_inner().expect("nobody panics here"));
}

/// Plays one seed; what is wrong, if anything is.
fn one(seed: u64, trace: bool) -> Option<(u64, String)> {
    let mut plan = Plan::of(seed);
    plan.steps = number("PACKHORSE_MIRROR_STEPS").unwrap_or(plan.steps);
    let folder = tempfile::tempdir_in(fast_folder()).expect("a temporary folder");
    let play = AssertUnwindSafe(|| Driver::new(plan, folder.path().to_owned(), trace).run());
    let wrong = match catch_unwind(play) {
        Ok(wrong) => wrong.join("\n"),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned()),
    };
    (!wrong.is_empty()).then(|| (seed, format!("{plan:?}\n{wrong}")))
}

/// Where files cost least: nothing of a seed need outlive it.
fn fast_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// The first few seeds that went wrong, with the command that plays each again.
fn report(mut failures: Vec<(u64, String)>) {
    failures.sort();
    let seeds: Vec<u64> = failures.iter().map(|failure| failure.0).collect();
    let told = failures.iter().take(3).map(|(seed, wrong)| {
        format!(
            "PACKHORSE_MIRROR_SEED={seed} cargo test --test integration mirror::the_real_crates_end_as_the_model_does -- --exact --nocapture\n{wrong}\n"
        )
    });
    assert!(failures.is_empty(), "{} seeds fail: {seeds:?}\n{}", seeds.len(), told.collect::<String>());
}
