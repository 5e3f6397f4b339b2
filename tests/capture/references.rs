//! Foreign keys: what a cascade does at its origin arrives as what it did.

use super::{arrives, owed, pair};
use crate::support::{python, text};

const FAMILY: &str = "
CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owners ON DELETE CASCADE ON UPDATE CASCADE, name TEXT);
CREATE TABLE toys (id TEXT PRIMARY KEY, pet INTEGER REFERENCES pets(id) ON DELETE CASCADE, owner INTEGER
    REFERENCES owners(id) ON DELETE SET NULL ON UPDATE CASCADE) WITHOUT ROWID;
CREATE TABLE notes (id INTEGER PRIMARY KEY, owner INTEGER DEFAULT 1 REFERENCES owners ON DELETE SET DEFAULT);
INSERT INTO owners VALUES (1, 'House'), (2, 'Ann'), (3, 'Ben');
INSERT INTO pets VALUES (1, 2, 'Rex'), (2, 2, 'Mia'), (3, 3, 'Bo');
INSERT INTO toys VALUES ('ball', 1, 2), ('bone', 3, 2), ('mouse', 3, 3);
INSERT INTO notes VALUES (1, 2), (2, 3);
";

const TABLES: [&str; 4] = ["owners", "pets", "toys", "notes"];

#[test]
fn a_deletion_takes_along_what_cascades_and_clears_what_is_set_null_or_to_its_default() {
    let scene = pair(FAMILY);
    scene.sql("hq", "PRAGMA foreign_keys = ON; DELETE FROM owners WHERE id = 2");
    // Ann, Rex, Mia and the ball are deleted; the bone and a note refer elsewhere, and so did the ball before it went.
    assert_eq!(owed(&scene), (6, 3, 4));
    arrives(&scene, &TABLES);
    assert_eq!(scene.rows("alice", "toys"), ["'bone'|3|NULL", "'mouse'|3|3"]);
    assert_eq!(scene.rows("alice", "notes"), ["1|1", "2|3"]);
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
}

#[test]
fn a_changed_parent_key_is_followed_by_its_children() {
    let scene = pair(FAMILY);
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA foreign_keys = ON')
with db:
    db.execute('DELETE FROM notes')
    db.execute('UPDATE owners SET id = 30 WHERE id = 3')";
    python(script, &[text(&scene.database("hq"))]);
    arrives(&scene, &TABLES);
    assert_eq!(
        scene.sql("alice", "SELECT owner FROM pets WHERE id = 3 UNION ALL SELECT owner FROM toys WHERE id = 'mouse'"),
        "30\n30"
    );
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
}

#[test]
fn a_text_key_renamed_with_its_children_travels() {
    let scene = pair("CREATE TABLE shops (code TEXT PRIMARY KEY, n INTEGER);
        CREATE TABLE sales (shop TEXT REFERENCES shops ON UPDATE CASCADE, day INTEGER, PRIMARY KEY (shop, day)) WITHOUT ROWID;
        INSERT INTO shops VALUES ('north', 1), ('south', 2);
            INSERT INTO sales VALUES ('north', 1), ('north', 2), ('south', 1)");
    scene.sql("alice", "PRAGMA foreign_keys = ON; UPDATE shops SET code = 'nord' WHERE code = 'north'");
    arrives(&scene, &["shops", "sales"]);
    assert_eq!(scene.rows("hq", "sales"), ["'nord'|1", "'nord'|2", "'south'|1"]);
}

#[test]
fn a_replaced_parent_takes_its_children_along_as_foreign_keys_have_it() {
    let scene = pair(FAMILY);
    scene.sql("hq", "PRAGMA foreign_keys = ON; INSERT OR REPLACE INTO owners VALUES (2, 'Anna')");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM pets"), "1");
    arrives(&scene, &TABLES);
    assert_eq!(scene.sql("alice", "SELECT name FROM owners WHERE id = 2"), "Anna");
}

#[test]
fn a_table_that_refers_to_itself_loses_a_whole_branch() {
    let scene = pair(
        "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES nodes ON DELETE CASCADE, name TEXT);
        INSERT INTO nodes VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 2, 'b'), (4, 3, 'c'), (5, 1, 'd'), (6, 6, 'self')",
    );
    scene.sql(
        "hq",
        "PRAGMA foreign_keys = ON; DELETE FROM nodes WHERE id IN (2, 6);
        INSERT INTO nodes VALUES (10, 9, 'x'), (9, 8, 'y'), (8, 1, 'z')",
    );
    arrives(&scene, &["nodes"]);
    assert_eq!(scene.rows("alice", "nodes").len(), 5);
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
}

#[test]
fn children_and_parents_made_in_one_run_arrive_whatever_their_order() {
    let scene = pair(FAMILY);
    scene.sql(
        "hq",
        "PRAGMA foreign_keys = ON; INSERT INTO owners VALUES (9, 'Ida');
        INSERT INTO pets VALUES (9, 9, 'Tom'); INSERT INTO toys VALUES ('a', 9, 9)",
    );
    arrives(&scene, &TABLES);
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
}
