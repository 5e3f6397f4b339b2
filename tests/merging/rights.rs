//! What a remote may do: the hub enforces it on what arrives, whatever the remote's software did, and undoes the rest there.

use super::{come_to_rest, configure, sync};
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, rep TEXT, credit INTEGER, phone TEXT);
    CREATE TABLE visits (id INTEGER PRIMARY KEY, account INTEGER REFERENCES accounts(id) ON DELETE CASCADE, text TEXT);
    CREATE TABLE prices (code TEXT PRIMARY KEY, price INTEGER);
    INSERT INTO accounts VALUES (1, 'Ada', 'alice', 100, '1'), (2, 'Ben', 'bob', 200, '2'), (3, 'Cy', NULL, 300, '3');
    INSERT INTO visits VALUES (1, 1, 'first'), (2, 2, 'second');
    INSERT INTO prices VALUES ('tea', 3);";

const NODES: [&str; 3] = ["hq", "alice", "bob"];

/// Two remotes that share all of it, under these rights to accounts and the others.
fn scene(accounts: &str, others: &str) -> Scene {
    let scene = Scene::hub(SCHEMA);
    let set = format!(
        "[set.reps]\n[[set.reps.table]]\nname = \"accounts\"\n{accounts}\n[[set.reps.table]]\nname = \"visits\"\n{others}\n\
         [[set.reps.table]]\nname = \"prices\"\n{others}"
    );
    configure(&scene, &set);
    for remote in ["alice", "bob"] {
        scene.packhorse("hq", &["remote", "add", remote, "--set", "reps"]).expect(0);
        scene.pack_and_restore(remote);
    }
    scene
}

fn notices(scene: &Scene, node: &str) -> String {
    scene.packhorse(node, &["notices", "list"]).expect(0).out
}

/// All three are as the hub is, and at rest.
#[track_caller]
fn are_equal(scene: &Scene) {
    come_to_rest(scene, &NODES);
    for table in ["accounts", "visits", "prices"] {
        NODES[1..].iter().for_each(|node| scene.same(table, "hq", node));
    }
}

#[test]
fn a_column_that_may_only_be_read_goes_back_to_what_the_hub_has() {
    let scene = scene("read_only = [\"credit\"]", "");
    scene.sql("alice", "UPDATE accounts SET credit = 999, phone = '11' WHERE id = 1");
    scene.sync("alice");
    let run = scene.packhorse("hq", &["sync"]).expect(3);
    run.says("1 change was refused, because alice does not share what they change or may not");
    let run = scene.packhorse("alice", &["sync"]).expect(3);
    run.says("1 change that was made here is undone, because hq does not allow them");
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT credit, phone FROM accounts WHERE id = 1"), "100|11");
    let words =
        "a change of accounts 1 was refused, and is undone (credit = 999): alice may read that and not change it";
    assert!(notices(&scene, "hq").contains(words), "{}", notices(&scene, "hq"));
    let words = "the hub refused a change of accounts 1, and has undone it: credit = 999";
    assert!(notices(&scene, "alice").contains(words), "{}", notices(&scene, "alice"));
    assert!(!notices(&scene, "bob").contains("refused"));
    // That is no conflict, and it is told once.
    assert_eq!(
        scene.packhorse("hq", &["conflicts", "list", "--all", "--json"]).expect(0).json().as_array().unwrap().len(),
        0
    );
    assert_eq!(notices(&scene, "alice").matches("refused").count(), 1);
}

#[test]
fn a_table_that_may_only_be_read_stays_as_the_hub_has_it() {
    let scene = scene("", "writes = \"none\"\ndeletes = \"none\"");
    scene.sql(
        "alice",
        "UPDATE prices SET price = 1; INSERT INTO prices VALUES ('rum', 0); DELETE FROM visits WHERE id = 2;
        INSERT INTO visits (account, text) VALUES (1, 'made up');",
    );
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT * FROM prices"), "tea|3");
    assert_eq!(scene.sql("alice", "SELECT id, text FROM visits"), "1|first\n2|second");
    let at_hub = notices(&scene, "hq");
    for words in [
        "a change of prices 'tea' was refused, and is undone (price = 1): alice may not change it",
        "the making of prices 'rum' was refused, and is undone: alice may not make it",
        "the deletion of visits 2 was refused, and is undone: alice may not delete it",
        "the making of visits 3 was refused",
    ] {
        assert!(at_hub.contains(words), "{words:?} in {at_hub}");
    }
    let at_remote = notices(&scene, "alice");
    for words in [
        "the hub refused the deletion of visits 2",
        "the hub refused the making of prices 'rum'",
        "prices 'tea', and has undone it: price = 1",
    ] {
        assert!(at_remote.contains(words), "{words:?} in {at_remote}");
    }
}

