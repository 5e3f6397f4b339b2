//! Sets, values and tables that change after remotes exist.

use super::{SALES, configure, each_has_its_own, hub, join, reconfigure, rest, sales};

#[test]
fn a_remote_with_other_values_gets_what_is_new_and_loses_the_rest() {
    let scene = sales();
    let of = |user: &str| format!("[remote.alice]\nset = \"sales\"\nparams = {{ user = \"{user}\" }}\n");
    reconfigure(&scene, &of("alice"), &of("bob"));
    rest(&scene, &["hq", "alice", "bob"]);
    scene.same("companies", "alice", "bob");
    scene.same("notes", "alice", "bob");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_memberships"), "1");
    reconfigure(&scene, &of("bob"), &of("alice"));
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn only_the_difference_travels() {
    let scene = hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, filler TEXT); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
         INSERT INTO t SELECT i, i, hex(randomblob(50)) FROM n",
        "[[set.s.table]]\nname = \"t\"\nwhere = \"a <= 1000\"\n",
    );
    join(&scene, "alice", "s", &[]);
    reconfigure(&scene, "a <= 1000", "a BETWEEN 11 AND 1010");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0).says("20 records");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT min(a), max(a), count(*) FROM t"), "11|1010|1000");
}

#[test]
fn a_set_that_shares_everything_from_now_on_and_one_that_does_not_any_more() {
    let scene = sales();
    reconfigure(&scene, "\nwhere = \"manager = :user\"\n", "\n");
    reconfigure(&scene, "follow = \"company\"\n", "");
    reconfigure(&scene, "follow = \"contact\"\n", "");
    rest(&scene, &["hq", "alice", "bob"]);
    for table in ["companies", "contacts", "notes", "products"] {
        scene.same(table, "hq", "alice");
    }
    scene.sql("alice", "UPDATE notes SET text = 'of all'; DELETE FROM notes WHERE id = 200");
    rest(&scene, &["alice", "hq", "bob"]);
    reconfigure(&scene, "\nname = \"companies\"\n", "\nname = \"companies\"\nwhere = \"manager = :user\"\n");
    reconfigure(&scene, "name = \"contacts\"\n", "name = \"contacts\"\nfollow = \"company\"\n");
    reconfigure(&scene, "name = \"notes\"\n", "name = \"notes\"\nfollow = \"contact\"\n");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn a_table_that_is_shared_newly_and_one_that_is_not_any_more() {
    let scene = sales();
    reconfigure(&scene, "[[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n", "");
    rest(&scene, &["hq", "alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM notes"), "3");
    scene.sql("hq", "UPDATE notes SET text = 'changed meanwhile' WHERE id = 100");
    rest(&scene, &["hq", "alice", "bob"]);
    reconfigure(
        &scene,
        "name = \"products\"\n",
        "name = \"products\"\n[[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n",
    );
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    scene.sql("alice", "UPDATE notes SET text = 'and hers' WHERE id = 100");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn columns_that_are_shared_newly_and_not_any_more() {
    let scene = hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT DEFAULT 'none'); INSERT INTO t VALUES (1, 'a', 'b'), (2, 'c', 'd')",
        "[[set.s.table]]\nname = \"t\"\ncolumns = [\"a\"]\n",
    );
    join(&scene, "alice", "s", &[]);
    assert_eq!(scene.sql("alice", "SELECT * FROM t"), "1|a|none\n2|c|none");
    reconfigure(&scene, "columns = [\"a\"]", "columns = [\"a\", \"b\"]");
    rest(&scene, &["hq", "alice"]);
    scene.same("t", "hq", "alice");
    scene.sql("alice", "UPDATE t SET b = 'hers' WHERE id = 2");
    rest(&scene, &["alice", "hq"]);
    scene.same("t", "hq", "alice");
    reconfigure(&scene, "columns = [\"a\", \"b\"]", "columns = [\"a\"]");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT * FROM t"), "1|a|none\n2|c|none");
    assert_eq!(scene.sql("hq", "SELECT * FROM t"), "1|a|b\n2|c|hers");
    reconfigure(&scene, "columns = [\"a\"]", "columns = [\"a\", \"b\"]");
    rest(&scene, &["hq", "alice"]);
    scene.same("t", "hq", "alice");
}

