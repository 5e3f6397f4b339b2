//! Counters: what several ends add to a number, or take from it, adds up.

mod random;

use std::fs;

use super::{configure, edit_apart, listed, scene_of, sync};
use crate::identity::tree::remote_of;
use crate::support::{Scene, files};

const SCHEMA: &str = "
    CREATE TABLE shelves (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, stock INTEGER DEFAULT 0, weight REAL, note TEXT,
        shelf INTEGER REFERENCES shelves(id));
    INSERT INTO items (id, name, stock, weight) VALUES (1, 'pen', 10, 1.5), (2, 'ink', 10, 1.5);";

const COUNTED: &str = "[table.items]\nadd = [\"stock\", \"weight\"]";

fn sell(scene: &Scene, node: &str, item: u64, count: i64) {
    scene.sql(node, &format!("UPDATE items SET stock = stock - {count} WHERE id = {item}"));
}

/// Lets them sync until nothing waits anywhere.
#[track_caller]
fn rest(scene: &Scene, nodes: &[&str]) {
    for _ in 0..20 {
        sync(scene, nodes);
        let waits = |node: &&str| {
            let status = scene.packhorse(node, &["status", "--json"]).json();
            let links = status["links"].as_array().expect("links").clone();
            let open = ["pending_changes", "unacknowledged", "held"];
            links.iter().any(|link| open.iter().any(|what| link[what].as_u64() != Some(0)))
        };
        if !nodes.iter().any(waits) {
            return;
        }
    }
    nodes.iter().for_each(|node| scene.is_at_rest(node));
}

#[track_caller]
fn all_have(scene: &Scene, nodes: &[&str], sql: &str, value: &str) {
    for node in nodes {
        assert_eq!(scene.sql(node, sql), value, "{sql} at {node}");
        assert!(listed(scene, node, &["--all"]).is_empty(), "{node}: {:#?}", listed(scene, node, &["--all"]));
    }
}

const STOCK: &str = "SELECT stock FROM items WHERE id = 1";

#[test]
fn what_two_ends_sell_at_once_is_sold_whichever_is_later_and_whoever_syncs_first() {
    let (hq, alice) = ("hq", "alice");
    for (first, second) in [(hq, alice), (alice, hq)] {
        for order in [[hq, alice], [alice, hq]] {
            let scene = scene_of(SCHEMA, COUNTED, &["alice", "bob"]);
            let sold = |node| if node == hq { 3 } else { 2 };
            let sale = |node| format!("UPDATE items SET stock = stock - {} WHERE id = 1", sold(node));
            edit_apart(&scene, (first, &sale(first)), (second, &sale(second)));
            sync(&scene, &order);
            rest(&scene, &[hq, alice, "bob"]);
            all_have(&scene, &[hq, alice, "bob"], STOCK, "5");
        }
    }
}

/// Neither end has heard of the other when it seals: both add up, and agree.
#[test]
fn bundles_that_cross_add_up_at_both_ends() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice"]);
    for round in 1..4 {
        for (node, count) in [("hq", 1), ("alice", 2)] {
            sell(&scene, node, 1, count);
            scene.sql(node, "UPDATE items SET weight = weight + 0.25 WHERE id = 1");
            scene.packhorse(node, &["bundle", "--now"]).expect(0);
        }
        ["hq", "alice", "hq", "alice"].iter().for_each(|node| drop(scene.packhorse(node, &["transfer"]).expect(0)));
        // Another one is sold before what has come is applied.
        sell(&scene, "alice", 2, 1);
        rest(&scene, &["hq", "alice"]);
        all_have(&scene, &["hq", "alice"], STOCK, &(10 - 3 * round).to_string());
        all_have(&scene, &["hq", "alice"], "SELECT stock FROM items WHERE id = 2", &(10 - round).to_string());
        all_have(
            &scene,
            &["hq", "alice"],
            "SELECT weight * 4 FROM items WHERE id = 1",
            &format!("{}.0", 6 + 2 * round),
        );
    }
}

/// What the sender does not know of comes to nothing, but it has a part of that by now.
#[test]
fn differences_that_cancel_each_other_are_told_all_the_same() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice", "bob"]);
    // What is sealed for alice has the one and not the other.
    sell(&scene, "hq", 1, 4);
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    edit_apart(
        &scene,
        ("hq", "UPDATE items SET stock = stock + 4 WHERE id = 1"),
        ("alice", "UPDATE items SET stock = stock - 1 WHERE id = 1"),
    );
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    ["transfer", "apply"].iter().for_each(|word| drop(scene.packhorse("hq", &[word]).expect(0)));
    rest(&scene, &["hq", "alice", "bob"]);
    all_have(&scene, &["hq", "alice", "bob"], STOCK, "9");
}

