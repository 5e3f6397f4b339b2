//! Packhorse's own calls over the line: a hub that stands beside the server, and a remote at the other end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use super::{Count, End, FAR, Line};
use crate::servers::{Kind, Server, Site};

const BINARY: &str = env!("CARGO_BIN_EXE_packhorse");

/// Bytes of a value, which nothing can compress.
const VALUE: u64 = 1_000;

/// A hub, its remote alice, and a server with their relay.
pub struct Office<'l> {
    line: &'l mut Line,
    folder: &'l Path,
    /// The server at the far end.
    pub server: Server,
}

impl<'l> Office<'l> {
    /// None where the server's program is not there.
    pub fn open(line: &'l mut Line, folder: &'l Path, kind: Kind) -> Option<Self> {
        let server = Server::start_at(kind, Site { host: FAR.to_owned(), enter: line.far.enter() }, "")?;
        let office = Self { line, folder, server };
        office.sql("hq", "CREATE TABLE t (k INTEGER PRIMARY KEY AUTOINCREMENT, v BLOB)");
        office.beside("hq", &["init", "--name", "hq", "--database", "hq.db", "--relay", &office.server.url()]);
        office.beside("hq", &["remote", "add", "alice"]);
        office.beside("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]);
        office.beside("alice", &["restore", "alice.rdb", "--database", "alice.db"]);
        office.settle();
        Some(office)
    }

    /// Brings both ends to rest, past the line.
    pub fn settle(&self) {
        for node in ["alice", "hq", "alice", "hq", "alice", "hq"] {
            self.beside(node, &["sync"]);
        }
    }

    /// Lets so many bytes wait each way, in bundles of that size, and tells how many bytes they are: up and down.
    pub fn prepare(&self, bytes: u64, of: u64) -> (u64, u64) {
        for node in ["hq", "alice"] {
            // Sealed one after the other, as in a day between two calls.
            for _ in 0..bytes.div_ceil(of) {
                let rows = bytes.min(of) / VALUE;
                let some = format!(
                    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                     INSERT INTO t (v) SELECT randomblob({VALUE}) FROM n"
                );
                self.sql(node, &some);
                self.beside(node, &["bundle", "--now"]);
            }
        }
        let (up, down) = (self.waiting("alice"), self.waiting("hq"));
        self.beside("hq", &["transfer"]);
        (up, down)
    }

    /// One call of the remote's.
    pub fn call(&mut self, outages: &[(u32, u32)]) -> Count {
        self.line.begin(outages);
        let called = self.packhorse(&self.line.near, "alice", &["transfer"]).output().expect("the program runs");
        let done = matches!(called.status.code(), Some(0 | 3));
        assert!(done, "the call failed: {}", String::from_utf8_lossy(&called.stderr));
        self.line.end()
    }

    /// The files that wait to be sent.
    pub fn outbox(&self, node: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.join(format!("{node}.home/outbox"))];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("an outbox").map(|entry| entry.expect("an entry").path()) {
                if entry.is_dir() { folders.push(entry) } else { found.push(entry) }
            }
        }
        found
    }

    /// The line, for other programs' calls.
    pub fn line(&mut self) -> &mut Line {
        self.line
    }

    fn waiting(&self, node: &str) -> u64 {
        self.outbox(node).iter().map(|path| fs::metadata(path).expect("a file").len()).sum()
    }

    /// Runs the program beside the server.
    fn beside(&self, node: &str, words: &[&str]) {
        let mut command = self.packhorse(&self.line.far, node, words);
        let output = command.output().expect("the program runs");
        let done = matches!(output.status.code(), Some(0 | 3));
        assert!(done, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn packhorse(&self, end: &End, node: &str, words: &[&str]) -> Command {
        let mut command = end.command(BINARY);
        command.current_dir(self.folder).envs(self.server.environment());
        command.arg("--home").arg(self.folder.join(format!("{node}.home"))).args(words);
        command
    }

    fn sql(&self, node: &str, sql: &str) {
        let database = self.folder.join(format!("{node}.db"));
        Connection::open(database).expect("a database").execute_batch(sql).expect("statements");
    }
}
