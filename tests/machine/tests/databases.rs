//! Power cuts under SQLite: what is synced is kept, and what is not synced is lost often enough.

use packhorse_shared::seam::{Disk, publish};
use simulated_machine::SimDisk;

use crate::scene::{Found, Keeping, Scene, below, kill, look, make, run, write};

const WAL: Keeping = Keeping { journal: "WAL", synchronous: "FULL" };
const WAL_NORMAL: Keeping = Keeping { journal: "WAL", synchronous: "NORMAL" };
const WAL_UNSYNCED: Keeping = Keeping { journal: "WAL", synchronous: "OFF" };
/// In the mode FULL the removal of the journal, which is the commit, is not synced.
const ROLLBACK: Keeping = Keeping { journal: "DELETE", synchronous: "EXTRA" };
const ROLLBACK_LAST_OPEN: Keeping = Keeping { journal: "DELETE", synchronous: "FULL" };
const TRUNCATED: Keeping = Keeping { journal: "TRUNCATE", synchronous: "FULL" };
/// In the mode NORMAL the cutting of the journal, which is the commit, is not synced; the next one may be written over the
/// old one sector by sector, which damages a few databases, as SQLite says of this mode.
const TRUNCATED_LAST_OPEN: Keeping = Keeping { journal: "TRUNCATE", synchronous: "NORMAL" };
const ROLLBACK_UNSYNCED: Keeping = Keeping { journal: "DELETE", synchronous: "OFF" };

/// How many times the power is cut where nothing may be lost.
const CUTS: usize = 200;

/// How many times where it is to be seen that something is.
const FEWER_CUTS: usize = 100;

/// What becomes of what an application wrote.
enum Then {
    PowerCut,
    Nothing,
}

/// How it ended, cut by cut.
#[derive(Debug, Default)]
struct Ends {
    /// Everything that was committed is there.
    kept: usize,
    /// It is whole, and some of what was committed is not there.
    lost: usize,
    /// By how many transactions at the most.
    lost_most: i64,
    damaged: usize,
    /// In how many the machine took anything.
    taken: usize,
}

/// An application that is killed at any call, or not at all; then the power is cut.
fn ends(keeping: Keeping, cuts: usize, then: Then) -> Ends {
    let mut ends = Ends::default();
    let calls = calls_of_a_run(&Scene::new(0), keeping);
    for seed in 0..cuts as u64 {
        let scene = Scene::new(seed);
        let database = scene.path("crm.db");
        make(&database, keeping);
        scene.settle();
        let (committed, _) = run(kill(1 + below(calls + calls / 10)), || write(&database, keeping));
        if matches!(then, Then::PowerCut) {
            let cut = scene.power_cut(seed);
            ends.taken += usize::from(cut.contents + cut.names > 0);
        }
        match look(&database) {
            Found::Damaged(_) => ends.damaged += 1,
            Found::Whole(last) if last >= committed => {
                assert!(last <= committed.max(0) + 1, "seed {seed}: {last} after {committed}");
                ends.kept += 1;
            }
            Found::Whole(last) => {
                ends.lost += 1;
                ends.lost_most = ends.lost_most.max(committed - last);
            }
        }
    }
    ends
}

fn calls_of_a_run(scene: &Scene, keeping: Keeping) -> u64 {
    let other = scene.path("other.db");
    make(&other, keeping);
    let (committed, calls) = run(None, || write(&other, keeping));
    assert!(committed > 0 && calls > 100, "the application writes");
    calls
}

#[test]
fn a_log_that_is_synced_keeps_every_transaction() {
    let ends = ends(WAL, CUTS, Then::PowerCut);
    assert!(ends.kept == CUTS && ends.taken > CUTS / 4, "{ends:?}");
}

#[test]
fn a_journal_that_is_synced_with_its_folder_keeps_every_transaction() {
    let ends = ends(ROLLBACK, CUTS, Then::PowerCut);
    assert!(ends.kept == CUTS && ends.taken > CUTS / 4, "{ends:?}");
}

