//! Whole syncs over real servers: what people type, and what comes of it.

use std::fs;

use crate::support::servers::{Kind, Server};
use crate::support::{Run, Scene, sqlite};

const SCHEMA: &str = "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('a', '1')";

/// A hub and its remote alice, with a relay on a server.
struct Office {
    scene: Scene,
    server: Server,
}

impl Office {
    fn open(kind: Kind) -> Option<Self> {
        let server = Server::start(kind)?;
        let office = Self { scene: Scene::new(), server };
        sqlite(&office.scene.path("hq.db"), SCHEMA);
        office.run("hq", &["init", "--name", "hq", "--database", "hq.db", "--relay", &office.server.url()]).expect(0);
        let own = office.server.url_of_alice();
        let relay: Vec<&str> = own.iter().flat_map(|url| ["--relay", url]).collect();
        office.run("hq", &[&["remote", "add", "alice"], &relay[..]].concat()).expect(0);
        office.run("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
        office.run("alice", &["restore", "alice.rdb", "--database", "alice.db"]).expect(0);
        Some(office)
    }

    fn run(&self, node: &str, words: &[&str]) -> Run {
        let mut command = self.scene.command();
        command.envs(self.server.environment()).arg("--home").arg(self.scene.home(node)).args(words);
        self.scene.run(&mut command)
    }

    fn settle(&self) {
        for node in ["alice", "hq", "alice", "hq"] {
            self.run(node, &["sync"]).expect(0);
        }
    }
}

#[test]
fn a_hub_and_a_remote_come_together_over_every_kind_of_server() {
    for kind in Kind::ALL {
        let Some(office) = Office::open(kind) else { continue };
        office.scene.sql("hq", "INSERT INTO t VALUES ('b', 'hub')");
        office.scene.sql("alice", "UPDATE t SET v = 'alice' WHERE k = 'a'");
        office.settle();
        office.scene.same("t", "hq", "alice");
        assert_eq!(office.scene.rows("hq", "t"), ["'a'|'alice'", "'b'|'hub'"], "{kind:?}");
        office.scene.is_at_rest("alice");
        let relay = office.server.relay();
        assert!(fs::read(relay.join("packhorse.relay")).is_ok(), "{kind:?}: the relay bears its marker");
        for mailbox in ["alice/up", "alice/down"] {
            assert_eq!(fs::read_dir(relay.join(mailbox)).expect("a mailbox").count(), 0, "{kind:?}: {mailbox}");
        }
    }
}

#[test]
fn a_server_without_the_marker_is_left_untouched() {
    for kind in Kind::ALL {
        let Some(office) = Office::open(kind) else { continue };
        office.settle();
        fs::remove_dir_all(office.server.relay().join("alice")).expect("it was there");
        fs::remove_file(office.server.relay().join("packhorse.relay")).expect("it was there");
        office.scene.sql("hq", "INSERT INTO t VALUES ('b', 'hub')");
        office.run("hq", &["sync"]).expect(4).says("no packhorse.relay");
        assert_eq!(fs::read_dir(office.server.relay()).expect("a folder").count(), 0, "{kind:?}");
    }
}

#[test]
fn a_server_that_is_away_is_told_and_nothing_is_lost() {
    for kind in Kind::ALL {
        let Some(Office { scene, server }) = Office::open(kind) else { continue };
        let environment = server.environment().map(|(name, value)| (name, value.clone()));
        drop(server);
        scene.sql("alice", "UPDATE t SET v = 'alice' WHERE k = 'a'");
        let mut command = scene.command();
        command.envs(environment).arg("--home").arg(scene.home("alice")).arg("sync");
        scene.run(&mut command).expect(4).says("cannot be reached");
        assert_eq!(scene.outbox("alice", "hq").len(), 1, "{kind:?}");
    }
}
