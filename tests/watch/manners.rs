//! Begin and end, one service at a time, and what a node must have for one.

use std::path::Path;

use super::{QUICK, pair, until_it_is};
use crate::support::service::{Service, until};
use crate::support::{Scene, files, sqlite, text};

#[test]
fn edits_at_both_ends_travel_without_any_command() {
    let scene = pair();
    let (hq, alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    scene.sql("hq", "UPDATE t SET a = 'from hq'");
    until_it_is(&scene, "alice", "a", "from hq");
    scene.sql("alice", "UPDATE t SET b = 'from alice'");
    until_it_is(&scene, "hq", "b", "from alice");
    assert_eq!((hq.stop(), alice.stop()), (0, 0));
    scene.settle("alice");
    scene.same("t", "hq", "alice");
}

#[test]
fn what_waited_while_no_service_ran_is_done_when_one_begins() {
    let scene = pair();
    scene.sql("hq", "UPDATE t SET a = 'before'");
    scene.sync("hq");
    // Nothing comes by the clock of these: only what lies there when they begin.
    let hours = ["--every", "5h", "--seal-after", "1s"];
    let _alice = Service::start(&scene, "alice", &hours);
    until_it_is(&scene, "alice", "a", "before");
}

#[test]
fn crossing_the_threshold_seals_without_any_command() {
    let scene = pair();
    scene.settle("alice");
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, written.replace("# seal_at = \"256 KiB\"", "seal_at = \"20 KiB\"")).unwrap();
    let hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "5h", "-v"]);
    let arrived = || !files(&scene.path("relay/alice/down")).is_empty();
    scene.sql("hq", "INSERT INTO t SELECT 'few' || value, hex(randomblob(50)), 'y' FROM generate_series(1, 20)");
    hq.until("the service has looked at them", |log| log.contains("20 changed records wait"));
    assert!(!arrived(), "{}", hq.log());
    scene.sql("hq", "INSERT INTO t SELECT 'many' || value, hex(randomblob(50)), 'y' FROM generate_series(1, 300)");
    until("a bundle lies on the relay", arrived);
    assert!(hq.log().contains("sealed 320 records"), "{}", hq.log());
}

#[test]
fn a_change_that_has_waited_long_enough_is_sealed_without_any_command() {
    let scene = pair();
    scene.settle("alice");
    // It is looked at before it is old enough, and nothing else is due for hours.
    let hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "12s", "-v"]);
    scene.sql("hq", "UPDATE t SET a = 'old enough'");
    hq.until("the service has looked at it", |log| log.contains("1 changed record wait"));
    until("a bundle lies on the relay", || !files(&scene.path("relay/alice/down")).is_empty());
}

#[test]
fn each_end_has_a_rhythm_of_its_own_which_the_configuration_changes() {
    let scene = pair();
    let rhythm = |node: &str, words: &str| {
        let service = Service::start(&scene, node, &[]);
        assert!(service.log().lines().any(|line| line.contains(words)), "{words}: {}", service.log());
    };
    rhythm("hq", "applies every 2 min, transfers every 2 min");
    rhythm("alice", "applies every 2 min, transfers every 15 min");
    let config = scene.home("alice").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let changed = written.replace("[watch]", "[watch]\napply_every = \"3 min\"\ntransfer_every = \"1 h\"");
    std::fs::write(&config, changed).unwrap();
    rhythm("alice", "applies every 3 min, transfers every 1 h");
}

#[test]
fn a_second_service_is_refused_and_other_commands_are_not() {
    let scene = pair();
    let mut hq = Service::start(&scene, "hq", &QUICK);
    let process = format!("packhorse watch, process {}", hq.id());
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).expect(0).json()["service"], process);
    assert!(scene.packhorse("hq", &["status"]).expect(0).out.contains(&process));
    assert!(scene.packhorse("alice", &["status", "--json"]).expect(0).json()["service"].is_null());
    scene.packhorse("hq", &["watch"]).refused(1, &["a service runs already for", &process, "let it run, or stop it"]);
    for _ in 0..5 {
        scene.sql("hq", "UPDATE t SET a = a || 'x'");
        for words in [&["sync"][..], &["status"], &["queue", "list"], &["bundle", "--now"], &["apply"], &["transfer"]] {
            scene.packhorse("hq", words).expect(0);
        }
    }
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    scene.pack_and_restore("bob");
    scene.sql("bob", "UPDATE t SET b = 'from bob'");
    scene.sync("bob");
    until_it_is(&scene, "hq", "b", "from bob");
    assert!(hq.runs());
    hq.kill();
    let again = Service::start(&scene, "hq", &QUICK);
    assert_eq!(again.stop(), 0, "a killed one leaves no lock");
}

#[test]
fn both_signals_stop_it_cleanly() {
    let scene = pair();
    for signal in ["TERM", "INT"] {
        let mut hq = Service::start(&scene, "hq", &QUICK);
        hq.signal(signal);
        assert_eq!(hq.end(), 0);
        assert!(hq.log().trim_end().ends_with("the service has stopped"), "{}", hq.log());
    }
}

