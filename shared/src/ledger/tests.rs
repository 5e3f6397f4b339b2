//! The ledger on a real disk: what it keeps, and every way in which it can be damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::clock::WallTime;
use crate::id::NodeName;
use crate::seam::faults::sweep;
use crate::seam::{Disk, OsDisk, Random, Uninterrupted, WallClock};

/// A clock that stands, and randomness that counts.
struct Still(AtomicU64);

impl WallClock for Still {
    fn now(&self) -> WallTime {
        WallTime(1_795_246_200_000)
    }
}

impl Random for Still {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

struct Scene {
    home: tempfile::TempDir,
    still: Still,
}

impl Scene {
    /// A home as it is made: with an empty folder for the ledger.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(FOLDER)).unwrap();
        Self { home, still: Still(AtomicU64::new(0)) }
    }

    fn on<'a>(&'a self, disk: &'a dyn Disk) -> Ledger<'a> {
        Ledger::new(self.home.path(), World { clock: &self.still, random: &self.still, disk, steps: &Uninterrupted })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A ledger with this many bundles in it, written in two goes.
    fn with(count: u64) -> Self {
        let scene = Self::new();
        for upto in [count / 2, count] {
            assert_eq!(scene.on(&OsDisk).keep(|books| books.take_stock(&stock(upto))).unwrap(), None);
        }
        scene
    }

    /// Keeps the stock, which must be told to have been made again exactly once, for a reason that holds these words.
    #[track_caller]
    fn is_remade(&self, words: &str) {
        let ledger = self.on(&OsDisk);
        let remade = ledger.keep(|books| books.take_stock(&stock(5))).unwrap().expect("it is told");
        assert!(remade.to_string().contains(words), "{words}: {remade}");
        assert_eq!(ledger.keep(|books| books.take_stock(&stock(5))).unwrap(), None, "it is told once");
        assert_eq!(ledger.read(&Stock::default()).unwrap().0.entries().count(), 5);
    }

    fn damaged(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains(DAMAGED)).collect();
        found.sort();
        found
    }
}

fn name(sequence: u64) -> String {
    format!("hq.alice.00000005.{sequence:06}.9a41c07be2d65f18.bundle")
}

/// This many bundles in the outbox.
fn stock(count: u64) -> Stock {
    let alice: NodeName = "alice".parse().unwrap();
    let lying =
        |sequence| Lying { file: name(sequence), size: sequence, written: WallTime(sequence), why: Why::Untold };
    Stock { outbox: (1..=count).map(|sequence| (alice.clone(), lying(sequence))).collect(), ..Stock::default() }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() {
            copy_folder(&entry, &to);
        } else {
            fs::copy(&entry, &to).unwrap();
        }
    }
}

#[test]
fn what_is_kept_is_read_again_and_a_first_ledger_is_no_news() {
    let scene = Scene::with(40);
    let ledger = scene.on(&OsDisk);
    let kept = ledger.keep(|books| books.sent(&name(7), "/srv/relay", WallTime(99))).unwrap();
    assert_eq!(kept, None);
    let (books, remade) = ledger.read(&stock(40)).unwrap();
    assert_eq!(remade, None);
    assert_eq!(books.entries().count(), 40);
    let entry = books.get(&Key::queued(&name(7))).unwrap();
    assert_eq!((entry.attempts, entry.relay.as_deref()), (1, Some("/srv/relay")));
    assert_eq!((entry.size, entry.first_seen), (7, WallTime(7)));
}

#[test]
fn nothing_is_written_when_nothing_has_changed_or_when_it_is_only_read() {
    let scene = Scene::with(5);
    let beside = || fs::read(scene.path(GENERATION)).unwrap();
    let before = beside();
    scene.on(&OsDisk).keep(|books| books.take_stock(&stock(5))).unwrap();
    let (books, _) = scene.on(&OsDisk).read(&Stock { now: WallTime(50), ..stock(6) }).unwrap();
    assert_eq!(books.entries().count(), 6);
    assert_eq!(beside(), before);
}

#[test]
fn a_missing_ledger_is_made_again_and_told() {
    let scene = Scene::with(5);
    fs::remove_dir_all(scene.path(FOLDER)).unwrap();
    scene.is_remade("was missing");
    for name in [FOLDER, GENERATION, LOCK] {
        aside::remove_whole(&scene.path(name)).unwrap();
    }
    scene.is_remade("was missing");
    assert_eq!(scene.damaged(), Vec::<PathBuf>::new());
}