#[test]
fn a_journal_that_is_cut_comes_back_until_it_is_synced() {
    let synced = ends(TRUNCATED, FEWER_CUTS, Then::PowerCut);
    assert!(synced.kept == FEWER_CUTS, "{synced:?}");
    let unsynced = ends(TRUNCATED_LAST_OPEN, FEWER_CUTS, Then::PowerCut);
    assert!(unsynced.damaged < 10 && unsynced.lost > 8 && unsynced.lost_most == 1, "{unsynced:?}");
}

#[test]
fn a_journal_whose_folder_is_not_synced_may_bring_back_the_last_transaction_but_no_earlier_one() {
    let ends = ends(ROLLBACK_LAST_OPEN, FEWER_CUTS, Then::PowerCut);
    assert!(ends.damaged == 0 && ends.lost > 8 && ends.lost_most == 1, "{ends:?}");
}

#[test]
fn a_log_that_is_synced_now_and_then_loses_the_last_transactions_and_is_whole() {
    let ends = ends(WAL_NORMAL, FEWER_CUTS, Then::PowerCut);
    assert!(ends.damaged == 0 && ends.lost > 3, "{ends:?}");
}

#[test]
fn what_is_not_synced_is_lost_or_damaged_by_a_power_cut() {
    for keeping in [WAL_UNSYNCED, ROLLBACK_UNSYNCED] {
        let ends = ends(keeping, FEWER_CUTS, Then::PowerCut);
        assert!(ends.damaged > 15 && ends.lost > 10 && ends.kept > 10, "{keeping:?}: {ends:?}");
    }
}

#[test]
fn what_is_not_synced_is_there_without_a_power_cut() {
    for keeping in [WAL_UNSYNCED, ROLLBACK_UNSYNCED] {
        let ends = ends(keeping, FEWER_CUTS, Then::Nothing);
        assert_eq!(ends.kept, FEWER_CUTS, "{keeping:?}: {ends:?}");
    }
}

#[test]
fn a_database_outlives_one_power_cut_after_another() {
    for keeping in [WAL, ROLLBACK] {
        let scene = Scene::new(1);
        let database = scene.path("crm.db");
        make(&database, keeping);
        scene.settle();
        let calls = calls_of_a_run(&scene, keeping);
        let mut there = 0;
        for seed in 0..50 {
            let (committed, _) = run(kill(1 + below(calls)), || write(&database, keeping));
            scene.power_cut(seed);
            let Found::Whole(last) = look(&database) else { panic!("{keeping:?}: damaged at cut {seed}") };
            assert!(last >= committed.max(there) && last <= committed.max(there) + 1, "{last} after {committed}");
            there = last;
        }
        assert!(there > 50, "{there}");
    }
}

#[test]
fn a_database_that_only_the_application_has_made_may_be_gone() {
    let mut gone = 0;
    for seed in 0..40 {
        let scene = Scene::new(seed);
        make(&scene.path("crm.db"), Keeping { journal: "OFF", synchronous: "FULL" });
        scene.power_cut(seed);
        gone += usize::from(!scene.path("crm.db").exists());
    }
    assert!(gone > 0, "no folder was synced");
}

/// A database that SQLite makes without syncing, and that the disk then puts in its place.
fn placed(seed: u64, finish: impl Fn(&Scene)) -> Found {
    let scene = Scene::new(seed);
    SimDisk.create_folder(&scene.path("tmp")).expect("a folder");
    make(&scene.path("tmp/draft"), Keeping { journal: "OFF", synchronous: "OFF" });
    finish(&scene);
    publish(&SimDisk, &scene.path("tmp/draft"), &scene.path("crm.db")).expect("it has its name");
    scene.power_cut(seed);
    look(&scene.path("crm.db"))
}

#[test]
fn what_sqlite_wrote_can_be_synced_and_renamed_by_the_disk() {
    for seed in 0..FEWER_CUTS as u64 {
        let sync = |scene: &Scene| SimDisk.sync_file(&scene.path("tmp/draft")).expect("it is synced");
        assert_eq!(placed(seed, sync), Found::Whole(0), "seed {seed}");
    }
    let damaged = (0..FEWER_CUTS as u64).filter(|seed| placed(*seed, |_| {}) != Found::Whole(0)).count();
    assert!(damaged > 20, "{damaged}: the content goes its way under the new name");
}
