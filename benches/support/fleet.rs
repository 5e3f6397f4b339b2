//! A hub with many remotes, made with the program itself: half of them share everything, half a set with a value of
//! their own, each value two of them; bundles for all of them in the outboxes, some in the inbox, some in quarantine.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;

const BINARY: &str = env!("CARGO_BIN_EXE_packhorse");

/// Companies, each with a contact; the set of a salesman has his companies, their contacts and the news.
const SCHEMA: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT, name TEXT);
    CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER REFERENCES companies (id), name TEXT, phone TEXT);
    CREATE TABLE news (id INTEGER PRIMARY KEY, title TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO companies SELECT i, 'u' || (i % 250), 'Company ' || i FROM n;
    INSERT INTO contacts SELECT id, id, 'Contact ' || id, '555 ' || id FROM companies;
    INSERT INTO news VALUES (1, 'Welcome')";

/// How many of a hundred bundles lie in the inbox, and as many in quarantine.
const PERCENT_IN_INBOX: u64 = 5;

/// A hub in a folder of its own.
pub struct Fleet {
    folder: PathBuf,
    remotes: u64,
}

impl Fleet {
    /// A hub with as many remotes, each of which has a package and no bundle yet.
    pub fn make(folder: &Path, remotes: u64) -> Self {
        let fleet = Self { folder: folder.to_owned(), remotes };
        fs::create_dir_all(folder.join("relay")).expect("a folder for the relay");
        fleet.sql(SCHEMA);
        let (database, relay) = (fleet.path("hub.db"), fleet.path("relay"));
        fleet.run(
            Command::new(BINARY).args(["init", "--name", "hq", "--database"]).arg(database).arg("--relay").arg(relay),
        );
        let set = "set add sales --table companies --where";
        let with = "--table contacts --follow company --table news";
        fleet.run(fleet.command(set).arg("manager = :user").args(with.split(' ')));
        fleet.add_remotes();
        fleet.packhorse(&format!("remote pack --all --no-passphrase -o {}", fleet.path("packages").display()));
        fs::remove_dir_all(fleet.path("packages")).expect("packages that nobody wants");
        fleet
    }

    /// Puts so many bundles for each remote into the queue. The ledger knows them all.
    pub fn fill(&self, for_each: u64) {
        let all = self.remotes * for_each;
        let arriving = all * PERCENT_IN_INBOX / 100;
        for round in 0..(all - 2 * arriving).div_ceil(self.remotes.max(1)) {
            self.edit(round);
            self.packhorse("bundle --now");
        }
        // What is no bundle goes into quarantine; what lies there afterwards waits to be looked at.
        (0..arriving).for_each(|number| self.arrives(number));
        self.packhorse("apply");
        (arriving..2 * arriving).for_each(|number| self.arrives(number));
        self.packhorse("bundle");
    }

    /// Changes a record that everybody shares.
    pub fn edit(&self, round: u64) {
        self.sql(&format!("UPDATE news SET title = 'round {round}'"));
    }

    /// Changes as many records, which wait to be sealed then.
    pub fn leave_waiting(&self) {
        self.sql("UPDATE contacts SET phone = phone || '0'");
        self.packhorse("bundle");
    }

    /// One of the remotes.
    pub fn some_remote(&self) -> String {
        name(self.remotes / 2)
    }

    /// Runs the program on the hub. It may end with what a person ought to know (3).
    pub fn packhorse(&self, words: &str) -> Output {
        self.run(&mut self.command(words))
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--home").arg(self.path("hub.db.packhorse")).args(words.split(' '));
        command
    }

    fn run(&self, command: &mut Command) -> Output {
        let output = command.output().expect("the program runs");
        let done = matches!(output.status.code(), Some(0 | 3));
        assert!(done, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Into the configuration at once, which is as good as one by one.
    fn add_remotes(&self) {
        let path = self.path("hub.db.packhorse").join("packhorse.toml");
        let mut text = fs::read_to_string(&path).expect("a configuration");
        for number in 0..self.remotes {
            let remote = name(number);
            let shares = match number % 2 {
                0 => "set = \"everything\"".to_owned(),
                _ => format!("set = \"sales\"\nparams = {{ user = \"u{}\" }}", number / 2 % 250),
            };
            write!(text, "\n[remote.{remote}]\n{shares}\n").expect("text");
        }
        fs::write(path, text).expect("a configuration");
    }

    fn arrives(&self, number: u64) {
        let remote = name(number % self.remotes.max(1));
        let file = format!("{remote}.hq.00000001.{:06}.{number:016x}.bundle", 1 + number);
        fs::write(self.path("hub.db.packhorse").join("inbox").join(file), "no bundle").expect("a file");
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.path("hub.db")).expect("a database").execute_batch(sql).expect("statements");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn name(number: u64) -> String {
    format!("r{number:04}")
}
