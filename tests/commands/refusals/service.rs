//! `watch` and `accept`, and the sections of the configuration that say how a node works unattended.

use std::fs;

use super::catalogue::Catalogue;
use super::scenes::{config, configure, huge, pair};
use crate::support::Scene;
use crate::support::service::Service;

#[test]
fn service() {
    let mut book = Catalogue::of("service");
    let scene = pair();
    typed(&mut book, &scene);
    homes(&mut book, &scene);
    log(&mut book, &scene);
    hooks(&mut book, &scene);
    accept(&mut book, &scene);
    second(&mut book, &scene);
    relays_and_databases(&mut book);
    book.close();
}

fn typed(book: &mut Catalogue, scene: &Scene) {
    book.cases(
        scene,
        "hq",
        &[
            ("no time at all", &["watch", "--every", "0s"]),
            ("no time at all to seal after", &["watch", "--seal-after", "0 min"]),
            ("a time that is none", &["watch", "--every", "now and then"]),
            ("a time without a unit", &["watch", "--every", "30"]),
            ("a time beyond all calendars", &["watch", "--every", "99999999999999999999 years"]),
            ("a node, which it does not take", &["watch", "alice"]),
            ("an option that there is not", &["watch", "--forever"]),
            ("accept, nothing said", &["accept"]),
            ("accept, neither on nor off", &["accept", "sometimes"]),
            ("accept, another case", &["accept", "ON"]),
            ("accept, both", &["accept", "on", "off"]),
        ],
    );
    let huge = huge();
    book.at(scene, "hq").typed("accept, a word of 64 KiB", &["accept", &huge]);
}

fn homes(book: &mut Catalogue, scene: &Scene) {
    book.cases(scene, "", &[("no home", &["watch"]), ("accept, no home", &["accept", "off"])]);
    book.cases(scene, "nobody", &[("a home that there is not", &["watch"]), ("accept, the same", &["accept", "on"])]);
    fs::write(scene.home("letter"), "Dear Sir or Madam").unwrap();
    book.at(scene, "letter").typed("a file for a home", &["watch"]);
    fs::create_dir(scene.home("hq").join("watch.lock")).unwrap();
    book.at(scene, "hq").typed("a folder in the place of the service's lock", &["watch"]);
    fs::remove_dir(scene.home("hq").join("watch.lock")).unwrap();
}

/// Cases with other settings in a section, each put back.
fn with(book: &mut Catalogue, scene: &Scene, section: &str, cases: &[(&str, &str)]) {
    let good = config(scene, "hq");
    for (what, setting) in cases {
        configure(scene, "hq", good.replace(&format!("\n[{section}]"), &format!("\n[{section}]\n{setting}")));
        book.at(scene, "hq").typed(&format!("{what}: {setting}"), &["watch"]);
    }
    configure(scene, "hq", good);
}

fn log(book: &mut Catalogue, scene: &Scene) {
    with(
        book,
        scene,
        "log",
        &[
            ("a level that there is not", "level = \"loud\""),
            ("a part that there is not", "levels = { harvest = \"info\" }"),
            ("a form that there is not", "format = \"xml\""),
            ("a rotation that there is not", "rotate = \"monthly\""),
            ("no file kept", "keep = 0"),
            ("fewer than none kept", "keep = -1"),
            ("a list of files", "file = [\"a\", \"b\"]"),
            ("a folder for a file", "file = \"..\""),
            ("no name for a file", "file = \"\""),
            ("a file for a folder", "file = \"packhorse.toml/service.log\""),
            ("a key that there is not", "colour = true"),
        ],
    );
    with(book, scene, "watch", &[("no time between", "apply_every = \"0 s\""), ("a number", "transfer_every = 2")]);
    with(book, scene, "node", &[("neither true nor false", "accept = \"off\"")]);
}

fn hooks(book: &mut Catalogue, scene: &Scene) {
    with(
        book,
        scene,
        "hooks",
        &[
            ("a command that is empty", "before_sync = \"\""),
            ("a list that is empty", "after_apply = []"),
            ("a program without a name", "after_apply = [\"\", \"x\"]"),
            ("a number for a command", "after_apply = 7"),
            ("a moment that there is not", "after_sync = \"true\""),
            ("no time at all", "time_limit = \"0 s\""),
        ],
    );
    let good = config(scene, "hq");
    for (what, setting) in [
        ("a hook that fails", "before_sync = \"exit 7\""),
        ("a hook that cannot be started", "before_sync = [\"/no/such/program\"]"),
        ("a hook that takes too long", "before_sync = [\"/bin/sleep\", \"1000\"]\ntime_limit = \"50 ms\""),
    ] {
        configure(scene, "hq", good.replace("[hooks]", &format!("[hooks]\n{setting}")));
        book.at(scene, "hq").typed(&format!("sync, {what}"), &["sync"]);
    }
    configure(scene, "hq", good);
}

fn accept(book: &mut Catalogue, scene: &Scene) {
    let good = config(scene, "hq");
    configure(scene, "hq", "[node\n");
    book.at(scene, "hq").typed("accept, a configuration that cannot be read", &["accept", "off"]);
    configure(scene, "hq", &good);
    let beside = scene.home("hq").join("packhorse.toml.new");
    fs::create_dir_all(beside.join("x")).unwrap();
    book.at(scene, "hq").typed("accept, a configuration that cannot be written", &["accept", "off"]);
    fs::remove_dir_all(beside).unwrap();
}

fn second(book: &mut Catalogue, scene: &Scene) {
    let _service = Service::start(scene, "hq", &[]);
    book.at(scene, "hq").typed("a second service", &["watch"]);
}

fn relays_and_databases(book: &mut Catalogue) {
    let scene = pair();
    let good = config(&scene, "hq");
    configure(&scene, "hq", good.replace("relay = ", "# relay = "));
    book.at(&scene, "hq").typed("no relay", &["watch"]);
    configure(&scene, "hq", good.replace("relay = \"", "relay = \"http://host/"));
    book.at(&scene, "hq").typed("a relay of a kind that there is not", &["watch"]);
    configure(&scene, "hq", &good);
    fs::write(
        scene.database("hq"),
        "Dear Sir or Madam, a letter of more than a hundred bytes, so that it can be looked at",
    )
    .unwrap();
    book.at(&scene, "hq").typed("a letter for a database", &["watch"]);
    fs::remove_file(scene.database("hq")).unwrap();
    book.at(&scene, "hq").typed("no database", &["watch"]);
}
