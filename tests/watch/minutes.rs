//! Minutes of real time: services on a hub and three remotes, killed at random, and nothing but edits by another program.

use std::time::{Duration, Instant};

use super::QUICK;
use crate::support::Scene;
use crate::support::service::{Service, until};

/// For how long edits are made.
const EDITING: Duration = Duration::from_secs(100);
const NODES: [&str; 4] = ["hq", "north", "south", "field"];
/// The seed: a failure is met again with the same edits, though not at the same moments.
const SEED: u64 = 6_028_173;

const SCHEMA: &str = "
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, manager TEXT, city TEXT);
CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, company INTEGER NOT NULL REFERENCES companies(id), name TEXT,
    phone TEXT);
CREATE TABLE prices (code TEXT PRIMARY KEY, amount INTEGER);
INSERT INTO companies SELECT value, 'company ' || value, CASE value % 2 WHEN 0 THEN 'north' ELSE 'south' END, 'city'
    FROM generate_series(1, 20);
INSERT INTO contacts (company, name) SELECT value % 20 + 1, 'contact ' || value FROM generate_series(1, 60);
INSERT INTO prices SELECT 'p' || value, value FROM generate_series(1, 30)";

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn network() -> Scene {
    let scene = Scene::hub(SCHEMA);
    let sales = ["set", "add", "sales", "--table", "companies", "--where", "manager = :user"];
    let follows = ["--table", "contacts", "--follow", "company", "--table", "prices"];
    scene.packhorse("hq", &[&sales[..], &follows].concat()).expect(0);
    for remote in ["north", "south"] {
        let user = format!("user={remote}");
        scene.packhorse("hq", &["remote", "add", remote, "--set", "sales", "--param", &user]).expect(0);
        scene.pack_and_restore(remote);
    }
    scene.remote("field");
    scene
}

/// One edit by SQLite's shell, which waits for whoever writes.
fn edit(scene: &Scene, dice: &mut Dice, node: &str, number: u64) {
    let any = |table: &str| format!("(SELECT rowid FROM {table} ORDER BY random() LIMIT 1)");
    let (company, contact, price) = (any("companies"), any("contacts"), any("prices"));
    let manager = ["'north'", "'south'", "NULL"][dice.below(3) as usize];
    let sql = match dice.below(if node == "hq" { 8 } else { 7 }) {
        0 => format!("UPDATE companies SET city = 'city {number}' WHERE rowid = {company}"),
        1 | 2 => format!("UPDATE contacts SET phone = 'phone {number}' WHERE rowid = {contact}"),
        3 => format!("UPDATE contacts SET name = 'name {number}' WHERE rowid = {contact}"),
        4 => format!("UPDATE prices SET amount = {number} WHERE rowid = {price}"),
        5 => format!(
            "INSERT INTO contacts (company, name) SELECT id, 'made {number}' FROM companies WHERE rowid = {company}"
        ),
        6 => format!("DELETE FROM contacts WHERE rowid = {contact} AND name LIKE 'made%'"),
        _ => format!("UPDATE companies SET manager = {manager} WHERE rowid = {company}"),
    };
    scene.sql(node, &format!("PRAGMA foreign_keys = ON; {sql}"));
}

/// The rows of a remote's set, and those that it holds.
fn sides(scene: &Scene, remote: &str, table: &str) -> (String, String) {
    let mine = format!("manager = '{remote}'");
    let filter = match (remote, table) {
        ("field", _) | (_, "prices") => "1".to_owned(),
        (_, "companies") => mine,
        _ => format!("company IN (SELECT id FROM companies WHERE {mine})"),
    };
    let rows = |node: &str, filter: &str| scene.sql(node, &format!("SELECT * FROM {table} WHERE {filter} ORDER BY 1"));
    (rows("hq", &filter), rows(remote, "1"))
}

fn is_settled(scene: &Scene) -> bool {
    let is_open = |node: &&str| {
        let status = scene.packhorse(node, &["status", "--json"]).json();
        let links = status["links"].as_array().expect("links").clone();
        links.iter().any(|link| ["pending_changes", "unacknowledged"].iter().any(|what| link[*what] != 0))
    };
    let equal = |remote: &&str| {
        ["companies", "contacts", "prices"].iter().all(|table| {
            let (want, have) = sides(scene, remote, table);
            want == have
        })
    };
    !NODES.iter().any(is_open) && NODES[1..].iter().all(equal)
}

#[test]
fn after_minutes_of_edits_and_kills_every_remote_equals_its_set() {
    let scene = network();
    let mut services = NODES.map(|node| Service::start(&scene, node, &QUICK));
    let (mut dice, began, mut number) = (Dice(SEED), Instant::now(), 0);
    while began.elapsed() < EDITING {
        number += 1;
        let at = dice.below(NODES.len() as u64) as usize;
        edit(&scene, &mut dice, NODES[at], number);
        if dice.below(40) == 0 {
            services[at].kill();
            services[at] = Service::start(&scene, NODES[at], &QUICK);
        }
        std::thread::sleep(Duration::from_millis(dice.below(400)));
    }
    until("every remote equals its set and nothing is under way", || is_settled(&scene));
    for (service, node) in services.into_iter().zip(NODES) {
        let log = service.log();
        assert_eq!(service.stop(), 0, "{node}: {log}");
        assert!(!log.contains("ERROR"), "{node}: {log}");
        scene.is_at_rest(node);
    }
    assert!(number > 100, "{number} edits");
}
