//! What the tests stand on: a folder of their own, the binary under test, and other programs that write databases.

pub mod crm;
pub mod golden;
mod refusal;
mod rewritten;
pub mod servers;
pub mod service;
pub mod volume;
pub mod waiting;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub use rewritten::rewritten;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_packhorse");

/// A folder in which a hub, its remotes and their relay live; gone when it is dropped.
pub struct Scene {
    folder: TempDir,
}

/// What a run of the binary came to.
#[derive(Debug)]
pub struct Run {
    /// The exit status.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// The run, which must have ended with this status.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The run's JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The run, whose standard error must hold this.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "expected {words:?} in {self:#?}");
        self
    }
}

impl Scene {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// An empty folder in memory, where there is one, for tests that sync files to the disk thousands of times.
    pub fn in_memory() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
        Self { folder }
    }

    /// A hub `hq` on `hq.db`, made of this SQL by the SQLite shell, with a relay and no remote yet.
    #[track_caller]
    pub fn hub(schema: &str) -> Self {
        let scene = Self::new();
        sqlite(&scene.path("hq.db"), schema);
        scene.init();
        scene
    }

    /// Makes `hq.db`, which must be there, a hub.
    #[track_caller]
    pub fn init(&self) {
        self.init_with(&[]);
    }

    /// The same, with more options.
    #[track_caller]
    pub fn init_with(&self, options: &[&str]) {
        std::fs::create_dir_all(self.path("relay")).expect("a relay folder");
        let (database, relay) = (self.path("hq.db"), self.path("relay"));
        let words = ["init", "--name", "hq", "--database", text(&database), "--relay", text(&relay)];
        self.packhorse("hq", &[&words, options].concat()).expect(0);
    }

    /// Lets the hub apply what deletes a great deal without a person's word.
    pub fn let_deletions_through(&self) {
        let file = self.home("hq").join("packhorse.toml");
        let words = std::fs::read_to_string(&file).expect("a configuration");
        let free = words.replace("\n[merge]\n", "\n[merge]\nbrake = false\n");
        assert_ne!(words, free);
        std::fs::write(&file, free).expect("written");
    }

    /// Adds a remote that shares everything, and restores its package as `NAME.db`.
    #[track_caller]
    pub fn remote(&self, name: &str) {
        self.packhorse("hq", &["remote", "add", name]).expect(0);
        self.pack_and_restore(name);
    }

    /// Makes a remote's package and restores it as `NAME.db`.
    #[track_caller]
    pub fn pack_and_restore(&self, name: &str) {
        let package = self.path(&format!("{name}.rdb"));
        self.packhorse("hq", &["remote", "pack", name, "-o", text(&package), "--no-passphrase"]).expect(0);
        let database = self.path(&format!("{name}.db"));
        self.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
    }

    /// Looks into a bundle, as who it is for.
    #[track_caller]
    pub fn inspect(&self, options: &[&str], bundle: &Path) -> Run {
        let receiver = text(bundle.file_name().expect("a name").as_ref()).split('.').nth(1).expect("a receiver");
        self.packhorse(receiver, &[&["inspect"], options, &[text(bundle)]].concat())
    }

    /// Leaves what goes between the hub and a remote as it is, neither sealed nor signed.
    #[track_caller]
    pub fn unseal(&self, remote: &str) {
        for (node, section) in [("hq", format!("[remote.{remote}]")), (remote, "[node]".to_owned())] {
            let file = self.home(node).join("packhorse.toml");
            let words = std::fs::read_to_string(&file).expect("a configuration");
            let unsealed = words.replace(&format!("\n{section}\n"), &format!("\n{section}\nsealed = false\n"));
            assert_ne!(words, unsealed);
            std::fs::write(&file, unsealed).expect("written");
        }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A node's database.
    pub fn database(&self, node: &str) -> PathBuf {
        self.path(&format!("{node}.db"))
    }

    /// A node's home.
    pub fn home(&self, node: &str) -> PathBuf {
        self.path(&format!("{node}.home"))
    }

    /// Runs the binary for a node.
    pub fn packhorse(&self, node: &str, words: &[&str]) -> Run {
        let home = self.home(node);
        let all: Vec<&OsStr> =
            [OsStr::new("--home"), home.as_os_str()].into_iter().chain(words.iter().map(OsStr::new)).collect();
        self.bare(&all)
    }

    /// Runs the binary in the folder with nothing but these words, in an empty environment.
    pub fn bare(&self, words: &[impl AsRef<OsStr>]) -> Run {
        self.run(self.command().args(words))
    }

    /// The binary, to be run in the folder and in an empty environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &mut Command) -> Run {
        run_of(command.output().expect("the program runs"))
    }

    /// Syncs a node.
    #[track_caller]
    pub fn sync(&self, node: &str) {
        self.packhorse(node, &["sync"]).expect(0);
    }

    /// Syncs the hub and a remote until both have heard of each other.
    #[track_caller]
    pub fn settle(&self, remote: &str) {
        for node in ["hq", remote, "hq", remote] {
            self.sync(node);
        }
    }

    /// The bundles that lie in a node's outbox for another.
    pub fn outbox(&self, node: &str, peer: &str) -> Vec<PathBuf> {
        files(&self.home(node).join("outbox").join(peer))
    }

    /// Runs SQL on a node's database with the SQLite shell.
    #[track_caller]
    pub fn sql(&self, node: &str, sql: &str) -> String {
        sqlite(&self.database(node), sql)
    }

    /// Every row of a table at a node, as SQL literals, sorted: equal exactly if the contents are.
    #[track_caller]
    pub fn rows(&self, node: &str, table: &str) -> Vec<String> {
        let quoted = table.replace('"', "\"\"");
        let columns = self.sql(node, &format!("SELECT name FROM pragma_table_info('{}')", table.replace('\'', "''")));
        let told: Vec<String> =
            columns.lines().map(|name| format!("quote(\"{}\")", name.replace('"', "\"\""))).collect();
        let sql = format!("SELECT {} FROM \"{quoted}\" ORDER BY 1", told.join(" || '|' || "));
        self.sql(node, &sql).lines().map(str::to_owned).collect()
    }

    /// Asserts that a table is the same at two nodes.
    #[track_caller]
    pub fn same(&self, table: &str, one: &str, other: &str) {
        assert_eq!(self.rows(one, table), self.rows(other, table), "table {table} at {one} and {other}");
    }

    /// Nothing waits or is held at a node, and its database is whole.
    #[track_caller]
    pub fn is_at_rest(&self, node: &str) {
        let status = self.packhorse(node, &["status", "--json"]).json();
        for link in status["links"].as_array().expect("links") {
            let open = ["pending_changes", "unacknowledged", "held"].map(|what| link[what].as_u64());
            assert_eq!(open, [Some(0); 3], "{node}: {status}");
        }
        assert_eq!(self.sql(node, "PRAGMA foreign_key_check; PRAGMA integrity_check"), "ok", "{node}");
    }
}

/// The files of a folder, sorted; none if there is no folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
    files.sort();
    files
}

/// A path as text; those of the tests are.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}

fn run_of(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs SQL with Debian's SQLite shell, another program with another SQLite; what it prints.
#[track_caller]
pub fn sqlite(database: &Path, sql: &str) -> String {
    // As applications do, it waits for whoever writes.
    let words = ["-bail", "-cmd", ".timeout 30000"];
    let output = Command::new("sqlite3").args(words).arg(database).arg(sql).output().expect("the sqlite3 shell runs");
    let run = run_of(output).expect(0);
    assert_eq!(run.err, "", "{sql}");
    run.out.trim_end_matches('\n').to_owned()
}

/// Runs a Python script, whose `sys.argv[1:]` are `words`: another program with another SQLite; what it prints.
#[track_caller]
pub fn python(script: &str, words: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(words).output().expect("Python runs");
    run_of(output).expect(0).out.trim_end_matches('\n').to_owned()
}
