//! The application's own triggers: those that write elsewhere run at both ends, those that write synced tables do not
//! run a second time.

use super::{arrives, owed, pair};
use crate::support::{Scene, python, text};

#[test]
fn a_trigger_that_dates_its_own_record_counts_once_and_the_date_travels() {
    let scene = pair("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, updated_at TEXT,
        version INTEGER DEFAULT 0);
        CREATE TRIGGER dated AFTER UPDATE OF body ON notes BEGIN
            UPDATE notes SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), version = old.version + 1 WHERE id = new.id; END;
        INSERT INTO notes (id, body) VALUES (1, 'a'), (2, 'b')");
    scene.sql("hq", "UPDATE notes SET body = 'aa' WHERE id = 1");
    assert_eq!(owed(&scene), (1, 3, 0));
    std::thread::sleep(std::time::Duration::from_millis(20));
    scene.sql("alice", "UPDATE notes SET body = 'bb' WHERE id = 2");
    arrives(&scene, &["notes"]);
    assert_eq!(scene.sql("alice", "SELECT version FROM notes"), "1\n1");
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn an_audit_that_is_not_synced_is_written_at_both_ends() {
    let scene = pair("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE audit (at TEXT, what TEXT, id INTEGER);
        CREATE TRIGGER made AFTER INSERT ON people BEGIN INSERT INTO audit VALUES (datetime('now'), 'made', new.id); END;
        CREATE TRIGGER changed AFTER UPDATE ON people BEGIN INSERT INTO audit VALUES (datetime('now'), 'changed', new.id); END;
        CREATE TRIGGER gone BEFORE DELETE ON people BEGIN INSERT INTO audit VALUES (datetime('now'), 'gone', old.id); END;
        INSERT INTO people VALUES (1, 'Ann'), (2, 'Ben')");
    scene.sql(
        "hq",
        "DELETE FROM audit; INSERT INTO people VALUES (3, 'Cleo');
        UPDATE people SET name = 'Anna' WHERE id = 1; DELETE FROM people WHERE id = 2",
    );
    arrives(&scene, &["people"]);
    let audit = "SELECT what, id FROM audit ORDER BY id";
    assert_eq!(scene.sql("hq", audit), "changed|1\ngone|2\nmade|3");
    assert_eq!(scene.sql("alice", audit), "changed|1\ngone|2\nmade|3");
}

#[test]
fn an_audit_that_is_synced_is_written_once() {
    let scene = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE audit (id TEXT PRIMARY KEY DEFAULT (hex(randomblob(8))), what TEXT, who INTEGER);
        CREATE TRIGGER made AFTER INSERT ON people BEGIN INSERT INTO audit (what, who) VALUES ('made', new.id); END;
        CREATE TRIGGER changed AFTER UPDATE ON people BEGIN INSERT OR REPLACE INTO audit (what, who)
            VALUES ('changed', new.id); END",
    );
    scene.sql("hq", "INSERT INTO people VALUES (1, 'Ann'); UPDATE people SET name = 'Anna'");
    arrives(&scene, &["people", "audit"]);
    scene.sql("alice", "UPDATE people SET name = 'Anne'");
    arrives(&scene, &["people", "audit"]);
    assert_eq!(scene.rows("hq", "audit").len(), 3);
}

#[test]
fn a_trigger_that_counts_in_a_synced_table_does_not_count_twice() {
    let scene = pair("CREATE TABLE shops (id INTEGER PRIMARY KEY, sales INTEGER DEFAULT 0);
        CREATE TABLE sales (id TEXT PRIMARY KEY, shop INTEGER, sum INTEGER);
        CREATE TRIGGER count_up AFTER INSERT ON sales BEGIN UPDATE shops SET sales = sales + new.sum WHERE id = new.shop; END;
        CREATE TRIGGER count_down AFTER DELETE ON sales BEGIN UPDATE shops SET sales = sales - old.sum WHERE id = old.shop; END;
        INSERT INTO shops (id) VALUES (1), (2)");
    scene.sql("hq", "INSERT INTO sales VALUES ('a', 1, 10), ('b', 1, 20)");
    scene.sql(
        "alice",
        "INSERT INTO sales VALUES ('c', 2, 5); INSERT INTO sales VALUES ('d', 2, 5); DELETE FROM sales WHERE id = 'd'",
    );
    arrives(&scene, &["shops", "sales"]);
    assert_eq!(scene.rows("hq", "shops"), ["1|30", "2|5"]);
    assert_eq!(scene.rows("alice", "shops"), ["1|30", "2|5"]);
}

#[test]
fn a_trigger_that_deletes_synced_records_deletes_them_once_and_not_again_at_the_other_end() {
    let scene = pair("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE calls (id TEXT PRIMARY KEY, person INTEGER);
        CREATE TABLE seen (what TEXT);
        CREATE TRIGGER gone AFTER DELETE ON people BEGIN DELETE FROM calls WHERE person = old.id; END;
        CREATE TRIGGER fresh AFTER UPDATE ON people BEGIN DELETE FROM calls WHERE person = old.id AND id LIKE 'old%'; INSERT INTO seen VALUES ('x'); END;
        INSERT INTO people VALUES (1, 'Ann'), (2, 'Ben'); INSERT INTO calls
            VALUES ('a', 1), ('b', 1), ('c', 2), ('old d', 2)");
    scene.sql("hq", "DELETE FROM people WHERE id = 1");
    assert_eq!(owed(&scene), (3, 0, 3));
    scene.sql("hq", "UPDATE people SET name = 'Benno' WHERE id = 2; INSERT INTO calls VALUES ('old e', 2)");
    arrives(&scene, &["people", "calls"]);
    // The call made after the edit must not fall to the trigger when the edit is applied.
    assert_eq!(scene.rows("alice", "calls"), ["'c'|2", "'old e'|2"]);
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn a_trigger_that_refuses_a_change_makes_it_wait_and_stops_nothing_else() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE TABLE limits (most INTEGER);
        INSERT INTO limits VALUES (100);
        CREATE TRIGGER guard BEFORE UPDATE ON t WHEN new.n > (SELECT max(most) FROM limits) BEGIN SELECT RAISE(ABORT, 'too much'); END;
        INSERT INTO t VALUES (1, 1), (2, 2)");
    scene.sql("alice", "INSERT INTO limits VALUES (100)");
    scene.sql(
        "hq",
        "INSERT INTO limits VALUES (1000); UPDATE t SET n = 500 WHERE id = 1; UPDATE t SET n = 3 WHERE id = 2",
    );
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]).expect(3).says("1 change is held");
    assert_eq!(scene.rows("alice", "t"), ["1|1", "2|3"]);
    scene.sql("alice", "UPDATE limits SET most = 1000; UPDATE t SET n = 4 WHERE id = 2");
    for node in ["alice", "hq", "alice", "hq", "alice"] {
        scene.packhorse(node, &["sync"]);
    }
    arrives(&scene, &["t"]);
    assert_eq!(scene.rows("alice", "t"), ["1|500", "2|4"]);
}

