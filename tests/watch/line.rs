//! A long transfer: everything else goes on while it lasts.
//!
//! It is made long by a fault that stands still in the middle of it, for as long as a file exists.

use std::path::{Path, PathBuf};

use super::{QUICK, pair, until_it_is};
use crate::support::service::{Service, until};
use crate::support::{Scene, files, text};

/// A service at the hub whose first transfer stands still with a bundle half on its way, until the file is removed.
fn in_the_middle_of_a_transfer(scene: &Scene) -> (Service, PathBuf) {
    let wait = scene.path("wait");
    std::fs::write(&wait, "").unwrap();
    scene.sql("hq", "UPDATE t SET a = 'on its way'");
    let environment = [("PACKHORSE_FAULT", "relay-part-written=wait"), ("PACKHORSE_WAIT", text(&wait))];
    let service = Service::start_with(scene, "hq", &QUICK, &environment);
    let parts = || files(&scene.path("relay/alice/down")).iter().any(|file| is_part(file));
    until("the transfer is under way", parts);
    (service, wait)
}

fn is_part(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "part")
}

#[test]
fn status_and_queue_answer_during_a_long_transfer() {
    let scene = pair();
    let (_hq, wait) = in_the_middle_of_a_transfer(&scene);
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).calm().json();
    assert_eq!(status["links"][0]["outbox"]["bundles"], 1, "{status}");
    let queue = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).calm().json();
    assert_eq!((queue[0]["state"].as_str(), queue.as_array().map(Vec::len)), (Some("sealed"), Some(1)), "{queue}");
    let name = queue[0]["name"].as_str().unwrap();
    let shown = scene.packhorse("hq", &["queue", "show", "--json", name]).expect(0).calm().json();
    assert_eq!(shown["state"], "sealed", "{shown}");
    assert!(wait.exists());
}

#[test]
fn what_comes_is_applied_and_what_changes_is_sealed_during_a_long_transfer() {
    let scene = pair();
    scene.sql("alice", "UPDATE t SET b = 'from alice'");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    let (_hq, wait) = in_the_middle_of_a_transfer(&scene);
    let bundle = &scene.outbox("alice", "hq")[0];
    let inbox = scene.home("hq").join("inbox");
    std::fs::copy(bundle, inbox.join(bundle.file_name().unwrap())).unwrap();
    until_it_is(&scene, "hq", "b", "from alice");
    scene.sql("hq", "UPDATE t SET a = 'sealed meanwhile'");
    until("a second bundle is sealed", || scene.outbox("hq", "alice").len() > 1);
    assert!(wait.exists());
    std::fs::remove_file(&wait).unwrap();
    let _alice = Service::start(&scene, "alice", &QUICK);
    until_it_is(&scene, "alice", "a", "sealed meanwhile");
}

#[test]
fn commands_that_move_nothing_work_during_a_long_transfer() {
    let scene = pair();
    let (_hq, wait) = in_the_middle_of_a_transfer(&scene);
    for words in [&["bundle", "--now"][..], &["apply"], &["held", "retry"], &["remote", "add", "bob"]] {
        scene.packhorse("hq", words).expect(0);
    }
    scene.pack_and_restore("bob");
    scene.packhorse("hq", &["accept", "off"]).expect(0).says("a transfer is under way");
    assert!(wait.exists());
}

#[test]
fn a_sync_waits_for_the_transfer_and_goes_on_then() {
    let scene = pair();
    let (_hq, wait) = in_the_middle_of_a_transfer(&scene);
    let mut command = scene.command();
    let piped = std::process::Stdio::piped;
    command
        .arg("--home")
        .arg(scene.home("hq"))
        .arg("sync")
        .stdout(piped())
        .stderr(std::fs::File::create(scene.path("said")).unwrap());
    let sync = command.spawn().unwrap();
    let said = || std::fs::read_to_string(scene.path("said")).unwrap();
    until("the wait is told", || said().contains("waiting for the service"));
    std::fs::remove_file(&wait).unwrap();
    let output = sync.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said());
    assert!(String::from_utf8_lossy(&output.stdout).contains("You can hang up now"), "{output:?}");
}

#[test]
fn the_service_stops_in_the_middle_of_a_transfer_and_the_next_one_goes_on() {
    let scene = pair();
    let (hq, wait) = in_the_middle_of_a_transfer(&scene);
    assert_eq!(hq.stop(), 0);
    assert!(wait.exists());
    let _hq = Service::start(&scene, "hq", &QUICK);
    let _alice = Service::start(&scene, "alice", &QUICK);
    until_it_is(&scene, "alice", "a", "on its way");
}

#[test]
fn a_killed_service_s_transfer_is_gone_on_with() {
    let scene = pair();
    let (mut hq, _wait) = in_the_middle_of_a_transfer(&scene);
    hq.kill();
    let (_hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    until_it_is(&scene, "alice", "a", "on its way");
    until("the queue is empty", || {
        let queue = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).json();
        queue.as_array().is_some_and(Vec::is_empty)
    });
}

#[test]
fn the_service_stops_in_the_middle_of_a_harvest_too() {
    let scene = pair();
    let wait = scene.path("wait");
    std::fs::write(&wait, "").unwrap();
    scene.sql("hq", "UPDATE t SET a = 'in the making'");
    let noted = scene.path("reached");
    let environment = [
        ("PACKHORSE_FAULT", "harvest-unpublished=wait"),
        ("PACKHORSE_WAIT", text(&wait)),
        ("PACKHORSE_STEPS", text(&noted)),
    ];
    let hq = Service::start_with(&scene, "hq", &QUICK, &environment);
    let reached = || std::fs::read_to_string(&noted).unwrap_or_default();
    until("the harvest is under way", || reached().contains("harvest-unpublished"));
    assert_eq!(hq.stop(), 0);
    assert!(wait.exists());
    let (_hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    until_it_is(&scene, "alice", "a", "in the making");
}
