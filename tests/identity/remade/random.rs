//! Random stories of records that are deleted and whose numbers are given again, with all that bears these numbers or refers
//! to them: whatever happens, everybody comes to rest, and all are equal unless a person is asked for.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::super::{stories, tree};
use super::NODES;
use crate::mirror::dice::Dice;
use crate::support::{Scene, sqlite};

const SCHEMA: &str = "
    CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE ext (id INTEGER PRIMARY KEY REFERENCES p(id) ON DELETE CASCADE, n TEXT);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE, t TEXT);
    CREATE TABLE k (p INTEGER REFERENCES p(id) ON DELETE CASCADE, w TEXT, n TEXT, PRIMARY KEY (p, w));
    INSERT INTO p VALUES (1, 'g1'), (2, 'g2'); INSERT INTO ext VALUES (1, 'x1'); INSERT INTO c VALUES (1, 1, 'c1');
    INSERT INTO k VALUES (2, 'a', 'k')";

const TABLES: [&str; 4] = ["p", "ext", "c", "k"];

#[test]
fn whatever_is_deleted_and_made_again_comes_to_rest() {
    (0..12).for_each(play);
}

#[test]
#[ignore = "takes long: hundreds of seeds"]
fn whatever_is_deleted_and_made_again_comes_to_rest_in_hundreds_of_stories() {
    stories::seeds("REMADE").for_each(play);
}

fn play(seed: u64) {
    let (scene, nodes) = match seed % 4 {
        0 => (tree::tree_with(SCHEMA, |_| ()), tree::NODES.as_slice()),
        _ => (three(), NODES.as_slice()),
    };
    let mut dice = Dice::new(seed, 5);
    let mut told = Vec::new();
    for step in 0..8 + dice.below(18) {
        let node = dice.pick(nodes).expect("nodes");
        if dice.percent(35) {
            told.push(format!("{node} syncs"));
            stories::sync(&scene, node);
            continue;
        }
        let sql = edit(&scene, node, step, &mut dice);
        told.push(format!("{node}: {sql}"));
        // What breaks a constraint is refused, as it is to any application.
        let sql = format!("PRAGMA foreign_keys = ON; {sql}");
        scene.run(Command::new("sqlite3").arg("-bail").arg(scene.database(node)).arg(&sql));
        sleep(Duration::from_millis(3));
    }
    for _ in 0..7 {
        nodes.iter().for_each(|node| drop(stories::sync(&scene, node)));
    }
    stories::judge(&scene, nodes, &TABLES, &format!("seed {seed}:\n{}", told.join("\n")));
}

fn three() -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.path("hq.db"), SCHEMA);
    scene.init();
    NODES[1..].iter().for_each(|node| scene.remote(node));
    scene
}

fn edit(scene: &Scene, node: &str, step: u64, dice: &mut Dice) -> String {
    let all = sqlite(&scene.database(node), "SELECT id FROM p ORDER BY id");
    let one = dice.pick(&all.lines().collect::<Vec<_>>()).unwrap_or("1").to_owned();
    let name = format!("{node} {step}");
    match dice.below(8) {
        0..=1 => format!("INSERT INTO p (name) VALUES ('{name}')"),
        2 => format!("UPDATE p SET name = '{name}' WHERE id = {one}"),
        3 => format!("DELETE FROM p WHERE id = {one}"),
        4 => format!("DELETE FROM p WHERE id = {one}; INSERT INTO p VALUES ({one}, '{name}, again')"),
        5 => format!("INSERT OR IGNORE INTO ext VALUES ({one}, '{name}')"),
        6 => format!("INSERT INTO c (p, t) VALUES ({one}, '{name}')"),
        _ => format!("INSERT OR IGNORE INTO k VALUES ({one}, '{}', '{name}')", ["a", "b"][dice.below(2) as usize]),
    }
}
