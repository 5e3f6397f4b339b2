//! What must be so once everybody has come to rest.

use super::shares::{TABLES, rows_of_part};
use super::world::World;

pub fn judge(world: &World) {
    let told = world.told.join("\n");
    for node in &world.nodes {
        let sound = world.scene.sql(node, "PRAGMA foreign_key_check; PRAGMA integrity_check");
        assert_eq!(sound, "ok", "{node}: {told}");
    }
    let held: Vec<String> = world.nodes.iter().flat_map(|node| held(world, node)).collect();
    // Two who were given one badge at two nodes are a person's to decide.
    let (waits, other): (Vec<&String>, Vec<&String>) = held.iter().partition(|held| held.contains("must be unique"));
    assert!(!waits.is_empty() || other.is_empty(), "{held:#?}\n{told}");
    if !waits.is_empty() {
        return;
    }
    let there = world.uids("hq");
    let vanished: Vec<_> =
        world.born.iter().filter(|uid| !there.contains(*uid) && !world.gone.contains(*uid)).collect();
    assert!(vanished.is_empty(), "{vanished:?} are gone\n{told}");
    for node in &world.nodes[1..] {
        has_its_own(world, node, &told);
    }
}

fn held(world: &World, node: &str) -> Vec<String> {
    let held = world.scene.packhorse(node, &["held", "list", "--json"]).json();
    held.as_array().expect("a list").iter().map(|held| format!("{node}: {held}")).collect()
}

fn has_its_own(world: &World, node: &str, told: &str) {
    for table in TABLES {
        let (hub, sql) = match node {
            "carol" => ("hq", format!("SELECT * FROM {table} ORDER BY 1")),
            "max" => ("alice", format!("SELECT * FROM {table} ORDER BY 1")),
            "mia" => ("alice", rows_of_part(table)),
            "alice" => ("hq", world.sales.rows_of(table, world.sales.alice)),
            "anna" => ("hq", world.sales.rows_of(table, "alice")),
            _ => ("hq", world.sales.rows_of(table, node)),
        };
        let want = world.scene.sql(hub, &sql);
        let have = world.scene.sql(node, &format!("SELECT * FROM {table} ORDER BY 1"));
        assert_eq!(have, want, "{table} at {node} and as its set has it at {hub}\n{told}");
        let is_synced = format!("SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_m_{table}'");
        if world.scene.sql(node, &is_synced) == "1" {
            knows_no_other(world, (hub, node), table, told);
        }
    }
}

/// Nothing is kept of a record that is another's.
fn knows_no_other(world: &World, (hub, node): (&str, &str), table: &str, told: &str) {
    let key = if table == "products" { "code" } else { "id" };
    let orphans = format!("SELECT k1 FROM _packhorse_m_{table} WHERE k1 NOT IN (SELECT {key} FROM {table})");
    assert_eq!(world.scene.sql(node, &orphans), "", "marks of {table} at {node}\n{told}");
    let mine = world.scene.sql(node, &format!("SELECT uid FROM {table}"));
    let all = world.scene.sql(hub, &format!("SELECT uid FROM {table}"));
    for uid in all.lines().filter(|uid| !uid.is_empty() && mine.lines().all(|mine| mine != *uid)) {
        // What died while it was shared has its values until it is forgotten, even if it was brought back elsewhere.
        let left = format!(
            "SELECT k1 FROM _packhorse_t_{table} WHERE instr(remains, CAST('{uid}' AS BLOB)) > 0 \
             AND substr(remains, 1, 1) <> x'01'"
        );
        let left = world.scene.sql(node, &left);
        assert_eq!(left, "", "{node} keeps something of {uid} of {table}\n{told}");
    }
}
