//! Where passwords and keys for relays come from.
//!
//! Owns the order: the environment, a file that only its owner may read, a command, the address. Invariants: nothing
//! secret becomes part of a message; a file that others may read is refused, not used with a warning. Leaves to the
//! transport how they are used.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use packhorse_shared::bundle::package::AccessStart;
use packhorse_shared::config::{AccessConfig, HookCommand, TlsLimit};
use packhorse_shared::seam::is_private;
use packhorse_transport::{
    Access, Ending, Keyring, Scheme, Secret, ServerAddress, TlsVersion, TransportError, Trust, known_lines,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::hooks;

/// Overrides every other source of the password.
const PASSWORD: &str = "PACKHORSE_RELAY_PASSWORD";
/// Overrides every other source of a key's passphrase.
const PASSPHRASE: &str = "PACKHORSE_KEY_PASSPHRASE";
/// Keys that are tried where none is named, in the user's `.ssh`.
const USUAL_KEYS: [&str; 2] = ["id_ed25519", "id_rsa"];

/// How long a command may take that prints a password: somebody may have to unlock something first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what it has printed may take to arrive once it has ended.
const AFTER_ITS_END: Duration = Duration::from_secs(1);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// No password is longer.
const SECRET_MAX: u64 = 4096;

/// A node's keyring: what its configuration and the environment say.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    sections: BTreeMap<String, AccessConfig>,
    /// What relative paths are relative to.
    base: PathBuf,
    /// What commands have printed: a run makes several connections, and a person may be asked by each command.
    printed: Arc<Mutex<Vec<(HookCommand, Secret)>>>,
}

impl Keys {
    /// By the sections of a configuration in this folder.
    pub fn new(sections: &BTreeMap<String, AccessConfig>, base: &Path) -> Self {
        Self { sections: sections.clone(), base: base.to_owned(), printed: Arc::default() }
    }

    fn section(&self, server: &ServerAddress) -> AccessConfig {
        let named = [format!("{}:{}", server.host, server.port), server.host.clone()];
        named.iter().find_map(|name| self.sections.get(name)).cloned().unwrap_or_default()
    }

    fn path(&self, written: &Path) -> PathBuf {
        match (written.strip_prefix("~"), std::env::home_dir()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.base.join(written),
        }
    }

    fn key(&self, section: &AccessConfig) -> Option<PathBuf> {
        if let Some(key) = &section.key {
            return Some(self.path(key));
        }
        USUAL_KEYS.iter().map(|name| self.path(&Path::new("~/.ssh").join(name))).find(|path| path.is_file())
    }

    /// The password, or the key's passphrase: whichever the section's one source is for.
    fn secret(&self, section: &AccessConfig, ending: &Ending) -> Result<Option<Secret>, String> {
        if let Some(file) = &section.password_file {
            return from_file(&self.path(file)).map(Some);
        }
        section.password_command.as_ref().map(|command| self.printed_by(command, ending)).transpose()
    }

    /// What a command prints. It runs once, and who asks meanwhile waits for what it says.
    fn printed_by(&self, command: &HookCommand, ending: &Ending) -> Result<Secret, String> {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, secret)) = printed.iter().find(|(ran, _)| ran == command) {
            return Ok(secret.clone());
        }
        let secret = from_command(command, &self.base, ending)?;
        printed.push((command.clone(), secret.clone()));
        Ok(secret)
    }

    fn trust(&self, section: &AccessConfig) -> Result<Trust, String> {
        if let Some(digest) = section.certificate {
            return Ok(Trust::Pinned(digest));
        }
        if let Some(file) = &section.ca {
            let file = self.path(file);
            let read = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let roots =
                read.map_err(|error| format!("the certificates in {} cannot be read: {error}", file.display()))?;
            return Ok(Trust::Roots(roots.iter().map(|root| root.to_vec()).collect()));
        }
        let found = rustls_native_certs::load_native_certs();
        Ok(Trust::Roots(found.certs.iter().map(|root| root.to_vec()).collect()))
    }

    /// What a remote's package brings to log in to a server with: what is configured for the remote, and by what this node knows
    /// the server.
    pub fn for_remote(&self, server: &ServerAddress, own: &AccessConfig) -> Result<AccessStart, String> {
        let here = self.section(server);
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
        let mut start = AccessStart::of(format!("{}:{}", server.host, server.port));
        start.user.clone_from(&own.user);
        let is_ssh = server.scheme == Scheme::Sftp;
        start.key = own.key.as_deref().filter(|_| is_ssh).map(|key| read(&private(self.path(key))?)).transpose()?;
        start.secret = self.secret(own, &Ending::default())?.map(|secret| secret.reveal().to_owned());
        start.newest_tls = own.tls == TlsLimit::V13 || here.tls == TlsLimit::V13;
        match server.scheme {
            Scheme::Sftp => {
                let file = self.known_hosts(if own.known_hosts.is_some() { own } else { &here });
                let lines = known_lines(&[file], &server.host, server.port);
                start.known_hosts = lines.map_err(|error| format!("the known SSH hosts cannot be read: {error}"))?;
            }
            Scheme::Ftps => {
                let ca = own.ca.as_ref().or(here.ca.as_ref());
                start.ca = ca.map(|ca| read(&self.path(ca))).transpose()?;
                start.certificate = own.certificate.or(here.certificate);
            }
            Scheme::Ftp => {}
        }
        Ok(start)
    }

    fn known_hosts(&self, section: &AccessConfig) -> PathBuf {
        self.path(section.known_hosts.as_deref().unwrap_or(Path::new("~/.ssh/known_hosts")))
    }

    fn gathered(&self, server: &ServerAddress, ending: &Ending) -> Result<Access, String> {
        let section = self.section(server);
        let is_for_key = section.key.is_some();
        let (password, passphrase) = (from_environment(PASSWORD), from_environment(PASSPHRASE));
        let is_known = if is_for_key { passphrase.is_some() } else { password.is_some() };
        let secret = if is_known { None } else { self.secret(&section, ending)? };
        let key = if server.scheme == Scheme::Sftp { self.key(&section) } else { None };
        Ok(Access {
            user: server.user.clone().or_else(|| section.user.clone()),
            password: password.or_else(|| secret.clone().filter(|_| !is_for_key)).or_else(|| server.password.clone()),
            key,
            passphrase: passphrase.or_else(|| secret.filter(|_| is_for_key)),
            agent: section.agent.unwrap_or_else(|| std::env::var_os("SSH_AUTH_SOCK").is_some()),
            known_hosts: vec![self.known_hosts(&section)],
            trust: if server.scheme == Scheme::Ftps { self.trust(&section)? } else { Trust::Roots(Vec::new()) },
            tls: match section.tls {
                TlsLimit::V12 => TlsVersion::Tls12,
                TlsLimit::V13 => TlsVersion::Tls13,
            },
        })
    }
}

