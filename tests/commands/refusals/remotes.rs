//! Remotes: names, sets, parameters and relays that cannot be.

use std::fs;

use super::catalogue::Catalogue;
use super::scenes::{hub, huge, pair};
use crate::support::Scene;

#[test]
fn remotes() {
    let mut book = Catalogue::of("remotes");
    let scene = hub();
    let add = ["set", "add", "s", "--table", "firms", "--where", "manager = :user AND id > :least"];
    scene.packhorse("hq", &add).expect(0);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    let huge = huge();
    names(&mut book, &scene, &huge);
    parameters(&mut book, &scene);
    relays(&mut book, &scene);
    shown(&mut book, &scene);
    places(&mut book);
    book.close();
}

fn names(book: &mut Catalogue, scene: &Scene, huge: &str) {
    book.cases(
        scene,
        "hq",
        &[
            ("a name with capitals", &["remote", "add", "Alice"]),
            ("a name like an option", &["remote", "add", "--", "-x"]),
            ("a name of 64 KiB", &["remote", "add", huge]),
            ("a name that is taken", &["remote", "add", "alice"]),
            ("the node's own name", &["remote", "add", "hq"]),
            ("a set that there is not", &["remote", "add", "bob", "--set", "sales"]),
        ],
    );
}

fn parameters(book: &mut Catalogue, scene: &Scene) {
    for (what, params) in [
        ("no value for the parameters", &[][..]),
        ("a parameter without =", &["user"]),
        ("a number beyond all numbers", &["user=ann", "least:=99999999999999999999"]),
        ("a parameter that the set has not", &["user=ann", "least:=1", "usr=x"]),
        ("a list for one value", &["user=ann", "user=ben", "least:=1"]),
    ] {
        let given = params.iter().flat_map(|param| ["--param", param]);
        let words: Vec<&str> = ["remote", "add", "bob", "--set", "s"].into_iter().chain(given).collect();
        book.at(scene, "hq").typed(what, &words);
    }
    let words = ["remote", "add", "bob", "--param", "user=ann"];
    book.at(scene, "hq").typed("a parameter for a set without any", &words);
}

fn relays(book: &mut Catalogue, scene: &Scene) {
    for (what, relay) in
        [("an empty relay", ""), ("a relay at a port that there is not", "ftp://ann:secret@host:0/relay")]
    {
        book.at(scene, "hq").typed(what, &["remote", "add", "bob", "--relay", relay]);
    }
}

fn shown(book: &mut Catalogue, scene: &Scene) {
    book.cases(
        scene,
        "hq",
        &[
            ("show, a remote that there is not", &["remote", "show", "bob"]),
            ("remove, a remote that there is not", &["remote", "remove", "bob"]),
            ("revoke, a remote that there is not", &["remote", "revoke", "bob"]),
            ("revoke, a remote without a package", &["remote", "revoke", "alice"]),
            ("rekey, a remote that there is not", &["remote", "rekey", "bob", "-o", "bob.rdb"]),
            ("rekey, a remote without a package", &["remote", "rekey", "alice", "-o", "alice.rdb"]),
        ],
    );
}

/// Where its folder on the relay or its place in the configuration is to be.
fn places(book: &mut Catalogue) {
    let scene = hub();
    fs::write(scene.path("relay/bob"), "a file").unwrap();
    book.at(&scene, "hq").typed("a file for its folder on the relay", &["remote", "add", "bob"]);
    fs::create_dir(scene.path("relay/carol")).unwrap();
    fs::write(scene.path("relay/carol/up"), "a file").unwrap();
    book.at(&scene, "hq").typed("a file for its mailbox", &["remote", "add", "carol"]);
    let fault = "remote-folder-made=full";
    book.at(&scene, "hq").with("PACKHORSE_FAULT", fault).typed("a full disk half-way", &["remote", "add", "dora"]);
    let scene = pair();
    let words = ["remote", "add", "up"];
    book.at(&scene, "alice").typed("the name of a folder of this node's own", &words);
    let fault = "remote-link-forgotten=io";
    let words = ["remote", "remove", "alice"];
    book.at(&scene, "hq").with("PACKHORSE_FAULT", fault).typed("remove, a broken disk half-way", &words);
}