#[test]
fn a_reader_makes_a_missing_ledger_again_from_the_stock() {
    let scene = Scene::with(5);
    fs::remove_dir_all(scene.path(FOLDER)).unwrap();
    let (books, remade) = scene.on(&OsDisk).read(&stock(4)).unwrap();
    assert!(remade.is_some());
    assert_eq!(books.entries().count(), 4);
    assert_eq!(scene.on(&OsDisk).read(&Stock::default()).unwrap().0.entries().count(), 4);
}

#[test]
fn an_emptied_folder_a_file_in_its_place_and_a_foreign_generation_are_damage() {
    let scene = Scene::with(5);
    aside::remove_whole(&scene.path(FOLDER)).unwrap();
    fs::create_dir(scene.path(FOLDER)).unwrap();
    scene.is_remade("its folder is empty");
    aside::remove_whole(&scene.path(FOLDER)).unwrap();
    fs::write(scene.path(FOLDER), "a file").unwrap();
    scene.is_remade("it is no folder");
    fs::write(scene.path(GENERATION), "000000000000ffff 2\n").unwrap();
    scene.is_remade("a part of it is missing");
    fs::write(scene.path(GENERATION), "garbage").unwrap();
    scene.is_remade("does not fit");
    fs::remove_file(scene.path(GENERATION)).unwrap();
    scene.is_remade("does not fit");
}

#[test]
fn an_older_ledger_put_back_in_its_place_is_seen() {
    let scene = Scene::with(5);
    copy_folder(&scene.path(FOLDER), &scene.path("older"));
    for upto in [6, 7] {
        scene.on(&OsDisk).keep(|books| books.take_stock(&stock(upto))).unwrap();
    }
    aside::remove_whole(&scene.path(FOLDER)).unwrap();
    fs::rename(scene.path("older"), scene.path(FOLDER)).unwrap();
    scene.is_remade("a part of it is missing");
}

#[test]
fn a_file_cut_short_anywhere_is_seen_and_the_ledger_made_again() {
    let sound = Scene::with(5);
    let length = fs::metadata(sound.path("ledger/db")).unwrap().len();
    for part in 0..8 {
        let scene = Scene::with(5);
        let file = fs::OpenOptions::new().write(true).open(scene.path("ledger/db")).unwrap();
        file.set_len(length * part / 8).unwrap();
        let ledger = scene.on(&OsDisk);
        let told = ledger.keep(|books| books.take_stock(&stock(5))).unwrap().is_some();
        assert_eq!(ledger.read(&Stock::default()).unwrap().0.entries().count(), 5, "told: {told}");
        assert!(told || part > 0);
    }
}

