//! `init`: databases that are none or no good, tables, names, homes and relays that cannot be.

use std::fs;

use super::catalogue::Catalogue;
use super::foreign::{FOREIGN, scatter};
use super::scenes::{hub, huge, plain};
use crate::support::Scene;

#[test]
fn init() {
    let mut book = Catalogue::of("init");
    let scene = plain();
    scatter(&scene);
    let huge = huge();
    options(&mut book, &scene, &huge);
    databases(&mut book, &scene);
    tables(&mut book, &scene);
    for (what, home) in [("a home that is a file", "odd/letter.txt"), ("a home among other things", "odd")] {
        book.case(&scene).typed(what, &["init", "--database", "hq.db", "--home", home]);
    }
    relays(&mut book, &scene, &huge);
    broken_off(&mut book, &scene);
    let scene = hub();
    book.case(&scene).typed("a database that has a home", &["init", "--database", "hq.db"]);
    book.close();
}

fn options(book: &mut Catalogue, scene: &Scene, huge: &str) {
    book.cases(
        scene,
        "",
        &[
            ("no database", &["init"]),
            ("a database that looks like an option", &["init", "--database", "-x.db"]),
            ("a name like an option", &["init", "--database", "hq.db", "--name=-x"]),
            ("a name with control characters", &["init", "--database", "hq.db", "--name", "a\u{1b}[2Jb\u{7}"]),
            ("a name of 64 KiB", &["init", "--database", "hq.db", "--name", huge]),
        ],
    );
}

fn databases(book: &mut Catalogue, scene: &Scene) {
    let more = [
        ("one that is cut short", "odd/cut.db"),
        ("one with nothing that can be synced", "odd/useless.db"),
        ("one that cannot be written", "odd/later.db"),
    ];
    for (what, path) in FOREIGN.into_iter().chain(more) {
        book.case(scene).typed(&format!("{what} for a database"), &["init", "--database", path]);
    }
}

fn tables(book: &mut Catalogue, scene: &Scene) {
    for (what, option, table) in [
        ("a table that is not there", "--tables", "frims"),
        ("a table without a primary key", "--tables", "firms,keyless"),
        ("a view", "--tables", "bosses"),
        ("a table to leave out that is not there", "--exclude", "frims"),
        ("every table left out", "--exclude", "firms,people"),
    ] {
        book.case(scene).typed(what, &["init", "--database", "hq.db", option, table]);
    }
}

fn relays(book: &mut Catalogue, scene: &Scene, huge: &str) {
    fs::create_dir_all(scene.path("damaged")).unwrap();
    fs::write(scene.path("damaged/packhorse.relay"), "junk").unwrap();
    fs::create_dir_all(scene.path("strange/packhorse.relay")).unwrap();
    for (what, relay) in [
        ("an empty relay", ""),
        ("a relay at a port that there is not", "sftp://ann:secret@host:0/relay"),
        ("a relay on another machine", "file://host/relay"),
        ("a relay that is a file", "odd/letter.txt"),
        ("a relay with a damaged marker", "damaged"),
        ("a relay whose marker is a folder", "strange"),
        ("a relay of 64 KiB", huge),
    ] {
        book.case(scene).typed(what, &["init", "--database", "hq.db", "--relay", relay]);
    }
    let two = ["init", "--database", "hq.db", "--relay", "fresh", "--relay", "odd/letter.txt"];
    book.case(scene).typed("a second relay that is a file", &two);
}

fn broken_off(book: &mut Catalogue, scene: &Scene) {
    let words = ["init", "--database", "hq.db", "--relay", "fresh"];
    for (what, fault) in [
        ("a full disk before the relay is marked", "init-home-made=full"),
        ("a broken disk after the relay is marked", "init-relay-marked=io"),
    ] {
        book.case(scene).with("PACKHORSE_FAULT", fault).typed(what, &words);
    }
}
