//! What `init` can sync, and what it says of the rest.

use super::{arrives, owed};
use crate::support::{Run, Scene, python, sqlite, text};

fn init(scene: &Scene) -> Run {
    let (database, relay) = (scene.path("hq.db"), scene.path("relay"));
    std::fs::create_dir_all(&relay).expect("a relay");
    scene.packhorse("hq", &["init", "--name", "hq", "--database", text(&database), "--relay", text(&relay)]).expect(0)
}

#[track_caller]
fn tells(run: &Run, table: &str, why: &str) {
    let (_, left_out) = run.out.split_once("not synced:").unwrap_or_else(|| panic!("{run:#?}"));
    let line = left_out.lines().find(|line| line.trim().starts_with(&format!("{table} ")));
    assert!(line.is_some_and(|line| line.contains(why)), "{table}: {why} in {run:#?}");
}

#[test]
fn tables_without_a_key_and_virtual_ones_are_left_out_with_the_reason_and_the_others_synced() {
    let scene = Scene::new();
    sqlite(
        &scene.database("hq"),
        "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Ann');
CREATE TABLE log (at TEXT, what TEXT);
CREATE TABLE lists (name TEXT UNIQUE, n INTEGER); INSERT INTO lists VALUES ('a', 1);
CREATE VIRTUAL TABLE search USING fts5(name);
CREATE VIRTUAL TABLE area USING rtree(id, x0, x1);
CREATE VIEW names AS SELECT name FROM people;
CREATE TRIGGER names_made INSTEAD OF INSERT ON names BEGIN INSERT INTO people (name) VALUES (new.name); END;
INSERT INTO search VALUES ('Ann'); INSERT INTO log VALUES ('now', 'made')",
    );
    let run = init(&scene);
    assert!(run.out.starts_with("synced from now on (1 table):\n  people\n"), "{run:#?}");
    tells(&run, "log", "no primary key");
    tells(&run, "lists", "no primary key");
    tells(&run, "search", "virtual table");
    tells(&run, "search_content", "storage of a virtual table");
    tells(&run, "area", "virtual table");
    assert!(!run.out.contains("names") && !run.out.contains("sqlite_"), "{run:#?}");
    scene.remote("alice");
    scene.sql(
        "hq",
        "INSERT INTO log VALUES ('now', 'again'); UPDATE lists SET n = 2;
        INSERT INTO search VALUES ('Ben'); INSERT INTO area VALUES (1, 0, 1)",
    );
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql("hq", "INSERT INTO names VALUES ('Ben')");
    arrives(&scene, &["people"]);
    assert_eq!(scene.rows("alice", "people").len(), 2);
    assert_eq!(scene.sql("alice", "SELECT name FROM names ORDER BY 1"), "Ann\nBen");
}

/// Opens the database named first as the application would, with a function and a collation of its own, and runs the rest.
const APPLICATION: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.create_function('slug', 1, lambda text: text and text.lower().replace(' ', '-'), deterministic=True)
db.create_collation('din', lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
for sql in sys.argv[2:]:
    db.executescript(sql)
db.close()";

#[test]
fn tables_that_need_what_only_the_application_has_are_left_out_and_the_application_goes_on() {
    let scene = Scene::new();
    let database = scene.database("hq");
    let database = text(&database);
    python(APPLICATION, &[database, "
CREATE TABLE pages (id INTEGER PRIMARY KEY, title TEXT CHECK (slug(title) <> ''));
CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT); CREATE UNIQUE INDEX by_slug ON posts (slug(title));
CREATE TABLE drafts (id INTEGER PRIMARY KEY, title TEXT, done INTEGER); CREATE INDEX partly ON drafts (title) WHERE slug(title) = 'a';
CREATE TABLE derived (id INTEGER PRIMARY KEY, title TEXT, slug TEXT AS (slug(title)) STORED);
CREATE TABLE hooked (id INTEGER PRIMARY KEY, title TEXT);
CREATE TRIGGER hook AFTER UPDATE ON hooked BEGIN UPDATE hooked SET title = slug(new.title) WHERE id = new.id; END;
CREATE TABLE towns (name TEXT COLLATE din PRIMARY KEY, n INTEGER);
CREATE TABLE streets (id INTEGER PRIMARY KEY, name TEXT COLLATE din);
CREATE TABLE plain (id INTEGER PRIMARY KEY, page INTEGER REFERENCES pages, title TEXT);
CREATE VIEW slugs AS SELECT slug(title) FROM pages;
INSERT INTO pages VALUES (1, 'A Page'); INSERT INTO posts VALUES (1, 'A Post'); INSERT INTO towns VALUES ('Köln', 1);
    INSERT INTO plain VALUES (1, 1, 'x')"]);
    let run = init(&scene);
    assert!(run.out.starts_with("synced from now on (1 table):\n  plain\n"), "{run:#?}");
    for table in ["pages", "posts", "drafts", "derived", "hooked"] {
        tells(&run, table, "needs what only the application has");
        tells(&run, table, "slug");
    }
    for table in ["towns", "streets"] {
        tells(&run, table, "no such collation sequence: din");
    }
    scene.remote("alice");
    python(APPLICATION, &[database, "
INSERT INTO pages VALUES (2, 'More'); UPDATE posts SET title = 'B Post'; INSERT INTO drafts VALUES (1, 'a', 0); INSERT INTO derived (title) VALUES ('X Y');
INSERT INTO hooked VALUES (1, 'A B'); UPDATE hooked SET title = 'C D'; INSERT OR REPLACE INTO towns VALUES ('KÖLN', 2); INSERT INTO streets VALUES (1, 'Ring');
UPDATE plain SET title = 'y', page = 2; DELETE FROM pages WHERE id = 1"]);
    assert_eq!(owed(&scene), (1, 2, 0));
    arrives(&scene, &["plain"]);
    assert_eq!(scene.sql("alice", "SELECT title FROM plain"), "y");
}

#[test]
fn the_functions_that_every_sqlite_has_are_no_reason() {
    let scene = Scene::new();
    sqlite(&scene.database("hq"), "
CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT CHECK (length(email) > 2), made TEXT DEFAULT (datetime('now')), j TEXT CHECK (json_valid(j)));
CREATE UNIQUE INDEX by_email ON t (lower(trim(email))); CREATE INDEX by_j ON t (json_extract(j, '$.a'));
CREATE TRIGGER dated AFTER UPDATE ON t BEGIN UPDATE t SET made = datetime('now') WHERE id = new.id; END;
CREATE TABLE quoted (id INTEGER PRIMARY KEY, kind TEXT DEFAULT \"plain\" CHECK (kind <> \"none\"))");
    let run = init(&scene);
    assert!(!run.out.contains("not synced"), "{run:#?}");
    scene.remote("alice");
    scene.sql(
        "hq",
        "INSERT INTO t (email, j) VALUES ('Ann@x', '{\"a\": 1}');
        INSERT OR REPLACE INTO t (email, j) VALUES ('ANN@X ', '{}'); INSERT INTO quoted DEFAULT VALUES",
    );
    arrives(&scene, &["t", "quoted"]);
    assert_eq!(scene.sql("alice", "SELECT kind FROM quoted"), "plain");
}
