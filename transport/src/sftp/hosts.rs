//! Known SSH hosts, in OpenSSH's files.
//!
//! Owns which kinds of keys a host is known by, and whether the key that it shows is one of them. Invariant: what is
//! not known is not trusted; nobody is asked. The library reads the files, hashed names included; but it never says by
//! which kinds a host is known, and shown a key of another kind it takes the host for a false one. So the lines are
//! given to it kind by kind.

use std::fs;
use std::io;
use std::path::PathBuf;

use ssh2::{CheckResult, HostKeyType, KnownHostFileKind, Session};

/// What a host's key was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// One that is known.
    Known,
    /// The host is not known at all.
    Unknown,
    /// The host is known by another key.
    Changed,
    /// The key is not to be trusted any more.
    Revoked,
}

/// Kinds as the files name them, and as they are agreed upon.
const KINDS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// The lines in files of known hosts by which one is known; none if it is not.
///
/// # Errors
/// If a file is there and cannot be read, or the library cannot be begun with.
pub fn known_lines(files: &[PathBuf], host: &str, port: u16) -> io::Result<Option<String>> {
    let session = Session::new().map_err(io::Error::other)?;
    let known = KnownHosts::read(files)?;
    let lines = known.lines_of(&session, host, port);
    let is_known = lines.iter().any(|line| !line.starts_with('@'));
    Ok(is_known.then(|| lines.iter().flat_map(|line| [line, "\n"]).collect()))
}

/// The lines of files of known hosts.
pub(super) struct KnownHosts {
    text: String,
}

impl KnownHosts {
    /// Reads the files; one that is not there holds nothing.
    pub(super) fn read(files: &[PathBuf]) -> io::Result<Self> {
        let mut text = String::new();
        for file in files {
            match fs::read(file) {
                Ok(bytes) => text.extend([String::from_utf8_lossy(&bytes).as_ref(), "\n"]),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
            }
        }
        Ok(Self { text })
    }

    /// The kinds of keys that the host is known by, to be agreed upon.
    pub(super) fn kinds(&self, session: &Session, host: &str, port: u16) -> Vec<&'static str> {
        let known = |kind: &str| self.check(session, host, port, b"no key", Some(kind)) == Host::Changed;
        KINDS.into_iter().filter(|(kind, _)| known(kind)).map(|(_, agreed)| agreed).collect()
    }

    /// The lines by which a host is known, and those that trust no key of anybody's.
    fn lines_of(&self, session: &Session, host: &str, port: u16) -> Vec<&str> {
        let is_it = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let key = words.get(2).and_then(|key| data_encoding::BASE64.decode(key.as_bytes()).ok());
            let alone = Self { text: line.to_owned() };
            words.first() == Some(&"@revoked")
                || key.is_some_and(|key| alone.check(session, host, port, &key, None) == Host::Known)
        };
        self.text.lines().filter(|line| is_it(line)).collect()
    }

    /// What the key that the host shows is. One that is revoked for any host is for all.
    pub(super) fn judge(&self, session: &Session, host: &str, port: u16, key: &[u8]) -> Host {
        let shown = data_encoding::BASE64.encode(key);
        let marked = self.text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let is_it = |words: &[&str]| words.first() == Some(&"@revoked") && words.get(3) == Some(&shown.as_str());
        if marked.into_iter().any(|words| is_it(&words)) {
            return Host::Revoked;
        }
        self.check(session, host, port, key, None)
    }

    /// A kind of keys, as the files name it.
    pub(super) fn kind_of(kind: HostKeyType) -> &'static str {
        match kind {
            HostKeyType::Rsa => "ssh-rsa",
            HostKeyType::Dss => "ssh-dss",
            HostKeyType::Ecdsa256 => "ecdsa-sha2-nistp256",
            HostKeyType::Ecdsa384 => "ecdsa-sha2-nistp384",
            HostKeyType::Ecdsa521 => "ecdsa-sha2-nistp521",
            HostKeyType::Ed25519 => "ssh-ed25519",
            HostKeyType::Unknown => "unknown",
        }
    }

    fn check(&self, session: &Session, host: &str, port: u16, key: &[u8], kind: Option<&str>) -> Host {
        let Ok(mut known) = session.known_hosts() else { return Host::Unknown };
        // Lines with a mark (@revoked, @cert-authority) give no trust.
        let plain =
            self.text.lines().filter(|line| !line.trim_start().starts_with(['@', '#']) && !line.trim().is_empty());
        for line in plain.filter(|line| kind.is_none_or(|kind| line.split_whitespace().nth(1) == Some(kind))) {
            // A line that the library does not understand gives no trust.
            let _ = known.read_str(line, KnownHostFileKind::OpenSSH);
        }
        match known.check_port(host, port, key) {
            CheckResult::Match => Host::Known,
            CheckResult::Mismatch => Host::Changed,
            CheckResult::NotFound | CheckResult::Failure => Host::Unknown,
        }
    }
}
