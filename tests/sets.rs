//! Sync sets: every remote has what its set holds, and nothing else.

mod again;
mod backups;
mod behind;
mod below;
mod beyond;
mod change;
mod chinook;
mod circles;
mod columns;
mod limbo;
mod moves;
mod package;
mod random;
mod returns;
mod trial;

use crate::support::{Scene, sqlite};

/// Companies with a manager, contacts and notes that follow them, and a catalogue for everybody.
const SCHEMA: &str = "
    CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT, name TEXT);
    CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER NOT NULL REFERENCES companies(id), name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts(id), text TEXT);
    CREATE TABLE products (code TEXT PRIMARY KEY, price INTEGER);
    INSERT INTO companies VALUES (1, 'alice', 'A'), (2, 'bob', 'B'), (3, NULL, 'C');
    INSERT INTO contacts VALUES (10, 1, 'Ann'), (20, 2, 'Bea'), (30, 3, 'Cal');
    INSERT INTO notes VALUES (100, 10, 'of Ann'), (200, 20, 'of Bea'), (300, 30, 'of Cal');
    INSERT INTO products VALUES ('p', 1)";

const SALES: &str = "
[[set.sales.table]]
name = \"companies\"
where = \"manager = :user\"
[[set.sales.table]]
name = \"contacts\"
follow = \"company\"
[[set.sales.table]]
name = \"notes\"
follow = \"contact\"
[[set.sales.table]]
name = \"products\"
";

/// What of each table belongs to the manager `:user`, as SQL says it.
const MEMBERS: [(&str, &str); 4] = [
    ("companies", "manager = :user"),
    ("contacts", "company IN (SELECT id FROM companies WHERE manager = :user)"),
    (
        "notes",
        "contact IN (SELECT c.id FROM contacts c JOIN companies ON companies.id = c.company WHERE manager = :user)",
    ),
    ("products", "true"),
];

/// A hub with a set in its configuration.
fn hub(schema: &str, sets: &str) -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.path("hq.db"), schema);
    scene.init();
    configure(&scene, sets);
    scene
}

/// Adds to the hub's configuration.
fn configure(scene: &Scene, more: &str) {
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, format!("{text}\n{more}")).expect("the configuration is written");
}

/// Replaces a piece of the hub's configuration, the last one that reads so: examples in comments come before.
fn reconfigure(scene: &Scene, from: &str, to: &str) {
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let at = text.rfind(from).unwrap_or_else(|| panic!("{from:?} in {text}"));
    let changed = [&text[..at], to, &text[at + from.len()..]].concat();
    std::fs::write(&config, changed).expect("the configuration is written");
}

fn join(scene: &Scene, name: &str, set: &str, params: &[&str]) {
    let params = params.iter().flat_map(|param| ["--param", *param]);
    let words: Vec<&str> = ["remote", "add", name, "--set", set].into_iter().chain(params).collect();
    scene.packhorse("hq", &words).expect(0);
    scene.pack_and_restore(name);
}

/// A hub with alice and bob, who have their own companies.
fn sales() -> Scene {
    let scene = hub(SCHEMA, SALES);
    join(&scene, "alice", "sales", &["user=alice"]);
    join(&scene, "bob", "sales", &["user=bob"]);
    scene
}

/// Lets all of them exchange everything; nothing waits or is held afterwards.
#[track_caller]
fn rest(scene: &Scene, nodes: &[&str]) {
    rest_ending(scene, nodes, &[0]);
}

/// The same; runs may end with these.
#[track_caller]
fn rest_ending(scene: &Scene, nodes: &[&str], codes: &[i32]) {
    for _ in 0..4 {
        for node in nodes {
            let run = scene.packhorse(node, &["sync"]);
            assert!(codes.contains(&run.code), "{run:#?}");
        }
    }
    for node in nodes {
        scene.is_at_rest(node);
    }
}

/// Every remote has just what its manager has at the hub.
#[track_caller]
fn each_has_its_own(scene: &Scene, remotes: &[&str]) {
    for (table, members) in MEMBERS {
        for user in remotes {
            let members = members.replace(":user", &format!("'{user}'"));
            let want = scene.sql("hq", &format!("SELECT * FROM {table} WHERE {members} ORDER BY 1"));
            let have = scene.sql(user, &format!("SELECT * FROM {table} ORDER BY 1"));
            assert_eq!(have, want, "{table} at {user}");
        }
    }
}