fn tree() -> Scene {
    let scene = scene_of(SCHEMA, COUNTED, &[]);
    for (hub, name) in [("hq", "mid"), ("hq", "west"), ("mid", "alice"), ("mid", "bob")] {
        remote_of(&scene, hub, name);
    }
    scene
}

const TREE: [&str; 5] = ["alice", "bob", "mid", "west", "hq"];

#[test]
fn in_a_tree_everybody_has_what_all_have_sold() {
    let scene = tree();
    for (count, node) in TREE.iter().enumerate() {
        sell(&scene, node, 1, count as i64 + 1);
    }
    sync(&scene, &["alice", "mid", "hq", "mid"]);
    sell(&scene, "bob", 1, 100);
    sell(&scene, "mid", 1, 1000);
    rest(&scene, &TREE);
    all_have(&scene, &TREE, STOCK, "-1105");
}

#[test]
fn what_is_lost_or_comes_twice_or_late_counts_once() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice"]);
    let (up, kept) = (scene.path("relay/alice/up"), scene.path("kept"));
    sell(&scene, "alice", 1, 1);
    sync(&scene, &["alice"]);
    let first = files(&up).into_iter().find(|file| file.extension().is_some_and(|it| it == "bundle")).unwrap();
    fs::copy(&first, &kept).unwrap();
    sell(&scene, "hq", 1, 2);
    sync(&scene, &["hq"]);
    // It comes again, before and after another sale, and that is lost.
    fs::copy(&kept, &first).unwrap();
    sell(&scene, "alice", 1, 4);
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    files(&up).iter().filter(|file| **file != first).for_each(|file| fs::remove_file(file).unwrap());
    sell(&scene, "hq", 1, 8);
    sync(&scene, &["hq", "alice"]);
    fs::copy(&kept, &first).unwrap();
    rest(&scene, &["hq", "alice"]);
    all_have(&scene, &["hq", "alice"], STOCK, "-5");
}

#[test]
fn a_record_that_is_deleted_and_lives_on_has_what_was_sold_of_it_and_counts_on() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice"]);
    sell(&scene, "hq", 1, 3);
    edit_apart(
        &scene,
        ("hq", "DELETE FROM items WHERE id = 1"),
        ("alice", "UPDATE items SET stock = stock - 2 WHERE id = 1"),
    );
    rest(&scene, &["hq", "alice"]);
    all_have(&scene, &["hq", "alice"], STOCK, "5");
    edit_apart(
        &scene,
        ("hq", "UPDATE items SET stock = stock - 1 WHERE id = 1"),
        ("alice", "UPDATE items SET stock = stock - 1 WHERE id = 1"),
    );
    rest(&scene, &["alice", "hq"]);
    all_have(&scene, &["hq", "alice"], STOCK, "3");
}

/// Its number changes on the way, and what is remembered of its counters goes along.
#[test]
fn a_record_that_was_made_at_a_remote_counts_from_the_beginning() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice", "bob"]);
    scene.sql("alice", "INSERT INTO items (name, stock) VALUES ('cap', 100)");
    let sell = |node: &str, count: u64| {
        scene.sql(node, &format!("UPDATE items SET stock = stock - {count} WHERE name = 'cap'"));
    };
    sync(&scene, &["alice", "hq", "bob"]);
    sell("alice", 1);
    sell("hq", 2);
    sell("bob", 4);
    // The number that the hub gave comes to alice, who has sold another one meanwhile that nobody has heard of.
    sync(&scene, &["alice"]);
    assert_eq!(scene.sql("alice", "SELECT id FROM items WHERE name = 'cap'"), "3");
    sell("alice", 8);
    rest(&scene, &["bob", "hq", "alice"]);
    all_have(&scene, &["hq", "alice", "bob"], "SELECT stock FROM items WHERE name = 'cap'", "85");
}