#[test]
fn a_set_that_does_not_fit_any_more_stops_nobody() {
    let scene = sales();
    configure(&scene, "[[set.other.table]]\nname = \"products\"\n");
    join(&scene, "carol", "other", &[]);
    reconfigure(&scene, "manager = :user", "nonsense = :user");
    scene.sql("hq", "UPDATE products SET price = 2; UPDATE companies SET name = 'AA' WHERE id = 1");
    let told = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(told.err.contains("alice goes on sharing what it did"), "{told:#?}");
    for node in ["carol", "alice", "bob"] {
        scene.sync(node);
    }
    assert_eq!(scene.sql("carol", "SELECT price FROM products"), "2");
    assert_eq!(scene.sql("alice", "SELECT name FROM companies"), "AA");
    assert!(SALES.contains("manager = :user"));
}

#[test]
fn a_table_that_is_made_later_is_shared_once_a_set_names_it() {
    let scene = sales();
    scene.packhorse("hq", &["remote", "add", "carol"]).expect(0);
    scene.pack_and_restore("carol");
    let migration = "CREATE TABLE visits (id INTEGER PRIMARY KEY, company INTEGER REFERENCES companies(id), day TEXT)";
    scene.sql("hq", migration);
    scene.sql("hq", "INSERT INTO visits VALUES (1, 1, 'Monday'), (2, 2, 'Tuesday')");
    scene.sql("alice", migration);
    scene.sql("carol", migration);
    rest(&scene, &["hq", "alice", "bob", "carol"]);
    assert_eq!(scene.sql("carol", "SELECT count(*) FROM visits"), "0");
    configure(&scene, "[[set.sales.table]]\nname = \"visits\"\nfollow = \"company\"\n");
    scene.packhorse("hq", &["sync"]).expect(0).says("table visits is synced from now on");
    for node in ["alice", "carol"] {
        scene.sync(node);
    }
    // Bob's application has not been updated yet.
    scene.packhorse("bob", &["sync"]).expect(3).says("hq shares table visits, which this database does not have");
    assert_eq!(scene.sql("alice", "SELECT day FROM visits"), "Monday");
    scene.same("visits", "hq", "carol");
    scene.sql("alice", "INSERT INTO visits (company, day) VALUES (1, 'Friday')");
    scene.sync("alice");
    scene.sql("bob", migration);
    for node in ["hq", "bob", "alice", "carol", "hq", "bob"] {
        scene.packhorse(node, &["sync"]);
    }
    rest(&scene, &["hq", "alice", "bob", "carol"]);
    assert_eq!(scene.sql("bob", "SELECT day FROM visits"), "Tuesday");
    scene.same("visits", "hq", "carol");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM visits"), "3");
}

#[test]
fn what_a_remote_had_sent_before_it_heard_that_a_table_is_shared_no_more_is_taken() {
    let scene = sales();
    scene.sql("alice", "UPDATE notes SET text = 'in time' WHERE id = 100; INSERT INTO notes VALUES (101, 10, 'new')");
    scene.sync("alice");
    reconfigure(&scene, "[[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n", "");
    let told = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(!told.err.contains("refused"), "{told:#?}");
    rest(&scene, &["alice", "hq", "bob"]);
    let notes = "SELECT group_concat(text) FROM (SELECT text FROM notes WHERE contact = 10 ORDER BY id)";
    assert_eq!(scene.sql("hq", notes), "in time,new");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
    scene.sql("alice", "DELETE FROM _packhorse_state WHERE name = 'terms'; INSERT INTO notes VALUES (102, 10, 'late')");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("refused");
    assert_eq!(scene.sql("hq", notes), "in time,new");
}

