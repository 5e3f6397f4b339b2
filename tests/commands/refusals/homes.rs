//! Homes that are missing, half made, damaged, in use, or another database's; found by any command.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::catalogue::Catalogue;
use super::foreign::scatter;
use super::scenes::{SCHEMA, config, configure, hub, huge, pair};
use crate::support::{Scene, sqlite};

#[test]
fn homes() {
    let mut book = Catalogue::of("homes");
    let scene = Scene::in_memory();
    scatter(&scene);
    book.case(&scene).typed("no home here", &["status"]);
    let huge = huge();
    for (what, home) in [
        ("a home that is not there", "nowhere"),
        ("a home that is a file", "odd/letter.txt"),
        ("a folder of other things", "odd"),
        ("a link that leads to itself", "odd/loop"),
        ("a home of 64 KiB", &huge),
    ] {
        book.case(&scene).typed(what, &["--home", home, "status"]);
    }
    for name in ["one.packhorse", "two.packhorse"] {
        fs::create_dir(scene.path(name)).unwrap();
    }
    book.case(&scene).typed("several homes here", &["sync"]);
    identities(&mut book);
    files_and_folders(&mut book);
    half_made(&mut book);
    in_use(&mut book);
    book.close();
}

fn identities(book: &mut Catalogue) {
    let scene = hub();
    let path = scene.home("hq").join("identity");
    fs::write(&path, b"\xff\xfe\x00").unwrap();
    book.at(&scene, "hq").typed("an identity that is no text", &["status"]);
    fs::write(&path, "network = 5\nnode = 6\n").unwrap();
    book.at(&scene, "hq").typed("an identity with other words", &["status"]);
    fs::remove_file(&path).unwrap();
    book.at(&scene, "hq").typed("no identity", &["sync"]);
    fs::create_dir(&path).unwrap();
    book.at(&scene, "hq").typed("a folder for an identity", &["sync"]);
}

fn files_and_folders(book: &mut Catalogue) {
    let scene = pair();
    let at = |name: &str| scene.home("hq").join(name);
    let replaced = |name: &str| {
        fs::rename(at(name), scene.path("aside")).unwrap();
        fs::write(at(name), "x").unwrap();
    };
    let back = |name: &str| {
        fs::remove_file(at(name)).unwrap();
        fs::rename(scene.path("aside"), at(name)).unwrap();
    };
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    for (name, words) in [
        ("outbox", &["bundle", "--now"][..]),
        ("inbox", &["apply"]),
        ("packing", &["remote", "pack", "alice", "-o", "again.rdb", "--no-passphrase"]),
    ] {
        replaced(name);
        book.at(&scene, "hq").typed(&format!("a file for the home's {name}"), words);
        back(name);
    }
    fs::remove_file(at("lock")).unwrap();
    fs::create_dir(at("lock")).unwrap();
    book.at(&scene, "hq").typed("a folder for the home's lock", &["sync"]);
}

fn half_made(book: &mut Catalogue) {
    let scene = pair();
    fs::remove_file(scene.home("hq").join("packhorse.toml")).unwrap();
    book.at(&scene, "hq").typed("a home that has lost its configuration", &["sync"]);
    let scene = hub();
    let good = config(&scene, "hq");
    fs::remove_file(scene.home("hq").join("packhorse.toml")).unwrap();
    fs::remove_dir_all(scene.home("hq").join("ledger")).unwrap();
    book.at(&scene, "hq").typed("a home that is not finished", &["status"]);
    configure(&scene, "hq", &good);
    sqlite(&scene.path("new.db"), SCHEMA);
    let words = ["init", "--database", "new.db", "--home", "hq.home"];
    book.case(&scene).typed("the home of another database", &words);
}

/// Another run, which holds the home until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(scene: &Scene) -> Self {
        let script = "
import fcntl, sys
lock = open(sys.argv[1], 'r+')
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write('packhorse sync, process 4711')
lock.flush()
print('held', flush=True)
sys.stdin.read()";
        let mut python = Command::new("python3");
        python.arg("-c").arg(script).arg(scene.home("hq").join("lock"));
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
        let told = BufReader::new(child.stdout.as_mut().expect("a pipe"));
        assert_eq!(told.lines().next().expect("a line").expect("a line"), "held");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn in_use(book: &mut Catalogue) {
    let scene = hub();
    let holder = Holder::of(&scene);
    book.at(&scene, "hq").typed("another run works there", &["sync"]);
    drop(holder);
}
