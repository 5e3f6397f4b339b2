//! Relays that are not there, not ours, or damaged: nothing is written to them, and nothing is lost by it.

use std::fs;

use crate::support::{Scene, files, sqlite, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')";

fn pair() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene
}

/// `sync` and `transfer` of the hub must end with 4 and these words, while a change waits.
#[track_caller]
fn unreachable(scene: &Scene, words: &[&str]) {
    scene.sql("hq", "UPDATE t SET a = a || '.'");
    let run = scene.packhorse("hq", &["sync"]).expect(4).calm();
    let message: String = run.err.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    words.iter().for_each(|word| assert!(message.contains(word), "expected {word:?} in {run:#?}"));
    assert!(run.err.contains("waits in the outbox") && !run.out.contains("hang up"), "{run:#?}");
    scene.packhorse("hq", &["transfer"]).refused(4, words);
    assert!(!scene.outbox("hq", "alice").is_empty());
}

#[track_caller]
fn heals(scene: &Scene) {
    scene.settle("alice");
    scene.same("t", "hq", "alice");
    assert_eq!(scene.outbox("hq", "alice").len(), 0);
}

#[test]
fn a_missing_relay_folder_is_4_and_it_is_not_made() {
    let scene = pair();
    fs::rename(scene.path("relay"), scene.path("elsewhere")).unwrap();
    unreachable(&scene, &["alice", text(&scene.path("relay")), "cannot be reached", "mount or connect"]);
    assert!(!scene.path("relay").exists());
    fs::rename(scene.path("elsewhere"), scene.path("relay")).unwrap();
    heals(&scene);
}

#[test]
fn an_empty_mount_point_stays_empty() {
    let scene = pair();
    fs::rename(scene.path("relay"), scene.path("elsewhere")).unwrap();
    fs::create_dir(scene.path("relay")).unwrap();
    unreachable(&scene, &["alice", "no packhorse.relay", "mount the share", "correct `relay`"]);
    let run = scene.packhorse("hq", &["remote", "add", "bob"]).expect(0).calm();
    assert!(run.err.contains("made by the first call"), "{run:#?}");
    assert_eq!(files(&scene.path("relay")).len(), 0);
    fs::remove_dir(scene.path("relay")).unwrap();
    fs::rename(scene.path("elsewhere"), scene.path("relay")).unwrap();
    heals(&scene);
    let package = scene.path("bob.rdb");
    scene.packhorse("hq", &["remote", "pack", "bob", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.sync("hq");
    assert!(scene.path("relay/bob/down").is_dir());
}

#[test]
fn a_file_in_the_place_of_the_relay_is_4() {
    let scene = pair();
    fs::rename(scene.path("relay"), scene.path("elsewhere")).unwrap();
    fs::write(scene.path("relay"), "not a folder").unwrap();
    unreachable(&scene, &["alice", "cannot be reached", "mount or connect"]);
}

#[test]
fn another_networks_relay_is_not_written_to() {
    let scene = pair();
    sqlite(&scene.path("other.db"), TABLE);
    let foreign = scene.path("foreign");
    scene.packhorse("other", &["init", "--database", "other.db", "--relay", text(&foreign)]).expect(0);
    let marker = fs::read(foreign.join("packhorse.relay")).unwrap();
    fs::rename(scene.path("relay"), scene.path("elsewhere")).unwrap();
    fs::rename(&foreign, scene.path("relay")).unwrap();
    unreachable(&scene, &["alice", "belongs to network", "not to ours", "relay folder of its own"]);
    scene.packhorse("hq", &["remote", "add", "bob"]).refused(4, &["belongs to network", "relay folder of its own"]);
    assert_eq!(files(&scene.path("relay")), [scene.path("relay/packhorse.relay")]);
    assert_eq!(fs::read(scene.path("relay/packhorse.relay")).unwrap(), marker);
    assert_eq!(scene.packhorse("hq", &["remote", "list", "--json"]).json().as_array().unwrap().len(), 1);
}

#[test]
fn init_on_another_networks_relay_leaves_nothing_and_the_next_try_works() {
    let scene = Scene::hub(TABLE);
    sqlite(&scene.path("crm.db"), TABLE);
    let words = ["init", "--database", "crm.db", "--relay", "fresh", "--relay", "relay"];
    scene.bare(&words).refused(4, &["relay", "belongs to network", "relay folder of its own"]);
    assert!(!scene.path("crm.db.packhorse").exists());
    assert_eq!(files(&scene.path("fresh")).len(), 0, "no marker of a network that came to nothing");
    scene.bare(&["init", "--database", "crm.db", "--relay", "fresh"]).expect(0);
}

#[test]
fn a_deleted_or_damaged_marker_beside_our_mailboxes_is_restored_and_told() {
    let scene = pair();
    let marker = scene.path("relay/packhorse.relay");
    let good = fs::read(&marker).unwrap();
    for damaged in [None, Some(&b""[..]), Some(b"junk"), Some(&good[..good.len() - 3])] {
        fs::remove_file(&marker).unwrap();
        damaged.iter().for_each(|damaged| fs::write(&marker, damaged).unwrap());
        scene.sql("hq", "UPDATE t SET a = a || '.'");
        let run = scene.packhorse("hq", &["sync"]).expect(0).calm();
        assert!(run.err.contains("marker was missing or damaged and has been restored"), "{run:#?}");
        assert_eq!(fs::read(&marker).unwrap(), good);
    }
    let at_remote = scene.path("relay/alice/packhorse.relay");
    fs::write(&at_remote, "junk").unwrap();
    scene.packhorse("alice", &["sync"]).expect(0).says("restored");
    heals(&scene);
}

#[test]
fn a_damaged_marker_without_our_mailboxes_may_be_anybodys() {
    let scene = pair();
    fs::remove_dir_all(scene.path("relay")).unwrap();
    fs::create_dir(scene.path("relay")).unwrap();
    fs::write(scene.path("relay/packhorse.relay"), "junk").unwrap();
    unreachable(&scene, &["alice", "damaged", "if this folder is your relay, remove"]);
    assert_eq!(fs::read(scene.path("relay/packhorse.relay")).unwrap(), b"junk");
    assert_eq!(files(&scene.path("relay")).len(), 1);
}

#[test]
fn an_address_that_is_none_is_refused_and_a_server_that_is_away_is_told() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    for (relay, words) in [
        ("sftp://u:hunter2@h:0/x", &["sftp://u@h:0/x", "port", "write `relay`"][..]),
        ("http://h/x", &["http://h/x", "scheme", "file:///path"]),
        ("", &["relay", "empty"]),
    ] {
        let run = scene.bare(&["init", "--database", "crm.db", "--relay", relay]).refused(2, words);
        assert!(!run.err.contains("hunter2"));
        assert!(!scene.path("crm.db.packhorse").exists());
    }
    let scene = pair();
    let path = scene.home("hq").join("packhorse.toml");
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().find(|line| line.starts_with("relay = ")).unwrap();
    fs::write(&path, good.replace(line, "relay = \"ftp://u:hunter2@127.0.0.1:1/x\"")).unwrap();
    for words in [&["sync"][..], &["transfer"]] {
        let run = scene.packhorse("hq", words).refused(4, &["ftp://u@127.0.0.1:1/x", "cannot be reached"]);
        assert!(!run.err.contains("hunter2"));
    }
    // Beside one that is there, it is passed over.
    let both = format!("relay = [\"ftp://127.0.0.1:1/x\", \"{}\"]", text(&scene.path("relay")));
    fs::write(&path, good.replace(line, &both)).unwrap();
    scene.packhorse("hq", &["sync"]).expect(0);
}
