//! A seed's schedule: applications write at all nodes, nodes sync when they like, and the relays lose, double and delay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{NODES, tree_of};
use crate::copies::{Part, copy};
use crate::mirror::dice::Dice;
use crate::support::{Scene, files};

pub const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, boss INTEGER REFERENCES people(id), uid TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id),
        name TEXT, phone TEXT, uid TEXT);
    CREATE TABLE rooms (id INTEGER PRIMARY KEY, home INTEGER NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
        name TEXT, phone TEXT, uid TEXT);
    CREATE TABLE keys (person INTEGER REFERENCES people(id), home INTEGER REFERENCES homes(id), name TEXT,
        PRIMARY KEY (person, home));
    CREATE INDEX homes_of ON homes (person); CREATE INDEX rooms_of ON rooms (home); CREATE INDEX staff ON people (boss);
    CREATE INDEX keys_of ON keys (home);
    INSERT INTO people VALUES (1, 'first', '', NULL, 'p0'), (2, 'second', '', 1, 'p00');
    INSERT INTO homes VALUES (1, 1, 'first', '', 'h0');
    INSERT INTO rooms VALUES (1, 1, 'first', '', 'r0');";

/// A record by its `uid`, which no two of them share; a key by those of its person and its home.
pub type Record = String;

/// What the applications wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// Every record ever made, and its table.
    pub made: BTreeMap<Record, &'static str>,
    /// Those that were deleted anywhere, or whose parent was.
    pub deleted: BTreeSet<Record>,
    /// The last value of each field; of a reference, the record that is meant.
    pub last: BTreeMap<(Record, &'static str), String>,
}

/// Which numbers the applications give at remotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Those of a range of the remote's own.
    Ranged,
    /// Those that they would give at the hub.
    AsIs,
}

const AS_IS: &str =
    "\n[table.people]\nkeys = \"as-is\"\n[table.homes]\nkeys = \"as-is\"\n[table.rooms]\nkeys = \"as-is\"\n";

/// A tree under a seed's schedule.
pub struct World {
    pub scene: Scene,
    pub written: Written,
    numbers: Numbers,
    dice: Dice,
    count: u32,
    /// Bundles that come late, or a second time.
    aside: Vec<(PathBuf, Vec<u8>)>,
    /// A backup, its node, and for how many steps this node only syncs before it is put back.
    backup: Option<(&'static str, u64)>,
}

impl World {
    /// The tree before the first step.
    pub fn new(seed: u64, numbers: Numbers) -> Self {
        let made = [("p0", "people"), ("p00", "people"), ("h0", "homes"), ("r0", "rooms")];
        let made = made.into_iter().map(|(uid, table)| (uid.to_owned(), table)).collect();
        let written = Written { made, ..Written::default() };
        let configured = if numbers == Numbers::AsIs { AS_IS } else { "" };
        let (scene, dice) = (tree_of(SCHEMA, configured, |_| ()), Dice::new(seed, 0));
        Self { scene, written, numbers, dice, count: 0, aside: Vec::new(), backup: None }
    }

    /// Goes through a schedule, and lets everything arrive that was late.
    pub fn run(&mut self, steps: u64, with_backups: bool) {
        for _ in 0..steps {
            self.step(with_backups);
        }
        if let Some((node, _)) = self.backup.take() {
            self.put_back(node);
        }
        // A node that was put back is found out when it, or its peer, has something to say.
        for node in NODES {
            self.insert_person(node);
        }
        while let Some((path, content)) = self.aside.pop() {
            std::fs::write(path, content).expect("a relay folder");
        }
    }

    /// Lets as much time pass as an application has to be quiet for records to get other numbers.
    fn rest(&self, node: &str) {
        if self.numbers == Numbers::AsIs {
            self.scene.sql(node, "UPDATE _packhorse_state SET value = value - 600000 WHERE name = 'wrote_last'");
        }
    }

    fn step(&mut self, with_backups: bool) {
        if let Some((node, steps)) = self.backup {
            match steps.checked_sub(1) {
                Some(left) => self.backup = Some((node, left)),
                None => self.put_back(node),
            }
        }
        let node = self.node();
        match self.dice.below(100) {
            0..55 => self.edit(node),
            55..80 => self.sync(node),
            80..85 => {
                self.rest(node);
                self.sync(node);
            }
            85..97 => self.disturb(),
            _ if with_backups && self.backup.is_none() => self.back_up(node),
            _ => self.sync(node),
        }
    }

