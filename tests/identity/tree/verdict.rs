//! What must be so of a tree that has come to rest, whatever happened.

use std::collections::BTreeMap;

use super::NODES;
use super::driver::{Record, World};

const TABLES: [&str; 4] = ["people", "homes", "rooms", "keys"];

/// Of each record that is there: `uid`, column and value; of a reference the record that it means.
const FIELDS: &str = "
    SELECT p.uid, 'name', p.name FROM people p UNION ALL SELECT p.uid, 'phone', ifnull(p.phone, '') FROM people p
    UNION ALL SELECT p.uid, 'boss', ifnull(b.uid, '') FROM people p LEFT JOIN people b ON b.id = p.boss
    UNION ALL SELECT h.uid, 'name', h.name FROM homes h UNION ALL SELECT h.uid, 'phone', ifnull(h.phone, '') FROM homes h
    UNION ALL SELECT h.uid, 'person', p.uid FROM homes h JOIN people p ON p.id = h.person
    UNION ALL SELECT r.uid, 'name', r.name FROM rooms r UNION ALL SELECT r.uid, 'phone', ifnull(r.phone, '') FROM rooms r
    UNION ALL SELECT r.uid, 'home', h.uid FROM rooms r JOIN homes h ON h.id = r.home
    UNION ALL SELECT p.uid || '/' || h.uid, 'name', k.name FROM keys k JOIN people p ON p.id = k.person JOIN homes h ON h.id = k.home";

/// Checks a tree; says what is wrong.
pub fn of(world: &World) -> Result<(), String> {
    for node in NODES {
        sound(world, node)?;
        for table in TABLES {
            let (root, here) = (world.scene.rows("hq", table), world.scene.rows(node, table));
            if root != here {
                let apart =
                    |a: &[String], b: &[String]| a.iter().filter(|row| !b.contains(row)).cloned().collect::<Vec<_>>();
                return Err(format!(
                    "{table} differs: hq alone has {:#?}, {node} alone has {:#?}",
                    apart(&root, &here),
                    apart(&here, &root)
                ));
            }
        }
    }
    all_there(world)
}

fn sound(world: &World, node: &str) -> Result<(), String> {
    let found = world.scene.sql(node, "PRAGMA foreign_key_check; PRAGMA integrity_check");
    if found != "ok" {
        return Err(format!("{node}: {found}"));
    }
    let status = world.scene.packhorse(node, &["status", "--json"]).json();
    let open = |link: &serde_json::Value| ["held", "quarantined"].iter().any(|what| link[what] != 0);
    if status["links"].as_array().expect("links").iter().any(open) {
        return Err(format!("{node}: something is held: {status}"));
    }
    for table in ["people", "homes", "rooms"] {
        let provisional = world.scene.sql(node, &format!("SELECT id, uid FROM {table} WHERE id >= 1000000000"));
        if !provisional.is_empty() {
            return Err(format!("{node}: {table} was not confirmed: {provisional}"));
        }
    }
    Ok(())
}

/// Nobody has vanished, nobody is there twice, and the last word on each field stands.
fn all_there(world: &World) -> Result<(), String> {
    let mut here: BTreeMap<(Record, String), String> = BTreeMap::new();
    for line in world.scene.sql("hq", FIELDS).lines() {
        let mut parts = line.split('|').map(str::to_owned);
        let (uid, column) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let value = parts.next().unwrap_or_default();
        if let Some(other) = here.insert((uid.clone(), column.clone()), value.clone()) {
            return Err(format!("{uid} is there twice: {column} is {other} and {value}"));
        }
    }
    let written = &world.written;
    for (uid, table) in written.made.iter().filter(|(uid, _)| !written.deleted.contains(*uid)) {
        if !here.contains_key(&(uid.clone(), "name".to_owned())) {
            return Err(format!("{uid} of {table} has vanished"));
        }
    }
    for ((uid, column), value) in written.last.iter().filter(|((uid, _), _)| !written.deleted.contains(uid)) {
        let found = here.get(&(uid.clone(), (*column).to_owned()));
        if found != Some(value) {
            return Err(format!("{column} of {uid} is {found:?}, the last word was {value}"));
        }
    }
    Ok(())
}
