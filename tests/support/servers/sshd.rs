//! OpenSSH for the user that the tests run as, who alone can log in where it has no rights.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{program, run};

pub(super) fn prepared(folder: &Path, host: &str, port: u16, more: &str) -> Option<Command> {
    let program = program("sshd")?;
    // Where it runs with rights it wants this folder.
    let _ = fs::create_dir_all("/run/sshd");
    fs::create_dir(folder.join(".ssh")).expect("a folder");
    make_key(folder, "host_key", "");
    make_key(folder, ".ssh/id_ed25519", "");
    fs::copy(folder.join(".ssh/id_ed25519.pub"), folder.join("authorized_keys")).expect("a key");
    let config = folder.join("sshd_config");
    // Here the first word on a setting counts.
    let text = format!(
        "{more}Port {port}\nListenAddress {host}\nHostKey {key}\nPidFile none\nAuthorizedKeysFile {authorized}\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n\
         MaxStartups 100\n",
        key = folder.join("host_key").display(),
        authorized = folder.join("authorized_keys").display(),
    );
    fs::write(&config, text).expect("a configuration");
    know(folder, host, port);
    let mut command = Command::new(program);
    command.arg("-D").arg("-f").arg(&config);
    Some(command)
}

/// Lets whoever has this folder as home know the host by the key in it.
pub(super) fn know(folder: &Path, host: &str, port: u16) {
    let key = fs::read_to_string(folder.join("host_key.pub")).expect("a key");
    fs::write(folder.join(".ssh/known_hosts"), format!("[{host}]:{port} {key}")).expect("a known host");
}

/// Makes an ed25519 key.
pub(super) fn make_key(folder: &Path, name: &str, passphrase: &str) {
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f"])
        .arg(folder.join(name)));
}

/// The user that runs the tests.
pub(super) fn user() -> String {
    let told = Command::new("id").arg("-un").output().expect("a user");
    String::from_utf8(told.stdout).expect("a user's name").trim().to_owned()
}
