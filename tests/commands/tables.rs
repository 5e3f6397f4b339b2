//! `status --tables`: keys and who gives their numbers, references, identities, and the rule for the application's triggers.

use serde_json::{Value, json};

use crate::support::crm::set;
use crate::support::{Scene, sqlite};

const SCHEMA: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, boss INTEGER, of_type TEXT, of_number INTEGER);
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER REFERENCES people(id));
CREATE TABLE short (id INT PRIMARY KEY, name TEXT);
CREATE TABLE codes (code TEXT PRIMARY KEY, n INTEGER, owner TEXT REFERENCES owned(code));
CREATE TABLE owned (code TEXT PRIMARY KEY);
CREATE TABLE pairs (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES people(id), b INTEGER NOT NULL REFERENCES counted(id),
    UNIQUE (a, b));
CREATE TABLE audit (what TEXT);
CREATE TABLE elsewhere (id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE found USING fts5(what);
CREATE TRIGGER audits AFTER INSERT ON people BEGIN INSERT INTO audit VALUES (new.name); END;
CREATE TRIGGER checks BEFORE INSERT ON people WHEN new.name = '' BEGIN SELECT RAISE(ABORT, 'no name'); END;
CREATE TRIGGER counts AFTER DELETE ON people BEGIN
    INSERT INTO audit VALUES (old.name); UPDATE codes SET n = n - 1; DELETE FROM found; END;
CREATE TRIGGER touches AFTER UPDATE OF name ON people BEGIN
    UPDATE people SET boss = 1 WHERE id = new.id; INSERT INTO owned VALUES (new.name); END;
CREATE TRIGGER of_audit AFTER INSERT ON audit BEGIN UPDATE codes SET n = 1; END;
CREATE TRIGGER sweeps AFTER DELETE ON counted BEGIN DELETE FROM owned WHERE code = old.id; END;
CREATE TRIGGER tells AFTER INSERT ON counted BEGIN INSERT INTO found VALUES ('x'); END;";

const CONFIGURED: &str = "
[table.people]
identity = [\"name\"]
references = { boss = \"people\", of_number = { type = \"of_type\", tables = { p = \"people\", c = \"counted\" } } }
[table.pairs]
keys = \"as-is\"
";

fn scene() -> Scene {
    let scene = Scene::new();
    sqlite(&scene.path("hq.db"), SCHEMA);
    scene.init_with(&["--exclude", "elsewhere"]);
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + CONFIGURED).unwrap();
    scene.remote("alice");
    scene
}

/// What is told of each table, by name.
fn tables(scene: &Scene, node: &str) -> Value {
    let told = scene.packhorse(node, &["status", "--tables", "--json"]).expect(0).json();
    assert!(told["links"].is_array() && told["node"] == node, "{told}");
    let named = |table: &Value| (table["table"].as_str().expect("a name").to_owned(), table.clone());
    told["tables"].as_array().expect("tables").iter().map(named).collect()
}

#[test]
fn keys_and_numbers_are_told_at_the_hub_and_at_a_remote() {
    let scene = scene();
    let (hub, alice) = (tables(&scene, "hq"), tables(&scene, "alice"));
    for told in [&hub, &alice] {
        assert_eq!(told["codes"]["kind"], "natural");
        assert_eq!((&told["codes"]["key"], &told["codes"]["numbers"]), (&json!(["code"]), &Value::Null));
        assert_eq!(told["people"]["kind"], "numbers");
        assert_eq!(told["short"]["numbers"]["autoincrement"], false);
    }
    let nothing = json!({ "reason": null, "risk": null, "advice": null });
    let numbers = |told: &Value, table: &str, more: Value| {
        let told = told[table]["numbers"].as_object().expect("numbers");
        let wanted = more.as_object().unwrap().iter().chain(nothing.as_object().unwrap());
        wanted.for_each(|(name, value)| assert_eq!(told.get(name), Some(value), "{table}.{name}"));
    };
    let of_hub =
        json!({ "given_by": "this-node", "own_from": null, "guaranteed": true, "remotes_from": 1_000_000_001 });
    numbers(&hub, "people", of_hub.clone());
    numbers(&hub, "counted", of_hub);
    let of_alice = json!({ "given_by": "hub", "own_from": 1_000_000_001, "guaranteed": true, "remotes_from": null });
    numbers(&alice, "people", of_alice.clone());
    numbers(&alice, "counted", of_alice);
    assert_eq!(
        (&hub["people"]["numbers"]["autoincrement"], &alice["people"]["numbers"]["autoincrement"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn the_risk_is_named_where_a_number_can_come_to_mean_another_record() {
    let scene = scene();
    let (hub, alice) = (tables(&scene, "hq"), tables(&scene, "alice"));
    for (table, why, cure) in [
        (
            "short",
            "the key is declared INT, and only INTEGER can have AUTOINCREMENT",
            "declare the key INTEGER PRIMARY KEY",
        ),
        ("pairs", "keys = \"as-is\" says so", "take keys = \"as-is\" out of [table.pairs]"),
    ] {
        let (there, here) = (&hub[table]["numbers"], &alice[table]["numbers"]);
        assert_eq!(there["reason"], format!("a remote has no numbers of its own: {why}"));
        assert!(there["advice"].as_str().is_some_and(|advice| advice.contains(cure)), "{there}");
        assert!(there["risk"].as_str().is_some_and(|risk| risk.starts_with("at a remote")), "{there}");
        assert_eq!((&there["guaranteed"], &there["remotes_from"]), (&json!(true), &Value::Null));
        assert_eq!(
            (&here["reason"], &here["guaranteed"], &here["own_from"]),
            (&json!(why), &json!(false), &Value::Null)
        );
        assert!(
            here["risk"].as_str().is_some_and(|risk| risk.contains("nothing for 10 min (renumber_quiet)")),
            "{here}"
        );
        assert!(here["advice"].as_str().is_some_and(|advice| advice.contains("at the hub")), "{here}");
    }
    set(&scene, "alice", "renumber_quiet", "0 s");
    let told = tables(&scene, "alice")["short"]["numbers"]["risk"].to_string();
    assert!(told.contains("numbers change whenever the hub says so"), "{told}");
    // A table that a migration has made anew in a form that can have no range.
    scene.sql(
        "alice",
        "DROP TABLE counted; CREATE TABLE counted (id INT PRIMARY KEY, person INTEGER REFERENCES people(id))",
    );
    let told = &tables(&scene, "alice")["counted"]["numbers"];
    assert_eq!(
        (&told["guaranteed"], &told["reason"]),
        (&json!(false), &json!("its range is lost and cannot be given again"))
    );
}

#[test]
fn references_and_identities_are_told_with_who_says_so() {
    let scene = scene();
    // Its own configuration lies in the hub's database from the next command on that works on it.
    scene.sync("hq");
    for (node, by) in [("hq", "configuration"), ("alice", "package")] {
        let told = tables(&scene, node);
        assert_eq!(told["people"]["identity"], json!(["name"]));
        assert_eq!(told["pairs"]["identity"], json!(["a", "b"]), "a join table");
        let to = |columns: &[&str], table: &str| json!({ "columns": columns, "table": table, "type_column": null, "tables": null, "said_by": "foreign-key" });
        assert_eq!(told["counted"]["references"], json!([to(&["person"], "people")]));
        assert_eq!(told["codes"]["references"], json!([to(&["owner"], "owned")]));
        let boss =
            json!({ "columns": ["boss"], "table": "people", "type_column": null, "tables": null, "said_by": by });
        let pair = json!({ "columns": ["of_number"], "table": null, "type_column": "of_type",
            "tables": { "c": "counted", "p": "people" }, "said_by": by });
        assert_eq!(told["people"]["references"], json!([boss, pair]), "{node}");
    }
}

/// What is told is what is done: a bundle is applied, and the triggers' tables looked at.
#[test]
fn the_rule_for_each_trigger_is_told_and_kept() {
    let scene = scene();
    let told = tables(&scene, "alice");
    let rules = |table: &str| -> Vec<String> {
        let rule = |trigger: &Value| format!("{} {} {}", trigger["name"], trigger["table"], trigger["rule"]);
        let all = told[table]["triggers"].as_array().expect("triggers").iter();
        all.map(|trigger| rule(trigger).replace('"', "")).collect()
    };
    assert_eq!(
        rules("people"),
        [
            "audits people runs",
            "checks people runs",
            "counts people in-part",
            "of_audit audit left-out",
            "touches people left-out"
        ]
    );
    assert_eq!(rules("counted"), ["sweeps counted off", "tells counted off"]);
    assert_eq!(rules("codes"), Vec::<String>::new());
    let meaning = told["counted"]["triggers"][1]["meaning"].as_str().expect("words");
    assert!(meaning.contains("since sweeps deletes from owned"), "{meaning}");
    scene.sql("hq", "INSERT INTO codes (code, n) VALUES ('c', 7); INSERT INTO people (name) VALUES ('Ada'); INSERT INTO counted DEFAULT VALUES");
    scene.settle("alice");
    for node in ["hq", "alice"] {
        let of_triggers =
            "SELECT (SELECT group_concat(what) FROM audit), (SELECT n FROM codes), (SELECT count(*) FROM found)";
        let expected = if node == "hq" { "Ada|1|1" } else { "Ada|1|0" };
        assert_eq!(scene.sql(node, of_triggers), expected, "{node}");
    }
}

#[test]
fn tables_that_are_not_synced_are_told_with_the_reason() {
    let scene = scene();
    for node in ["hq", "alice"] {
        let told = scene.packhorse(node, &["status", "--tables", "--json"]).expect(0).json();
        let all = told["not_synced"].as_array().expect("an array").iter();
        let all: Vec<String> =
            all.map(|left| format!("{}: {}", left["table"], left["reason"]).replace('"', "")).collect();
        for line in ["audit: it has no primary key", "elsewhere: it was not chosen", "found: it is a virtual table"] {
            assert!(all.iter().any(|told| told == line), "{line} in {all:#?}");
        }
        assert!(all.iter().any(|told| told.ends_with("it is the storage of a virtual table")), "{all:#?}");
        assert!(!all.iter().any(|told| told.contains("packhorse")), "{all:#?}");
    }
}

#[test]
fn people_are_told_the_same_and_nobody_else_is() {
    let scene = scene();
    let told = scene.packhorse("alice", &["status", "--tables"]).expect(0).out;
    for words in [
        "  people  key id (numbers",
        "from 1000000001 on by AUTOINCREMENT",
        "identity   name: ",
        "refers to  people by boss (`references` at the hub)",
        "refers to  counted (c), people (p) by of_number, as of_type says",
        "trigger    of_audit on audit: it does nothing",
        "risk       a number that the application has read",
        "next step  close the application",
        "not synced:\n  audit  (it has no primary key)",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let plain = scene.packhorse("alice", &["status", "--json"]).expect(0).json();
    assert!(plain.get("tables").is_none() && plain.get("not_synced").is_none(), "{plain}");
    assert!(!scene.packhorse("alice", &["status"]).expect(0).out.contains("tables:"));
}