impl Keyring for Keys {
    fn access(&self, server: &ServerAddress, ending: &Ending) -> Result<Access, TransportError> {
        let relay = format!("{}://{}", server.scheme.name(), server.host_port());
        self.gathered(server, ending).map_err(|what| match ending.is_over() {
            true => TransportError::BudgetOver,
            false => TransportError::NoCredentials { relay, what },
        })
    }
}

fn from_environment(name: &str) -> Option<Secret> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new)
}

/// A file that only its owner may read.
fn private(path: PathBuf) -> Result<PathBuf, String> {
    match is_private(&path) {
        Ok(true) => Ok(path),
        Ok(false) => {
            let path = path.display();
            Err(format!("others than its owner may read {path}: close it to them with `chmod 600 {path}`"))
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn from_file(path: &Path) -> Result<Secret, String> {
    let unreadable = |error: io::Error| format!("the password in {} cannot be read: {error}", path.display());
    private(path.to_owned())?;
    first_line(&fs::read(path).map_err(unreadable)?).ok_or_else(|| format!("{} holds no password", path.display()))
}

/// What a command prints first. Neither the run's end nor what the command has started and left behind is waited for.
fn from_command(command: &HookCommand, base: &Path, ending: &Ending) -> Result<Secret, String> {
    let mut program = hooks::program(command);
    program.current_dir(base).stdin(Stdio::null()).stdout(Stdio::piped());
    let spawned = program.spawn();
    let mut child = spawned.map_err(|error| format!("password_command cannot be started: {error}"))?;
    let began = Instant::now();
    let lost = |error: io::Error| format!("password_command was lost sight of: {error}");
    let printed = child.stdout.take().map(first_line_of).transpose().map_err(lost)?;
    let status = loop {
        match child.try_wait().map_err(lost)? {
            Some(status) => break status,
            None if began.elapsed() < PATIENCE && !ending.is_over() => thread::sleep(LOOK_EVERY),
            None => {
                // If it cannot be ended there is nothing else to be done about it.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("password_command took longer than {} s, and was ended", PATIENCE.as_secs()));
            }
        }
    };
    if !status.success() {
        return Err(format!("password_command failed ({status})"));
    }
    let line = printed.and_then(|printed| printed.recv_timeout(AFTER_ITS_END).ok()).unwrap_or_default();
    first_line(&line).ok_or_else(|| "password_command printed no password".to_owned())
}

/// The first line of what is printed, and nothing of the rest, which is taken all the same.
fn first_line_of(stdout: ChildStdout) -> io::Result<Receiver<Vec<u8>>> {
    let (give, given) = channel();
    thread::Builder::new().spawn(move || {
        let (mut stdout, mut line) = (BufReader::new(stdout), Vec::new());
        // What cannot be read was not printed. Where nobody waits any more nobody wants to know.
        let _ = stdout.by_ref().take(SECRET_MAX).read_until(b'\n', &mut line);
        let _ = give.send(line);
        let _ = io::copy(&mut stdout, &mut io::sink());
    })?;
    Ok(given)
}

fn first_line(bytes: &[u8]) -> Option<Secret> {
    let line = String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
    (!line.is_empty()).then(|| Secret::new(line))
}
