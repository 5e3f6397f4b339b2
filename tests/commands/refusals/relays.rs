//! `transfer` and `sync`: relays that are not there, not ours, full or damaged, and budgets that are none.

use std::fs;

use super::catalogue::Catalogue;
use super::scenes::{append, config, configure, hub, huge, pair};
use crate::support::{Scene, sqlite};

#[test]
fn transfer_and_sync() {
    let mut book = Catalogue::of("relays");
    let scene = pair();
    let huge = huge();
    budgets(&mut book, &scene, &huge);
    roots(&mut book);
    mailboxes(&mut book);
    disks(&mut book);
    none(&mut book);
    book.close();
}

fn budgets(book: &mut Catalogue, scene: &Scene, huge: &str) {
    for (what, time) in [
        ("a time without a unit", "60"),
        ("a time that is a word", "soon"),
        ("a time for ever", "1000 years"),
        ("a time of 64 KiB", huge),
    ] {
        book.at(scene, "hq").typed(what, &["transfer", "--for", time]);
    }
}

/// A relay that is something else than it was.
fn roots(book: &mut Catalogue) {
    let scene = pair();
    sqlite(&scene.path("other.db"), super::scenes::SCHEMA);
    scene.bare(&["init", "--database", "other.db", "--relay", "other"]).expect(0);
    let relay = scene.path("relay");
    fs::rename(&relay, scene.path("aside")).unwrap();
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    for words in [&["transfer"][..], &["sync"]] {
        book.at(&scene, "hq").typed(&format!("{}, a relay that is not there", words[0]), words);
    }
    fs::write(&relay, "a file").unwrap();
    book.at(&scene, "hq").typed("sync, a relay that is a file", &["sync"]);
    fs::remove_file(&relay).unwrap();
    fs::create_dir(&relay).unwrap();
    book.at(&scene, "hq").typed("sync, an empty folder for a relay", &["sync"]);
    fs::write(relay.join("packhorse.relay"), "junk").unwrap();
    book.at(&scene, "hq").typed("sync, a relay with a damaged marker", &["sync"]);
    fs::remove_dir_all(&relay).unwrap();
    fs::rename(scene.path("other"), &relay).unwrap();
    book.at(&scene, "hq").typed("sync, another network's relay", &["sync"]);
}

/// A file where a folder is to be, and the other way round.
fn mailboxes(book: &mut Catalogue) {
    let scene = pair();
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let at = |name: &str| scene.path("relay/alice").join(name);
    fs::rename(at("down"), scene.path("aside")).unwrap();
    fs::write(at("down"), "a file").unwrap();
    book.at(&scene, "hq").typed("transfer, a file for a mailbox", &["transfer"]);
    fs::remove_file(at("down")).unwrap();
    fs::rename(scene.path("aside"), at("down")).unwrap();
    let name = scene.outbox("hq", "alice").remove(0).file_name().unwrap().to_string_lossy().into_owned();
    fs::create_dir(at("down").join(&name)).unwrap();
    book.at(&scene, "hq").typed("transfer, a folder under the bundle's name", &["transfer"]);
    fs::remove_dir(at("down").join(&name)).unwrap();
    fs::create_dir(at("down").join(format!("{name}.part"))).unwrap();
    book.at(&scene, "hq").typed("transfer, a folder under the part's name", &["transfer"]);
    fs::remove_dir(at("down").join(format!("{name}.part"))).unwrap();
    fs::write(at("down").join(&name), "other content").unwrap();
    book.at(&scene, "hq").typed("sync, other content under the bundle's name", &["sync"]);
    fs::remove_file(at("down").join(&name)).unwrap();
    book.at(&scene, "hq").typed("transfer, no time at all", &["transfer", "--for", "0 s"]);
}

fn disks(book: &mut Catalogue) {
    let scene = pair();
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    let fault = "bundle-drafted=full";
    book.at(&scene, "hq").with("PACKHORSE_FAULT", fault).typed("sync, a full disk before sealing", &["sync"]);
    scene.sync("hq");
    let fault = "bundle-fetched=full";
    book.at(&scene, "alice").with("PACKHORSE_FAULT", fault).typed("transfer, a disk that is full", &["transfer"]);
}

fn none(book: &mut Catalogue) {
    let scene = hub();
    append(&scene, "hq", "[remote.alice]\nset = \"everything\"\n");
    let good = config(&scene, "hq");
    let lines: Vec<&str> = good.lines().filter(|line| !line.starts_with("relay = ")).collect();
    configure(&scene, "hq", lines.join("\n"));
    book.at(&scene, "hq").typed("sync, no relay", &["sync"]);
    let line = good.lines().find(|line| line.starts_with("relay = ")).unwrap();
    configure(&scene, "hq", good.replace(line, "relay = \"ftp://ann:secret@host:0/relay\""));
    book.at(&scene, "hq").typed("transfer, a relay at a port that there is not", &["transfer"]);
}
