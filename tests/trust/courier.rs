//! Calls by those who have neither keys nor database, in one account and in two.

use std::fs;
use std::path::PathBuf;

use super::{down, scene, sync, value, write};
use crate::support::service::{Service, until};
use crate::support::{Run, Scene, files, text};

/// What a courier has no use for, put out of its reach.
struct Away(Vec<(PathBuf, PathBuf)>);

impl Away {
    fn of(scene: &Scene, node: &str) -> Self {
        let database = scene.database(node);
        let home = scene.home(node);
        let of_database = ["", "-wal", "-shm"].map(|end| scene.path(&format!("{node}.db{end}")));
        let all = [home.join("keys"), home.join("ledger")].into_iter().chain(of_database);
        let moved = all.filter(|path| path.exists()).map(|path| {
            let away = scene.path(&format!("away-{}", path.file_name().expect("a name").to_string_lossy()));
            fs::rename(&path, &away).expect("it is moved");
            (path, away)
        });
        let moved = moved.collect();
        assert!(!database.exists());
        Self(moved)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.0.iter().for_each(|(path, away)| fs::rename(away, path).expect("it is moved back"));
    }
}

/// A transfer without keys and database.
fn transfer(scene: &Scene, node: &str) -> Run {
    let _away = Away::of(scene, node);
    scene.packhorse(node, &["transfer"])
}

/// What `status` and `queue list` tell of the only bundle from one node to another.
fn state(scene: &Scene, node: &str, name: &str) -> String {
    let told = scene.packhorse(node, &["queue", "show", name, "--json"]).expect(0).json();
    told["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_transfer_needs_neither_keys_nor_database() {
    let scene = scene();
    write(&scene, "hq", "second");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    transfer(&scene, "hq").expect(0);
    let name = down(&scene).pop().expect("a bundle").file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(state(&scene, "hq", &name), "sent", "what it did is known to whoever has the database");
    transfer(&scene, "alice").expect(0);
    transfer(&scene, "hq").expect(0);
    assert_eq!(state(&scene, "hq", &name), "fetched");
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(value(&scene, "alice"), "second");
    assert!(!scene.home("alice").join("calls/looks").exists(), "it was taken in");
}

#[test]
fn a_bundle_that_a_courier_finds_damaged_is_asked_for_again() {
    let scene = scene();
    write(&scene, "hq", "second");
    sync(&scene, &["hq"]);
    let bundle = down(&scene).pop().expect("a bundle");
    let mut bytes = fs::read(&bundle).expect("a bundle");
    *bytes.last_mut().expect("content") ^= 1;
    fs::write(&bundle, bytes).expect("written");
    transfer(&scene, "alice").expect(3).says("digest");
    scene.packhorse("alice", &["bundle"]).expect(0);
    transfer(&scene, "alice").expect(0);
    sync(&scene, &["hq"]);
    transfer(&scene, "alice").expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(value(&scene, "alice"), "second");
}

/// Nothing follows a last bundle that would show that it is missing.
#[test]
fn a_lost_last_bundle_is_missed_by_what_couriers_see() {
    let scene = scene();
    write(&scene, "alice", "lost on the way");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    transfer(&scene, "alice").expect(0);
    for bundle in files(&scene.path("relay/alice/up")) {
        fs::remove_file(bundle).expect("it is lost");
    }
    let mut rounds = 0;
    while value(&scene, "hq") != "lost on the way" {
        for node in ["alice", "hq"] {
            transfer(&scene, node).expect(0);
            scene.packhorse(node, &["apply"]).expect(0);
            scene.packhorse(node, &["bundle", "--now"]).expect(0);
        }
        rounds += 1;
        assert!(rounds < 12, "nobody misses it");
    }
}

#[test]
fn a_transfer_without_orders_says_who_gives_them() {
    let scene = scene();
    fs::remove_file(scene.home("hq").join("calls/orders")).expect("removed");
    transfer(&scene, "hq").refused(1, &["calls/orders", "packhorse bundle"]);
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("hq", &["bundle"]).expect(0);
    transfer(&scene, "hq").expect(0);
    fs::write(scene.home("hq").join("calls/orders"), "[[link]]\npeer = 5").expect("written");
    transfer(&scene, "hq").refused(1, &["calls/orders", "damaged"]);
    fs::write(scene.home("hq").join("calls/looks"), "nonsense").expect("written");
    scene.packhorse("hq", &["bundle"]).expect(0).says("calls/looks.taken is damaged");
    scene.packhorse("hq", &["transfer"]).expect(0);
}

/// Restores alice's package once more, as a copy of her.
fn twin(scene: &Scene) {
    let (package, database) = (scene.path("alice.rdb"), scene.database("twin"));
    scene.packhorse("twin", &["restore", text(&package), "--database", text(&database)]).expect(0);
}

/// One round of who has only a courier: what comes, what is said of it, and what is sealed.
fn round(scene: &Scene, node: &str) {
    transfer(scene, node).calm();
    scene.packhorse(node, &["apply"]).calm();
    scene.packhorse(node, &["bundle", "--now"]).expect(0);
}

/// It cannot tell for whom a bundle is; whoever has the keys tells it.
#[test]
fn a_copy_whose_calls_a_courier_makes_stops_taking_what_is_for_the_other() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'first')");
    scene.remote("alice");
    twin(&scene);
    write(&scene, "alice", "alice was here");
    sync(&scene, &["alice", "hq", "alice", "hq"]);
    write(&scene, "hq", "taken");
    sync(&scene, &["hq"]);
    round(&scene, "twin");
    let told = scene.packhorse("twin", &["status", "--json"]).expect(0).json();
    assert!(told["links"][0]["advice"].as_str().is_some_and(|why| why.contains("refuses this installation")), "{told}");
    for word in ["second", "third"] {
        write(&scene, "hq", word);
        sync(&scene, &["hq"]);
        round(&scene, "twin");
    }
    let mut rounds = 0;
    while value(&scene, "alice") != "third" {
        sync(&scene, &["alice", "hq"]);
        rounds += 1;
        assert!(rounds < 12, "what was taken is not sent again");
    }
}

