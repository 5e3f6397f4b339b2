//! The queue of bundles as a person sees it: what is listed and shown, and what trying again and discarding do.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::volume::Volume;
use crate::support::{Run, Scene, files};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
INSERT INTO t VALUES (1, 'x', 'x'), (2, 'y', 'y')";

/// A hub and alice, who have heard of each other.
fn pair() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene.settle("alice");
    scene
}

/// The same, with a change at the hub that is sealed.
fn with_sealed() -> (Scene, String) {
    with_bundle(pair())
}

fn with_bundle(scene: Scene) -> (Scene, String) {
    scene.sql("hq", "UPDATE t SET a = 'from the hub' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let name = name(&listed(&scene, "hq", &[])[0]);
    (scene, name)
}

fn listed(scene: &Scene, node: &str, more: &[&str]) -> Vec<Value> {
    let run = scene.packhorse(node, &[&["queue", "list", "--json"], more].concat()).expect(0).calm();
    run.json().as_array().expect("an array").clone()
}

fn name(bundle: &Value) -> String {
    bundle["name"].as_str().expect("a name").to_owned()
}

/// The state of one bundle, which must be known.
#[track_caller]
fn state(scene: &Scene, node: &str, name: &str) -> String {
    let shown = scene.packhorse(node, &["queue", "show", "--json", name]).expect(0).calm().json();
    shown["state"].as_str().expect("a state").to_owned()
}

fn queue(scene: &Scene, node: &str, words: &[&str]) -> Run {
    scene.packhorse(node, &[&["queue"], words].concat()).calm()
}

/// Every edit has arrived at both ends, and nothing is left to do.
#[track_caller]
fn converges(scene: &Scene) {
    for node in ["hq", "alice"].repeat(5) {
        let run = scene.packhorse(node, &["sync"]).calm();
        assert!([0, 3].contains(&run.code), "{run:#?}");
    }
    scene.same("t", "hq", "alice");
    assert_eq!(scene.sql("alice", "SELECT a FROM t WHERE id = 1"), "from the hub");
    for node in ["hq", "alice"] {
        let link = scene.packhorse(node, &["status", "--json"]).json()["links"][0].clone();
        assert_eq!((&link["pending_changes"], &link["unacknowledged"]), (&0.into(), &0.into()));
        scene.packhorse(node, &["transfer"]).expect(0);
        assert_eq!(listed(scene, node, &[]), Vec::<Value>::new(), "nothing is under way at {node}");
    }
}

fn quarantine(scene: &Scene) -> PathBuf {
    scene.home("alice").join("quarantine")
}

/// Alice has got the bundle, damaged: it lies in quarantine. Its sound content.
fn quarantined() -> (Scene, String, Vec<u8>) {
    let (scene, name) = with_sealed();
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    let path = scene.home("alice").join("inbox").join(&name);
    let sound = fs::read(&path).unwrap();
    fs::write(&path, &sound[..100]).unwrap();
    scene.packhorse("alice", &["apply"]).expect(3);
    (scene, name, sound)
}

#[test]
fn a_bundle_is_followed_from_the_outbox_to_its_acknowledgement() {
    let (scene, name) = with_sealed();
    assert_eq!(state(&scene, "hq", &name), "sealed");
    scene.packhorse("hq", &["transfer"]).expect(0);
    assert_eq!(state(&scene, "hq", &name), "sent");
    scene.packhorse("alice", &["transfer"]).expect(0);
    assert_eq!(state(&scene, "alice", &name), "received");
    scene.packhorse("hq", &["transfer"]).expect(0);
    assert_eq!(state(&scene, "hq", &name), "fetched");
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(state(&scene, "alice", &name), "applied");
    for node in ["alice", "hq"] {
        scene.sync(node);
    }
    assert_eq!(state(&scene, "hq", &name), "acknowledged");
    let of_hub = scene.packhorse("hq", &["queue", "show", "--json", &name]).expect(0).json();
    assert_eq!((&of_hub["attempts"], &of_hub["error"], &of_hub["path"]), (&1.into(), &Value::Null, &Value::Null));
    assert_eq!(of_hub["relay"], scene.path("relay").to_str().unwrap());
    scene.sync("alice");
    scene.packhorse("hq", &["transfer"]).expect(0);
    for node in ["hq", "alice"] {
        assert_eq!(listed(&scene, node, &[]), Vec::<Value>::new(), "acknowledgements are not acknowledged");
        queue(&scene, node, &["list"]).expect(0).says("nothing is under way");
    }
}

#[test]
fn a_list_has_a_line_for_each_and_json_has_every_field() {
    let (scene, name) = with_sealed();
    let run = queue(&scene, "hq", &["list"]).expect(0);
    let words: Vec<&str> = run.out.split_whitespace().collect();
    assert_eq!((words[0], words[1], words[7], words.len()), ("sealed", "alice", name.as_str(), 8), "{run:#?}");
    assert_eq!(run.err, "");
    let bundle = listed(&scene, "hq", &["alice"]).remove(0);
    for field in ["name", "direction", "node", "state", "bytes", "epoch", "sequence", "first_seen", "since"] {
        assert!(!bundle[field].is_null(), "{field}: {bundle}");
    }
    for field in ["attempts", "error", "error_at", "relay"] {
        assert!(bundle.get(field).is_some(), "{field}: {bundle}");
    }
    let finished = listed(&scene, "hq", &["--all"]);
    assert_eq!(finished.iter().filter(|bundle| bundle["state"] == "sealed").count(), 1);
    scene.packhorse("hq", &["queue", "list", "bob"]).refused(2, &["no link to \"bob\"", "packhorse status"]);
    scene.packhorse("hq", &["queue", "list", "../alice"]).expect(2);
}

#[test]
fn show_tells_what_is_in_a_bundle_that_lies_here() {
    let (scene, name) = with_sealed();
    let run = queue(&scene, "hq", &["show", &name]).expect(0);
    assert!(run.out.contains("it is sealed, and \"alice\" alone can open it"), "{run:#?}");
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    let shown = queue(&scene, "alice", &["show", "--json", &name]).expect(0).json();
    assert_eq!(shown["content"]["records"], 1);
    let open = pair();
    open.unseal("alice");
    let (scene, name) = with_bundle(open);
    let run = queue(&scene, "hq", &["show", &name]).expect(0);
    for words in
        [name.as_str(), "to          alice", "sealed since", "1 record, 1 field, 0 deleted", "builds on 0", "outbox"]
    {
        assert!(run.out.contains(words), "expected {words:?} in {run:#?}");
    }
    let shown = queue(&scene, "hq", &["show", "--json", &name]).expect(0).json();
    assert_eq!((&shown["content"]["records"], &shown["content"]["base"]), (&1.into(), &0.into()));
    assert_eq!((&shown["content"]["from"], &shown["unreadable"]), (&"hq".into(), &Value::Null));
    fs::write(scene.outbox("hq", "alice").remove(0), "no bundle").unwrap();
    let shown = queue(&scene, "hq", &["show", "--json", &name]).expect(0).json();
    assert_eq!((&shown["content"], shown["unreadable"].is_string()), (&Value::Null, true));
}

#[test]
fn a_name_may_be_a_beginning_or_the_digest_and_never_a_path() {
    let (scene, name) = with_sealed();
    let digest = name.split('.').nth(4).unwrap();
    assert_eq!(state(&scene, "hq", digest), "sealed");
    assert_eq!(state(&scene, "hq", &name[..name.len() - 9]), "sealed");
    scene.sql("hq", "UPDATE t SET b = 'more'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    for command in ["show", "retry", "discard"] {
        let run = |given: &str| scene.packhorse("hq", &["queue", command, "--", given]);
        run("hq.alice").refused(2, &["\"hq.alice\" may be any of 2 bundles", &name, "more of its name"]);
        run("zed").refused(2, &["no bundle in the queue is named \"zed\"", "queue list --all"]);
        run(&format!("{digest}0")).refused(2, &["no bundle"]);
        for path in ["", "../lock", "/etc/passwd", "outbox/alice/x", "..\\x"] {
            run(path).refused(2, &["is not the name of a bundle", "queue list"]);
        }
        run("\u{1b}[2J").refused(2, &["no bundle"]);
        run(&"x".repeat(5000)).expect(2).calm();
    }
    assert_eq!(scene.outbox("hq", "alice").len(), 2, "nothing was done");
    for command in ["show", "retry", "discard"] {
        scene.packhorse("hq", &["queue", command]).expect(2);
    }
}

#[test]
fn a_bundle_that_waits_says_so_and_how_often_it_was_looked_at() {
    let (scene, _lost) = with_sealed();
    fs::remove_file(scene.outbox("hq", "alice").remove(0)).unwrap();
    scene.sql("hq", "UPDATE t SET b = 'more'");
    scene.sync("hq");
    for _ in 0..2 {
        scene.packhorse("alice", &["transfer"]).expect(0);
        scene.packhorse("alice", &["apply"]).expect(0);
    }
    let waiting = listed(&scene, "alice", &[]).remove(0);
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&"waiting".into(), &2.into()));
    queue(&scene, "alice", &["discard", &name(&waiting)]).expect(0).says("hq is asked for what it held");
    converges(&scene);
}

