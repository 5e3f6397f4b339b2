//! `queue`: bundles that there are not, that may be any of several, or of which nothing is to come.

use std::fs;
use std::path::PathBuf;

use super::catalogue::Catalogue;
use super::scenes::{huge, pair};
use crate::support::Scene;

#[test]
fn queue() {
    let mut book = Catalogue::of("queue");
    let scene = pair();
    let huge = huge();
    book.cases(
        &scene,
        "hq",
        &[
            ("list, a node that there is not", &["queue", "list", "bob"]),
            ("no name", &["queue", "show"]),
            ("a bundle that there is not", &["queue", "show", "0123456789abcdef"]),
            ("a name like a path", &["queue", "retry", "../outbox/alice/x.bundle"]),
            ("a name with control characters", &["queue", "show", "a\u{1b}[2J"]),
            ("a name of 64 KiB", &["queue", "discard", &huge]),
        ],
    );
    let (name, _) = sealed(&scene);
    let words = ["queue", "discard", &name, "nosuch"];
    book.at(&scene, "hq").typed("one that there is and one that there is not", &words);
    sealed(&scene);
    book.at(&scene, "hq").typed("the beginning of several", &["queue", "discard", "hq.alice"]);
    finished(&mut book);
    quarantined(&mut book);
    book.close();
}

/// A bundle in the hub's outbox.
fn sealed(scene: &Scene) -> (String, PathBuf) {
    scene.sql("hq", "UPDATE firms SET name = name || '.' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let path = scene.outbox("hq", "alice").remove(0);
    (path.file_name().unwrap().to_string_lossy().into_owned(), path)
}

fn finished(book: &mut Catalogue) {
    let scene = pair();
    let (name, _) = sealed(&scene);
    scene.packhorse("hq", &["transfer"]).expect(0);
    book.at(&scene, "hq").typed("retry, one that is sent", &["queue", "retry", &name]);
    scene.packhorse("alice", &["transfer"]).expect(0);
    book.at(&scene, "alice").typed("retry, one that waits to be applied", &["queue", "retry", &name]);
    ["alice", "hq", "alice"].iter().for_each(|node| scene.sync(node));
    book.at(&scene, "alice").typed("retry, one that is finished", &["queue", "retry", &name]);
    book.at(&scene, "hq").typed("discard, one that is finished", &["queue", "discard", &name]);
}

fn quarantined(book: &mut Catalogue) {
    let scene = pair();
    let (name, path) = sealed(&scene);
    let inbox = scene.home("alice").join("inbox").join(&name);
    fs::write(&inbox, "junk").unwrap();
    scene.packhorse("alice", &["apply"]).expect(3);
    fs::copy(&path, &inbox).unwrap();
    book.at(&scene, "alice").typed("retry, one of which another copy has come", &["queue", "retry", &name]);
}
