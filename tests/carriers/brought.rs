//! What a package brings: whoever restores it logs in without a question.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::office::Office;
use crate::support::Run;
use crate::support::servers::{Kind, PASSWORD};

/// A file of the hub's that only its owner may read.
fn secret(office: &Office, name: &str, content: &str) -> String {
    let path = office.scene.path(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    path.to_str().expect("a path").to_owned()
}

/// The hub packs alice, who has an account of her own or this way to the relay.
fn packed(office: &Office, options: &[&str]) -> Run {
    let own = office.server.url_of("alice").unwrap_or_else(|| format!("{}/alice", office.server.url()));
    let words = ["remote", "add", "alice", "--relay", &own];
    office.run("hq", &[&words[..], options].concat()).expect(0);
    let secret = secret(office, "passphrase", "only for them\n");
    office.run("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--passphrase-file", &secret]).expect(0)
}

/// A command of alice's on a machine that knows nothing of the server.
fn elsewhere(office: &Office, words: &[&str]) -> Run {
    let mut command: Command = office.command("alice", words);
    for name in ["PACKHORSE_RELAY_PASSWORD", "SSL_CERT_FILE", "SSH_AUTH_SOCK"] {
        command.env_remove(name);
    }
    let home = office.scene.path("nobody");
    fs::create_dir_all(&home).expect("a folder");
    office.scene.run(command.env("HOME", home))
}

/// She restores it there, and needs nothing else.
#[track_caller]
fn comes_to_be_equal(office: &Office) {
    let passphrase = office.scene.path("passphrase");
    let passphrase = passphrase.to_str().expect("a path");
    elsewhere(office, &["restore", "alice.rdb", "--database", "alice.db", "--passphrase-file", passphrase]).expect(0);
    elsewhere(office, &["sync"]).expect(0);
    office.run("hq", &["sync"]).expect(0);
    office.scene.same("t", "hq", "alice");
    let access = office.scene.home("alice").join("access");
    let files: Vec<PathBuf> =
        fs::read_dir(&access).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert!(!files.is_empty() && files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_package_brings_an_accounts_password_and_the_servers_key() {
    let Some(office) = Office::hub(Kind::SftpAccounts, super::office::SCHEMA) else { return };
    let password = secret(&office, "alice.password", &format!("{PASSWORD}\n"));
    packed(&office, &["--password-file", &password]);
    fs::remove_file(password).expect("it is not needed any more");
    comes_to_be_equal(&office);
    let config = fs::read_to_string(office.scene.home("alice").join("packhorse.toml")).expect("a configuration");
    assert!(!config.contains(PASSWORD), "a configuration is shown around: {config}");
    for words in [&["status", "--json"][..], &["-vvv", "sync"], &["inspect", "alice.rdb"]] {
        let told = elsewhere(&office, words);
        assert!(!told.out.contains(PASSWORD) && !told.err.contains(PASSWORD), "{told:?}");
    }
}

#[test]
fn a_package_brings_an_ssh_key_with_its_passphrase() {
    let Some(office) = Office::hub(Kind::Sftp, super::office::SCHEMA) else { return };
    let key = office.scene.path("alice-key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "of the key", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen").success());
    let authorized = office.server.file("authorized_keys");
    let known = fs::read_to_string(&authorized).expect("keys");
    fs::write(authorized, known + &fs::read_to_string(key.with_extension("pub")).expect("a key")).expect("written");
    let passphrase = secret(&office, "of-the-key", "of the key\n");
    packed(&office, &["--key", key.to_str().expect("a path"), "--password-file", &passphrase]);
    fs::remove_file(key).expect("it is not needed any more");
    comes_to_be_equal(&office);
}

#[test]
fn a_package_brings_the_authority_that_the_hub_trusts() {
    let Some(office) = Office::hub(Kind::Ftps, super::office::SCHEMA) else { return };
    let config = office.scene.home("hq").join("packhorse.toml");
    let words = fs::read_to_string(&config).expect("a configuration");
    let ca = office.server.file("cert.pem");
    fs::write(&config, format!("{words}\n[access.\"127.0.0.1\"]\nca = \"{}\"\n", ca.display())).expect("written");
    packed(&office, &[]);
    comes_to_be_equal(&office);
}

#[test]
fn a_file_that_others_may_read_is_not_packed() {
    let Some(office) = Office::hub(Kind::SftpAccounts, super::office::SCHEMA) else { return };
    let password = secret(&office, "alice.password", PASSWORD);
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("permissions");
    let own = office.server.url_of("alice").expect("an account");
    office.run("hq", &["remote", "add", "alice", "--relay", &own, "--password-file", &password]).expect(0);
    let pack = office.run("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(2);
    assert!(pack.err.contains("others than its owner may read") && !pack.err.contains(PASSWORD), "{pack:?}");
    assert!(!office.scene.path("alice.rdb").exists());
}
