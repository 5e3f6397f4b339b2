//! What is secret is told by nothing: no log however talkative, no error, no JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{scene, write};
use crate::support::{Scene, text};

/// The secret in a node's keys.
fn secret(scene: &Scene, node: &str) -> String {
    let keys = fs::read_to_string(scene.home(node).join("keys")).expect("keys");
    let line = keys.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a secret");
    line.to_owned()
}

#[test]
fn no_command_tells_a_key_or_a_passphrase() {
    let scene = scene();
    let (passphrase, package, again) = (scene.path("passphrase"), scene.path("bob.rdb"), scene.path("bob.db"));
    fs::write(&passphrase, "wild horses\n").expect("written");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("permissions");
    let secrets = [secret(&scene, "hq"), secret(&scene, "alice"), "wild horses".to_owned()];
    write(&scene, "alice", "new");
    let package_options = ["--passphrase-file", text(&passphrase)];
    let pack = [&["-vvv", "remote", "pack", "bob", "-o", text(&package)], &package_options[..]].concat();
    let restore = [&["-vvv", "restore", text(&package), "--database", text(&again)], &package_options[..]].concat();
    let commands: [(&str, &[&str]); 14] = [
        ("hq", &["-vvv", "remote", "add", "bob"]),
        ("hq", &pack),
        ("bob", &restore),
        ("alice", &["-vvv", "sync"]),
        ("hq", &["-vvv", "sync"]),
        ("hq", &["status", "--tables", "--json"]),
        ("alice", &["status"]),
        ("hq", &["queue", "list", "--json"]),
        ("hq", &["remote", "show", "alice", "--json"]),
        ("hq", &["-vvv", "inspect", text(&package)]),
        ("hq", &["-vvv", "restore", text(&package), "--database", "elsewhere.db"]),
        ("hq", &["-vvv", "remote", "revoke", "alice"]),
        ("hq", &["-vvv", "remote", "list", "--json"]),
        ("alice", &["-vvv", "sync"]),
    ];
    for (node, words) in commands {
        let run = scene.packhorse(node, words);
        let told = secrets.iter().any(|secret| run.out.contains(secret) || run.err.contains(secret));
        assert!(!told && run.out.len() + run.err.len() > 0, "{words:?}: {run:#?}");
    }
    // A file that is damaged is named, and not quoted.
    let keys = scene.home("alice").join("keys");
    let content = fs::read_to_string(&keys).expect("keys").replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2");
    fs::write(&keys, content).expect("written");
    let run = scene.packhorse("alice", &["-vvv", "status"]);
    let rest = &secrets[1]["AGE-SECRET-KEY-1".len()..];
    assert!(run.code != 0 && !run.err.contains(rest) && !run.out.contains(rest), "{run:#?}");
}
