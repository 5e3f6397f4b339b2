//! A package of a big database: flat in memory, and with nothing in it that the remote may not have.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::support::{BINARY, Scene, python, sqlite, text};

/// How much memory a run may take at most.
const LIMIT: u64 = 200 << 20;

/// Runs the binary through Python, which tells the peak memory of its children, in bytes.
fn peak_of(scene: &Scene, words: &[&str]) -> u64 {
    let script = "
import resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True, env={}, cwd=sys.argv[1], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)";
    let (folder, home) = (scene.path(""), scene.home("hq"));
    let told = python(script, &[&[text(&folder), BINARY, "--home", text(&home)], words].concat());
    told.parse().expect("a number of bytes")
}

fn packs_in_little_memory(mebibytes: u64) -> u64 {
    let scene = Scene::new();
    let rows = format!(
        "PRAGMA journal_mode = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, n INTEGER);
         CREATE INDEX by_n ON t (n);
         INSERT INTO t SELECT value, randomblob(8200), value % 7 FROM generate_series(1, {})",
        mebibytes * 128
    );
    sqlite(&scene.database("hq"), &rows);
    scene.init();
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    let peak = peak_of(&scene, &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]);
    assert!(std::fs::metadata(scene.path("alice.rdb")).unwrap().len() > mebibytes << 20);
    eprintln!("packing {mebibytes} MiB took {} MiB at the peak", peak >> 20);
    peak
}

#[test]
fn packing_a_database_takes_memory_that_does_not_follow_its_size() {
    let peak = packs_in_little_memory(150);
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
}

#[test]
#[ignore = "a gigabyte takes a minute or more in a debug build; run by hand when packing changes"]
fn packing_a_gigabyte_takes_less_than_200_mb() {
    let peak = packs_in_little_memory(1024);
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
}

/// What a package holds, uncompressed.
fn unpacked(package: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let file = File::open(package).expect("the package");
    zstd::Decoder::new(file).expect("zstd").read_to_end(&mut content).expect("the whole package");
    content
}

fn holds(content: &[u8], value: &str) -> bool {
    content.windows(value.len()).any(|window| window == value.as_bytes())
}

#[test]
fn no_byte_of_a_table_that_is_not_shared_is_in_a_package() {
    let scene = Scene::hub(
        "CREATE TABLE shared (id INTEGER PRIMARY KEY, a TEXT);
         CREATE TABLE salaries (id INTEGER PRIMARY KEY, person TEXT UNIQUE, amount TEXT);
         CREATE INDEX by_person ON salaries (person);
         INSERT INTO shared VALUES (1, 'to-be-seen'), (2, 'deleted-before-it-was-packed');
         INSERT INTO salaries VALUES (1, 'secret-person', 'secret-amount'), (2, 'secret-second', 'secret-other');
         CREATE VIRTUAL TABLE found USING fts5 (a); INSERT INTO found VALUES ('secret-person');
         ANALYZE;",
    );
    scene.sql(
        "hq",
        "UPDATE salaries SET amount = 'secret-raise' WHERE id = 1; DELETE FROM salaries WHERE id = 2;
                     DELETE FROM shared WHERE id = 2",
    );
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let path = scene.home("hq").join("packhorse.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{config}\n[[set.open.table]]\nname = \"shared\"\n")).unwrap();
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "open", "--unsealed"]).expect(0);
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
    let content = unpacked(&scene.path("alice.rdb"));
    assert!(holds(&content, "to-be-seen"));
    for hidden in ["secret", "deleted-before-it-was-packed"] {
        assert!(!holds(&content, hidden), "{hidden} is in the package");
    }
    let database = scene.database("alice");
    scene.packhorse("alice", &["restore", "alice.rdb", "--database", text(&database)]).expect(0);
    assert_eq!(sqlite(&database, "SELECT count(*) FROM salaries"), "0", "its schema is whole");
    scene.sql("hq", "UPDATE salaries SET amount = 'secret-again'; UPDATE shared SET a = 'seen-again'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundle = unpacked(&scene.outbox("hq", "alice")[0]);
    assert!(holds(&bundle, "seen-again") && !holds(&bundle, "secret") && !holds(&bundle, "salaries"));
}