#[test]
fn what_could_not_be_sent_tells_why_and_how_often_until_it_is_tried_as_if_never() {
    let (scene, name) = with_sealed();
    let blocking = scene.path("relay/alice/down").join(format!("{name}.part"));
    fs::create_dir_all(blocking.join("in the way")).unwrap();
    let run = scene.packhorse("hq", &["transfer"]).calm();
    assert_ne!(run.code, 0, "{run:#?}");
    let bundle = listed(&scene, "hq", &[]).remove(0);
    assert!(bundle["attempts"].as_u64() > Some(0) && bundle["error"].as_str().unwrap().contains(&name), "{bundle}");
    assert!(queue(&scene, "hq", &["show", &name]).expect(0).out.contains("last error"));
    queue(&scene, "hq", &["retry", &name]).expect(0).says("goes with the next transfer");
    let bundle = listed(&scene, "hq", &[]).remove(0);
    assert_eq!((&bundle["attempts"], &bundle["error"], &bundle["state"]), (&0.into(), &Value::Null, &"sealed".into()));
    fs::remove_dir_all(&blocking).unwrap();
    converges(&scene);
}

#[test]
fn a_quarantined_bundle_tells_its_reason_and_is_looked_at_again() {
    let (scene, name, sound) = quarantined();
    let bundle = listed(&scene, "alice", &[]).remove(0);
    assert_eq!((&bundle["state"], &bundle["node"]), (&"quarantined".into(), &"hq".into()));
    let run = queue(&scene, "alice", &["show", &name]).expect(0);
    assert!(run.out.contains("reason      its content does not have the digest in its name"), "{run:#?}");
    // As it is, it is refused once more.
    queue(&scene, "alice", &["retry", &name]).expect(0).says("back in the inbox");
    assert_eq!(state(&scene, "alice", &name), "received");
    assert_eq!(files(&quarantine(&scene)).len(), 0, "its reason is gone");
    scene.packhorse("alice", &["apply"]).expect(3);
    assert_eq!(state(&scene, "alice", &name), "quarantined");
    // Somebody has mended it.
    fs::write(quarantine(&scene).join(&name), sound).unwrap();
    queue(&scene, "alice", &["retry", &name]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(state(&scene, "alice", &name), "applied");
    assert_eq!(scene.sql("alice", "SELECT a FROM t WHERE id = 1"), "from the hub");
    converges(&scene);
}

#[test]
fn a_quarantined_bundle_is_not_put_over_another_in_the_inbox() {
    let (scene, name, sound) = quarantined();
    fs::write(scene.home("alice").join("inbox").join(&name), &sound).unwrap();
    assert_eq!(listed(&scene, "alice", &[]).len(), 2);
    queue(&scene, "alice", &["retry", &name]).refused(1, &["another copy of it lies", &name, "packhorse apply"]);
    assert_eq!(fs::read(scene.home("alice").join("inbox").join(&name)).unwrap(), sound);
    queue(&scene, "alice", &["discard", &name]).expect(0);
    assert_eq!(files(&quarantine(&scene)).len(), 0, "of two of one name the refused one is meant");
    scene.packhorse("alice", &["apply"]).expect(0);
    converges(&scene);
}

#[test]
fn a_discarded_bundle_loses_no_change_wherever_it_was() {
    // In the outbox.
    let (scene, name) = with_sealed();
    queue(&scene, "hq", &["discard", &name]).expect(0).says("sent again in a new bundle");
    assert_eq!((scene.outbox("hq", "alice").len(), state(&scene, "hq", &name)), (0, "discarded".to_owned()));
    converges(&scene);
    // On the relay, from where it is fetched all the same, or lost.
    for is_lost in [false, true] {
        let (scene, name) = with_sealed();
        scene.packhorse("hq", &["transfer"]).expect(0);
        if is_lost {
            fs::remove_file(scene.path("relay/alice/down").join(&name)).unwrap();
        }
        queue(&scene, "hq", &["discard", &name]).expect(0);
        assert_eq!(state(&scene, "hq", &name), "discarded");
        converges(&scene);
    }
    // In the inbox.
    let (scene, name) = with_sealed();
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    queue(&scene, "alice", &["discard", &name]).expect(0).says("hq is asked for what it held");
    assert_eq!((state(&scene, "alice", &name), listed(&scene, "alice", &[]).len()), ("discarded".to_owned(), 0));
    converges(&scene);
    // In quarantine.
    let (scene, name, _) = quarantined();
    queue(&scene, "alice", &["discard", &name]).expect(0);
    assert_eq!((files(&quarantine(&scene)).len(), state(&scene, "alice", &name)), (0, "discarded".to_owned()));
    converges(&scene);
}

/// What stands first is done first: when the file cannot be removed, the link's state has been saved.
#[test]
fn a_discarded_bundle_that_cannot_be_removed_is_sent_or_asked_for_again_all_the_same() {
    let scene = pair();
    let Some(volume) = Volume::mount(&scene.home("hq").join("outbox/alice"), 1) else { return };
    scene.sql("hq", "UPDATE t SET a = 'from the hub' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundle = name(&listed(&scene, "hq", &[])[0]);
    volume.read_only(true);
    queue(&scene, "hq", &["discard", &bundle]).refused(1, &[&bundle, "can be written to"]);
    volume.read_only(false);
    assert_eq!(state(&scene, "hq", &bundle), "sealed");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    assert_eq!(scene.outbox("hq", "alice").len(), 2, "what is in it was sealed again");
    scene.packhorse("hq", &["transfer"]).expect(0);
    let inbox = Volume::mount(&scene.home("alice").join("inbox"), 1).expect("a second volume");
    scene.packhorse("alice", &["transfer"]).expect(0);
    inbox.read_only(true);
    queue(&scene, "alice", &["discard", &bundle]).refused(1, &[&bundle, "can be written to"]);
    inbox.read_only(false);
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    assert_eq!(scene.outbox("alice", "hq").len(), 1, "the hub is asked again");
    converges(&scene);
}

#[test]
fn several_are_discarded_at_once_and_none_if_one_is_not_known() {
    let (scene, first) = with_sealed();
    scene.sql("hq", "UPDATE t SET b = 'more'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let second = name(&listed(&scene, "hq", &[])[1]);
    queue(&scene, "hq", &["discard", &first, "zed"]).refused(2, &["zed"]);
    assert_eq!(scene.outbox("hq", "alice").len(), 2);
    queue(&scene, "hq", &["discard", &first, &second, &first]).expect(0);
    assert_eq!(scene.outbox("hq", "alice").len(), 0);
    converges(&scene);
}

#[test]
fn what_is_in_no_state_for_it_is_refused_with_the_way_out() {
    let (scene, name) = with_sealed();
    scene.packhorse("hq", &["transfer"]).expect(0);
    queue(&scene, "hq", &["retry", &name]).refused(2, &["is sent", "queue discard"]);
    scene.packhorse("alice", &["transfer"]).expect(0);
    queue(&scene, "alice", &["retry", &name]).refused(2, &["is received", "packhorse apply"]);
    for node in ["alice", "alice", "hq"] {
        scene.sync(node);
    }
    queue(&scene, "alice", &["retry", &name]).refused(2, &["is applied", "finished"]);
    queue(&scene, "alice", &["discard", &name]).refused(2, &["is applied", "finished"]);
    queue(&scene, "hq", &["discard", &name]).refused(2, &["is acknowledged", "finished"]);
}

#[test]
fn a_bundle_of_nobody_we_know_is_listed_and_can_be_let_go() {
    let scene = pair();
    let stranger = "zed.hq.00000001.000001.9a41c07be2d65f18.bundle";
    let misled = "alice.bob.00000001.000001.9a41c07be2d65f18.bundle";
    for name in [stranger, misled] {
        fs::write(scene.home("hq").join("inbox").join(name), "whatever").unwrap();
    }
    scene.packhorse("hq", &["apply"]).expect(3);
    let names: Vec<String> = listed(&scene, "hq", &["zed", "alice"]).iter().map(name).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(state(&scene, "hq", stranger), "left-alone");
    assert!(queue(&scene, "hq", &["show", stranger]).expect(0).out.contains("there is no link to \"zed\""));
    queue(&scene, "hq", &["discard", "zed", misled]).expect(0).says("no link to \"zed\"").says("not for this node");
    assert_eq!(files(&scene.home("hq").join("inbox")).len(), 0);
    scene.packhorse("hq", &["apply"]).expect(0);
}

#[test]
fn while_another_run_works_on_the_home_it_can_be_looked_at_and_nothing_else() {
    let (scene, name) = with_sealed();
    let lock = File::options().read(true).write(true).open(scene.home("hq").join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(listed(&scene, "hq", &[]).len(), 1);
    assert_eq!(state(&scene, "hq", &name), "sealed");
    for command in ["retry", "discard"] {
        queue(&scene, "hq", &[command, &name]).refused(1, &["another run works on", "wait until it is done"]);
    }
    assert_eq!(scene.outbox("hq", "alice").len(), 1);
}
