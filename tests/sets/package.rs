//! No byte of anything outside the set is in a package.

use std::io::Read;

use super::{hub, join};
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT, name TEXT, rating TEXT DEFAULT 'unrated');
    CREATE INDEX companies_name ON companies (name);
    CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER NOT NULL REFERENCES companies(id), name TEXT);
    CREATE TABLE closed (id INTEGER PRIMARY KEY, secret TEXT);
    CREATE VIRTUAL TABLE search USING fts5 (name, content = 'companies', content_rowid = 'id');
    CREATE TRIGGER search_insert AFTER INSERT ON companies
        BEGIN INSERT INTO search (rowid, name) VALUES (new.id, new.name); END;
    CREATE TRIGGER search_delete AFTER DELETE ON companies
        BEGIN INSERT INTO search (search, rowid, name) VALUES ('delete', old.id, old.name); END;
    CREATE TRIGGER search_update AFTER UPDATE ON companies
        BEGIN INSERT INTO search (search, rowid, name) VALUES ('delete', old.id, old.name);
              INSERT INTO search (rowid, name) VALUES (new.id, new.name); END;";

const SETS: &str = "
[[set.sales.table]]
name = \"companies\"
where = \"manager = :user\"
columns = [\"manager\", \"name\"]
[[set.sales.table]]
name = \"contacts\"
follow = \"company\"
";

fn filled() -> Scene {
    let scene = hub(SCHEMA, SETS);
    let fill = "
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO companies SELECT i, iif(i % 3, 'alice', 'bob'),
            iif(i % 3, 'open', 'excluded') || 'company' || i || 'x', 'excludedrating' || i FROM n;
        INSERT INTO contacts SELECT id * 10, id, iif(id % 3, 'open', 'excluded') || 'contact' || id || 'x' FROM companies;
        INSERT INTO closed SELECT id, 'excludedsecret' || id FROM companies;
        DELETE FROM contacts WHERE id % 7 = 0;
        UPDATE companies SET name = name || 'again' WHERE id % 5 = 0;
        ANALYZE";
    scene.sql("hq", fill);
    scene
}

/// Everything that a package holds, unpacked.
fn unpacked(scene: &Scene, package: &str) -> Vec<u8> {
    let file = std::fs::File::open(scene.path(package)).expect("the package");
    let mut bytes = Vec::new();
    zstd::Decoder::new(file).expect("zstd frames").read_to_end(&mut bytes).expect("they unpack");
    bytes
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[test]
fn no_byte_of_what_is_excluded_is_in_the_file() {
    let scene = filled();
    join(&scene, "alice", "sales", &["user=alice"]);
    let bytes = unpacked(&scene, "alice.rdb");
    assert!(holds(&bytes, "opencompany1x") && holds(&bytes, "opencontact1x"));
    // Of full-text indexes too, which keep words apart from their beginnings.
    for excluded in ["excluded", "secret1", "rating1", "company3x", "contact300", "bob"] {
        assert!(!holds(&bytes, excluded), "{excluded}");
    }
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM companies"), "200");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM search WHERE search MATCH 'opencompany1x'"), "1");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'"), "0");
    assert_eq!(scene.sql("alice", "SELECT group_concat(DISTINCT rating) FROM companies"), "unrated");
}

#[test]
fn nor_in_one_that_is_made_after_records_have_left_the_set() {
    let scene = filled();
    join(&scene, "alice", "sales", &["user=alice"]);
    scene.sql("hq", "UPDATE companies SET manager = 'bob', name = 'excludedlater' || id WHERE id <= 100");
    scene.sync("hq");
    scene.sql("hq", "DELETE FROM contacts WHERE company <= 100; INSERT INTO contacts VALUES (1, 3, 'excludednew')");
    let again = ["remote", "pack", "alice", "-o", "again.rdb", "--no-passphrase"];
    scene.packhorse("hq", &again).expect(0);
    let bytes = unpacked(&scene, "again.rdb");
    assert!(holds(&bytes, "opencompany101x") && holds(&bytes, "opencontact101x"));
    for excluded in ["excluded", "opencompany1x", "opencontact11x", "opencompany20xagain"] {
        assert!(!holds(&bytes, excluded), "{excluded}");
    }
}