#[test]
fn what_makes_a_service_impossible_is_told_before_it_begins() {
    let scene = pair();
    let watch = |scene: &Scene, words: &[&str]| scene.packhorse("hq", &[&["watch"], words].concat());
    watch(&scene, &["--every", "0s"]).refused(2, &["--every", "more than zero"]);
    watch(&scene, &["--seal-after", "soon"]).refused(2, &["soon"]);
    scene.packhorse("nobody", &["watch"]).refused(2, &["nobody.home", "packhorse init"]);
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let with = |setting: &str| std::fs::write(&config, written.replace("[log]", &format!("[log]\n{setting}"))).unwrap();
    with("file = \"packhorse.toml/log\"");
    watch(&scene, &[]).refused(1, &["the log", "packhorse.toml"]);
    with("level = \"loud\"");
    watch(&scene, &[]).refused(2, &["packhorse.toml", "loud"]);
    std::fs::write(&config, written.replace("relay = ", "# relay = ")).unwrap();
    watch(&scene, &[]).refused(2, &["names no relay"]);
    std::fs::write(&config, &written).unwrap();
    std::fs::rename(scene.database("hq"), scene.path("away.db")).unwrap();
    watch(&scene, &[]).refused(2, &["hq.db"]);
}

#[test]
fn a_hub_without_remotes_waits_for_its_first() {
    let scene = Scene::hub(super::TABLE);
    let mut hq = Service::start(&scene, "hq", &QUICK);
    scene.remote("alice");
    scene.sql("alice", "UPDATE t SET a = 'the first'");
    scene.sync("alice");
    until_it_is(&scene, "hq", "a", "the first");
    assert!(hq.runs());
}

#[test]
fn the_configuration_can_be_edited_while_it_runs() {
    let scene = pair();
    let hq = Service::start(&scene, "hq", &["--every", "1s", "-v"]);
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{written}\n[nonsense]\n")).unwrap();
    hq.until("the mistake is told", |log| log.contains("nonsense"));
    std::fs::write(&config, written.replace("# seal_after = \"15 min\"", "seal_after = \"1 s\"")).unwrap();
    hq.until("its end is told", |log| log.contains("it works again"));
    scene.sql("hq", "UPDATE t SET a = 'sealed after a second'");
    let _alice = Service::start(&scene, "alice", &QUICK);
    until_it_is(&scene, "alice", "a", "sealed after a second");
}

#[test]
fn a_bundle_that_is_laid_into_the_inbox_by_hand_is_applied_at_once() {
    let scene = pair();
    scene.sql("hq", "UPDATE t SET a = 'by hand'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let alice = Service::start(&scene, "alice", &["--every", "5h"]);
    // Its first turn must be over, or the clock would do what the notice is to do.
    until("the folders are watched", || is_watched(&alice));
    let bundle = &scene.outbox("hq", "alice")[0];
    let (beside, name) = (scene.path("carried"), Path::new(bundle.file_name().unwrap()));
    std::fs::copy(bundle, &beside).unwrap();
    std::fs::rename(&beside, scene.home("alice").join("inbox").join(name)).unwrap();
    until_it_is(&scene, "alice", "a", "by hand");
}

#[test]
fn a_relay_that_is_written_relative_to_the_configuration_is_found_and_watched() {
    let scene = pair();
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        written.replace(&format!("relay = \"{}\"", text(&scene.path("relay"))), "relay = \"../relay\""),
    )
    .unwrap();
    scene.sync("hq");
    let hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "5h"]);
    until("the folders are watched", || is_watched(&hq));
    // Its first transfer has carried this, so that only a notice brings what comes after it.
    scene.sql("alice", "UPDATE t SET b = 'first'");
    scene.sync("alice");
    until_it_is(&scene, "hq", "b", "first");
    scene.sql("alice", "UPDATE t SET b = 'second'");
    scene.sync("alice");
    until_it_is(&scene, "hq", "b", "second");
}

/// Whether the service has inotify watches, as the system tells; elsewhere it is taken for granted after a while.
fn is_watched(service: &Service) -> bool {
    let folder = format!("/proc/{}/fdinfo", service.id());
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    texts.into_iter().any(|text| text.contains("inotify wd:"))
}

#[test]
fn a_database_without_the_write_ahead_log_is_served_too() {
    let scene = Scene::new();
    sqlite(&scene.path("hq.db"), super::TABLE);
    scene.init_with(&["--keep-journal"]);
    scene.remote("alice");
    let (_hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    scene.sql("hq", "UPDATE t SET a = 'journalled'");
    until_it_is(&scene, "alice", "a", "journalled");
    scene.sql("alice", "UPDATE t SET b = 'back'");
    until_it_is(&scene, "hq", "b", "back");
    assert_eq!(scene.sql("hq", "PRAGMA journal_mode"), "delete", "{}", text(&scene.database("hq")));
}
