//! Configurations with anything in them that can be wrong, and databases that are not what they name.

use std::fs;
use std::os::unix::fs::symlink;

use super::catalogue::Catalogue;
use super::foreign::scatter;
use super::masks::shortened;
use super::scenes::{SCHEMA, config, configure, hub, huge, pair};
use crate::support::{Scene, sqlite};

#[test]
fn configuration() {
    let mut book = Catalogue::of("configuration");
    let scene = hub();
    form(&mut book, &scene);
    values(&mut book, &scene);
    sets_and_remotes(&mut book, &scene);
    files(&mut book, &scene);
    databases(&mut book);
    later(&mut book);
    book.close();
}

/// A case with another configuration, which is put back.
fn with(book: &mut Catalogue, scene: &Scene, what: &str, changed: impl AsRef<[u8]>, words: &[&str]) {
    let good = config(scene, "hq");
    configure(scene, "hq", changed);
    book.at(scene, "hq").typed(what, words);
    configure(scene, "hq", good);
}

/// A case with more in the configuration, which its name tells.
fn more(book: &mut Catalogue, scene: &Scene, what: &str, text: &str, words: &[&str]) {
    let line = text.replace('\n', " / ").replace('\u{1b}', "\\u001b");
    let brief: Vec<String> = line.split(' ').map(shortened).collect();
    let what = format!("{what}: {}", brief.join(" "));
    with(book, scene, &what, format!("{}\n{text}\n", config(scene, "hq")), words);
}

/// A case with a line of `[node]` changed.
fn node(book: &mut Catalogue, scene: &Scene, what: &str, line: &str) {
    let good = config(scene, "hq");
    let begins = |old: &str| old.split(" = ").next() == line.split(" = ").next() && !old.is_empty();
    let lines: Vec<&str> = good.lines().map(|old| if begins(old) { line } else { old }).collect();
    with(book, scene, &format!("{what}: {line}"), lines.join("\n"), &["sync"]);
}

fn form(book: &mut Catalogue, scene: &Scene) {
    let huge = huge();
    for (what, text) in [
        ("a text that is not closed", "[x]\na = \"b"),
        ("control characters", "[table.\"a\u{1b}[2Jb\"]\nprefer = \"latest\""),
        ("a section that there is not", "[bundel]\nseal_at = \"1 KiB\""),
        ("a key of 64 KiB", &format!("{huge} = 1")),
    ] {
        more(book, scene, what, text, &["status"]);
    }
    for (what, text) in [
        ("an empty configuration", &b""[..]),
        ("a number for a section: bundle = 7", b"bundle = 7\n[node]\nname = \"hq\"\ndatabase = \"../hq.db\"\n"),
        ("a configuration in UTF-16", b"\xff\xfe[\x00n\x00o\x00d\x00e\x00]\x00"),
    ] {
        with(book, scene, what, text, &["sync"]);
    }
}

fn values(book: &mut Catalogue, scene: &Scene) {
    for (what, line) in [
        ("a name that is none", "name = \"Head Office\""),
        ("another name than the peers know", "name = \"head-office\""),
        ("a folder for a database", "database = \"..\""),
        ("a relay of a kind that there is not", "relay = \"http://ann:secret@host/relay\""),
    ] {
        node(book, scene, what, line);
    }
    for (what, section, line) in [
        ("a bare number for a size", "bundle", "seal_at = 5"),
        ("a size of nothing", "bundle", "bundle_max = \"0 KiB\""),
        ("a size beyond all disks", "bundle", "seal_at = \"99999999999999999999 TiB\""),
    ] {
        let changed = config(scene, "hq").replace(&format!("[{section}]"), &format!("[{section}]\n{line}"));
        with(book, scene, &format!("{what}: {line}"), changed, &["status"]);
    }
}

fn sets_and_remotes(book: &mut Catalogue, scene: &Scene) {
    for (what, text) in [
        ("a policy that there is not", "[table.firms]\nprefer = \"mine\""),
        ("a text for an identity", "[table.people]\nidentity = \"email\""),
        ("a table twice in a set", "[[set.s.table]]\nname = \"firms\"\n[[set.s.table]]\nname = \"FIRMS\""),
        ("a set's table as a section", "[set.s.table]\nname = \"firms\""),
        ("a remote's name that is none", "[remote.Alice]\nset = \"everything\""),
        ("a parameter that is no value", "[remote.alice]\nset = \"everything\"\nparams = { a = 1.5 }"),
    ] {
        more(book, scene, what, text, &["status"]);
    }
    for (what, text) in [
        ("an identity that is not unique", "[table.people]\nidentity = [\"name\"]"),
        ("a counter of texts", "[table.people]\nadd = [\"name\"]"),
        ("a reference to a table that is not synced", "[table.people]\nreferences = { name = \"keyless\" }"),
    ] {
        more(book, scene, what, text, &["bundle"]);
    }
}

fn files(book: &mut Catalogue, scene: &Scene) {
    let path = scene.home("hq").join("packhorse.toml");
    fs::rename(&path, scene.path("aside")).unwrap();
    fs::create_dir(&path).unwrap();
    book.at(scene, "hq").typed("a folder for a configuration", &["status"]);
    fs::remove_dir(&path).unwrap();
    symlink("../nowhere.toml", &path).unwrap();
    book.at(scene, "hq").typed("a configuration kept where it is not", &["status"]);
    fs::remove_file(&path).unwrap();
    fs::rename(scene.path("aside"), &path).unwrap();
}

fn databases(book: &mut Catalogue) {
    let scene = pair();
    scatter(&scene);
    sqlite(&scene.path("plain.db"), SCHEMA);
    for (what, line) in [
        ("a database that is gone", "database = \"../gone.db\""),
        ("a database that looks encrypted", "database = \"../odd/random\""),
        ("another node's database", "database = \"../alice.db\""),
    ] {
        node(book, &scene, what, line);
    }
}

/// What can become of a database after it was prepared.
fn later(book: &mut Catalogue) {
    let scene = hub();
    for (what, sql) in [
        ("metadata of a later version", "UPDATE _packhorse_state SET value = 99 WHERE name = 'format'"),
        ("metadata without its node", "DELETE FROM _packhorse_state WHERE name = 'node'"),
        ("a log that is gone", "DROP TABLE _packhorse_log"),
    ] {
        scene.sql("hq", "PRAGMA wal_checkpoint(TRUNCATE)");
        let good = fs::read(scene.database("hq")).unwrap();
        scene.sql("hq", sql);
        book.at(&scene, "hq").typed(what, &["bundle", "--now"]);
        ["-wal", "-shm"].iter().for_each(|end| drop(fs::remove_file(scene.path(&format!("hq.db{end}")))));
        fs::write(scene.database("hq"), good).unwrap();
    }
}