#[test]
fn a_set_edited_by_hand_that_reaches_beyond_its_row_is_not_taken_over() {
    for wrong in
        ["id IN (SELECT company FROM contacts)", "name < date('now')", "manager = \\\"alice\\\"", "manager = = :user"]
    {
        let scene = sales();
        reconfigure(&scene, "where = \"manager = :user\"", &format!("where = \"{wrong}\""));
        scene.sql("hq", "INSERT INTO products VALUES ('q', 2)");
        let run = scene.packhorse("hq", &["sync"]).expect(0);
        run.says("alice goes on sharing what it did: the set \"sales\", table \"companies\"");
        rest(&scene, &["hq", "alice", "bob"]);
        each_has_its_own(&scene, &["alice", "bob"]);
    }
}

/// A hub whose alice has companies by their column `active`, and whose bob has products only.
fn by_activity(condition: &str) -> crate::support::Scene {
    let scene = hub(
        "CREATE TABLE companies (id INTEGER PRIMARY KEY, active INTEGER); CREATE TABLE products (code TEXT PRIMARY KEY); \
         INSERT INTO companies VALUES (1, 1), (2, 0)",
        &format!(
            "[[set.s.table]]\nname = \"companies\"\nwhere = '{condition}'\n[[set.s.table]]\nname = \"products\"\n\
             [[set.p.table]]\nname = \"products\"\n"
        ),
    );
    join(&scene, "alice", "s", &[]);
    join(&scene, "bob", "p", &[]);
    rest(&scene, &["hq", "alice", "bob"]);
    scene
}

const WITHOUT_ACTIVE: &str = "CREATE TABLE n (id INTEGER PRIMARY KEY, lively INTEGER); INSERT INTO n SELECT * FROM companies; \
                              DROP TABLE companies; ALTER TABLE n RENAME TO companies";

#[test]
fn a_set_whose_column_a_migration_took_waits_for_its_mend_and_nobody_else_does() {
    // In double quotes SQLite would take what is no column any more for text, which is not 1.
    for condition in ["active = 1", "\"active\" = 1"] {
        let scene = by_activity(condition);
        for node in ["hq", "alice", "bob"] {
            scene.sql(node, WITHOUT_ACTIVE);
        }
        scene.sql("hq", "INSERT INTO products VALUES ('q')");
        for _ in 0..2 {
            scene
                .packhorse("hq", &["sync"])
                .expect(1)
                .says("alice: table \"companies\" of the sync set: no such column");
            scene.packhorse("hq", &["status"]).expect(0);
            scene.packhorse("bob", &["sync"]).expect(0);
            scene.packhorse("alice", &["sync"]).expect(0);
        }
        assert_eq!(scene.sql("bob", "SELECT code FROM products"), "q", "{condition}");
        assert_eq!(scene.sql("alice", "SELECT id FROM companies"), "1", "{condition}");
        reconfigure(&scene, condition, "lively = 1");
        rest(&scene, &["hq", "alice", "bob"]);
        assert_eq!(scene.sql("alice", "SELECT (SELECT id FROM companies), code FROM products"), "1|q", "{condition}");
    }
}

#[test]
fn a_set_whose_table_a_migration_took_waits_for_its_mend_and_nobody_else_does() {
    let scene = by_activity("active = 1");
    scene.sql("hq", "DROP TABLE companies; INSERT INTO products VALUES ('q')");
    scene.packhorse("hq", &["sync"]).expect(1).says("alice: table \"companies\" of the sync set: it is not synced");
    scene.packhorse("bob", &["sync"]).expect(0);
    assert_eq!(scene.sql("bob", "SELECT code FROM products"), "q");
    scene.packhorse("hq", &["set", "remove", "s", "--table", "companies"]).expect(0);
    rest(&scene, &["hq", "alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT code FROM products"), "q");
}
