//! Disks that are full or broken, as SQLite and the seams tell of them; and virtual time.

use std::fs;
use std::io::{ErrorKind, Write};

use packhorse_shared::seam::{Disk, Random, Step, Steps, WallClock};
use rusqlite::{Connection, ErrorCode};
use simulated_machine::fate::{self, End, Fate, Fault};
use simulated_machine::{SimClock, SimDisk, SimRandom, SimSteps, clock};

use crate::scene::{Found, Keeping, START, START_SECONDS, Scene, look, make, open, run};

const KEEPINGS: [Keeping; 2] =
    [Keeping { journal: "WAL", synchronous: "FULL" }, Keeping { journal: "DELETE", synchronous: "FULL" }];

fn once(fault: Fault, at: u64) -> Option<Fate> {
    Some(Fate { at, end: End::Once(fault) })
}

/// A transaction that writes to new pages.
fn grow(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("INSERT INTO t(step, words) VALUES (1, ?1)", [&"word ".repeat(3000)]).map(|_| ())
}

fn code(done: Result<(), rusqlite::Error>) -> Option<ErrorCode> {
    done.err().map(|error| error.sqlite_error_code().expect("an error of SQLite's"))
}

#[test]
fn a_failing_call_comes_out_of_sqlite_as_what_it_is_and_harms_nothing() {
    for keeping in KEEPINGS {
        for fault in [Fault::Full, Fault::Broken] {
            let mut codes = Vec::new();
            for at in 1..60 {
                let scene = Scene::new(at);
                let database = scene.path("crm.db");
                make(&database, keeping);
                let connection = open(&database, keeping).expect("a database");
                let (done, calls) = run(once(fault, at), || grow(&connection));
                codes.extend(code(done));
                grow(&connection).expect("the disk works again");
                drop(connection);
                let damage = look(&database);
                assert!(!matches!(&damage, Found::Damaged(why) if !why.starts_with("it holds")), "{at}: {damage:?}");
                if calls < at {
                    break;
                }
            }
            let expected = if fault == Fault::Full { ErrorCode::DiskFull } else { ErrorCode::SystemIoFailure };
            assert!(codes.contains(&expected), "{keeping:?}: {codes:?}");
            let possible = [expected, ErrorCode::SystemIoFailure, ErrorCode::CannotOpen];
            assert!(codes.len() > 5 && codes.iter().all(|code| possible.contains(code)), "{keeping:?}: {codes:?}");
        }
    }
}

#[test]
fn a_page_that_finds_no_room_may_be_there_by_half() {
    let (header, frame, page) = (32, 24, 4096);
    let lengths = (1..10).map(|at| {
        let scene = Scene::new(at);
        let database = scene.path("crm.db");
        make(&database, KEEPINGS[0]);
        let connection = open(&database, KEEPINGS[0]).expect("a database");
        let _ = run(once(Fault::Full, at), || grow(&connection));
        fs::metadata(scene.path("crm.db-wal")).map_or(0, |about| about.len())
    });
    assert!(lengths.collect::<Vec<_>>().contains(&(header + frame + page / 2)));
}

#[test]
fn a_disk_that_stays_full_takes_nothing_more_but_gives_way() {
    for keeping in KEEPINGS {
        let scene = Scene::new(3);
        let database = scene.path("crm.db");
        make(&database, keeping);
        let connection = open(&database, keeping).expect("a database");
        SimDisk.create_new(&scene.path("old")).expect("a file");
        run(Some(Fate { at: 1, end: End::FromThenOn(Fault::Full) }), || {
            for _ in 0..3 {
                let refused = code(grow(&connection)).expect("there is no room");
                assert!(matches!(refused, ErrorCode::DiskFull | ErrorCode::CannotOpen), "{refused:?}");
            }
            let new = SimDisk.create_new(&scene.path("new")).err().map(|error| error.kind());
            assert_eq!(new, Some(ErrorKind::StorageFull));
            SimDisk.remove(&scene.path("old")).expect("room can be made");
        });
        grow(&connection).expect("in the next run there is room");
    }
}