const ARTICLES: &str = "
CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
CREATE VIRTUAL TABLE search USING fts5(title, body, content = 'articles', content_rowid = 'id');
CREATE TRIGGER search_made AFTER INSERT ON articles BEGIN
    INSERT INTO search (rowid, title, body) VALUES (new.id, new.title, new.body); END;
CREATE TRIGGER search_gone AFTER DELETE ON articles BEGIN
    INSERT INTO search (search, rowid, title, body) VALUES ('delete', old.id, old.title, old.body); END;
CREATE TRIGGER search_changed AFTER UPDATE ON articles BEGIN
    INSERT INTO search (search, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO search (rowid, title, body) VALUES (new.id, new.title, new.body); END;
INSERT INTO articles VALUES (1, 'Horses', 'carry packs'), (2, 'Mules', 'carry more'), (3, 'Camels', 'carry water');
";

#[track_caller]
fn finds(scene: &Scene, word: &str, articles: &str) {
    for node in ["hq", "alice"] {
        let sql = format!(
            "INSERT INTO search (search, rank) VALUES ('integrity-check', 1);
            SELECT group_concat(rowid) FROM (SELECT rowid FROM search WHERE search MATCH '{word}' ORDER BY rowid)"
        );
        assert_eq!(scene.sql(node, &sql), articles, "{word} at {node}");
    }
}

#[test]
fn a_full_text_index_kept_by_triggers_stays_right_at_both_ends() {
    let scene = pair(ARTICLES);
    finds(&scene, "carry", "1,2,3");
    scene.sql(
        "hq",
        "INSERT INTO articles VALUES (4, 'Llamas', 'spit');
        UPDATE articles SET body = 'drink water' WHERE id = 1; DELETE FROM articles WHERE id = 2",
    );
    arrives(&scene, &["articles"]);
    finds(&scene, "carry", "3");
    finds(&scene, "water", "1,3");
    scene.sql(
        "alice",
        "UPDATE articles SET title = 'Water bottles' WHERE id = 4;
        INSERT OR REPLACE INTO articles VALUES (3, 'Dromedaries', 'too')",
    );
    arrives(&scene, &["articles"]);
    // REPLACE runs no delete trigger at the writer unless it asks for it, so the writer's own index is behind by itself.
    scene.sql("alice", "INSERT INTO search (search) VALUES ('rebuild')");
    finds(&scene, "water", "1,4");
    finds(&scene, "dromedaries", "3");
}

#[test]
fn a_full_text_index_beside_a_trigger_that_deletes_synced_records_stays_right() {
    let scene = pair(&format!(
        "{ARTICLES} CREATE TABLE links (id TEXT PRIMARY KEY, article INTEGER);
        CREATE TRIGGER links_gone AFTER DELETE ON articles BEGIN DELETE FROM links WHERE article = old.id; END;
        INSERT INTO links VALUES ('a', 1), ('b', 2)"
    ));
    scene.sql(
        "hq",
        "INSERT INTO articles VALUES (4, 'Llamas', 'spit');
        UPDATE articles SET body = 'drink water' WHERE id = 1; DELETE FROM articles WHERE id = 2",
    );
    arrives(&scene, &["articles", "links"]);
    finds(&scene, "carry", "3");
    finds(&scene, "spit", "4");
    assert_eq!(scene.rows("alice", "links"), ["'a'|1"]);
}

#[test]
fn recursive_triggers_at_the_writer_change_nothing() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, twice INTEGER);
        CREATE TRIGGER grow AFTER UPDATE OF n ON t WHEN new.n < 5 BEGIN UPDATE t SET n = n + 1, twice = 2 * n WHERE id = new.id; END;
        INSERT INTO t VALUES (1, 0, 0), (2, 9, 9)");
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA recursive_triggers = ON')
with db:
    db.execute('UPDATE t SET n = 1 WHERE id = 1')
    db.execute('INSERT OR REPLACE INTO t VALUES (2, 1, 1)')
    db.execute('UPDATE t SET n = 2')";
    python(script, &[text(&scene.database("hq"))]);
    arrives(&scene, &["t"]);
    assert_eq!(scene.sql("alice", "SELECT n FROM t"), "5\n5");
    assert_eq!(owed(&scene), (0, 0, 0));
}
