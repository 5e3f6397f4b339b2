//! What goes away and comes back while the service runs: a relay, the database, the disk with the home, room on the disk.

use std::fs;

use super::{QUICK, pair, until_it_is};
use crate::support::Scene;
use crate::support::service::{Service, until};

/// Waits until the service has told of something, and then, once it is mended, that it works again.
fn until_mended(service: &Service, told: &str, mend: impl FnOnce()) {
    service.until(&format!("{told} is told"), |log| log.contains(told));
    mend();
    service.until("its end is told", |log| log.rfind("it works again") > log.rfind(told));
}

fn times(log: &str, words: &str) -> usize {
    log.matches(words).count()
}

#[test]
fn a_relay_that_goes_away_is_told_once_and_worked_with_again() {
    let scene = pair();
    let (hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    let (relay, away) = (scene.path("relay"), scene.path("unmounted"));
    fs::rename(&relay, &away).unwrap();
    scene.sql("hq", "UPDATE t SET a = 'without a relay'");
    until_mended(&hq, "cannot be reached", || {
        // As long as it takes for several tries to fail.
        hq.until("it was tried again", |log| log.contains("sealed 1 record"));
        fs::rename(&away, &relay).unwrap();
    });
    until_it_is(&scene, "alice", "a", "without a relay");
    let log = hq.log();
    assert_eq!(times(&log, "cannot be reached"), 1, "{log}");
    assert!(!relay.join("relay").exists() && !away.exists());
}

#[test]
fn an_empty_folder_in_the_place_of_the_relay_stays_empty() {
    let scene = pair();
    let hq = Service::start(&scene, "hq", &QUICK);
    let (relay, away) = (scene.path("relay"), scene.path("unmounted"));
    fs::rename(&relay, &away).unwrap();
    fs::create_dir(&relay).unwrap();
    scene.sql("hq", "UPDATE t SET a = 'into the void'");
    until_mended(&hq, "ERROR transfer", || {
        assert_eq!(fs::read_dir(&relay).unwrap().count(), 0);
        fs::remove_dir(&relay).unwrap();
        fs::rename(&away, &relay).unwrap();
    });
    // The relay may be back before the change is sealed.
    until("it comes to alice", || {
        scene.sync("alice");
        scene.sql("alice", "SELECT a FROM t") == "into the void"
    });
}

#[test]
fn a_database_that_goes_away_comes_back_with_what_was_written_meanwhile() {
    let scene = pair();
    let (hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    let (database, away) = (scene.database("hq"), scene.path("moved.db"));
    fs::rename(&database, &away).unwrap();
    until_mended(&hq, "ERROR", || {
        crate::support::sqlite(&away, "UPDATE t SET a = 'written elsewhere'");
        fs::rename(&away, &database).unwrap();
    });
    until_it_is(&scene, "alice", "a", "written elsewhere");
}

#[test]
fn a_disk_with_the_home_that_goes_away_comes_back() {
    let scene = pair();
    let (mut hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    let (home, away) = (scene.home("hq"), scene.path("unplugged"));
    fs::rename(&home, &away).unwrap();
    until_mended(&hq, "ERROR", || {
        // sled makes its folder wherever it is called to; a disk that is plugged in again hides it.
        if home.exists() {
            assert_eq!(names(&home), ["ledger"], "nothing of ours is made in the place of the home");
            fs::remove_dir_all(&home).unwrap();
        }
        fs::rename(&away, &home).unwrap();
    });
    scene.sql("hq", "UPDATE t SET a = 'plugged in again'");
    until_it_is(&scene, "alice", "a", "plugged in again");
    scene.packhorse("hq", &["watch"]).refused(1, &["a service runs already"]);
    assert!(hq.runs());
}

fn names(folder: &std::path::Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// The service with a disk that has no room once, at this step.
fn full_once(step: &str, node: &str) -> (Scene, Service) {
    let scene = pair();
    let fault = format!("{step}=full");
    let service = Service::start_with(&scene, node, &QUICK, &[("PACKHORSE_FAULT", &fault)]);
    (scene, service)
}

#[test]
fn a_disk_that_was_full_while_sealing_is_told_and_tried_again() {
    for step in ["bundle-drafted", "bundle-numbered", "harvest-unpublished", "outbox-cleared"] {
        let (scene, hq) = full_once(step, "hq");
        scene.sql("hq", "UPDATE t SET a = 'after all'");
        let _alice = Service::start(&scene, "alice", &QUICK);
        until_it_is(&scene, "alice", "a", "after all");
        hq.until("its end is told", |log| log.contains("it works again"));
    }
}

#[test]
fn a_disk_that_was_full_while_applying_is_told_and_tried_again() {
    for step in ["bundle-fetched", "apply-uncommitted", "apply-committed"] {
        let (scene, alice) = full_once(step, "alice");
        scene.sql("hq", "UPDATE t SET a = 'after all'");
        scene.sync("hq");
        until_it_is(&scene, "alice", "a", "after all");
        alice.until("its end is told", |log| log.contains("it works again"));
    }
}

#[test]
fn a_locked_database_is_waited_for() {
    let scene = pair();
    let alice = Service::start(&scene, "alice", &QUICK);
    let writer = rusqlite::Connection::open(scene.database("alice")).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE t SET b = 'long in the making'").unwrap();
    scene.sql("hq", "UPDATE t SET a = 'meanwhile'");
    scene.sync("hq");
    alice.until("the lock is told", |log| log.contains("locked"));
    writer.execute_batch("COMMIT").unwrap();
    until_it_is(&scene, "alice", "a", "meanwhile");
    let _hq = Service::start(&scene, "hq", &QUICK);
    until_it_is(&scene, "hq", "b", "long in the making");
}

#[test]
fn a_link_that_fails_keeps_nothing_of_the_others_waiting() {
    let scene = pair();
    scene.remote("bob");
    let down = scene.path("relay/alice/down");
    fs::remove_dir_all(&down).unwrap();
    fs::write(&down, "a file").unwrap();
    // Nothing comes by the clock of this.
    let hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "1s"]);
    hq.until("the failure is told", |log| log.contains("ERROR transfer: alice"));
    let _bob = Service::start(&scene, "bob", &QUICK);
    for value in ["first", "second", "third"] {
        scene.sql("hq", &format!("UPDATE t SET a = '{value}'"));
        until_it_is(&scene, "bob", "a", value);
    }
    assert_eq!(times(&hq.log(), "ERROR transfer: alice"), 1, "{}", hq.log());
}

#[test]
fn what_is_sealed_for_one_link_goes_although_another_cannot_be_sealed_for() {
    let scene = pair();
    scene.remote("bob");
    let outbox = scene.home("hq").join("outbox/alice");
    let _ = fs::remove_dir_all(&outbox);
    fs::write(&outbox, "a file").unwrap();
    let hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "1s"]);
    hq.until("the failure is told", |log| log.contains("ERROR bundle: alice"));
    let _bob = Service::start(&scene, "bob", &QUICK);
    scene.sql("hq", "UPDATE t SET a = 'for bob'");
    until_it_is(&scene, "bob", "a", "for bob");
}

