//! The nodes of a random story, what they share, what was made and deleted, and what happens between edits.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::super::{configure, reconfigure};
use super::edits;
use super::shares::{PARTS, SCHEMA, Sales, TABLES};
use crate::copies::{Part, copy};
use crate::mirror::dice::Dice;
use crate::support::waiting::waits_as_alone;
use crate::support::{Scene, files, sqlite, text};

/// More than any story needs: who has not come to rest by then never does.
const ROUNDS_MAX: usize = 24;

pub struct World {
    pub scene: Scene,
    pub nodes: Vec<&'static str>,
    pub sales: Sales,
    /// What of its kind may happen.
    faults: bool,
    backups: bool,
    switches: bool,
    /// The records that were made, and those that somebody deleted or that were lost with a database.
    pub born: BTreeSet<String>,
    pub gone: BTreeSet<String>,
    kept: BTreeSet<&'static str>,
    /// Files of the relay that come back later.
    aside: Vec<(PathBuf, Vec<u8>)>,
    pub told: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 3);
        let scene = Scene::in_memory();
        sqlite(&scene.path("hq.db"), SCHEMA);
        scene.init();
        let sales = Sales { alice: "alice", notes: true, free: false };
        configure(&scene, &sales.text());
        let mut nodes = vec!["hq"];
        join(&scene, "hq", "alice", &["--set", "sales", "--param", "user=alice"]);
        join(&scene, "hq", "bob", &["--set", "sales", "--param", "user=bob"]);
        nodes.extend(["alice", "bob"]);
        let more: [(&str, &str, &[&str], u64); 4] = [
            ("hq", "carol", &[], 60),
            ("hq", "anna", &["--set", "sales", "--param", "user=alice"], 25),
            ("alice", "mia", &["--set", "parts", "--param", "part=1"], 70),
            ("alice", "max", &[], 40),
        ];
        for (hub, name, words, chance) in more {
            let fits = hub == "hq" || seed % 4 == 3;
            if dice.percent(chance) && fits {
                if name == "mia" {
                    let config = scene.home("alice").join("packhorse.toml");
                    let before = std::fs::read_to_string(&config).expect("a configuration");
                    std::fs::write(config, before + PARTS).expect("a configuration");
                }
                join(&scene, hub, name, words);
                nodes.push(name);
            }
        }
        if dice.percent(35) {
            nodes.iter().for_each(|node| crate::support::crm::set(&scene, node, "bundle_max", "1 KiB"));
        }
        let mut world = Self {
            scene,
            nodes,
            sales,
            faults: dice.percent(50),
            backups: dice.percent(40),
            switches: dice.percent(50),
            born: BTreeSet::new(),
            gone: BTreeSet::new(),
            kept: BTreeSet::new(),
            aside: Vec::new(),
            told: vec![format!("seed {seed}")],
        };
        world.born = world.uids("hq");
        world.told.push(format!("{:?}", world.nodes));
        world
    }

    pub fn step(&mut self, step: u64, dice: &mut Dice) {
        let node = dice.pick(&self.nodes).expect("nodes");
        match dice.below(100) {
            0..=29 => self.call(node, &["sync"]),
            30..=42 => {
                let words: &[&str] =
                    dice.pick(&[["transfer"].as_slice(), &["apply"], &["bundle", "--now"]]).expect("words");
                self.call(node, words);
            }
            43..=48 if self.faults => self.fault(dice),
            49..=53 if self.switches => self.switch(dice),
            54..=57 if self.backups => self.keep(node),
            58..=60 if self.backups => self.put_back(node, dice),
            61 if self.backups => self.pack_again(node),
            _ => self.edit(node, step, dice),
        }
    }

    #[track_caller]
    fn call(&mut self, node: &str, words: &[&str]) {
        self.told.push(format!("{node}: {}", words.join(" ")));
        let run = self.scene.packhorse(node, words);
        assert!([0, 3].contains(&run.code), "{run:#?}\n{}", self.told.join("\n"));
        waits_as_alone(&self.scene.database(node), &self.told.join("\n"));
    }

    fn edit(&mut self, node: &str, step: u64, dice: &mut Dice) {
        let sql = edits::edit(&self.scene, node, step, dice);
        if !self.may(node, &sql) {
            return;
        }
        self.told.push(format!("{node}: {sql}"));
        let before = self.uids(node);
        // What breaks a constraint is refused, as it is to any application.
        let whole = format!("PRAGMA foreign_keys = ON; BEGIN; {sql}; COMMIT");
        let run = self.scene.run(Command::new("sqlite3").arg("-bail").arg(self.scene.database(node)).arg(whole));
        if run.code != 0 {
            self.told.push(format!("  refused: {}", run.err.trim()));
        }
        let after = self.uids(node);
        self.born.extend(after.difference(&before).cloned());
        self.gone.extend(before.difference(&after).cloned());
        thread::sleep(Duration::from_millis(3));
    }

    /// What a node does not share it leaves alone: nobody is told of that.
    fn may(&self, node: &str, sql: &str) -> bool {
        let names = |table: &str| sql.contains(&format!("INTO {table}")) || sql.contains(&format!("UPDATE {table}"));
        let shares_all = ["hq", "carol"].contains(&node);
        let beyond = [("notes", shares_all || self.sales.notes), ("tasks", node != "mia"), ("products", node != "mia")];
        beyond.iter().all(|(table, may)| *may || !names(table))
    }

    /// Whom a node has.
    pub fn uids(&self, node: &str) -> BTreeSet<String> {
        // Two products under one code are one.
        let all: Vec<String> = TABLES[..4].iter().map(|table| format!("SELECT uid FROM {table}")).collect();
        self.scene.sql(node, &all.join(" UNION ")).lines().filter(|uid| !uid.is_empty()).map(str::to_owned).collect()
    }

    /// What only this node has may be lost with its database.
    fn lose(&mut self, node: &str) {
        let others: BTreeSet<String> =
            self.nodes.iter().filter(|other| **other != node).flat_map(|other| self.uids(other)).collect();
        self.gone.extend(self.uids(node).difference(&others).cloned());
    }

    fn fault(&mut self, dice: &mut Dice) {
        if dice.percent(30) && !self.aside.is_empty() {
            return self.bring_back();
        }
        let mut found: Vec<PathBuf> = Vec::new();
        for node in &self.nodes {
            for way in ["up", "down"] {
                found.extend(files(&self.scene.path("relay").join(node).join(way)));
            }
        }
        let Some(file) = dice.pick(&found) else { return };
        let (name, what) = (file.file_name().expect("a name").to_owned(), dice.below(3));
        self.told.push(format!("{name:?} is {}", ["lost", "late", "doubled"][what as usize]));
        if what > 0 {
            self.aside.push((file.clone(), std::fs::read(&file).expect("a bundle")));
        }
        if what < 2 {
            std::fs::remove_file(file).expect("a bundle");
        }
    }

    fn bring_back(&mut self) {
        self.told.push("what was late comes".to_owned());
        for (path, bytes) in std::mem::take(&mut self.aside) {
            std::fs::write(path, bytes).expect("a bundle");
        }
    }

    fn switch(&mut self, dice: &mut Dice) {
        let before = self.sales;
        // A hub between that has a table no more is silent on it to those behind.
        let is_tree = self.nodes.iter().any(|node| ["mia", "max"].contains(node));
        match dice.below(3) {
            1 if is_tree => return,
            0 => self.sales.alice = if before.alice == "alice" { "bob" } else { "alice" },
            1 => self.share_notes(!before.notes),
            _ => self.sales.free = !before.free,
        }
        self.told.push(format!("{:?}", self.sales));
        reconfigure(&self.scene, &before.text(), &self.sales.text());
        reconfigure(&self.scene, &before.of_alice(), &self.sales.of_alice());
    }

    /// What was made of a table that is shared no more, and has not been told yet, is refused by the hub.
    fn share_notes(&mut self, shared: bool) {
        let of = |node: &&str| self.scene.sql(node, "SELECT uid FROM notes").lines().map(str::to_owned).collect();
        let all: BTreeSet<String> = self.nodes.iter().flat_map(|node| -> Vec<String> { of(node) }).collect();
        let told: Vec<String> = of(&"hq");
        self.gone.extend(all.into_iter().filter(|uid| !told.contains(uid)));
        self.sales.notes = shared;
    }

    fn keep(&mut self, node: &'static str) {
        self.told.push(format!("{node} is kept"));
        self.scene.sql(node, "PRAGMA wal_checkpoint(TRUNCATE)");
        copy(&self.scene, node, &format!("{node}-kept"), Part::Both);
        self.kept.insert(node);
    }

    fn put_back(&mut self, node: &str, dice: &mut Dice) {
        if !self.kept.contains(node) {
            return;
        }
        let part = if dice.percent(70) { Part::Database } else { Part::Both };
        self.told.push(format!("{node} is put back: {part:?}"));
        self.lose(node);
        let config = self.scene.home(node).join("packhorse.toml");
        let now = std::fs::read(&config).expect("a configuration");
        copy(&self.scene, &format!("{node}-kept"), node, part);
        std::fs::write(config, now).expect("a configuration");
    }

    fn pack_again(&mut self, node: &'static str) {
        let hub = match node {
            "hq" => return,
            "alice" if self.nodes.iter().any(|other| ["mia", "max"].contains(other)) => return,
            "mia" | "max" => "alice",
            _ => "hq",
        };
        self.told.push(format!("{node} gets a new package"));
        self.lose(node);
        self.kept.remove(node);
        let config = std::fs::read_to_string(self.scene.home(node).join("packhorse.toml")).expect("a configuration");
        std::fs::remove_dir_all(self.scene.home(node)).expect("a home");
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.scene.path(&format!("{node}.db{ending}")));
        }
        restore(&self.scene, hub, node);
        if config.contains("\nbundle_max") {
            crate::support::crm::set(&self.scene, node, "bundle_max", "1 KiB");
        }
    }

    /// Lets everybody speak until nobody has anything to say.
    pub fn come_to_rest(&mut self) {
        self.bring_back();
        self.told.push("all come to rest".to_owned());
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            for node in self.nodes.clone() {
                let run = self.scene.packhorse(node, &["sync"]);
                assert!([0, 3].contains(&run.code), "{run:#?}\n{}", self.told.join("\n"));
            }
            quiet = if self.restless().is_none() { quiet + 1 } else { 0 };
            if quiet == 2 {
                return;
            }
        }
        panic!("{:#?}\n{}", self.restless(), self.told.join("\n"));
    }

    /// A link of somebody who has something to say.
    fn restless(&self) -> Option<String> {
        self.nodes.iter().find_map(|node| {
            let status = self.scene.packhorse(node, &["status", "--json"]).expect(0).json();
            let links = status["links"].as_array().cloned().unwrap_or_default();
            let waits = |link: &serde_json::Value| {
                ["pending_changes", "unacknowledged"].iter().any(|what| link[what] != 0)
                    || link["outbox"]["bundles"] != 0
            };
            links.iter().find(|link| waits(link)).map(|link| format!("{node}: {link}"))
        })
    }
}

fn join(scene: &Scene, hub: &str, name: &str, words: &[&str]) {
    scene.packhorse(hub, &[&["remote", "add", name], words].concat()).expect(0);
    restore(scene, hub, name);
}

fn restore(scene: &Scene, hub: &str, name: &str) {
    let (package, database) = (scene.path(&format!("{name}.rdb")), scene.database(name));
    let _ = std::fs::remove_file(&package);
    scene.packhorse(hub, &["remote", "pack", name, "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
}