#[test]
fn the_disk_tells_what_is_wrong_and_a_failing_write_may_write_half() {
    let scene = Scene::new(1);
    let mut file = SimDisk.create_new(&scene.path("a")).expect("a file");
    let (full, _) = run(once(Fault::Full, 1), || file.write_all(b"12345678"));
    assert_eq!(full.expect_err("it is full").kind(), ErrorKind::StorageFull);
    assert_eq!(fs::read(scene.path("a")).expect("the file"), b"1234");
    let (broken, _) = run(once(Fault::Broken, 1), || file.sync());
    assert_eq!(broken.expect_err("it is broken").raw_os_error(), Some(5));
    let (unnamed, calls) = run(once(Fault::Full, 2), || {
        let renamed = SimDisk.rename(&scene.path("a"), &scene.path("b"));
        renamed.and_then(|()| SimDisk.sync_folder(scene.root()))
    });
    assert!(unnamed.is_err() && calls == 2 && scene.path("b").exists());
}

#[test]
fn a_reading_fails_by_itself_and_not_in_a_run_that_has_been_killed() {
    let scene = Scene::new(1);
    let database = scene.path("crm.db");
    make(&database, KEEPINGS[0]);
    let reading = || {
        let connection = open(&database, KEEPINGS[0])?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    };
    let codes: Vec<_> =
        (1..4).map(|at| run(Some(Fate { at, end: End::Reading }), || code(reading().map(|_| ()))).0).collect();
    assert!(codes.contains(&Some(ErrorCode::CannotOpen)), "{codes:?}");
    assert!(codes.contains(&Some(ErrorCode::SystemIoFailure)), "{codes:?}");
    let (_, calls) = run(Some(Fate { at: 1, end: End::Reading }), || SimDisk.create_new(&scene.path("a")).map(drop));
    assert_eq!((calls, fate::has_struck()), (1, false), "only readings fail");
    reading().expect("what fails once works again");
}

#[test]
fn steps_can_fail_and_are_counted_by_their_names() {
    let _scene = Scene::new(1);
    let before = fate::tally().get("bundle-numbered").copied().unwrap_or_default();
    let (failed, _) = run(once(Fault::Broken, 2), || {
        SimSteps.reached(Step::BundleNumbered).expect("the first call works");
        SimSteps.reached(Step::BundleNumbered)
    });
    assert!(failed.is_err());
    SimSteps.reached(Step::BundleNumbered).expect("no run is under way");
    let after = fate::tally()["bundle-numbered"];
    assert_eq!((after.reached - before.reached, after.broken - before.broken), (2, 1));
}

#[test]
fn sqlite_tells_virtual_time() {
    let _scene = Scene::new(1);
    let connection = Connection::open_in_memory().expect("a database");
    let times = || {
        let sql = "SELECT CURRENT_TIMESTAMP, unixepoch(), strftime('%s', 'now'), unixepoch('subsec')";
        connection
            .query_row(sql, [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, f64>(3)?))
            })
            .expect("the time")
    };
    let then = START_SECONDS;
    assert_eq!(times(), ("2026-09-21 14:13:20".to_owned(), then, then.to_string(), then as f64));
    clock::advance(61_250);
    assert_eq!(times(), ("2026-09-21 14:14:21".to_owned(), then + 61, (then + 61).to_string(), then as f64 + 61.25));
    clock::set(0);
    assert_eq!((times().0.as_str(), SimClock.now().0), ("1970-01-01 00:00:00", 0));
}

#[test]
fn waiting_for_a_lock_takes_virtual_time_only() {
    let scene = Scene::new(1);
    let database = scene.path("crm.db");
    make(&database, KEEPINGS[0]);
    let [one, other] = [0, 1].map(|_| open(&database, KEEPINGS[0]).expect("a database"));
    other.busy_timeout(std::time::Duration::from_secs(3600)).expect("it waits an hour");
    one.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert_eq!(code(grow(&other)), Some(ErrorCode::DatabaseBusy));
    assert!(clock::now() - START > 3_500_000);
}

#[test]
fn without_a_simulation_everything_is_the_real_system() {
    fate::plan(Some(Fate { at: 1, end: End::Kill }));
    fate::begin();
    assert!(SimClock.now().0 > 0 && SimRandom.next_u64() != SimRandom.next_u64());
    let folder = tempfile::TempDir::new().expect("a folder");
    drop(SimDisk.create_new(&folder.path().join("a")).expect("nothing is killed"));
    assert_eq!(fate::calls(), 0);
}
