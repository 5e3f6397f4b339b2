//! Relays that are shared: with others' files, with remotes of similar names, by several runs at once; and several relays.

use std::fs;
use std::path::Path;

use super::office::{Office, SCHEMA};
use crate::support::servers::{Kind, Server};
use crate::support::service::{Service, until};
use crate::support::volume::Volume;

/// What others keep on a relay: each with its content, none of it ours.
const FOREIGN: [&str; 8] = [
    "notes.txt",
    "alice/letter.doc",
    "alice/up/holiday.jpg",
    "alice/up/half.jpg.part",
    "alice/up/hq.alice.0000000000000001.000001.0123456789abcdef.bundle",
    "alice/down/bob.hq.0000000000000001.000001.0123456789abcdef.bundle",
    "alice/down/a folder/with a file",
    "alice/down/ümlaut und leerzeichen",
];

fn scatter(relay: &Path) {
    for name in FOREIGN {
        let path = relay.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, name).expect("a file");
    }
}

#[test]
fn what_others_keep_on_a_relay_stays_and_keeps_nothing_from_coming() {
    for kind in Kind::ALL {
        let Some(office) = Office::open(kind) else { continue };
        scatter(&office.server.relay());
        office.scene.sql("alice", "INSERT INTO t VALUES ('b', 'alice')");
        office.scene.sql("hq", "INSERT INTO t VALUES ('c', 'hub')");
        office.settle();
        office.scene.same("t", "hq", "alice");
        for name in FOREIGN {
            let found = fs::read_to_string(office.server.relay().join(name));
            assert_eq!(found.ok().as_deref(), Some(name), "{kind:?}: it is still there");
        }
    }
}

#[test]
fn remotes_of_similar_names_get_each_what_is_theirs() {
    const SHOPS: &str = "CREATE TABLE t (k TEXT PRIMARY KEY, shop TEXT, v TEXT);
        INSERT INTO t VALUES ('a', 'store-1', '1'), ('b', 'store-10', '2')";
    for kind in Kind::ALL {
        let Some(office) = Office::hub(kind, SHOPS) else { continue };
        office.run("hq", &["set", "add", "shop", "--table", "t", "--where", "shop = :shop"]).expect(0);
        let stores = ["store-1", "store-10"];
        for name in stores {
            let own = office.server.url_of(name);
            let relay: Vec<&str> = own.iter().flat_map(|url| ["--relay", url]).collect();
            let param = format!("shop={name}");
            office
                .run("hq", &[&["remote", "add", name, "--set", "shop", "--param", &param], &relay[..]].concat())
                .expect(0);
            let package = format!("{name}.rdb");
            office.run("hq", &["remote", "pack", name, "-o", &package, "--no-passphrase"]).expect(0);
            office.run(name, &["restore", &package, "--database", &format!("{name}.db")]).expect(0);
        }
        office.scene.sql("store-1", "UPDATE t SET v = 'one'");
        office.scene.sql("store-10", "UPDATE t SET v = 'ten'");
        office.sync(&["store-10", "store-1", "hq", "store-1", "store-10", "hq"]);
        assert_eq!(office.scene.rows("hq", "t"), ["'a'|'store-1'|'one'", "'b'|'store-10'|'ten'"], "{kind:?}");
        for (name, row) in stores.into_iter().zip(["'a'|'store-1'|'one'", "'b'|'store-10'|'ten'"]) {
            assert_eq!(office.scene.rows(name, "t"), [row], "{kind:?}");
            office.scene.is_at_rest(name);
        }
    }
}

/// Each run of a node holds its home; those of different nodes meet on the relay.
#[test]
fn several_runs_at_once_on_one_relay_lose_and_mix_nothing() {
    for kind in Kind::ALL {
        let names = ["alice", "bob", "carol"];
        let Some(office) = Office::with(kind, SCHEMA, &names) else { continue };
        for round in 0..4 {
            let everybody = ["hq", "alice", "bob", "carol"];
            for node in everybody {
                office.scene.sql(node, &format!("INSERT INTO t VALUES ('{node}{round}', '{node}')"));
            }
            std::thread::scope(|scope| {
                let runs = everybody.map(|node| scope.spawn(|| office.run(node, &["sync"]).expect(0)));
                runs.into_iter().for_each(|run| drop(run.join().expect("a run")));
            });
        }
        office.sync(&["alice", "bob", "carol", "hq", "alice", "bob", "carol", "hq"]);
        names.iter().for_each(|name| office.scene.same("t", "hq", name));
        assert_eq!(office.scene.rows("hq", "t").len(), 17, "{kind:?}");
    }
}

