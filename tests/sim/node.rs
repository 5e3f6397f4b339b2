//! A node of the simulation: its folder with a database and a home, its clock, and how its program is run.

use std::fs;
use std::path::{Path, PathBuf};

use packhorse::Ran;
use rusqlite::Connection;
use simulated_machine::{clock, fate, is_at_risk};

use crate::application;
use crate::cast::BEGIN;
use crate::ids::{At, Millis};
use crate::machinery;
use crate::shares::Share;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// Its hub.
    pub hub: Option<At>,
    /// What it shares with its hub.
    pub share: Share,
    /// Where it is.
    pub folder: PathBuf,
    /// How far its clock was off when the story began, or has been set by since, in milliseconds.
    pub offset: i64,
    /// How much its clock gains, in millionths; negative, how much it loses.
    pub rate: i64,
    /// How many calls that can fail its last run made.
    pub calls: u64,
    /// How many calls that only read it made.
    pub readings: u64,
    /// Whether its last run was killed.
    pub died: bool,
}

impl Node {
    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("app.db")
    }

    /// Its home.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// What its clock shows.
    pub fn time(&self, now: Millis) -> Millis {
        Millis(now.0.saturating_add_signed(self.offset + self.drift(now)))
    }

    /// What its clock has gained since the story began.
    fn drift(&self, now: Millis) -> i64 {
        let since = i64::try_from(now.0.saturating_sub(BEGIN.0)).expect("no story is so long");
        since * self.rate / 1_000_000
    }

    /// Its clock is set, so that it is off by so much now. It stays as fast as it is.
    pub fn set_clock(&mut self, off: i64, now: Millis) {
        self.offset = off - self.drift(now);
    }

    /// Opens its database as the application does.
    pub fn open(&self) -> Connection {
        application::open(&self.database()).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", self.name))
    }

    /// The application wants a rollback journal.
    pub fn keep_journal(&self) {
        self.open().execute_batch("PRAGMA journal_mode = DELETE").expect("nobody else is at work");
    }

    /// Whether its database has a write-ahead log.
    pub fn has_log(&self) -> bool {
        self.folder.join("app.db-wal").exists()
    }

    /// Whether a power cut could take back what can be read in its database: the wait for the disk failed at the end of a commit.
    pub fn is_at_risk(&self) -> bool {
        let log = self.folder.join("app.db-wal");
        is_at_risk(&self.folder.join("app.db-journal")) || (log.exists() && is_at_risk(&log))
    }

    /// Whether nothing that its application wrote waits to be harvested.
    pub fn has_empty_log(&self) -> bool {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM _packhorse_log)";
        self.open().query_row(sql, [], |row| row.get(0)).expect("a log")
    }

    /// Runs a command.
    pub fn run(&mut self, words: &[&str], now: Millis) -> Ran {
        clock::set(self.time(now).0);
        fate::begin();
        let ran = self.run_within(words);
        (self.calls, self.readings, self.died) = (fate::calls(), fate::readings(), fate::is_dead());
        fate::end();
        ran
    }

    /// Runs a command in the middle of another run, at the time that it is there, as a part of what befalls that one.
    pub fn run_within(&self, words: &[&str]) -> Ran {
        let home = self.home();
        let mut typed = vec!["--home".to_owned(), home.to_string_lossy().into_owned()];
        typed.extend(words.iter().map(|word| (*word).to_owned()));
        packhorse::run(&typed, machinery::machine())
    }

    /// Changes the text of its configuration, as a person does with an editor.
    pub fn edit_config(&self, change: impl FnOnce(String) -> String) {
        let path = self.home().join("packhorse.toml");
        let words = fs::read_to_string(&path).expect("a configuration");
        fs::write(path, change(words)).expect("a configuration");
    }
}

/// Which parts of a node a copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The database.
    Database,
    /// The home.
    Home,
    /// Both.
    Both,
}

impl Part {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Database, Self::Home, Self::Both];

    /// Puts a part of a copy in the place of what is there. No connection is open.
    pub fn put_back(self, copy: &Path, node: &Node) {
        if self != Self::Home {
            for ending in ["", "-wal", "-shm", "-journal"] {
                let name = format!("app.db{ending}");
                let _ = fs::remove_file(node.folder.join(&name));
                if copy.join(&name).exists() {
                    fs::copy(copy.join(&name), node.folder.join(&name)).expect("copied");
                }
            }
        }
        if self != Self::Database {
            let config = fs::read(node.home().join("packhorse.toml")).expect("a configuration");
            fs::remove_dir_all(node.home()).expect("the home goes");
            copy_folder(&copy.join("home"), &node.home());
            fs::write(node.home().join("packhorse.toml"), config).expect("a configuration");
        }
    }
}

/// Copies a folder.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// The files of a folder and of those in it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect();
    all.sort();
    all
}
