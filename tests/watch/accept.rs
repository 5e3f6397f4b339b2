//! `accept off`: what comes is left on the relay, and nothing is lost by it.

use super::{QUICK, pair, until_it_is};
use crate::support::files;
use crate::support::service::{Service, until};

#[test]
fn a_hub_that_does_not_accept_leaves_bundles_on_the_relay_and_sends_its_own() {
    let scene = pair();
    let off = scene.packhorse("hq", &["accept", "off"]).expect(0);
    assert!(off.out.contains("left on the relay"), "{off:#?}");
    scene.sql("alice", "UPDATE t SET b = 'later'");
    scene.sync("alice");
    scene.sql("hq", "UPDATE t SET a = 'now'");
    let sync = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(sync.out.contains("accept on") && !sync.out.contains("received"), "{sync:#?}");
    assert_eq!(files(&scene.path("relay/alice/up")).len(), 1);
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "y");
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    assert_eq!(status["accepting"], false, "{status}");
    assert!(scene.packhorse("hq", &["status"]).expect(0).out.contains("packhorse accept on"));
    scene.sync("alice");
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "now");
    scene.packhorse("hq", &["accept", "on"]).expect(0);
    scene.sync("hq");
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "later");
    scene.settle("alice");
    scene.is_at_rest("hq");
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    assert_eq!(status["accepting"], true, "{status}");
}

#[test]
fn not_accepting_for_long_makes_nobody_send_again() {
    let scene = pair();
    scene.settle("alice");
    scene.packhorse("hq", &["accept", "off"]).expect(0);
    scene.sql("hq", "UPDATE t SET a = 'one word'");
    scene.sync("hq");
    scene.sync("alice");
    let sealed =
        || scene.packhorse("hq", &["queue", "list", "--all", "--json"]).expect(0).json().as_array().unwrap().len();
    let before = sealed();
    for _ in 0..10 {
        scene.sync("hq");
    }
    assert_eq!(sealed(), before, "its acknowledgement lies on the relay and is not missing");
}

#[test]
fn what_was_fetched_before_is_told_and_still_applied() {
    let scene = pair();
    scene.sql("alice", "UPDATE t SET b = 'fetched'");
    scene.sync("alice");
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("hq", &["accept", "off"]).expect(0).says("1 bundle that was fetched before will still be applied");
    scene.packhorse("hq", &["apply"]).expect(0);
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "fetched");
}

#[test]
fn a_running_service_goes_by_the_switch() {
    let scene = pair();
    let (_hq, _alice) = (Service::start(&scene, "hq", &QUICK), Service::start(&scene, "alice", &QUICK));
    scene.sql("alice", "UPDATE t SET b = 'taken'");
    until_it_is(&scene, "hq", "b", "taken");
    scene.packhorse("hq", &["accept", "off"]).expect(0);
    scene.sql("alice", "UPDATE t SET b = 'left'");
    until("alice's bundle lies on the relay", || !files(&scene.path("relay/alice/up")).is_empty());
    scene.sql("hq", "UPDATE t SET a = 'sent all the same'");
    until_it_is(&scene, "alice", "a", "sent all the same");
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "taken");
    scene.packhorse("hq", &["accept", "on"]).expect(0);
    until_it_is(&scene, "hq", "b", "left");
}

#[test]
fn a_service_that_hardly_ever_looks_takes_what_lies_there_once_it_is_to() {
    let scene = pair();
    scene.packhorse("hq", &["accept", "off"]).expect(0);
    let hq = Service::start(&scene, "hq", &["--every", "5h", "-v"]);
    scene.sql("alice", "UPDATE t SET b = 'at last'");
    scene.sync("alice");
    // Its first turns must be over, or the clock would do what the switch is to do.
    scene.sql("hq", "UPDATE t SET a = 'waits'");
    hq.until("the service has come to rest", |log| log.contains("1 changed record wait"));
    // The harvest makes one look more. After that, and by hand (the command would open the database, which is seen), nothing
    // but the file tells the service of it.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, written.replace("accept = false", "accept = true")).unwrap();
    hq.until("alice's change is applied", |log| log.contains("applied 1 changed record"));
}

#[test]
fn the_switch_keeps_what_else_is_written_and_takes_nothing_but_on_and_off() {
    let scene = pair();
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    scene.packhorse("hq", &["accept", "off"]).expect(0);
    assert!(std::fs::read_to_string(&config).unwrap().contains("accept = false"));
    scene.packhorse("hq", &["accept", "off"]).expect(0);
    scene.packhorse("hq", &["accept", "on"]).expect(0);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), written);
    scene.packhorse("hq", &["accept", "maybe"]).refused(2, &["maybe", "on", "off"]);
    scene.packhorse("hq", &["accept"]).expect(2).says("<on|off>");
}
