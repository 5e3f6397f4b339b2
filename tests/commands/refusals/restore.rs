//! `restore`: packages that are none or no good, and places that are taken or cannot be; nothing is left, nothing replaced.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use super::catalogue::Catalogue;
use super::foreign::{FOREIGN, scatter};
use super::scenes::{huge, pair};
use crate::support::{Scene, rewritten};

#[test]
fn restore() {
    let mut book = Catalogue::of("restore");
    let scene = pair();
    scatter(&scene);
    fs::create_dir(scene.path("site")).unwrap();
    book.case(&scene).typed("no database", &["restore", "alice.rdb"]);
    packages(&mut book, &scene);
    places(&mut book, &scene);
    let words = ["restore", "alice.rdb", "--database", "site/a.db"];
    let carried = [&words[..], &["--relay", "sftp://ann:secret@host:0/relay"]].concat();
    book.case(&scene).typed("a relay at a port that there is not", &carried);
    for (what, url) in [
        ("a server that does not answer", "ftp://127.0.0.1:1/alice.rdb"),
        ("a server, and no file", "sftp://ann:secret@127.0.0.1:1"),
        ("an address of another kind", "http://127.0.0.1/alice.rdb"),
    ] {
        book.case(&scene).typed(&format!("the package is at {what}"), &["restore", url, "--database", "site/a.db"]);
    }
    for fault in ["restore-unpacked=full", "restore-home-made=io", "restore-adopted=full"] {
        book.case(&scene).with("PACKHORSE_FAULT", fault).typed("a disk that fails half-way", &words);
    }
    book.close();
}

/// Packages that are not sound any more, and one of a later version.
pub(super) fn spoil(scene: &Scene) {
    let sound = fs::read(scene.path("alice.rdb")).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 0x10;
    let write = |name: &str, bytes: &[u8]| fs::write(scene.path("odd").join(name), bytes).unwrap();
    write("cut.rdb", &sound[..sound.len() / 2]);
    write("flipped.rdb", &flipped);
    write("newer.rdb", &rewritten(&sound, &|manifest| manifest.format += 1));
}

fn packages(book: &mut Catalogue, scene: &Scene) {
    spoil(scene);
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    fs::copy(&scene.outbox("hq", "alice")[0], scene.path("odd/a.bundle")).unwrap();
    let more = [
        ("an archive", "odd/archive.zip"),
        ("a database", "odd/plain.db"),
        ("a bundle", "odd/a.bundle"),
        ("a part of a package", "odd/cut.rdb"),
        ("one with a bit flipped", "odd/flipped.rdb"),
        ("one of a later format", "odd/newer.rdb"),
    ];
    for (what, path) in FOREIGN.into_iter().chain(more) {
        let words = ["restore", path, "--database", "site/a.db"];
        book.case(scene).typed(&format!("{what} for a package"), &words);
    }
}

fn places(book: &mut Catalogue, scene: &Scene) {
    symlink("nowhere.db", scene.path("dangling.db")).unwrap();
    fs::write(scene.path("site/logged.db-wal"), "").unwrap();
    fs::create_dir(scene.path("site/drafted.db.new")).unwrap();
    for (what, path) in [
        ("a database that is there", "hq.db"),
        ("a link that leads nowhere", "dangling.db"),
        ("where another's log lies", "site/logged.db"),
        ("where a folder has the draft's name", "site/drafted.db"),
        ("in a folder that is not there", "nowhere/a.db"),
        ("a name of 64 KiB", &huge()),
    ] {
        let words = ["restore", "alice.rdb", "--database", path];
        book.case(scene).typed(&format!("the database is to be {what}"), &words);
    }
    let no_text = OsString::from_vec(b"site/a\xff.db".to_vec());
    let words = ["restore", "alice.rdb", "--database"].map(OsString::from);
    book.case(scene).typed("the database is to be no text", &[&words[..], &[no_text]].concat());
    for (what, home) in
        [("below a file", "odd/letter.txt/home"), ("a folder of other things", "odd"), ("another node's", "hq.home")]
    {
        let words = ["restore", "alice.rdb", "--database", "site/a.db", "--home", home];
        book.case(scene).typed(&format!("the home is to be {what}"), &words);
    }
}
