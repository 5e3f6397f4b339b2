//! Connecting to an SSH server and logging in.
//!
//! Owns the order: the host is known before anybody says who he is; then the agent, the key file, the password. Invariant:
//! nothing secret is sent to a host that is not known.

use std::io;
use std::net::TcpStream;
use std::path::Path;

use ssh2::{HashType, HostKeyType, KeyboardInteractivePrompt, MethodType, Prompt, Session};

use super::answer::Trouble;
use super::hosts::{Host, KnownHosts};
use super::wire::Wire;
use crate::access::Access;
use crate::address::{Secret, ServerAddress};
use crate::error::TransportError;
use crate::line::Line;

/// No call of the library's takes longer, in milliseconds: the guard of the line ends what waits, not what spins.
const CALL_MAX_MS: u32 = 300_000;

/// A session that is logged in, and its channel for files.
pub(super) fn login(
    shown: &str,
    address: &ServerAddress,
    access: &Access,
    line: &Line,
) -> Result<(Session, Wire), TransportError> {
    let login = Login { shown, address, access, line };
    let _waiting = line.wait();
    let (session, socket) = login.connect()?;
    login.authenticate(&session)?;
    line.answered();
    let wire = login.open(&session, socket)?;
    line.answered();
    Ok((session, wire))
}

struct Login<'a> {
    shown: &'a str,
    address: &'a ServerAddress,
    access: &'a Access,
    line: &'a Line,
}

impl Login<'_> {
    fn connect(&self) -> Result<(Session, TcpStream), TransportError> {
        let ServerAddress { host, port, .. } = self.address;
        let known = KnownHosts::read(&self.access.known_hosts).map_err(|error| self.unreachable(error))?;
        let socket = self.line.connect(host, *port).map_err(|error| self.unreachable(error))?;
        let failed = |error: ssh2::Error| self.unreachable(ssh(&error));
        let mut session = Session::new().map_err(failed)?;
        session.set_timeout(CALL_MAX_MS);
        let kinds = known.kinds(&session, host, *port);
        if !kinds.is_empty() {
            session.method_pref(MethodType::HostKey, &kinds.join(",")).map_err(failed)?;
        }
        session.set_tcp_stream(socket.try_clone().map_err(|error| self.unreachable(error))?);
        session.handshake().map_err(failed)?;
        self.line.answered();
        self.check_host(&session, &known)?;
        Ok((session, socket))
    }

    fn open(&self, session: &Session, socket: TcpStream) -> Result<Wire, TransportError> {
        let failed = |error: ssh2::Error| self.unreachable(ssh(&error));
        let mut channel = session.channel_session().map_err(failed)?;
        channel.subsystem("sftp").map_err(failed)?;
        Wire::begin(session, socket, channel, self.line).map_err(|trouble| match trouble {
            Trouble::Broken(error) => self.unreachable(error),
            Trouble::Said(_) => self.unreachable(io::ErrorKind::InvalidData.into()),
        })
    }

    fn check_host(&self, session: &Session, known: &KnownHosts) -> Result<(), TransportError> {
        let ServerAddress { host, port, .. } = self.address;
        let Some((key, kind)) = session.host_key() else {
            return Err(self.unreachable(io::Error::other("the server shows no key")));
        };
        let fingerprint = session.host_key_hash(HashType::Sha256).map(fingerprint).unwrap_or_default();
        let relay = self.shown.to_owned();
        match known.judge(session, host, *port, key) {
            Host::Known => Ok(()),
            Host::Unknown => {
                let accept = self.acceptance(key, kind);
                Err(TransportError::HostUnknown { relay, fingerprint, accept })
            }
            Host::Revoked => Err(TransportError::HostRevoked { relay, host: host.clone(), fingerprint }),
            Host::Changed => Err(TransportError::HostChanged { relay, host: host.clone(), fingerprint }),
        }
    }

    /// The command that makes the very key known that was shown.
    fn acceptance(&self, key: &[u8], kind: HostKeyType) -> String {
        let ServerAddress { scheme, host, port, .. } = self.address;
        let entry = if *port == scheme.default_port() { host.clone() } else { format!("[{host}]:{port}") };
        let key = data_encoding::BASE64.encode(key);
        let file = self.access.known_hosts.first().map(|file| file.display().to_string()).unwrap_or_default();
        format!("echo '{entry} {} {key}' >> '{file}'", KnownHosts::kind_of(kind))
    }

    fn authenticate(&self, session: &Session) -> Result<(), TransportError> {
        let Some(user) = self.access.user.as_deref() else {
            return Err(self.refused("", "the address names no account: write sftp://USER@HOST/PATH".to_owned()));
        };
        let mut refusals = Vec::new();
        if self.access.agent
            && let Err(why) = self.by_agent(session, user)?
        {
            refusals.push(format!("the agent's keys: {why}"));
        }
        if let (false, Some(key)) = (session.authenticated(), &self.access.key)
            && let Err(why) = self.by_key(session, user, key)
        {
            refusals.push(why);
        }
        if let (false, Some(password)) = (session.authenticated(), &self.access.password)
            && let Err(error) = by_password(session, user, password)
        {
            refusals.push(format!("the password: {}", error.message()));
        }
        match (session.authenticated(), self.line.cut()) {
            (true, _) => Ok(()),
            (false, Some(_)) => Err(self.unreachable(io::ErrorKind::TimedOut.into())),
            (false, None) if refusals.is_empty() => {
                Err(self.refused(user, "there is neither a key nor a password for it".to_owned()))
            }
            (false, None) => Err(self.refused(user, refusals.join("; "))),
        }
    }

    /// What the agent holds is tried in turn. It may ask a person, and the library waits for it without an end: where nobody
    /// waits any more, the session is left to it.
    fn by_agent(&self, session: &Session, user: &str) -> Result<Result<(), String>, TransportError> {
        let (session, user) = (session.clone(), user.to_owned());
        let tried = self.line.wait_for(move || Ok(with_agent(&session, &user)));
        tried.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut if self.line.cut().is_none() => {
                self.refused(&self.user(), "the SSH agent does not answer; `agent = false` does without it".to_owned())
            }
            _ => self.unreachable(error),
        })
    }

    fn user(&self) -> String {
        self.access.user.clone().unwrap_or_default()
    }

    fn by_key(&self, session: &Session, user: &str, key: &Path) -> Result<(), String> {
        let named = |why: &str| format!("the key {}: {why}", key.display());
        if let Err(error) = std::fs::File::open(key) {
            return Err(named(&error.to_string()));
        }
        let passphrase = self.access.passphrase.as_ref().map(Secret::reveal);
        session.userauth_pubkey_file(user, None, key, passphrase).map_err(|error| match error.code() {
            // The library's own words are about a public key's format.
            ssh2::ErrorCode::Session(-16) => named("it cannot be opened; its passphrase may be missing or wrong"),
            _ => named(error.message()),
        })
    }

    fn refused(&self, user: &str, said: String) -> TransportError {
        TransportError::LoginRefused { relay: self.shown.to_owned(), user: user.to_owned(), said }
    }

    fn unreachable(&self, source: io::Error) -> TransportError {
        self.line.unreachable(self.shown, source)
    }
}

