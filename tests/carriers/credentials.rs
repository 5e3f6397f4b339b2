//! All ways to log in, as people configure them; and that nothing secret is told anywhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::office::Office;
use crate::support::Run;
use crate::support::servers::{Kind, PASSWORD};

const PASSPHRASE: &str = "correct horse: battery";

/// Lets alice sync with this in her configuration and environment, and nothing else that could let her in.
fn sync(office: &Office, section: &str, environment: &[(&str, &str)]) -> Run {
    sync_with(office, &["-vvv", "sync"], section, environment)
}

fn sync_with(office: &Office, words: &[&str], section: &str, environment: &[(&str, &str)]) -> Run {
    let home = office.scene.home("alice");
    let config = fs::read_to_string(home.join("packhorse.toml")).expect("a configuration");
    let plain = config.split("\n[access").next().expect("the rest");
    fs::write(home.join("packhorse.toml"), format!("{plain}\n[access.\"127.0.0.1\"]\n{section}\n")).expect("written");
    let mut command = office.command("alice", words);
    for name in ["PACKHORSE_RELAY_PASSWORD", "SSL_CERT_FILE", "SSH_AUTH_SOCK"] {
        command.env_remove(name);
    }
    let known_hosts = office.server.file(".ssh/known_hosts");
    let elsewhere = office.scene.path("user");
    fs::create_dir_all(elsewhere.join(".ssh")).expect("a folder");
    if known_hosts.exists() {
        fs::copy(known_hosts, elsewhere.join(".ssh/known_hosts")).expect("known hosts");
    }
    let run = office.scene.run(command.env("HOME", elsewhere).envs(environment.iter().copied()));
    for secret in [PASSWORD, PASSPHRASE] {
        assert!(!run.err.contains(secret) && !run.out.contains(secret), "a secret is told: {run:?}");
    }
    run
}

/// Makes a key that lets whoever has it in.
fn key(office: &Office, name: &str, kind: &str, passphrase: &str) -> String {
    let path = office.scene.path(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"]).arg(&path);
    assert!(keygen.status().expect("ssh-keygen").success());
    let public = fs::read_to_string(path.with_extension("pub")).expect("a key");
    let authorized = office.server.file("authorized_keys");
    let known = fs::read_to_string(&authorized).expect("keys");
    fs::write(authorized, known + &public).expect("written");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn ssh_keys_of_every_kind_let_in() {
    let Some(office) = Office::open(Kind::Sftp) else { return };
    sync(&office, "", &[]).expect(4).says("let");
    for (name, kind) in [("ed", "ed25519"), ("rsa", "rsa"), ("ec", "ecdsa")] {
        let key = key(&office, name, kind, "");
        sync(&office, &format!("key = \"{key}\""), &[]).expect(0);
    }
}

#[test]
fn a_passphrase_comes_from_the_environment_a_file_or_a_command() {
    let Some(office) = Office::open(Kind::Sftp) else { return };
    let key = key(&office, "locked", "ed25519", PASSPHRASE);
    let named = format!("key = \"{key}\"");
    sync(&office, &named, &[]).expect(4).says("passphrase");
    sync(&office, &named, &[("PACKHORSE_KEY_PASSPHRASE", "not this one")]).expect(4).says("passphrase");
    sync(&office, &named, &[("PACKHORSE_KEY_PASSPHRASE", PASSPHRASE)]).expect(0);
    let file = office.scene.home("alice").join("passphrase");
    fs::write(&file, format!("{PASSPHRASE}\n")).expect("written");
    restrict(&file);
    sync(&office, &format!("{named}\npassword_file = \"passphrase\""), &[]).expect(0);
    sync(&office, &format!("{named}\npassword_command = [\"cat\", \"{}\"]", file.display()), &[]).expect(0);
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

#[test]
fn an_agent_lets_in_unless_it_is_not_to_be_asked() {
    let Some(office) = Office::open(Kind::Sftp) else { return };
    let key = key(&office, "held", "ed25519", "");
    let socket = office.scene.path("agent");
    let mut agent = Command::new("ssh-agent");
    let agent = agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut agent = agent.expect("an agent");
    crate::support::service::until("the agent listens", || socket.exists());
    let address = [("SSH_AUTH_SOCK", socket.to_str().expect("a path"))];
    // The first key that it holds is not the one that lets in.
    let stranger = office.scene.path("stranger");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger).status();
    let add = |key: &Path| Command::new("ssh-add").arg("-q").arg(key).envs(address).status();
    let added = made.and_then(|_| add(&stranger)).and_then(|_| add(Path::new(&key)));
    fs::remove_file(&key).expect("a key");
    let [asked, not_asked] = ["", "agent = false"].map(|section| sync(&office, section, &address));
    agent.kill().and_then(|()| agent.wait()).expect("an end");
    assert!(added.expect("ssh-add").success());
    asked.expect(0);
    not_asked.expect(4);
}

#[test]
#[cfg(unix)]
fn neither_an_agent_nor_a_command_that_does_not_answer_outlasts_the_run() {
    let Some(office) = Office::open(Kind::Sftp) else { return };
    let socket = office.scene.path("mute");
    let _mute = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let address = [("SSH_AUTH_SOCK", socket.to_str().expect("a path"))];
    let for_two = ["-vvv", "sync", "--for", "2s"];
    sync_with(&office, &for_two, "", &address).expect(5);
    sync_with(&office, &for_two, "password_command = [\"sleep\", \"60\"]\nagent = false", &[]).expect(5);
}

#[test]
fn what_a_password_command_leaves_behind_is_not_waited_for() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    // Its standard error is also the test's, which waits for the end of that.
    let section = format!("password_command = \"sleep 30 2> /dev/null & echo {PASSWORD}\"");
    sync_with(&office, &["sync", "--for", "20s"], &section, &[]).expect(0);
}

#[test]
fn a_password_command_runs_once_for_all_connections_of_a_call() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    // Enough for a connection of its own.
    office.scene.sql("alice", "INSERT INTO t SELECT 'b', hex(randomblob(60000))");
    let section = format!("password_command = \"echo asked >> asked; echo {PASSWORD}\"");
    sync(&office, &section, &[]).expect(0);
    let asked = fs::read_to_string(office.scene.home("alice").join("asked")).expect("what it wrote");
    assert_eq!(asked, "asked\n");
}