#[test]
fn garbage_and_zero_bytes_in_any_of_its_files_are_survived() {
    let files: Vec<PathBuf> = ["ledger/db", "ledger/conf"].iter().map(PathBuf::from).collect();
    for file in files {
        for fill in [&b""[..], &[0; 4096], &[0xa5; 200_000]] {
            let scene = Scene::with(5);
            fs::write(scene.home.path().join(&file), fill).unwrap();
            let ledger = scene.on(&OsDisk);
            let remade = ledger.keep(|books| books.take_stock(&stock(5))).unwrap();
            assert!(remade.is_some() || file.ends_with("conf"), "{} {}", file.display(), fill.len());
            assert_eq!(ledger.read(&Stock::default()).unwrap().0.entries().count(), 5);
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_survived_and_never_read_as_something_else() {
    let scene = Scene::with(30);
    let sound = scene.on(&OsDisk).read(&stock(30)).unwrap().0;
    copy_folder(&scene.path(FOLDER), &scene.path("sound"));
    let generation = fs::read(scene.path(GENERATION)).unwrap();
    let content = fs::read(scene.path("sound/db")).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    for place in (0..=used).step_by(used / 150 + 1) {
        aside::remove_whole(&scene.path(FOLDER)).unwrap();
        copy_folder(&scene.path("sound"), &scene.path(FOLDER));
        fs::write(scene.path(GENERATION), &generation).unwrap();
        let mut flipped = content.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(scene.path("ledger/db"), flipped).unwrap();
        let (books, remade) = scene.on(&OsDisk).read(&stock(30)).unwrap();
        assert!(books == sound, "byte {place}, told: {remade:?}");
        assert_eq!(scene.on(&OsDisk).keep(|_| {}).unwrap(), None, "byte {place} is told once");
    }
    assert!(scene.damaged().len() <= aside::DAMAGED_MAX);
}

#[test]
fn only_the_last_damaged_ledgers_are_kept() {
    let scene = Scene::with(5);
    for _ in 0..5 {
        fs::write(scene.path(GENERATION), "garbage").unwrap();
        scene.is_remade("is kept as");
    }
    let names: Vec<String> = scene.damaged().iter().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), aside::DAMAGED_MAX);
}

#[test]
fn a_disk_that_refuses_anything_is_told_and_the_next_run_goes_on() {
    sweep(|disk| {
        let scene = Scene::with(3);
        let refused = scene.on(disk).keep(|books| books.take_stock(&stock(5)));
        assert!(matches!(&refused, Ok(None) | Err(LedgerError::Refused { .. })), "{refused:?}");
        assert_eq!(scene.on(&OsDisk).keep(|books| books.take_stock(&stock(5))).unwrap(), None);
        assert_eq!(scene.on(&OsDisk).read(&Stock::default()).unwrap().0.entries().count(), 5);
    });
}

#[test]
fn a_disk_that_refuses_anything_while_a_ledger_is_made_leaves_one_that_can_be_made() {
    sweep(|disk| {
        let scene = Scene::new();
        let refused = scene.on(disk).keep(|books| books.take_stock(&stock(5)));
        assert!(matches!(&refused, Ok(None) | Err(LedgerError::Refused { .. })), "{refused:?}");
        assert_eq!(scene.on(&OsDisk).keep(|books| books.take_stock(&stock(5))).unwrap(), None);
    });
}

#[test]
fn in_the_place_of_a_home_that_has_just_gone_away_no_ledger_is_made() {
    let scene = Scene::with(3);
    let ledger = scene.on(&OsDisk);
    let held = ledger.lock().unwrap();
    fs::remove_dir_all(scene.home.path()).unwrap();
    assert!(matches!(ledger.open_store(), Err(StoreError::Refused(_))));
    drop(held);
    let left: Vec<_> = fs::read_dir(scene.home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [FOLDER], "what sled makes, and nothing of ours");
}

#[test]
fn a_ledger_in_use_is_waited_for() {
    let scene = Scene::with(3);
    let held = scene.on(&OsDisk).lock().unwrap();
    let (taken, is_taken) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        is_taken.recv().unwrap();
        std::thread::sleep(PAUSE * 3);
        drop(held);
    });
    taken.send(()).unwrap();
    scene.on(&OsDisk).keep(|books| books.take_stock(&stock(4))).unwrap();
    waiting.join().unwrap();
    assert_eq!(scene.on(&OsDisk).read(&Stock::default()).unwrap().0.entries().count(), 4);
}

/// Numbers that look random, from a seed.
fn dice(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap() % below
}

#[test]
#[ignore = "takes minutes"]
fn thousands_of_damages_of_a_ledger_with_a_long_past_are_survived() {
    let scene = Scene::new();
    for round in 1..40 {
        let ledger = scene.on(&OsDisk);
        ledger.keep(|books| books.take_stock(&stock(round * 30))).unwrap();
        ledger.keep(|books| books.sent(&name(round), "/srv/relay", WallTime(round))).unwrap();
    }
    copy_folder(&scene.path(FOLDER), &scene.path("sound"));
    let generation = fs::read(scene.path(GENERATION)).unwrap();
    let content = fs::read(scene.path("sound/db")).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    let (mut seed, mut told) = (7, 0);
    for round in 0..3_000 {
        aside::remove_whole(&scene.path(FOLDER)).unwrap();
        copy_folder(&scene.path("sound"), &scene.path(FOLDER));
        fs::write(scene.path(GENERATION), &generation).unwrap();
        let mut damaged = content.clone();
        let place = dice(&mut seed, used);
        match round % 3 {
            0 => damaged[place] ^= 1 << dice(&mut seed, 8),
            1 => damaged.truncate(place),
            _ => damaged[place..(place + 4096).min(used)].fill(0),
        }
        fs::write(scene.path("ledger/db"), damaged).unwrap();
        let (books, remade) = scene.on(&OsDisk).read(&stock(39 * 30)).unwrap();
        told += u32::from(remade.is_some());
        assert_eq!(books.entries().count(), 39 * 30, "round {round}");
        assert_eq!(scene.on(&OsDisk).keep(|_| {}).unwrap(), None, "round {round} is told once");
    }
    assert!(told > 500, "{told} were told");
}