    fn node(&mut self) -> &'static str {
        self.dice.pick(&NODES).expect("one of them")
    }

    fn sync(&self, node: &str) {
        let run = self.scene.packhorse(node, &["sync"]);
        assert!(run.code == 0 || run.code == 3, "{node}: {run:#?}");
    }

    /// What a node writes after its backup would be lost with it.
    fn edit(&mut self, node: &'static str) {
        if self.backup.is_some_and(|(backed_up, _)| backed_up == node) {
            return self.sync(node);
        }
        // Edits are apart in time, so that there is a last one.
        std::thread::sleep(std::time::Duration::from_millis(3));
        match self.dice.below(100) {
            0..18 => self.insert_person(node),
            18..32 => self.insert_child(node, "homes", "person", "people"),
            32..46 => self.insert_child(node, "rooms", "home", "homes"),
            46..54 => self.turn_key(node),
            54..62 => self.refer(node, "people", "boss", "people"),
            62..66 => self.refer(node, "homes", "person", "people"),
            66..70 => self.refer(node, "rooms", "home", "homes"),
            70..78 => self.delete(node),
            _ => self.change(node),
        }
    }

    fn value(&mut self) -> String {
        self.count += 1;
        format!("value {}", self.count)
    }

    fn some(&mut self, node: &str, table: &str) -> Option<Record> {
        let there = self.scene.sql(node, &format!("SELECT uid FROM {table} ORDER BY uid"));
        self.dice.pick(&there.lines().collect::<Vec<_>>()).map(str::to_owned)
    }

    /// The number of a new record: mostly the database's choice, sometimes the application's own.
    fn number(&mut self, table: &str) -> String {
        match self.dice.percent(30) {
            true => format!("(SELECT ifnull(max(id), 0) + 1 FROM {table} WHERE id < 1000000000)"),
            false => "NULL".to_owned(),
        }
    }

    fn insert_person(&mut self, node: &str) {
        let (number, name) = (self.number("people"), self.value());
        let uid = format!("{node} {}", self.count);
        self.scene.sql(node, &format!("INSERT INTO people (id, name, uid) VALUES ({number}, '{name}', '{uid}')"));
        self.note_made(uid, "people", name);
    }

    fn insert_child(&mut self, node: &str, table: &'static str, column: &'static str, parents: &str) {
        let Some(parent) = self.some(node, parents) else { return };
        let (number, name) = (self.number(table), self.value());
        let uid = format!("{node} {}", self.count);
        let sql = format!(
            "INSERT INTO {table} (id, {column}, name, uid) SELECT {number}, id, '{name}', '{uid}' FROM {parents} WHERE uid = '{parent}'"
        );
        self.scene.sql(node, &sql);
        self.written.last.insert((uid.clone(), column), parent);
        self.note_made(uid, table, name);
    }

    fn note_made(&mut self, uid: Record, table: &'static str, name: String) {
        self.written.made.insert(uid.clone(), table);
        self.written.last.insert((uid, "name"), name);
    }

    /// Makes a key, or gives it another name.
    fn turn_key(&mut self, node: &str) {
        let (Some(person), Some(home)) = (self.some(node, "people"), self.some(node, "homes")) else { return };
        let name = self.value();
        let sql = format!(
            "INSERT INTO keys SELECT people.id, homes.id, '{name}' FROM people, homes WHERE people.uid = '{person}' AND
            homes.uid = '{home}' ON CONFLICT DO UPDATE SET name = excluded.name"
        );
        self.scene.sql(node, &sql);
        let key = format!("{person}/{home}");
        self.written.made.insert(key.clone(), "keys");
        self.written.last.insert((key, "name"), name);
    }

    fn refer(&mut self, node: &str, table: &str, column: &'static str, parents: &str) {
        let (Some(child), Some(parent)) = (self.some(node, table), self.some(node, parents)) else { return };
        let of = format!("(SELECT id FROM {parents} WHERE uid = '{parent}')");
        // What writes the value that stands already is no edit, and no last word.
        let same = format!("SELECT count(*) FROM {table} WHERE uid = '{child}' AND {column} = {of}");
        if self.scene.sql(node, &same) == "1" {
            return;
        }
        self.scene.sql(node, &format!("UPDATE {table} SET {column} = {of} WHERE uid = '{child}'"));
        self.written.last.insert((child, column), parent);
    }

