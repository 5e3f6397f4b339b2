//! The simulator: whole stories of nodes on a virtual clock, through the real commands, with everything that DESIGN section
//! 10 says must be survived. One process, a story for each thread at a time; a seed tells all of a story.

mod absence;
mod aim;
mod application;
mod cast;
mod copies;
mod counting;
mod crash;
mod decide;
#[path = "../mirror/dice.rs"]
mod dice;
mod dispute;
mod event;
mod happen;
mod hiding;
mod ids;
mod judge;
mod laws;
mod machinery;
mod meanwhile;
mod node;
mod oracle;
mod packages;
mod play;
mod policies;
mod purge;
mod relay;
mod rights;
mod saboteurs;
mod secret;
mod shares;
mod story;
mod tally;
mod twice;
mod twins;
mod verdict;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use packhorse_shared::seam::Saboteur;

/// How many seeds the normal run plays.
const SEEDS: u64 = 88;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// How many stories are played at a time: some of them wait for a disk.
fn players() -> usize {
    cores() + cores().div_ceil(2)
}

/// Plays seeds on all cores until `next` gives no more; those that failed, and why.
fn play_all(next: impl Fn() -> Option<u64> + Sync) -> Vec<(u64, String)> {
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..players() {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    if !is_wanted(seed) {
                        continue;
                    }
                    if let Err(why) = play::outcome(seed, None) {
                        failed.lock().expect("nobody panics with it").push((seed, why));
                    }
                }
            });
        }
    });
    failed.into_inner().expect("nobody panics with it")
}

/// Whether that may happen in a seed's story which `PACKHORSE_SIM_CLIMATE` names, if it names anything.
fn is_wanted(seed: u64) -> bool {
    let wanted = std::env::var("PACKHORSE_SIM_CLIMATE");
    let may = |what: String| format!("{:?}", event::Climate::of(seed)).contains(&format!("{what}: true"));
    wanted.map_or(true, may)
}

/// The seeds that failed, a line each, and how to play the first again.
fn told(failed: &[(u64, String)]) -> String {
    let line = |(seed, why): &(u64, String)| format!("seed {seed}: {}\n", why.lines().next().unwrap_or_default());
    let lines: String = failed.iter().map(line).collect();
    let again = failed.first().map_or(0, |failed| failed.0);
    format!(
        "{lines}One again, and its shortest story: PACKHORSE_SIM_SEED={again} cargo test --test simulator -- --ignored \
         one_story --nocapture"
    )
}

#[test]
fn some_hundred_stories_end_well() {
    let first = number("PACKHORSE_SIM_FIRST").unwrap_or(0);
    let end = first + number("PACKHORSE_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let failed = play_all(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end));
    assert!(failed.is_empty(), "{} of {} seeds fail:\n{}", failed.len(), end - first, told(&failed));
}

#[test]
fn stories_that_once_failed_end_well() {
    let wanted = std::env::var("PACKHORSE_SIM_STORY").unwrap_or_default();
    let mut files = story::files();
    files.retain(|file| file.ends_with(&wanted) || wanted.is_empty());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..players() {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = play::caught(|| story::play(file)) {
                        failed.lock().expect("nobody panics with it").push(format!("{}: {why}", file.display()));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    assert!(failed.is_empty() && !files.is_empty(), "{}", failed.join("\n"));
}

/// Plays new stories for as long as `PACKHORSE_SIM_SECONDS` says, and reports what they have met (`scripts/soak`).
#[test]
#[ignore = "as long as PACKHORSE_SIM_SECONDS says"]
fn soak() {
    let Some(seconds) = number("PACKHORSE_SIM_SECONDS") else { return };
    let (began, first) = (Instant::now(), number("PACKHORSE_SIM_FIRST").unwrap_or(1_000_000));
    let next = AtomicU64::new(first);
    let failed = play_all(|| (began.elapsed().as_secs() < seconds).then(|| next.fetch_add(1, Ordering::Relaxed)));
    println!("{} seeds, {first} and later, in {} s", next.into_inner() - first, began.elapsed().as_secs());
    let unmet = tally::report();
    assert!(failed.is_empty(), "{} seeds fail:\n{}", failed.len(), told(&failed));
    assert!(unmet.is_empty() || seconds < 300, "these were never met: {unmet:?}");
}

/// Of each kind one that the first stories catch. All of them take minutes.
#[test]
fn a_few_saboteurs_are_caught() {
    let few = [
        Saboteur::StampAnew,
        Saboteur::ShareEverything,
        Saboteur::ReuseSequence,
        Saboteur::IgnoreBirths,
        Saboteur::OrphanChildren,
        Saboteur::AllowMakings,
        Saboteur::ForgetFolderSync,
    ];
    for saboteur in few {
        assert!(saboteurs::is_caught_among(saboteur, 0..40), "{saboteur} is not caught");
    }
}

/// Prints the table of `tests/README.md`: every saboteur, and the invariant that caught it.
#[test]
#[ignore = "up to a minute for each saboteur"]
fn every_saboteur_is_caught() {
    let wanted = std::env::var("PACKHORSE_SIM_SABOTEUR").ok();
    let mut survivors = Vec::new();
    for saboteur in Saboteur::ALL.iter().filter(|saboteur| wanted.as_ref().is_none_or(|name| saboteur.name() == name)) {
        match saboteurs::catch(*saboteur, number("PACKHORSE_SIM_FIRST").unwrap_or(0), cores()) {
            Some(caught) => {
                let saboteurs::Caught { invariant, seed, after, why } = caught;
                println!("| {saboteur} | {invariant} | {seed} | {} s | {why}", after.as_secs());
            }
            None => {
                println!("| {saboteur} | NOT CAUGHT |");
                survivors.push(saboteur.name());
            }
        }
    }
    assert!(survivors.is_empty(), "the simulator is blind to {survivors:?}");
}

/// Plays a seed that fails, and leaves out of its story all that it fails without.
#[test]
#[ignore = "only for the seed in PACKHORSE_SIM_SEED, and of its events those in PACKHORSE_SIM_EVENTS"]
fn one_story() {
    let Some(seed) = number("PACKHORSE_SIM_SEED") else { return };
    if let Ok(events) = std::env::var("PACKHORSE_SIM_EVENTS") {
        let numbers: Vec<usize> =
            events.split(',').map(|number| number.parse().expect("the number of an event")).collect();
        return play::play(seed, Some(&numbers));
    }
    let Some((numbers, why)) = play::shrink(seed) else { return };
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    panic!("seed {seed} fails with the events PACKHORSE_SIM_EVENTS={}\n{why}", numbers.join(","));
}
