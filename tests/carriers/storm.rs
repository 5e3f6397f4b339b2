//! A hub and three laptops over every kind of server, edited, killed and cut off at random; in the end all are equal and
//! nothing that was written is missing.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use packhorse_shared::seam::Step;

use super::office::Office;
use crate::support::servers::Kind;

const SCHEMA: &str = "
    CREATE TABLE firms (id INTEGER PRIMARY KEY, uid TEXT NOT NULL);
    CREATE TABLE people (id INTEGER PRIMARY KEY, firm INTEGER NOT NULL REFERENCES firms(id), uid TEXT NOT NULL,
        hq TEXT, alice TEXT, bob TEXT, carol TEXT);
    INSERT INTO firms SELECT value, 'f' || value FROM generate_series(1, 5);
    INSERT INTO people SELECT value, 1 + value % 5, 'p' || value, NULL, NULL, NULL, NULL FROM generate_series(1, 30)";

const NODES: [&str; 4] = ["hq", "alice", "bob", "carol"];

/// A generator of numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("a small number") % limit
    }
}

struct Storm {
    office: Office,
    dice: Dice,
    /// What each person's column was given last, by uid and by the node that alone writes it.
    written: BTreeMap<(String, &'static str), String>,
    /// Who was made.
    uids: Vec<String>,
}

impl Storm {
    fn edit(&mut self) {
        let node = NODES[self.dice.below(4)];
        let number = self.dice.below(1_000_000_000);
        if self.dice.below(3) == 0 {
            let uid = format!("{node}{number}");
            self.office.scene.sql(
                node,
                &format!(
                    "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO firms (uid) VALUES ('f{uid}');
                     INSERT INTO people (firm, uid) VALUES (last_insert_rowid(), '{uid}'); COMMIT"
                ),
            );
            self.uids.push(uid);
        } else {
            let uid = format!("p{}", 1 + self.dice.below(30));
            let value = format!("{number} {}", "x".repeat(self.dice.below(3_000)));
            self.office.scene.sql(node, &format!("UPDATE people SET {node} = '{value}' WHERE uid = '{uid}'"));
            self.written.insert((uid, node), value);
        }
    }

    /// A run that is killed at a step or at some time, or whose connections are lost, or that is left in peace.
    fn run(&mut self) {
        let node = NODES[self.dice.below(4)];
        let mut command = self.office.command(node, &["sync"]);
        match self.dice.below(4) {
            0 => {
                let step = Step::ALL[self.dice.below(Step::ALL.len())];
                let kill = format!("{}:{}=kill", step.name(), 1 + self.dice.below(2));
                command.env("PACKHORSE_FAULT", kill);
            }
            1 => command = self.office.command(node, &["transfer", "--for", "300ms"]),
            _ => {}
        }
        let run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut run = run.expect("a run");
        let after = Duration::from_millis(self.dice.below(400) as u64);
        match self.dice.below(4) {
            0 => {
                sleep(after);
                self.office.server.cut();
            }
            1 => {
                sleep(after);
                // It may have ended.
                let _ = run.kill();
            }
            _ => {}
        }
        run.wait().expect("a run");
    }

    /// How often everybody has to speak until nobody has anything to say.
    fn settle(&self) {
        for _ in 0..8 {
            NODES.iter().rev().for_each(|node| drop(self.office.run(node, &["sync"])));
        }
        NODES.iter().for_each(|node| drop(self.office.run(node, &["sync"]).expect(0)));
    }

    fn is_well(&self) {
        let scene = &self.office.scene;
        for node in &NODES[1..] {
            scene.same("firms", "hq", node);
            scene.same("people", "hq", node);
            scene.is_at_rest(node);
        }
        for ((uid, column), value) in &self.written {
            let found = scene.sql("hq", &format!("SELECT {column} FROM people WHERE uid = '{uid}'"));
            assert_eq!(found, *value, "{uid}, as {column} wrote it");
        }
        for uid in &self.uids {
            let found = format!(
                "SELECT count(*) FROM people JOIN firms ON firm = firms.id WHERE people.uid = '{uid}' AND firms.uid = 'f{uid}'"
            );
            assert_eq!(scene.sql("hq", &found), "1", "{uid} is there once, with whom it was made for");
        }
    }
}

fn storm(kind: Kind, seed: u64, events: usize) {
    let Some(office) = Office::with(kind, SCHEMA, &NODES[1..]) else { return };
    let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut storm = Storm { office, dice, written: BTreeMap::new(), uids: Vec::new() };
    for _ in 0..events {
        if storm.dice.below(2) == 0 { storm.edit() } else { storm.run() }
    }
    storm.settle();
    storm.is_well();
}

fn storms(first: u64, seeds: u64, events: usize) {
    for seed in first..first + seeds {
        for kind in Kind::ALL {
            let done = std::panic::catch_unwind(|| storm(kind, seed, events));
            assert!(done.is_ok(), "seed {seed} over {kind:?}");
        }
    }
}

#[test]
fn a_hub_and_three_laptops_end_equal_over_every_kind_of_server_killed_and_cut_at_random() {
    storms(1, 1, 50);
}

#[test]
#[ignore = "many storms: some minutes"]
fn they_end_equal_after_many_storms() {
    let number = |name, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    storms(number("PACKHORSE_STORM_FIRST", 100), number("PACKHORSE_STORM_SEEDS", 5), 80);
}