    fn change(&mut self, node: &str) {
        let table = self.dice.pick(&["people", "homes", "rooms"]).expect("a table");
        let column = self.dice.pick(&["name", "phone"]).expect("a column");
        let Some(uid) = self.some(node, table) else { return };
        let value = self.value();
        self.scene.sql(node, &format!("UPDATE {table} SET {column} = '{value}' WHERE uid = '{uid}'"));
        self.written.last.insert((uid, column), value);
    }

    /// Mostly a room; sometimes a home, with its rooms and keys, which another node may be using.
    fn delete(&mut self, node: &str) {
        let table = if self.dice.percent(70) { "rooms" } else { "homes" };
        let Some(uid) = self.some(node, table) else { return };
        let (rooms, keys) = (
            format!("SELECT rooms.uid FROM rooms JOIN homes ON home = homes.id WHERE homes.uid = '{uid}'"),
            format!(
                "SELECT people.uid || '/' || homes.uid FROM keys JOIN people ON people.id = keys.person
                JOIN homes ON homes.id = keys.home WHERE homes.uid = '{uid}'"
            ),
        );
        let with_it = self.scene.sql(node, &format!("{rooms}; {keys}"));
        self.written.deleted.extend(with_it.lines().filter(|_| table == "homes").map(str::to_owned));
        let keys = match table {
            "homes" => format!("DELETE FROM keys WHERE home = (SELECT id FROM homes WHERE uid = '{uid}');"),
            _ => String::new(),
        };
        self.scene.sql(node, &format!("PRAGMA foreign_keys = ON; {keys} DELETE FROM {table} WHERE uid = '{uid}'"));
        self.written.deleted.insert(uid);
    }

    fn bundles(&self) -> Vec<PathBuf> {
        let folders = ["mid", "west", "mid/alice", "mid/bob"].map(|folder| self.scene.path("relay").join(folder));
        let ways = folders.iter().flat_map(|folder| ["up", "down"].map(|way| folder.join(way)));
        ways.flat_map(|folder| files(&folder)).filter(|path| path.is_file()).collect()
    }

    fn disturb(&mut self) {
        if self.dice.percent(40) && !self.aside.is_empty() {
            let at = self.dice.below(self.aside.len() as u64) as usize;
            let (path, content) = self.aside.swap_remove(at);
            return std::fs::write(path, content).expect("a relay folder");
        }
        // Names hold random digits: what is the same for a seed is which of them.
        let Some(path) = self.dice.pick(&self.bundles()) else { return };
        let fate = self.dice.below(100);
        if fate >= 35 {
            self.aside.push((path.clone(), std::fs::read(&path).expect("a bundle")));
        }
        if fate < 70 {
            std::fs::remove_file(path).expect("a bundle");
        }
    }

    fn back_up(&mut self, node: &'static str) {
        copy(&self.scene, node, &format!("{node}-then"), Part::Both);
        self.backup = Some((node, 5 + self.dice.below(15)));
    }

    fn put_back(&mut self, node: &'static str) {
        copy(&self.scene, &format!("{node}-then"), node, Part::Both);
        self.backup = None;
    }

    /// Syncs all nodes until nothing is on its way anywhere.
    pub fn settle(&self) {
        for _ in 0..30 {
            for node in NODES {
                self.rest(node);
                self.sync(node);
            }
            if self.bundles().is_empty() && self.is_idle() {
                return;
            }
        }
        let states = NODES.map(|node| self.scene.packhorse(node, &["status"]));
        panic!("the nodes never come to rest: {:?} {states:#?}", self.bundles());
    }

    fn is_idle(&self) -> bool {
        NODES.into_iter().all(|node| {
            let status = self.scene.packhorse(node, &["status", "--json"]).json();
            let links = status["links"].as_array().expect("links");
            links.iter().all(|link| ["pending_changes", "unacknowledged"].iter().all(|what| link[what] == 0))
        })
    }
}
