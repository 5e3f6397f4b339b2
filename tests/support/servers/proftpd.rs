//! proftpd, with accounts and passwords of its own: `hub`, whose folder is the relay, and some remotes', whose folders are
//! theirs in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every account's password.
pub const PASSWORD: &str = "geh@im: 7";

/// The remotes that have an account.
const REMOTES: [&str; 5] = ["alice", "bob", "carol", "store-1", "store-10"];

pub(super) fn prepared(folder: &Path, host: &str, port: u16, more: &str) -> Option<Command> {
    let program = unpacked().join("usr/sbin/proftpd");
    if !program.is_file() {
        return None;
    }
    let owner = fs::metadata(folder).expect("a folder");
    let hashed = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output().expect("openssl");
    let hash = String::from_utf8(hashed.stdout).expect("a hash");
    let account = |name: &str, home: PathBuf| {
        format!("{name}:{}:{}:{}::{}:/bin/sh\n", hash.trim(), owner.uid(), owner.gid(), home.display())
    };
    let relay = folder.join("relay");
    let own: String = REMOTES.iter().map(|name| account(name, relay.join(name))).collect();
    write_private(&folder.join("passwd"), &(account("hub", relay.clone()) + &own));
    let config = folder.join("proftpd.conf");
    // Of two words on a setting neither is sure to count.
    let restart = if more.contains("AllowStoreRestart") { "" } else { "AllowStoreRestart on\n" };
    let text = format!(
        "ServerType standalone\nDefaultAddress {host}\nPort {port}\nUser {user}\nGroup {group}\nRootLogin on\n\
         AuthOrder mod_auth_file.c\nAuthUserFile {passwd}\nRequireValidShell off\nAllowOverwrite on\n\
         {restart}AllowRetrieveRestart on\nScoreboardFile {board}\nPidFile {pid}\nSystemLog {log}\n\
         WtmpLog off\nUseReverseDNS off\nDelayEngine off\nControlsEngine off\nUmask 022\n{confined}{more}",
        user = named("-un"),
        group = named("-gn"),
        passwd = folder.join("passwd").display(),
        board = folder.join("scoreboard").display(),
        pid = folder.join("pid").display(),
        log = folder.join("log").display(),
        confined = if owner.uid() == 0 { "DefaultRoot ~\n" } else { "" },
    );
    fs::write(&config, text).expect("a configuration");
    let mut command = Command::new(program);
    command.arg("-n").arg("-c").arg(&config).env("LD_LIBRARY_PATH", unpacked().join("usr/lib/x86_64-linux-gnu"));
    Some(command)
}

/// The same over SSH, for passwords alone.
pub(super) fn prepared_for_sftp(folder: &Path, host: &str, port: u16) -> Option<Command> {
    let modules = unpacked().join("usr/lib/proftpd");
    if !modules.join("mod_sftp.so").is_file() {
        return None;
    }
    fs::create_dir(folder.join(".ssh")).expect("a folder");
    super::run(
        Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f"]).arg(folder.join("host_key")),
    );
    super::sshd::know(folder, host, port);
    let more = format!(
        "ModulePath {modules}\nLoadModule mod_sftp.c\nSFTPEngine on\nSFTPHostKey {key}\nSFTPAuthMethods password\n\
         SFTPLog {log}\n",
        modules = modules.display(),
        key = folder.join("host_key").display(),
        log = folder.join("sftp.log").display(),
    );
    prepared(folder, host, port, &more)
}

fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/proftpd")
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
}

/// The user that runs the tests, or its group.
fn named(option: &str) -> String {
    let told = Command::new("id").arg(option).output().expect("a user");
    String::from_utf8(told.stdout).expect("a name").trim().to_owned()
}