#[test]
fn whoever_is_assigned_may_and_nobody_else() {
    let scene = scene("writes = \"assigned\"\ndeletes = \"assigned\"\nowner_column = \"rep\"", "");
    scene.sql(
        "alice",
        "UPDATE accounts SET phone = '11' WHERE id = 1; UPDATE accounts SET phone = '22' WHERE id = 2;
        DELETE FROM accounts WHERE id = 3; INSERT INTO accounts (name, rep) VALUES ('Dee', 'alice'), ('Eve', 'bob');",
    );
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(
        scene.sql("alice", "SELECT name, rep, phone FROM accounts ORDER BY name"),
        "Ada|alice|11\nBen|bob|2\nCy||3\nDee|alice|"
    );
    // Whose a record is, the hub's value says, not the one that comes with the change.
    scene.sql("alice", "UPDATE accounts SET rep = 'alice', phone = '33' WHERE id = 2");
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT rep, phone FROM accounts WHERE id = 2"), "bob|2");
    scene.sql("bob", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE id = 2");
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT name FROM accounts ORDER BY name"), "Ada\nCy\nDee");
}

/// Who a remote's user is can be said: by the parameter `user`.
#[test]
fn a_remotes_user_may_have_another_name() {
    let scene = scene("writes = \"assigned\"\nowner_column = \"rep\"", "");
    scene
        .packhorse("hq", &["remote", "add", "carol", "--set", "reps", "--param", "user=bob", "--param", "user=dan"])
        .expect(0);
    scene.pack_and_restore("carol");
    scene.sql("carol", "UPDATE accounts SET phone = '22' WHERE id = 2; UPDATE accounts SET phone = '11' WHERE id = 1");
    sync(&scene, &["carol", "hq", "carol"]);
    assert_eq!(scene.sql("hq", "SELECT phone FROM accounts"), "1\n22\n3");
    assert_eq!(scene.sql("carol", "SELECT phone FROM accounts"), "1\n22\n3");
}

#[test]
fn what_was_made_at_a_remote_is_its_own() {
    let scene = scene("deletes = \"own\"", "deletes = \"own\"");
    scene.sql("alice", "INSERT INTO accounts (name) VALUES ('Dee'); INSERT INTO visits (account, text) SELECT id, 'v' FROM accounts WHERE name = 'Dee'");
    sync(&scene, &["alice", "hq", "alice", "hq", "bob", "hq"]);
    // The one who did not make it may not, and what goes with it comes back as well.
    scene.sql("bob", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE name = 'Dee'");
    sync(&scene, &["bob", "hq", "bob"]);
    are_equal(&scene);
    assert_eq!(
        scene.sql("bob", "SELECT name, text FROM accounts a JOIN visits v ON v.account = a.id WHERE name = 'Dee'"),
        "Dee|v"
    );
    scene.sql("alice", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE name = 'Dee'");
    sync(&scene, &["alice", "hq", "bob"]);
    are_equal(&scene);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM accounts WHERE name = 'Dee'"), "0");
}

/// A remote that edits what it may not bring back.
#[test]
fn a_record_that_the_hub_deleted_is_not_brought_back_by_who_may_not_write_it() {
    let scene = scene("writes = \"assigned\"\nowner_column = \"rep\"", "");
    scene.sql("hq", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE id = 2; DELETE FROM accounts WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE accounts SET phone = '22' WHERE id = 2; UPDATE accounts SET phone = '11' WHERE id = 1");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT name FROM accounts"), "Ada\nCy");
}

/// The hub itself, and what rights do not speak of, are free.
#[test]
fn rights_bind_the_remote_and_nobody_else() {
    let scene = scene("writes = \"none\"\ndeletes = \"none\"", "");
    scene.sql("hq", "UPDATE accounts SET phone = '9'; DELETE FROM accounts WHERE id = 3");
    scene.sql("alice", "UPDATE visits SET text = 'changed' WHERE id = 1");
    sync(&scene, &["hq", "alice", "hq", "bob"]);
    are_equal(&scene);
    assert_eq!(scene.sql("bob", "SELECT group_concat(phone) FROM accounts"), "9,9");
    assert_eq!(scene.sql("bob", "SELECT text FROM visits WHERE id = 1"), "changed");
    assert!(notices(&scene, "hq").is_empty());
}

/// What is edited at the hub is in force for what comes next.
#[test]
fn rights_can_be_changed_at_any_time() {
    let scene = scene("", "");
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("name = \"prices\"", "name = \"prices\"\nwrites = \"none\"")).unwrap();
    scene.sql("alice", "UPDATE prices SET price = 1");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT price FROM prices"), "3");
}

#[test]
fn rights_that_do_not_fit_are_refused() {
    for (rights, words) in [
        ("owner_column = \"boss\"\ndeletes = \"own\"", "`owner_column` names \"boss\", which is no column of it"),
        ("read_only = [\"id\"]", "`read_only` names \"id\", which is no column beside its key"),
        ("deletes = \"some\"", "there is no value `some`"),
    ] {
        let scene = Scene::hub(SCHEMA);
        configure(
            &scene,
            &format!("[set.reps]\n[[set.reps.table]]\nname = \"accounts\"\n{rights}\n[remote.alice]\nset = \"reps\""),
        );
        let run = scene.packhorse("hq", &["remote", "pack", "alice", "-o", "a.rdb", "--no-passphrase"]);
        let run = if run.code == 0 { scene.packhorse("hq", &["sync"]) } else { run };
        run.expect(2).says(words);
    }
}

/// What may only be read cannot be written by making a record, or by bringing one back.
#[test]
fn a_column_that_may_only_be_read_cannot_be_written_by_a_detour() {
    let scene = scene("read_only = [\"credit\"]", "");
    scene.sql("alice", "INSERT INTO accounts (name, credit, phone) VALUES ('Dee', 999, '4')");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT credit, phone FROM accounts WHERE name = 'Dee'"), "|4");
    assert!(
        notices(&scene, "hq").contains("(credit = 999): alice may read that and not change it"),
        "{}",
        notices(&scene, "hq")
    );
    assert!(notices(&scene, "alice").contains("and has undone it: credit = 999"), "{}", notices(&scene, "alice"));
    // Deleted at the hub, and later edited by the remote: it comes back as it was, but for what may be changed.
    scene.sql("alice", "UPDATE accounts SET credit = 998 WHERE id = 3");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("hq", "DELETE FROM accounts WHERE id = 3");
    sync(&scene, &["alice", "hq"]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("hq", "DELETE FROM accounts WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE accounts SET credit = 997, phone = '11' WHERE id = 1");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("hq", "SELECT credit, phone FROM accounts WHERE id = 1"), "100|11");
}

/// Whose a record was says who may bring it back, not what comes with that.
#[test]
fn a_record_cannot_be_made_ones_own_by_bringing_it_back() {
    let scene = scene("writes = \"assigned\"\nowner_column = \"rep\"", "");
    scene.sql("hq", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE id = 2");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE accounts SET rep = 'alice', phone = '22' WHERE id = 2");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT name FROM accounts"), "Ada\nCy");
}

/// Nobody would ever bring back whom its maker may not make: what refers to it goes too, or refers to whom it referred to before.
#[test]
fn what_refers_to_a_record_that_its_maker_may_not_make_is_refused_with_it() {
    let scene = scene("writes = \"none\"", "");
    scene.sql(
        "alice",
        "INSERT INTO accounts (name) VALUES ('Dee'); INSERT INTO visits (account, text) SELECT id, 'v' FROM accounts WHERE name = 'Dee';
        UPDATE visits SET account = (SELECT id FROM accounts WHERE name = 'Dee'), text = 'moved' WHERE id = 1",
    );
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(scene.sql("alice", "SELECT name FROM accounts ORDER BY id"), "Ada\nBen\nCy");
    assert_eq!(scene.sql("alice", "SELECT account, text FROM visits ORDER BY id"), "1|moved\n2|second");
    for node in ["hq", "alice"] {
        let told = notices(&scene, node);
        assert_eq!(told.matches("refused").count() - told.matches("which was refused").count(), 3, "{node}: {told}");
    }
    assert!(notices(&scene, "hq").contains("it refers to accounts"), "{}", notices(&scene, "hq"));
}

/// A record does not die while one refers to it that its sender may not delete.
#[test]
fn what_may_not_be_deleted_keeps_whom_it_refers_to() {
    let scene = scene("", "deletes = \"none\"");
    scene.sql("alice", "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE id = 1");
    sync(&scene, &["alice", "hq", "alice"]);
    are_equal(&scene);
    assert_eq!(
        scene.sql("alice", "SELECT name, text FROM accounts a JOIN visits v ON v.account = a.id"),
        "Ada|first\nBen|second"
    );
}

/// However late the hub speaks its word on a change, it stands against that change and nothing later.
#[test]
fn what_is_refused_overrules_no_edit_of_somebody_else_s() {
    let scene = scene("read_only = [\"credit\"]", "");
    configure(&scene, "[set.all]\n[[set.all.table]]\nname = \"accounts\"");
    scene.packhorse("hq", &["remote", "add", "dora", "--set", "all"]).expect(0);
    scene.pack_and_restore("dora");
    scene.sql("alice", "UPDATE accounts SET credit = 999 WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("dora", "UPDATE accounts SET credit = 150 WHERE id = 1");
    scene.packhorse("dora", &["bundle", "--now"]).expect(0);
    std::thread::sleep(std::time::Duration::from_millis(5));
    sync(&scene, &["alice", "hq", "alice", "dora", "hq", "dora", "alice"]);
    come_to_rest(&scene, &["hq", "alice", "bob", "dora"]);
    for node in ["hq", "alice", "dora"] {
        assert_eq!(scene.sql(node, "SELECT credit FROM accounts WHERE id = 1"), "150", "{node}");
    }
}
