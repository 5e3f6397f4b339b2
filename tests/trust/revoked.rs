//! Remotes that are shut out.

use std::fs;

use super::{down, said, scene, sync, value, write};
use crate::support::{Scene, files, text};

fn up(scene: &Scene) -> usize {
    files(&scene.path("relay/alice/up")).len()
}

#[test]
fn what_a_revoked_remote_says_does_not_count_and_it_is_told_nothing() {
    let scene = scene();
    // One has arrived, one lies on the relay, one is still to come.
    write(&scene, "alice", "arrived");
    sync(&scene, &["alice"]);
    scene.packhorse("hq", &["transfer"]).expect(0);
    write(&scene, "alice", "on its way");
    sync(&scene, &["alice"]);
    let lying = up(&scene);
    assert!(lying > 0);
    scene.packhorse("hq", &["remote", "revoke", "alice"]).expect(0).says("alice is revoked");
    write(&scene, "alice", "to come");
    sync(&scene, &["alice"]);
    write(&scene, "hq", "of the hub");
    let before = down(&scene);
    for _ in 0..2 {
        scene.packhorse("hq", &["sync"]);
    }
    assert_eq!(value(&scene, "hq"), "of the hub");
    assert_eq!(down(&scene), before, "it is told nothing");
    let status = scene.packhorse("hq", &["status"]).expect(0);
    assert!(status.out.contains("revoked: what it says is refused"), "{status:#?}");
    let reasons =
        files(&scene.home("hq").join("quarantine")).into_iter().filter_map(|file| fs::read_to_string(file).ok());
    assert!(reasons.into_iter().any(|reason| reason.contains("alice was revoked")), "what had arrived is refused");
    let rows = scene.packhorse("hq", &["remote", "list", "--json"]).expect(0).json();
    assert_eq!(rows[0]["revoked"], true, "{rows}");
}

#[test]
fn its_mailbox_can_be_emptied_of_bundles_and_nothing_else() {
    let scene = scene();
    said(&scene, "for alice");
    write(&scene, "alice", "for the hub");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    let foreign = scene.path("relay/alice/up/notes.txt");
    fs::write(&foreign, "a person's").expect("written");
    let part = scene.path("relay/alice/up").join(format!(
        "{}.part",
        text(
            files(&scene.path("relay/alice/up"))
                .iter()
                .find(|file| text(file).ends_with(".bundle"))
                .expect("a bundle")
                .file_name()
                .expect("a name")
                .as_ref()
        )
    ));
    fs::write(&part, "begun").expect("written");
    let run = scene.packhorse("hq", &["remote", "revoke", "alice", "--empty-mailbox"]).expect(0);
    assert!(run.err.contains("bundles from its mailbox") || run.err.contains("bundle from its mailbox"), "{run:#?}");
    assert_eq!(files(&scene.path("relay/alice/up")), [foreign]);
    assert!(files(&scene.path("relay/alice/down")).is_empty());
    // Once more is no harm, and finds nothing.
    scene.packhorse("hq", &["remote", "revoke", "alice", "--empty-mailbox"]).expect(0).says("took 0 bundles");
}

#[test]
fn a_remote_that_was_revoked_begins_anew_by_a_package() {
    let scene = scene();
    scene.packhorse("hq", &["remote", "revoke", "alice"]).expect(0);
    write(&scene, "hq", "meanwhile");
    ["alice.rdb", "alice.db", "alice.db-wal", "alice.db-shm"]
        .iter()
        .for_each(|file| drop(fs::remove_file(scene.path(file))));
    fs::remove_dir_all(scene.home("alice")).expect("its home goes");
    scene.pack_and_restore("alice");
    write(&scene, "alice", "as before");
    sync(&scene, &["alice", "hq", "alice"]);
    assert_eq!([value(&scene, "hq"), value(&scene, "alice")], ["as before", "as before"]);
}

#[test]
fn only_a_remote_with_a_package_can_be_revoked() {
    let scene = scene();
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    scene.packhorse("hq", &["remote", "revoke", "bob"]).expect(2).says("bob has no package yet");
    scene.packhorse("hq", &["remote", "revoke", "zed"]).expect(2).says("there is no remote \"zed\"");
    // Its own hub is nothing that a remote could shut out.
    scene.packhorse("alice", &["remote", "revoke", "hq"]).expect(2).says("there is no remote \"hq\"");
    // What cannot become a package leaves everything as it was.
    for taken in [scene.path(""), scene.path("alice.rdb")] {
        let words = ["remote", "rekey", "alice", "-o", text(&taken), "--no-passphrase"];
        assert_ne!(scene.packhorse("hq", &words).code, 0);
    }
    write(&scene, "alice", "still heard");
    sync(&scene, &["alice", "hq"]);
    assert_eq!(value(&scene, "hq"), "still heard");
}

#[test]
fn a_relay_that_does_not_answer_keeps_no_other_from_being_emptied() {
    let scene = scene();
    said(&scene, "for alice");
    let config = scene.home("hq").join("packhorse.toml");
    let words = fs::read_to_string(&config).expect("a configuration");
    let folder = scene.path("relay");
    let relays = format!("relay = [\"ftp://127.0.0.1:1/nowhere\", \"{}\"]", text(&folder));
    let lines = words.lines().map(|line| if line.starts_with("relay = ") { relays.clone() } else { line.to_owned() });
    fs::write(&config, lines.collect::<Vec<_>>().join("\n")).expect("written");
    scene.packhorse("hq", &["remote", "revoke", "alice", "--empty-mailbox"]).expect(4).says("127.0.0.1:1");
    assert!(down(&scene).is_empty());
}