#[test]
fn a_relay_without_space_loses_nothing_and_is_told() {
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        let Some(volume) = Volume::mount(&server.relay(), 1) else { return };
        let office = Office::on(server, SCHEMA, &["alice"]);
        office.scene.sql("alice", "INSERT INTO t SELECT 'b', hex(randomblob(60000))");
        volume.fill(16 * 1024);
        let told = office.run("alice", &["sync"]).expect(1);
        assert!(told.err.contains("could not put") || told.err.contains("instead of"), "{kind:?}: {told:?}");
        assert_eq!(office.scene.outbox("alice", "hq").len(), 1, "{kind:?}: it waits here");
        volume.empty();
        office.settle();
        office.scene.same("t", "hq", "alice");
        office.scene.is_at_rest("alice");
    }
}

#[test]
fn the_first_relay_that_answers_is_used() {
    for kind in [Kind::Ftp, Kind::Sftp] {
        let Some(office) = Office::hub(kind, SCHEMA) else { continue };
        let (home, first) = (office.scene.home("hq"), office.server.url());
        let second = office.scene.path("share");
        fs::create_dir(&second).expect("a folder");
        fs::copy(office.server.relay().join("packhorse.relay"), second.join("packhorse.relay")).expect("a marker");
        let config = fs::read_to_string(home.join("packhorse.toml")).expect("a configuration");
        let both = format!("relay = [\"{first}\", \"{}\"]", second.display());
        let line = config.lines().find(|line| line.starts_with("relay = ")).expect("a relay");
        fs::write(home.join("packhorse.toml"), config.replace(line, &both)).expect("written");
        let own = office.server.url_of("alice").unwrap_or_else(|| format!("{}/alice", first.trim_end_matches('/')));
        let beside = second.join("alice");
        let relays = ["--relay", &own, "--relay", beside.to_str().expect("a path")];
        office.run("hq", &[&["remote", "add", "alice"], &relays[..]].concat()).expect(0);
        office.run("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
        office.run("alice", &["restore", "alice.rdb", "--database", "alice.db"]).expect(0);
        office.scene.sql("alice", "INSERT INTO t VALUES ('b', 'over the server')");
        office.settle();
        let environment = office.server.environment();
        let Office { scene, server } = office;
        drop(server);
        scene.sql("alice", "INSERT INTO t VALUES ('c', 'over the share')");
        for node in ["alice", "hq", "alice", "hq"] {
            let mut command = scene.command();
            command.envs(environment.clone()).arg("--home").arg(scene.home(node)).arg("sync");
            scene.run(&mut command).expect(0);
        }
        scene.same("t", "hq", "alice");
        assert_eq!(scene.rows("hq", "t").len(), 3, "{kind:?}");
    }
}

#[test]
fn services_come_together_over_every_kind_of_server_and_over_its_absence() {
    for kind in Kind::ALL {
        let Some(office) = Office::open(kind) else { continue };
        let environment = office.server.environment();
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.to_str().expect("text"))).collect();
        let options = ["--every", "1s", "--seal-after", "1s"];
        let services = ["hq", "alice"].map(|node| Service::start_with(&office.scene, node, &options, &environment));
        office.scene.sql("alice", "INSERT INTO t VALUES ('b', 'alice')");
        office.scene.sql("hq", "INSERT INTO t VALUES ('c', 'hub')");
        let are_equal =
            |count| office.scene.rows("hq", "t").len() == count && office.scene.rows("alice", "t").len() == count;
        until("both edits are at both ends", || are_equal(3));
        office.server.cut();
        office.scene.sql("alice", "INSERT INTO t VALUES ('d', 'alice')");
        until("another edit has come after all connections were lost", || are_equal(4));
        services.into_iter().for_each(|service| assert_eq!(service.stop(), 0, "{kind:?}"));
    }
}
