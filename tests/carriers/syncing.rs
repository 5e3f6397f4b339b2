//! Whole syncs over real servers: what people type, and what comes of it.

use std::fs;

use super::office::{Office, SCHEMA};
use crate::support::servers::{Kind, PASSWORD, Server};
use crate::support::{Scene, sqlite};

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

/// What a first try has left would be another network's to the second.
#[test]
fn an_init_that_comes_to_nothing_leaves_no_marker_on_a_server() {
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        let scene = Scene::new();
        sqlite(&scene.path("hq.db"), SCHEMA);
        let url = server.url();
        let init = |fault: Option<&str>| {
            let mut command = scene.command();
            command.envs(server.environment()).envs(fault.map(|fault| ("PACKHORSE_FAULT", fault)));
            let words = ["init", "--name", "hq", "--database", "hq.db", "--relay", &url];
            scene.run(command.arg("--home").arg(scene.home("hq")).args(words))
        };
        init(Some("init-relay-marked=io")).expect(1);
        assert_eq!(fs::read_dir(server.relay()).expect("a folder").count(), 0, "{kind:?}");
        init(None).expect(0);
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
fn a_mailbox_that_may_not_be_made_is_told_and_made_as_soon_as_it_may() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    office.settle();
    for mailbox in ["up", "down"] {
        fs::remove_dir(office.server.relay().join("alice").join(mailbox)).expect("it was there");
    }
    let Some(strict) = Server::start_with(Kind::Ftp, "anon_mkdir_write_enable=NO\n") else { return };
    fs::copy(office.server.relay().join("packhorse.relay"), strict.relay().join("packhorse.relay")).expect("a marker");
    let home = office.scene.home("alice");
    let config = fs::read_to_string(home.join("packhorse.toml")).expect("a configuration");
    let line = config.lines().find(|line| line.starts_with("relay = ")).expect("a relay");
    let sync = |relay: &str| {
        fs::write(home.join("packhorse.toml"), config.replace(line, &format!("relay = \"{relay}\""))).expect("written");
        office.run("alice", &["sync"])
    };
    sync(&strict.url()).expect(1).says("could not make the folder");
    let own = office.server.url_of("alice").expect("an address");
    sync(&own).expect(0);
    assert!(office.server.relay().join("alice/up").is_dir());
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

#[test]
fn a_password_is_in_no_log_whatever_is_wished_for() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    for node in ["hq", "alice"] {
        let mut command = office.scene.command();
        command.envs(office.server.environment()).env("PACKHORSE_LOG", "trace,packhorse_transport=trace");
        let run = office.scene.run(command.arg("--home").arg(office.scene.home(node)).args(["-vvv", "sync"])).expect(0);
        assert!(!run.err.contains(PASSWORD) && !run.out.contains(PASSWORD), "{run:?}");
    }
}

#[test]
fn what_logging_in_needs_comes_from_the_configuration_too() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    let home = office.scene.home("hq");
    let config = fs::read_to_string(home.join("packhorse.toml")).expect("a configuration");
    let sync = |section: &str| {
        fs::write(home.join("packhorse.toml"), format!("{config}\n[access.\"127.0.0.1\"]\n{section}\n"))
            .expect("written");
        office.scene.packhorse("hq", &["sync"])
    };
    fs::write(home.join("password"), format!("{PASSWORD}\n")).expect("written");
    open_to_all(&home.join("password"), true);
    sync("password_file = \"password\"").expect(4).says("chmod 600");
    open_to_all(&home.join("password"), false);
    sync("password_file = \"password\"").expect(0);
    sync(&format!("password_command = [\"echo\", \"{PASSWORD}\"]")).expect(0);
    sync("password_command = \"exit 7\"").expect(4).says("password_command failed");
    let refused = sync("password_command = [\"echo\", \"not this one\"]").expect(4).says("does not let \"hub\" in");
    assert!(!refused.err.contains("not this one"), "{refused:?}");
}

fn open_to_all(path: &std::path::Path, is_open: bool) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(if is_open { 0o644 } else { 0o600 })).expect("permissions");
}