fn with_agent(session: &Session, user: &str) -> Result<(), String> {
    let words = |error: ssh2::Error| error.message().to_owned();
    let mut agent = session.agent().map_err(words)?;
    agent.connect().map_err(words)?;
    agent.list_identities().map_err(words)?;
    let mut refusal = "it holds none".to_owned();
    for key in agent.identities().map_err(words)? {
        match agent.userauth(user, &key) {
            Ok(()) => return Ok(()),
            Err(error) => refusal = words(error),
        }
    }
    Err(refusal)
}

/// By the plain way, or by being asked for it, which many servers have instead.
fn by_password(session: &Session, user: &str, password: &Secret) -> Result<(), ssh2::Error> {
    let refusal = match session.userauth_password(user, password.reveal()) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    session.userauth_keyboard_interactive(user, &mut Answer(password)).map_err(|_| refusal)
}

struct Answer<'a>(&'a Secret);

impl KeyboardInteractivePrompt for Answer<'_> {
    fn prompt(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        // What is shown while it is typed is no password.
        let answer = |prompt: &Prompt<'_>| if prompt.echo { String::new() } else { self.0.reveal().to_owned() };
        prompts.iter().map(answer).collect()
    }
}

fn ssh(error: &ssh2::Error) -> io::Error {
    io::Error::other(error.message().to_owned())
}

/// As OpenSSH shows it.
fn fingerprint(digest: &[u8]) -> String {
    format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(digest))
}
