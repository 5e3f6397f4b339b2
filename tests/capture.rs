//! Capture, harvest and apply: whatever another program writes arrives at the other end, once, and as what it was.
//!
//! The writers are Debian's SQLite shell and Python's `sqlite3`, whose SQLite is years older than the binary's own.

mod columns;
mod init;
mod keys;
mod last_values;
mod migrations;
mod names;
mod references;
mod replace;
mod triggers;
mod values;
mod volume;
mod writes;

use serde_json::Value;

use crate::support::Scene;

/// A hub of this schema, and its remote `alice`.
#[track_caller]
fn pair(schema: &str) -> Scene {
    let scene = Scene::hub(schema);
    scene.let_deletions_through();
    scene.remote("alice");
    scene
}

/// Syncs both ends and asserts that these tables are the same.
#[track_caller]
fn arrives(scene: &Scene, tables: &[&str]) {
    scene.settle("alice");
    for table in tables {
        scene.same(table, "hq", "alice");
    }
}

/// What the bundles say that the hub seals for `alice` now; none if there is nothing to seal.
#[track_caller]
fn all_sealed(scene: &Scene) -> Vec<Value> {
    let before = scene.outbox("hq", "alice");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let new = scene.outbox("hq", "alice").into_iter().filter(|file| !before.contains(file));
    new.map(|file| scene.inspect(&["--json", "--values"], &file).expect(0).json()).collect()
}

/// What the one bundle says that the hub seals for `alice` now; `None` if there is nothing to seal.
#[track_caller]
fn sealed(scene: &Scene) -> Option<Value> {
    let mut sealed = all_sealed(scene);
    assert!(sealed.len() < 2, "{} bundles", sealed.len());
    sealed.pop()
}

/// How many records, fields and deletions the hub has for `alice` now, in however many bundles.
#[track_caller]
fn owed(scene: &Scene) -> (u64, u64, u64) {
    let sealed = all_sealed(scene);
    let sum = |what: &str| sealed.iter().map(|told| told[what].as_u64().expect("a count")).sum();
    (sum("records"), sum("fields"), sum("deletes"))
}

/// The records of a table in what a bundle says.
fn records<'a>(told: &'a Value, table: &str) -> &'a [Value] {
    let tables = told["tables"].as_array().expect("tables");
    let found = tables.iter().find(|found| found["table"] == table);
    found.and_then(|found| found["records"].as_array()).map_or(&[], Vec::as_slice)
}

/// The names of a record's fields in what a bundle says.
fn fields(record: &Value) -> Vec<&str> {
    record["fields"].as_object().expect("fields").keys().map(String::as_str).collect()
}

/// Every row of a table at a node, by type and by bytes: `quote()` cuts text at NUL.
#[track_caller]
fn bytes(scene: &Scene, node: &str, table: &str, columns: &[&str]) -> Vec<String> {
    let told: Vec<String> =
        columns.iter().map(|column| format!("typeof({column}) || ' ' || hex(CAST({column} AS BLOB))")).collect();
    let sql = format!("SELECT {} FROM {table} ORDER BY 1", told.join(" || '|' || "));
    scene.sql(node, &sql).lines().map(str::to_owned).collect()
}