#[test]
fn a_policy_that_comes_later_counts_from_then_on_and_one_that_goes_does_not() {
    let scene = scene_of(SCHEMA, "", &["alice"]);
    sell(&scene, "hq", 1, 1);
    sell(&scene, "alice", 2, 1);
    rest(&scene, &["hq", "alice"]);
    configure(&scene, COUNTED);
    rest(&scene, &["hq", "alice"]);
    let sell_one = "UPDATE items SET stock = stock - 1";
    edit_apart(&scene, ("alice", sell_one), ("hq", sell_one));
    rest(&scene, &["hq", "alice"]);
    all_have(&scene, &["hq", "alice"], "SELECT group_concat(stock) FROM items", "7,7");
    let config = scene.home("hq").join("packhorse.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("add = [\"stock\", \"weight\"]", "add = [\"weight\"]")).unwrap();
    rest(&scene, &["hq", "alice"]);
    edit_apart(&scene, ("alice", sell_one), ("hq", "UPDATE items SET stock = stock - 2"));
    rest(&scene, &["hq", "alice"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT group_concat(stock) FROM items"), "5,5", "{node}: the later one");
        assert_eq!(listed(&scene, node, &[]).len(), 2, "{node}");
    }
}

/// The remote has not heard of the policy when it edits, and the hub goes by it already.
#[test]
fn ends_that_go_by_different_policies_agree() {
    for (first, second) in [("hq", "alice"), ("alice", "hq")] {
        let scene = scene_of(SCHEMA, "", &["alice"]);
        configure(&scene, COUNTED);
        scene.packhorse("hq", &["bundle"]).expect(0);
        let sell_one = "UPDATE items SET stock = stock - 1 WHERE id = 1";
        edit_apart(&scene, (first, sell_one), (second, sell_one));
        sync(&scene, &["alice", "hq"]);
        rest(&scene, &["hq", "alice"]);
        all_have(&scene, &["hq", "alice"], STOCK, "8");
    }
}

#[test]
fn what_is_no_number_goes_by_the_later_stamp_as_a_conflict() {
    for (value, told) in [("NULL", ""), ("'none'", "none")] {
        let scene = scene_of(SCHEMA, COUNTED, &["alice"]);
        let none = format!("UPDATE items SET stock = {value} WHERE id = 1");
        edit_apart(&scene, ("hq", "UPDATE items SET stock = stock - 3 WHERE id = 1"), ("alice", &none));
        rest(&scene, &["alice", "hq"]);
        for node in ["hq", "alice"] {
            assert_eq!(scene.sql(node, STOCK), told, "{node}");
            assert_eq!(listed(&scene, node, &[]).len(), 1, "{node}");
        }
        // What is a number again counts again.
        scene.sql("hq", "UPDATE items SET stock = 20 WHERE id = 1");
        rest(&scene, &["hq", "alice"]);
        sell(&scene, "hq", 1, 1);
        sell(&scene, "alice", 1, 1);
        rest(&scene, &["hq", "alice"]);
        assert_eq!((scene.sql("hq", STOCK), scene.sql("alice", STOCK)), ("18".to_owned(), "18".to_owned()));
    }
}

/// What a table does not take is held and tried again, however much has been sold meanwhile.
#[test]
fn what_a_constraint_refuses_for_now_is_added_once_there_is_room() {
    let schema = SCHEMA.replace("stock INTEGER DEFAULT 0", "stock INTEGER DEFAULT 0 CHECK (stock >= 0)");
    let scene = scene_of(&schema, COUNTED, &["alice"]);
    sell(&scene, "hq", 1, 6);
    sell(&scene, "alice", 1, 7);
    for _ in 0..3 {
        sync(&scene, &["alice", "hq"]);
    }
    assert_eq!(scene.sql("hq", STOCK), "4");
    let held = scene.packhorse("hq", &["held", "list"]).expect(0).out;
    assert!(held.contains("items 1"), "{held}");
    scene.sql("hq", "UPDATE items SET stock = stock + 20 WHERE id = 1");
    rest(&scene, &["hq", "alice"]);
    all_have(&scene, &["hq", "alice"], STOCK, "17");
}

/// Until both have told all that they have nobody knows who has counted what: the later value stands as in any other field, and
/// what the backup said may be listed as a conflict. Nothing is counted twice, and then it counts on.
#[test]
fn a_node_that_was_put_back_to_a_backup_counts_nothing_twice() {
    let scene = scene_of(SCHEMA, COUNTED, &["alice", "bob"]);
    sell(&scene, "alice", 1, 1);
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    let backup = scene.path("backup.db");
    scene.sql("alice", &format!("VACUUM INTO '{}'", backup.display()));
    sync(&scene, &["alice", "hq", "bob", "alice"]);
    sell(&scene, "alice", 1, 2);
    sell(&scene, "bob", 1, 4);
    rest(&scene, &["alice", "bob", "hq"]);
    all_have(&scene, &["hq", "alice", "bob"], STOCK, "3");
    ["", "-wal", "-shm"].iter().for_each(|end| drop(fs::remove_file(scene.path(&format!("alice.db{end}")))));
    fs::copy(&backup, scene.database("alice")).unwrap();
    sell(&scene, "bob", 1, 1);
    rest(&scene, &["alice", "hq", "bob"]);
    assert_eq!(["hq", "alice", "bob"].map(|node| scene.sql(node, STOCK)), ["2", "2", "2"]);
    edit_apart(
        &scene,
        ("hq", "UPDATE items SET stock = stock + 10 WHERE id = 1"),
        ("alice", "UPDATE items SET stock = stock + 20 WHERE id = 1"),
    );
    rest(&scene, &["alice", "hq", "bob"]);
    assert_eq!(["hq", "alice", "bob"].map(|node| scene.sql(node, STOCK)), ["32", "32", "32"]);
    assert!(["hq", "alice", "bob"].iter().all(|node| listed(&scene, node, &[]).is_empty()), "settled by that");
}

#[test]
fn what_a_remote_may_only_read_it_does_not_count_either() {
    let sets = "[[set.crm.table]]\nname = \"shelves\"\n[[set.crm.table]]\nname = \"items\"\nread_only = [\"stock\"]";
    let scene = scene_of(SCHEMA, &format!("{COUNTED}\n{sets}"), &[]);
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "crm"]).expect(0);
    scene.pack_and_restore("alice");
    sell(&scene, "alice", 1, 5);
    sell(&scene, "hq", 1, 1);
    scene.sql("alice", "UPDATE items SET weight = weight + 1 WHERE id = 1");
    scene.sql("hq", "UPDATE items SET weight = weight + 2 WHERE id = 1");
    rest(&scene, &["alice", "hq"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT stock, weight FROM items WHERE id = 1"), "9|4.5", "{node}");
    }
}

