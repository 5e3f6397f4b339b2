//! The JSON that scripts read: which fields there are and of which type. Fields are only ever added.

use serde_json::Value;

use crate::support::{Scene, text};

fn pair() -> Scene {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    scene.remote("alice");
    scene
}

/// The form of a value: names and types, without what differs from run to run.
fn form(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => Value::Array(items.iter().map(form).collect()),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), form(value))).collect(),
    }
}

/// Asserts that every field that is promised is there with its type; others may have been added.
#[track_caller]
fn keeps(promised: &Value, found: &Value, at: &str) {
    match (promised, found) {
        (Value::Object(promised), Value::Object(found)) => {
            for (name, promised) in promised {
                let found = found.get(name).unwrap_or_else(|| panic!("{at}.{name} is missing"));
                keeps(promised, found, &format!("{at}.{name}"));
            }
        }
        (Value::Array(promised), Value::Array(found)) => {
            assert_eq!(promised.len(), found.len(), "{at}");
            promised.iter().zip(found).for_each(|(promised, found)| keeps(promised, found, at));
        }
        _ => assert_eq!(promised, found, "{at}"),
    }
}

#[track_caller]
fn has_form(promised: &str, run: &crate::support::Run) -> Value {
    assert_eq!(run.out.lines().count(), 1, "one line: {run:#?}");
    assert_eq!(run.err, "");
    let found = run.json();
    keeps(&serde_json::from_str(promised).expect("a form"), &form(&found), "");
    found
}

#[test]
fn status_tells_of_each_link_what_the_design_promises() {
    let scene = pair();
    let before = scene.packhorse("hq", &["status", "--json"]).expect(0);
    has_form(
        r#"{"node": "string", "database": "string", "accepting": "bool", "links": [{
            "node": "string", "role": "string", "state": "string", "pending_changes": "number",
            "pending_bytes": "number", "outbox": {"bundles": "number", "bytes": "number"},
            "unacknowledged": "number", "inbox": {"bundles": "number", "bytes": "number"}, "held": "number",
            "conflicts": "number", "quarantined": "number", "last_sent": "null", "last_received": "null",
            "oldest_unsent": "null", "advice": "null"}]}"#,
        &before,
    );
    scene.sql("alice", "UPDATE t SET a = 'w' WHERE id = 2");
    scene.sql("hq", "UPDATE t SET a = 'v' WHERE id = 1");
    scene.settle("alice");
    scene.sql("hq", "UPDATE t SET a = 'z' WHERE id = 1");
    let after = scene.packhorse("hq", &["status", "--json"]).expect(0);
    let told = has_form(
        r#"{"links": [{"last_sent": "string", "last_received": "string", "oldest_unsent": "string"}]}"#,
        &after,
    );
    let link = &told["links"][0];
    assert_eq!((&told["node"], &told["database"], &link["node"]), (&"hq".into(), &"hq.db".into(), &"alice".into()));
    assert_eq!((&link["role"], &link["state"], &link["pending_changes"]), (&"remote".into(), &"ok".into(), &1.into()));
    let sent = link["last_sent"].as_str().unwrap();
    assert!(sent.len() == 20 && sent.ends_with('Z') && sent.contains('T'), "{sent}");
}

#[test]
fn status_of_a_node_without_links_is_an_empty_list_and_of_a_remote_names_its_hub() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let run = scene.packhorse("hq", &["status", "--json"]).expect(0);
    assert_eq!(has_form(r#"{"links": []}"#, &run)["node"], "hq");
    scene.remote("alice");
    let run = scene.packhorse("alice", &["status", "--json"]).expect(0);
    assert_eq!(has_form(r#"{"links": [{"role": "string"}]}"#, &run)["links"][0]["role"], "hub");
}

#[test]
fn looking_changes_nothing() {
    let scene = pair();
    scene.sql("hq", "UPDATE t SET a = 'z' WHERE id = 1");
    let first = scene.packhorse("hq", &["status", "--json"]).expect(0).out;
    for words in [&["status"][..], &["remote", "list"], &["remote", "show", "alice"], &["status", "--json"]] {
        scene.packhorse("hq", words).expect(0).calm();
    }
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).expect(0).out, first);
}

#[test]
fn the_list_of_remotes_is_one_array_that_tells_which_are_packed() {
    let scene = pair();
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    let run = scene.packhorse("hq", &["remote", "list", "--json"]).expect(0);
    let row = r#"{"name": "string", "set": "string", "packed": "bool"}"#;
    let told = has_form(&format!("[{row}, {row}]"), &run);
    assert_eq!((&told[0]["name"], &told[0]["packed"]), (&"alice".into(), &true.into()));
    assert_eq!((&told[1]["set"], &told[1]["packed"]), (&"everything".into(), &false.into()));
    let shown = scene.packhorse("hq", &["remote", "show", "bob", "--json"]).expect(0);
    has_form(
        r#"{"name": "string", "set": "string", "tables": ["string"], "packed": "bool", "installation": "null",
            "last_sent": "null", "last_received": "null"}"#,
        &shown,
    );
}

#[test]
fn a_bundle_and_a_package_are_told_in_the_same_form() {
    let scene = pair();
    let common = r#"{"file": "string", "bytes": "number", "kind": "string", "format": "number", "network": "string",
        "from": "string", "to": "string", "installation": "string", "records": "number", "fields": "number",
        "deletes": "number"}"#;
    let package = scene.path("alice.rdb");
    let run = scene.bare(&["inspect", "--json", text(&package)]).expect(0);
    let told = has_form(common, &run);
    assert_eq!((&told["kind"], &told["to"], &told["records"]), (&"package".into(), &"alice".into(), &2.into()));
    scene.sql("hq", "UPDATE t SET a = 'z' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (7, x'00ff')");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let run = scene.inspect(&["--json", "--values"], &scene.outbox("hq", "alice")[0]).expect(0);
    let told = has_form(common, &run);
    has_form(
        r#"{"link": {"epoch": "number", "sequence": "number", "id": "string", "base": "number", "asks_again": "bool",
            "asks_for_everything": "bool", "probe": "bool", "sealed": "string"},
            "members": [{"name": "string", "bytes": "number", "digest": "string"}]}"#,
        &run,
    );
    let records = told["tables"][0]["records"].as_array().unwrap();
    assert_eq!((records.len(), &told["records"], &told["deletes"]), (3, &3.into(), &1.into()));
    assert_eq!(records[0]["fields"]["a"]["value"], "z");
    assert!(records[1]["deleted"].is_string() && records[0].get("deleted").is_none());
    assert_eq!(records[2]["fields"]["a"]["value"], serde_json::json!({ "blob_hex": "00ff" }));
    let hidden = scene.inspect(&["--json"], &scene.outbox("hq", "alice")[0]).expect(0).json();
    assert!(hidden["tables"][0]["records"][0]["fields"]["a"].get("value").is_none(), "values only when asked for");
}