#[test]
fn passwords_let_in_over_ssh_too() {
    let Some(office) = Office::open(Kind::SftpAccounts) else { return };
    sync(&office, "", &[]).expect(4);
    sync(&office, "", &[("PACKHORSE_RELAY_PASSWORD", "not this one")]).expect(4).says("does not let \"alice\" in");
    sync(&office, "", &[("PACKHORSE_RELAY_PASSWORD", PASSWORD)]).expect(0);
    let file = office.scene.home("alice").join("password");
    fs::write(&file, PASSWORD).expect("written");
    restrict(&file);
    sync(&office, "password_file = \"password\"", &[]).expect(0);
}

#[test]
fn a_private_authority_or_one_certificate_is_trusted_by_configuration_alone() {
    let Some(office) = Office::open(Kind::Ftps) else { return };
    sync(&office, "", &[]).expect(4).says("certificate");
    let certificate = office.server.file("cert.pem");
    sync(&office, &format!("ca = \"{}\"", certificate.display()), &[]).expect(0);
    let digest =
        Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(&certificate).output();
    let digest = String::from_utf8(digest.expect("openssl").stdout).expect("text");
    let digest = digest.trim().split_once('=').expect("a digest").1.to_owned();
    sync(&office, &format!("certificate = \"{digest}\""), &[]).expect(0);
    let other = digest.replace('A', "B").replace("1", "2");
    sync(&office, &format!("certificate = \"{other}\""), &[]).expect(4);
    sync(&office, "ca = \"nowhere.pem\"", &[]).expect(4).says("nowhere.pem");
}

/// Whoever looks at the processes of a machine, or into what Packhorse tells of itself, sees no password.
#[test]
fn no_password_is_in_the_status_nor_in_the_books() {
    let Some(office) = Office::open(Kind::Accounts) else { return };
    let home = office.scene.home("alice");
    let config = fs::read_to_string(home.join("packhorse.toml")).expect("a configuration");
    let with_password = config.replace("alice@127", "alice:geh%40im%3A%207@127");
    assert_ne!(with_password, config);
    fs::write(home.join("packhorse.toml"), with_password).expect("written");
    let mut command = office.command("alice", &["sync"]);
    office.scene.run(command.env_remove("PACKHORSE_RELAY_PASSWORD")).expect(0);
    for words in [&["status"][..], &["status", "--json"], &["queue", "list", "--json"], &["relay", "check"]] {
        let mut command = office.command("alice", words);
        let run = office.scene.run(command.env_remove("PACKHORSE_RELAY_PASSWORD")).expect(0);
        assert!(!run.out.contains("geh") && !run.err.contains("geh"), "{words:?}: {run:?}");
    }
}