/// Whether its hub has heard of what was sold before it lets the record come in again, or hears of that afterwards.
#[test]
fn what_was_sold_of_a_record_that_is_withdrawn_counts_and_what_comes_back_counts_on() {
    let sets = "[[set.crm.table]]\nname = \"shelves\"\n[[set.crm.table]]\nname = \"items\"\nwhere = \"note IS NULL\"";
    for has_heard in [true, false] {
        let scene = scene_of(SCHEMA, &format!("{COUNTED}\n{sets}"), &[]);
        scene.packhorse("hq", &["remote", "add", "alice", "--set", "crm"]).expect(0);
        scene.pack_and_restore("alice");
        scene.sql("hq", "UPDATE items SET stock = stock - 1, note = 'kept back' WHERE id = 1");
        sync(&scene, &["hq"]);
        sell(&scene, "alice", 1, 2);
        let take = || ["transfer", "apply"].iter().for_each(|word| drop(scene.packhorse("alice", &[word])));
        take();
        assert_eq!(scene.sql("alice", STOCK), "", "withdrawn");
        if has_heard {
            sync(&scene, &["alice", "hq"]);
            assert_eq!(scene.sql("hq", STOCK), "7");
        }
        scene.sql("hq", "UPDATE items SET stock = stock - 1, note = NULL WHERE id = 1");
        sync(&scene, &["hq"]);
        take();
        rest(&scene, &["alice", "hq"]);
        all_have(&scene, &["hq", "alice"], STOCK, "6");
        sell(&scene, "alice", 1, 2);
        sell(&scene, "hq", 1, 1);
        rest(&scene, &["alice", "hq"]);
        all_have(&scene, &["hq", "alice"], STOCK, "3");
    }
}

#[test]
fn what_can_be_no_counter_is_refused_with_the_reason() {
    for (policy, words) in [
        ("add = [\"amount\"]", "`add` names \"amount\", which is no column beside its key"),
        ("add = [\"id\"]", "`add` names \"id\", which is no column beside its key"),
        ("add = [\"note\"]", "`add` names \"note\", whose type is no number"),
        ("add = [\"shelf\"]", "`add` names \"shelf\", which says what the record refers to"),
        ("add = [\"stock\"]\ntogether = [[\"stock\", \"weight\"]]", "`add` names \"stock\", which changes together"),
        ("add = [\"stock\"]\ngranularity = \"record\"", "`add` names \"stock\", and by its `granularity`"),
    ] {
        let scene = scene_of(SCHEMA, &format!("[table.items]\n{policy}"), &[]);
        scene.packhorse("hq", &["sync"]).expect(2).says(words);
    }
    let scene = scene_of(SCHEMA, "[table.items]\nadd = [\"stock\", \"Stock\"]", &[]);
    scene.packhorse("hq", &["status"]).expect(2).says("the column \"Stock\" is listed twice");
}