/// What is sealed to other keys it cannot tell from damage, and leaves the rest where it is.
#[test]
fn who_was_given_other_keys_takes_no_more_than_one_call_brings() {
    let scene = scene();
    let again = scene.path("again.rdb");
    scene.packhorse("hq", &["remote", "rekey", "alice", "-o", text(&again), "--no-passphrase"]).expect(0);
    for word in ["second", "third", "fourth"] {
        write(&scene, "hq", word);
        sync(&scene, &["hq"]);
        round(&scene, "alice");
    }
    assert!(!down(&scene).is_empty(), "what is not its own lies there");
    let database = scene.database("new");
    scene.packhorse("new", &["restore", text(&again), "--database", text(&database)]).expect(0);
    let mut rounds = 0;
    while value(&scene, "new") != "fourth" {
        ["new", "hq"].iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
        rounds += 1;
        assert!(rounds < 12, "what was taken is not sent again");
    }
}

/// Nobody waits for the clock.
#[test]
fn what_is_sealed_goes_at_once_also_the_first_time() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'first')");
    scene.remote("alice");
    let courier = Service::start(&scene, "alice", &["--courier", "--every", "10min"]);
    write(&scene, "alice", "second");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    until("it lies on the relay", || !files(&scene.path("relay/alice/up")).is_empty());
    assert_eq!(courier.stop(), 0);
}

#[test]
fn a_courier_hears_of_what_is_sealed_for_one_although_another_cannot_be_sealed_for() {
    let scene = scene();
    scene.remote("bob");
    let courier = Service::start(&scene, "hq", &["--courier", "--every", "10min"]);
    let outbox = scene.home("hq").join("outbox/alice");
    let _ = fs::remove_dir_all(&outbox);
    fs::write(&outbox, "a file").expect("written");
    write(&scene, "hq", "for bob");
    scene.packhorse("hq", &["bundle", "--now"]).expect(1).says("alice");
    until("it lies on the relay", || !files(&scene.path("relay/bob/down")).is_empty());
    assert_eq!(courier.stop(), 0);
}

const QUICK: [&str; 2] = ["--every", "1s"];

/// A courier and a desk at each end.
#[test]
fn a_desk_and_a_courier_do_what_a_whole_service_does() {
    let scene = scene();
    let services: Vec<[Service; 2]> = ["hq", "alice"]
        .map(|node| {
            let desk = Service::start(&scene, node, &["--no-calls", "--every", "1s", "--seal-after", "1s"]);
            [desk, Service::start(&scene, node, &["--courier", "--every", "1s"])]
        })
        .into();
    for (from, to, word) in [("hq", "alice", "down"), ("alice", "hq", "up"), ("hq", "alice", "down again")] {
        write(&scene, from, word);
        until(&format!("{word} is at {to}"), || value(&scene, to) == word);
    }
    scene.packhorse("hq", &[&["watch", "--courier"], &QUICK[..]].concat()).refused(1, &["makes the calls of"]);
    scene.packhorse("hq", &[&["watch"], &QUICK[..]].concat()).refused(1, &["a service runs already"]);
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    assert!(status["service"].is_string() && status["courier"].is_string(), "{status}");
    assert_ne!(status["service"], status["courier"]);
    for service in services.into_iter().flatten() {
        assert_eq!(service.stop(), 0);
    }
}

#[test]
fn a_whole_service_and_a_courier_are_one_too_many() {
    let scene = scene();
    let whole = Service::start(&scene, "hq", &QUICK);
    scene.packhorse("hq", &["watch", "--courier"]).refused(1, &["makes the calls of"]);
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    assert!(status["courier"].is_null(), "{status}");
    assert_eq!(whole.stop(), 0);
    let courier = Service::start(&scene, "hq", &["--courier", "--every", "1s"]);
    scene.packhorse("hq", &["watch"]).refused(1, &["makes the calls of"]);
    assert_eq!(courier.stop(), 0);
}