#[test]
fn a_home_that_was_put_back_from_a_copy_has_one_service() {
    let scene = pair();
    let mut hq = Service::start(&scene, "hq", &QUICK);
    let (home, away) = (scene.home("hq"), scene.path("copied"));
    copy(&home, &away);
    fs::rename(&home, scene.path("old")).unwrap();
    fs::rename(&away, &home).unwrap();
    scene.sql("hq", "UPDATE t SET a = 'in the copy'");
    scene.sync("alice");
    let _alice = Service::start(&scene, "alice", &QUICK);
    until_it_is(&scene, "alice", "a", "in the copy");
    scene.packhorse("hq", &["watch"]).refused(1, &["a service runs already"]);
    assert!(hq.runs());
    // Another service has begun at the place before the first one looks again: the first one ends.
    copy(&home, &away);
    hq.signal("STOP");
    fs::rename(&home, scene.path("older")).unwrap();
    fs::rename(&away, &home).unwrap();
    let second = Service::start(&scene, "hq", &QUICK);
    hq.signal("CONT");
    assert_eq!(hq.end(), 1);
    assert!(hq.log().contains("a service runs already"), "{}", hq.log());
    assert_eq!(second.stop(), 0);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

/// Where a line is down for hours, a service that is started again and again would call again and again.
#[test]
fn a_service_that_is_started_anew_waits_for_its_next_call_unless_somebody_gets_through() {
    let scene = pair();
    let options = ["--every", "10min", "--seal-after", "1s"];
    let (relay, away) = (scene.path("relay"), scene.path("unmounted"));
    fs::rename(&relay, &away).unwrap();
    let hq = Service::start(&scene, "hq", &options);
    let next_call = || scene.packhorse("hq", &["status", "--json"]).expect(0).json()["next_call"].clone();
    until("the next call is told", || next_call().is_string());
    assert!(scene.packhorse("hq", &["status"]).expect(0).out.contains("the service calls again at"));
    assert_eq!(hq.stop(), 0);
    fs::rename(&away, &relay).unwrap();
    let in_an_hour =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 3_600_000;
    fs::write(scene.home("hq").join("calls/redial"), format!("4 {in_an_hour}\n")).unwrap();
    let hq = Service::start(&scene, "hq", &options);
    scene.sql("hq", "UPDATE t SET a = 'waits'");
    until("it is sealed", || !scene.outbox("hq", "alice").is_empty());
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!scene.outbox("hq", "alice").is_empty() && next_call().is_string(), "no call is made");
    scene.sync("hq");
    assert!(next_call().is_null());
    scene.sql("hq", "UPDATE t SET a = 'goes by itself'");
    until_it_is(&scene, "hq", "a", "goes by itself");
    until("it goes by itself", || {
        scene.sync("alice");
        scene.sql("alice", "SELECT a FROM t") == "goes by itself"
    });
    assert_eq!(hq.stop(), 0);
}
