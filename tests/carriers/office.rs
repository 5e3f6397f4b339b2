//! A hub and its remotes, with a relay on a real server: what people type, and what comes of it.

use std::process::Command;

use crate::support::servers::{Kind, Server};
use crate::support::{Run, Scene, sqlite};

/// The database that hubs begin with, unless a test has another.
pub const SCHEMA: &str = "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('a', '1')";

/// A hub `hq`, and the server on which its relay lies.
pub struct Office {
    pub scene: Scene,
    pub server: Server,
}

impl Office {
    /// With the remote alice.
    pub fn open(kind: Kind) -> Option<Self> {
        Self::with(kind, SCHEMA, &["alice"])
    }

    /// With these remotes, who share everything.
    pub fn with(kind: Kind, schema: &str, remotes: &[&str]) -> Option<Self> {
        Some(Self::on(Server::start(kind)?, schema, remotes))
    }

    /// The same on a server that runs.
    pub fn on(server: Server, schema: &str, remotes: &[&str]) -> Self {
        let office = Self::hub_on(server, schema);
        for name in remotes {
            office.add(name);
            let package = format!("{name}.rdb");
            office.run("hq", &["remote", "pack", name, "-o", &package, "--no-passphrase"]).expect(0);
            office.run(name, &["restore", &package, "--database", &format!("{name}.db")]).expect(0);
        }
        office
    }

    /// With no remote yet.
    pub fn hub(kind: Kind, schema: &str) -> Option<Self> {
        Some(Self::hub_on(Server::start(kind)?, schema))
    }

    fn hub_on(server: Server, schema: &str) -> Self {
        let office = Self { scene: Scene::new(), server };
        sqlite(&office.scene.path("hq.db"), schema);
        office.run("hq", &["init", "--name", "hq", "--database", "hq.db", "--relay", &office.server.url()]).expect(0);
        office
    }

    /// Adds a remote.
    pub fn add(&self, name: &str) {
        let own = self.server.url_of(name);
        let relay: Vec<&str> = own.iter().flat_map(|url| ["--relay", url]).collect();
        self.run("hq", &[&["remote", "add", name], &relay[..]].concat()).expect(0);
    }

    /// A command of a node's that may log in to the server.
    pub fn command(&self, node: &str, words: &[&str]) -> Command {
        let mut command = self.scene.command();
        command.envs(self.server.environment()).arg("--home").arg(self.scene.home(node)).args(words);
        command
    }

    /// Runs one.
    pub fn run(&self, node: &str, words: &[&str]) -> Run {
        self.scene.run(&mut self.command(node, words))
    }

    /// Lets these nodes sync, one after another.
    pub fn sync(&self, nodes: &[&str]) {
        nodes.iter().for_each(|node| drop(self.run(node, &["sync"]).expect(0)));
    }

    /// Lets alice and the hub say all that they have to say.
    pub fn settle(&self) {
        self.sync(&["alice", "hq", "alice", "hq"]);
    }
}
