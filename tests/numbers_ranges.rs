//! The numbers of a remote's own records: far above its hub's, in every table that can have it so.

use crate::support::{Run, Scene, sqlite, text};

/// Tables with assigned keys in every form that can have a range, and one with a natural key.
const SCHEMA: &str = r#"
CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT UNIQUE, at TEXT DEFAULT 'PRIMARY KEY (');
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE "odd ""(name"(
    -- PRIMARY KEY(id), in a comment
    [key(] integer not null, name COLLATE NOCASE, /* ) */
    CONSTRAINT [pk)] PRIMARY KEY ([key(] ASC) ON CONFLICT ABORT
    CONSTRAINT u UNIQUE (name, [key(])
);
CREATE TABLE child (id INTEGER PRIMARY KEY ASC ON CONFLICT FAIL NOT NULL, name TEXT NOT NULL CHECK (name <> ')'),
    parent INTEGER REFERENCES plain ON DELETE CASCADE, loud AS (upper(name)) STORED);
CREATE TABLE strict_one (id INTEGER PRIMARY KEY, name ANY) STRICT;
CREATE TABLE coded (code TEXT PRIMARY KEY, name TEXT);
CREATE INDEX by_name ON child (name) WHERE id > 3;
CREATE VIEW names AS SELECT name FROM plain;
CREATE TRIGGER loud AFTER DELETE ON child BEGIN UPDATE counted SET name = old.name WHERE id = -1; END;
INSERT INTO plain (name) VALUES ('a'), ('b');
INSERT INTO counted VALUES (7, 'a'), (900, 'gone');
DELETE FROM counted WHERE id = 900;
INSERT INTO "odd ""(name" VALUES (-5, 'a');
INSERT INTO child (name, parent) VALUES ('a', 1);
INSERT INTO coded VALUES ('a', 'a')"#;

const RANGED: [&str; 5] = ["plain", "counted", "odd \"(name", "child", "strict_one"];

fn quoted(table: &str) -> String {
    format!("\"{}\"", table.replace('"', "\"\""))
}

/// The number that a node gives to a new record.
#[track_caller]
fn next_number(scene: &Scene, node: &str, table: &str) -> String {
    let sql = format!("INSERT INTO {} (name) VALUES (hex(randomblob(8))); SELECT last_insert_rowid()", quoted(table));
    scene.sql(node, &sql)
}

/// Packs for a remote and restores it; what packing told.
#[track_caller]
fn pack(scene: &Scene, at: &str, name: &str) -> Run {
    scene.packhorse(at, &["remote", "add", name]).expect(0);
    let package = scene.path(&format!("{name}.rdb"));
    let told = scene.packhorse(at, &["remote", "pack", name, "-o", text(&package), "--no-passphrase"]).expect(0);
    let database = scene.database(name);
    scene.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
    told
}

fn configure(scene: &Scene, words: &str) {
    let path = scene.home("hq").join("packhorse.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{config}\n{words}\n")).unwrap();
}

/// Everything of a database that is not ours: schema, numbers given, rows.
fn of_application(scene: &Scene, node: &str) -> Vec<String> {
    let dump = scene.sql(node, ".dump --nosys");
    let sequence = scene.sql(node, "SELECT * FROM sqlite_sequence WHERE name NOT LIKE '\\_packhorse%' ESCAPE '\\'");
    let lines = dump.lines().chain(sequence.lines()).filter(|line| !line.contains("_packhorse_"));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_first_number_at_each_remote_is_far_above_the_hubs_in_every_form_of_table() {
    let scene = Scene::hub(SCHEMA);
    let before = of_application(&scene, "hq");
    for remote in ["alice", "bob"] {
        let told = pack(&scene, "hq", remote);
        assert!(!told.err.contains("no numbers of its own"), "{told:#?}");
        for table in RANGED {
            assert_eq!(next_number(&scene, remote, table), "1000000001", "{table} at {remote}");
            assert_eq!(next_number(&scene, remote, table), "1000000002", "{table} at {remote}");
        }
        assert_eq!(scene.sql(remote, "SELECT value FROM _packhorse_state WHERE name = 'numbers_from'"), "1000000000");
        assert_eq!(scene.sql(remote, "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok");
    }
    assert_eq!(of_application(&scene, "hq"), before, "the hub's own database never changes");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_state WHERE name LIKE 'numbers%'"), "0");
    for (table, number) in RANGED.iter().zip(["3", "901", "-4", "2", "1"]) {
        assert_eq!(next_number(&scene, "hq", table), number, "{table} at the hub");
    }
}

/// What SQLite tells of a database's schema, and the statements of everything that is no table.
fn schema_of(scene: &Scene, node: &str) -> String {
    let theirs = "name NOT LIKE '\\_packhorse%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let tables = format!("(SELECT name AS t FROM sqlite_schema WHERE type = 'table' AND {theirs})");
    let sql = format!(
        "SELECT * FROM {tables} JOIN pragma_table_xinfo(t) ORDER BY t, cid;
         SELECT * FROM {tables} JOIN pragma_foreign_key_list(t) ORDER BY t, id, seq;
         SELECT t, i.*, x.* FROM {tables} JOIN pragma_index_list(t) i JOIN pragma_index_xinfo(i.name) x ORDER BY 1, 2, 3, 4;
         SELECT name, type, ncol, wr, strict FROM pragma_table_list WHERE {theirs} ORDER BY name;
         SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'table' AND {theirs} ORDER BY name;
         SELECT name, replace(sql, ' AUTOINCREMENT', '') FROM sqlite_schema WHERE type = 'table' AND {theirs} ORDER BY name;"
    );
    scene.sql(node, &sql)
}

#[test]
fn the_schema_of_a_remotes_copy_is_otherwise_its_hubs() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    assert_eq!(schema_of(&scene, "alice"), schema_of(&scene, "hq"));
    for table in RANGED {
        let table = quoted(table);
        let rows = |node: &str| scene.sql(node, &format!("SELECT * FROM {table} ORDER BY 1"));
        assert_eq!(rows("alice"), rows("hq"), "{table}");
    }
}

/// Tables that cannot have a range, the numbers that they go on with, and why.
const WITHOUT: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (41, 'Ada'), (42, 'Ben');
CREATE TABLE profiles (person INTEGER PRIMARY KEY REFERENCES people_elsewhere, name TEXT); INSERT INTO profiles VALUES (41, 'x');
CREATE TABLE passes (person INTEGER NOT NULL, name TEXT, PRIMARY KEY (person),
    FOREIGN KEY (\"PERSON\") REFERENCES people_elsewhere (id)); INSERT INTO passes VALUES (41, 'x');
CREATE TABLE no_rowid (id INTEGER PRIMARY KEY, name TEXT) WITHOUT ROWID; INSERT INTO no_rowid VALUES (41, 'x');
CREATE TABLE falling (id INTEGER PRIMARY KEY DESC, name TEXT); INSERT INTO falling VALUES (41, 'x');
CREATE TABLE short (id INT PRIMARY KEY, name TEXT); INSERT INTO short VALUES (41, 'x');
CREATE TABLE high (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO high VALUES (1000000000, 'x');
CREATE TABLE was_high (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT); INSERT INTO was_high VALUES (3000000000, 'x');
DELETE FROM was_high;
CREATE TABLE nearly (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO nearly VALUES (999999999, 'x');
CREATE TABLE topmost (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO topmost VALUES (9223372036854775807, 'x')";

#[test]
fn a_table_that_cannot_have_a_range_stays_as_it_is_and_is_told_with_the_reason() {
    let scene = Scene::hub(WITHOUT);
    let before = of_application(&scene, "hq");
    let told = pack(&scene, "hq", "alice");
    for (tables, why) in [
        ("profiles", "the number is that of the record in people_elsewhere that it refers to"),
        ("passes", "the number is that of the record in people_elsewhere that it refers to"),
        ("no_rowid", "a table WITHOUT ROWID cannot have AUTOINCREMENT"),
        ("falling", "INTEGER PRIMARY KEY DESC cannot have AUTOINCREMENT"),
        ("short", "the key is declared INT, and only INTEGER can have AUTOINCREMENT"),
        ("high", "numbers have reached 1000000000 already"),
        ("was_high", "numbers have reached 3000000000 already"),
        ("topmost", "numbers have reached 9223372036854775807 already"),
    ] {
        let is_it = |line: &&str| line.contains("alice has no numbers of its own") && line.contains(tables);
        let line = told.err.lines().find(is_it).unwrap_or_else(|| panic!("{tables} in {told:#?}"));
        assert!(line.ends_with(why), "{line}");
        let made = format!("SELECT sql FROM sqlite_schema WHERE name = '{tables}'");
        assert_eq!(scene.sql("alice", &made), scene.sql("hq", &made));
        assert_eq!(scene.rows("alice", tables), scene.rows("hq", tables));
    }
    assert_eq!(told.err.matches("that it refers to").count(), 1, "one line for one reason: {told:#?}");
    for table in ["people", "nearly"] {
        assert_eq!(next_number(&scene, "alice", table), "1000000001", "{table}");
    }
    for (table, number) in [("profiles", "42"), ("high", "1000000001"), ("was_high", "3000000001")] {
        assert_eq!(next_number(&scene, "alice", table), number, "{table} as at the hub");
    }
    assert_eq!(of_application(&scene, "hq"), before);
}

#[test]
fn keys_as_is_leaves_a_tables_numbers_and_its_statement_alone() {
    let scene = Scene::hub(SCHEMA);
    configure(
        &scene,
        "[table.Plain]\nkeys = \"as-is\"\n[table.counted]\nkeys = \"as-is\"\n[table.child]\nkeys = \"ranged\"",
    );
    let told = pack(&scene, "hq", "alice");
    told.says("alice has no numbers of its own for new records in counted, plain: keys = \"as-is\" says so");
    let made = "SELECT sql FROM sqlite_schema WHERE name IN ('plain', 'counted')";
    assert_eq!(scene.sql("alice", made), scene.sql("hq", made));
    for (table, number) in RANGED.iter().zip(["3", "901", "1000000001", "1000000001", "1000000001"]) {
        assert_eq!(next_number(&scene, "alice", table), number, "{table}");
    }
}

#[test]
fn keys_as_is_for_a_table_that_is_not_there_is_told() {
    let scene = Scene::hub(SCHEMA);
    configure(&scene, "[table.palin]\nkeys = \"as-is\"\n[table.coded]\nkeys = \"as-is\"");
    let told = pack(&scene, "hq", "alice").says("[table.palin] in packhorse.toml");
    assert!(!told.err.contains("[table.coded]") && !told.err.contains("no numbers of its own"), "{told:#?}");
}

#[test]
fn a_table_that_a_set_leaves_out_is_neither_given_a_range_nor_told() {
    let scene = Scene::hub(WITHOUT);
    configure(&scene, "[[set.some.table]]\nname = \"PEOPLE\"\n");
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "some"]).expect(0);
    let told = scene.packhorse("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
    assert!(!told.err.contains("no numbers of its own"), "{told:#?}");
    scene.packhorse("alice", &["restore", "alice.rdb", "--database", "alice.db"]).expect(0);
    assert_eq!(next_number(&scene, "alice", "people"), "1000000001");
    assert_eq!(next_number(&scene, "alice", "nearly"), "1");
}

#[test]
fn each_level_of_a_tree_has_a_range_of_its_own_as_far_as_they_go() {
    let scene = Scene::hub(SCHEMA);
    pack(&scene, "hq", "alice");
    next_number(&scene, "alice", "plain");
    let told = pack(&scene, "alice", "bob");
    assert!(!told.err.contains("no numbers of its own"), "{told:#?}");
    for table in RANGED {
        assert_eq!(next_number(&scene, "bob", table), "1500000001", "{table}");
    }
    assert_eq!(next_number(&scene, "alice", "plain"), "1000000002", "who packed goes on as before");
    pack(&scene, "bob", "carol").says("there is no range left for a remote of a remote's remote");
    assert_eq!(next_number(&scene, "carol", "plain"), "1500000002", "as at its hub");
    pack(&scene, "carol", "dora").says("this node, a remote itself, has none either");
    for (node, from) in [("bob", "1500000000"), ("carol", ""), ("dora", "")] {
        let told = scene.sql(node, "SELECT value FROM _packhorse_state WHERE name = 'numbers_from'");
        assert_eq!(told, from, "{node}");
    }
}

#[test]
fn a_package_that_is_made_again_starts_its_range_again() {
    let scene = Scene::hub(SCHEMA);
    pack(&scene, "hq", "alice");
    next_number(&scene, "alice", "plain");
    std::fs::remove_file(scene.path("alice.rdb")).unwrap();
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
    scene.packhorse("again", &["restore", "alice.rdb", "--database", "again.db"]).expect(0);
    assert_eq!(next_number(&scene, "again", "plain"), "1000000001");
}

#[test]
fn numbers_that_the_application_gives_itself_are_its_own_affair() {
    let scene = Scene::new();
    sqlite(&scene.path("hq.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, name); INSERT INTO t VALUES (1, 'a')");
    scene.init();
    scene.remote("alice");
    scene.sql("alice", "INSERT INTO t VALUES (2, 'b'); INSERT OR REPLACE INTO t VALUES (1, 'c')");
    assert_eq!(next_number(&scene, "alice", "t"), "1000000001");
    scene.settle("alice");
    scene.same("t", "hq", "alice");
}

/// What a remote does not share, and tables that are not synced at all, have references too.
#[test]
fn what_refers_to_a_record_from_a_table_that_is_not_shared_follows_it() {
    let scene = Scene::hub(
        "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
        CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER REFERENCES people, text TEXT);
        CREATE TABLE staff (id INTEGER PRIMARY KEY REFERENCES people, UNIQUE (id));
        CREATE TABLE desks (place TEXT, staff TEXT REFERENCES staff(id));
        CREATE TABLE once (person INTEGER UNIQUE REFERENCES people(id));
        CREATE TABLE written (text TEXT);
        CREATE TRIGGER notes_change AFTER UPDATE ON notes BEGIN INSERT INTO written VALUES (NEW.text); END;
        INSERT INTO people (name) VALUES ('Ada')",
    );
    scene.packhorse("hq", &["set", "add", "names", "--table", "people"]).expect(0);
    scene.packhorse("hq", &["remote", "add", "bob", "--set", "names"]).expect(0);
    scene.pack_and_restore("bob");
    let first = "INSERT INTO people (name) VALUES ('Ben'), ('Cy'); INSERT INTO notes (person, text)
        SELECT id, name FROM people; INSERT INTO staff SELECT id FROM people; INSERT INTO desks SELECT id, id FROM people;
        INSERT INTO once VALUES (1000000001), (2)";
    // Somebody is at number 2 in `once` already, without being in `people`.
    scene.sql("bob", first);
    for node in ["bob", "hq", "bob", "hq"] {
        scene.sync(node);
    }
    assert_eq!(scene.sql("bob", "SELECT id, name FROM people"), "1|Ada\n2|Ben\n3|Cy");
    let notes = "SELECT text, name FROM notes JOIN people ON people.id = person";
    assert_eq!(scene.sql("bob", notes), "Ada|Ada\nBen|Ben\nCy|Cy");
    let desks = "SELECT name, typeof(staff) FROM desks JOIN staff ON staff.id = staff JOIN people USING (id)";
    assert_eq!(scene.sql("bob", desks), "Ada|text\nBen|text\nCy|text");
    assert_eq!(scene.sql("bob", "SELECT min(person), max(person) FROM once"), "2|1000000001", "what is refused stays");
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM written"), "0", "it is no edit");
}
