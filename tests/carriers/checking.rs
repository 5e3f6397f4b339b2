//! `relay check` at real servers, good and badly set up.

use std::fs;

use crate::support::servers::{Kind, Server};
use crate::support::{Run, Scene, sqlite};

fn check(server: &Server, more: &[&str]) -> Run {
    let scene = Scene::new();
    let mut command = scene.command();
    let url = server.url();
    scene.run(command.envs(server.environment()).args(["relay", "check", &url]).args(more))
}

#[test]
fn every_kind_of_server_does_all_that_is_asked_of_a_relay() {
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        let told = check(&server, &[]).expect(0);
        assert!(told.out.contains("It does all that is asked of a relay."), "{kind:?}: {told:?}");
        assert_eq!(fs::read_dir(server.relay()).expect("a folder").count(), 0, "{kind:?}: it is left as it was");
    }
}

#[test]
fn what_a_server_says_of_itself_is_told() {
    for (kind, says) in [(Kind::Sftp, "the server is SSH-2.0-OpenSSH"), (Kind::Ftp, "vsFTPd"), (Kind::Accounts, "MLSD")]
    {
        let Some(server) = Server::start(kind) else { continue };
        let told = check(&server, &[]).expect(0);
        assert!(told.out.contains(says), "{kind:?}: {told:?}");
    }
}

/// A server that is set up so, and what is told of it.
fn finds(kind: Kind, more: &str, exit: i32, says: &[&str]) {
    let Some(server) = Server::start_with(kind, more) else { return };
    let told = check(&server, &[]).expect(exit);
    says.iter().for_each(|says| assert!(told.out.contains(says), "{kind:?} with {more}: {told:?}"));
}

#[test]
fn a_server_that_does_not_let_uploads_go_on_is_found() {
    let stubborn = "AllowStoreRestart off\n<Limit APPE>\nDenyAll\n</Limit>\n";
    finds(
        Kind::Accounts,
        stubborn,
        3,
        &["resume          WRONG", "cannot be gone on with", "AllowStoreRestart on", "could do better"],
    );
}

#[test]
fn servers_that_may_not_be_written_to_are_found() {
    finds(Kind::Ftp, "write_enable=NO\n", 1, &["make a mailbox  WRONG", "It cannot be used so."]);
    finds(Kind::Ftp, "anon_upload_enable=NO\n", 1, &["put             WRONG", "anon_upload_enable"]);
    finds(Kind::Accounts, "<Limit DELE>\nDenyAll\n</Limit>\n", 1, &["remove          WRONG", "check-"]);
}

#[test]
fn a_host_that_is_not_known_is_told_with_the_command_that_would_accept_it() {
    let Some(server) = Server::start(Kind::Sftp) else { return };
    fs::remove_file(server.file(".ssh/known_hosts")).expect("it was there");
    let told = check(&server, &["--json"]).expect(4);
    let relays: serde_json::Value = serde_json::from_str(&told.out).expect("JSON");
    let [relay] = relays.as_array().expect("a list").as_slice() else { panic!("{relays}") };
    assert_eq!(relay["usable"], false);
    assert_eq!(relay["trials"][0]["works"], false);
    assert!(relay["trials"][0]["says"].as_str().expect("words").contains("SHA256:"), "{relay}");
    assert!(relay["trials"][0]["hint"].as_str().expect("a hint").contains("known_hosts"), "{relay}");
}

#[test]
fn a_node_checks_its_own_relays_and_knows_its_network() {
    let scene = Scene::new();
    for (home, relay) in [("hq", "relay"), ("other", "other")] {
        let database = format!("{home}.db");
        sqlite(&scene.path(&database), "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)");
        scene.packhorse(home, &["init", "--name", home, "--database", &database, "--relay", relay]).expect(0);
    }
    let check = |relay: &[&str]| scene.packhorse("hq", &[&["relay", "check"], relay].concat());
    assert!(check(&[]).expect(0).out.contains("it is this network's"));
    let told = check(&["other"]).expect(1);
    assert!(told.out.contains("belongs to network") && told.out.contains("cannot be used"), "{told:?}");
    fs::write(scene.path("other/packhorse.relay"), "nonsense").expect("a marker");
    assert!(check(&["other"]).expect(1).out.contains("is damaged"));
    assert_eq!(fs::read_dir(scene.path("other")).expect("a folder").count(), 1, "nothing is written there");
    assert!(check(&["nowhere"]).expect(4).out.contains("cannot be reached"));
    assert!(!scene.path("nowhere").exists());
}
