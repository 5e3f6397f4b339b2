//! Connecting to an FTP server and logging in.
//!
//! Owns the order: TLS before anybody says who he is, where the address wants it; then the account; then, in one go, all
//! that the session has to ask once. Invariant: after a failure nobody waits on the line any more.

use std::io;

use super::control::{Control, Reply, port_in};
use super::tls;
use super::wire::Seal;
use crate::access::Access;
use crate::address::{Place, Scheme, ServerAddress};
use crate::carrier::{Likeness, MARKER};
use crate::error::TransportError;
use crate::line::Line;

/// What FTP servers call somebody without an account, and the password that is polite to give for it.
const ANONYMOUS: (&str, &str) = ("anonymous", "packhorse@");

/// A login that is about to be made.
pub(super) struct Opening<'a> {
    pub(super) shown: &'a str,
    pub(super) address: &'a ServerAddress,
    pub(super) access: &'a Access,
    pub(super) line: &'a Line,
}

/// What it came to.
pub(super) struct Opened {
    /// What the server said first.
    pub(super) greeting: String,
    pub(super) control: Control,
    pub(super) seal: Option<Seal>,
    /// The relay's folder, absolute.
    pub(super) root: String,
    pub(super) has_mlsd: bool,
    /// What the server tells of the root's marker, if it tells anything.
    pub(super) likeness: Option<Likeness>,
    /// Where the server waits for the first data connection, if it has the extended word for it.
    pub(super) port: Option<u16>,
}

impl Opening<'_> {
    pub(super) fn run(&self) -> Result<Opened, TransportError> {
        let _waiting = self.line.wait();
        let ServerAddress { host, port, .. } = self.address;
        let socket = self.line.connect(host, *port).map_err(|error| self.unreachable(error))?;
        let control = Control::new(socket, self.line).map_err(|error| self.unreachable(error))?;
        let (mut control, greeting, seal) = self.greet(control)?;
        self.log_in(&mut control)?;
        self.set_up(control, greeting, seal)
    }

    fn greet(&self, mut control: Control) -> Result<(Control, String, Option<Seal>), TransportError> {
        let mut greeting = control.hear().map_err(|error| self.unreachable(error))?;
        if greeting.is_beginning() {
            // "Ready in so many minutes". Who says that again and again never is.
            greeting = control.hear().map_err(|error| self.unreachable(error))?;
        }
        if !greeting.is_done() {
            return Err(self.unreachable(greeting.as_error()));
        }
        if self.address.scheme != Scheme::Ftps {
            return Ok((control, greeting.text, None));
        }
        let config = tls::config(self.access).map_err(|error| self.unreachable(error))?;
        let seal = Seal { config, host: self.address.host.clone() };
        let said = self.one(&mut control, "AUTH TLS")?;
        if !said.is_done() {
            return Err(self.unreachable(io::Error::other(format!("the server does not speak TLS: {}", said.shown()))));
        }
        let secured = control.secured(&seal).map_err(|error| self.unreachable(error))?;
        Ok((secured, greeting.text, Some(seal)))
    }

    fn log_in(&self, control: &mut Control) -> Result<(), TransportError> {
        let user = self.access.user.as_deref().unwrap_or(ANONYMOUS.0);
        let password = match &self.access.password {
            Some(password) => password.reveal(),
            None if self.access.user.is_none() => ANONYMOUS.1,
            None => "",
        };
        let mut said = self.one(control, &format!("USER {user}"))?;
        if said.wants_more() {
            said = self.one(control, &format!("PASS {password}"))?;
        }
        if said.is_done() {
            return Ok(());
        }
        let (relay, user) = (self.shown.to_owned(), user.to_owned());
        Err(TransportError::LoginRefused { relay, user, said: said.shown() })
    }

    /// What is asked once, all at once: for security of data, for bytes as they are, where we are, what there is, whether the
    /// marker is as it was, and where the first data connection goes.
    fn set_up(&self, mut control: Control, greeting: String, seal: Option<Seal>) -> Result<Opened, TransportError> {
        let sealing: &[&str] = if seal.is_some() { &["PBSZ 0", "PROT P"] } else { &[] };
        let standing: &[&str] = if matches!(self.address.place, Place::OfAccount(_)) { &["PWD"] } else { &[] };
        let (size, written) = self.questions_on_marker();
        let commands = [sealing, &["TYPE I"], standing, &["FEAT", &size, &written, "EPSV"]].concat();
        let replies = control.ask(&commands).map_err(|error| self.unreachable(error))?;
        let Some((must, [features, size, written, passive])) = replies.split_last_chunk() else {
            return Err(self.unreachable(io::ErrorKind::InvalidData.into()));
        };
        if let Some(refusal) = must.iter().find(|reply| !reply.is_done()) {
            return Err(self.unreachable(refusal.as_error()));
        }
        let root = match (&self.address.place, must.last()) {
            (Place::Absolute(path), _) => path.clone(),
            (Place::OfAccount(path), home) => {
                let home = home.and_then(folder_in);
                let home =
                    home.ok_or_else(|| self.unreachable(io::Error::other("the server does not say where we are")))?;
                let joined = format!("{}/{path}", home.trim_end_matches('/'));
                if path.is_empty() { home } else { joined }
            }
        };
        let has_mlsd = features.is_done() && features.text.lines().any(|line| begins_with(line.trim(), "MLST"));
        let tells = size.is_done() && written.is_done();
        let likeness = tells.then(|| Likeness(format!("{} {}", size.text.trim(), written.text.trim())));
        Ok(Opened { greeting, root, has_mlsd, likeness, port: port_in(passive), control, seal })
    }

    /// From where the session stands after the login: how large the marker is, and when it was written.
    fn questions_on_marker(&self) -> (String, String) {
        let (Place::Absolute(folder) | Place::OfAccount(folder)) = &self.address.place;
        let folder = folder.trim_end_matches('/');
        let is_here = folder.is_empty() && matches!(self.address.place, Place::OfAccount(_));
        let marker = if is_here { MARKER.to_owned() } else { format!("{folder}/{MARKER}") };
        (format!("SIZE {marker}"), format!("MDTM {marker}"))
    }

    fn one(&self, control: &mut Control, command: &str) -> Result<Reply, TransportError> {
        let said = control.ask(&[command]).map_err(|error| self.unreachable(error))?;
        said.into_iter().next().ok_or_else(|| self.unreachable(io::ErrorKind::InvalidData.into()))
    }

    fn unreachable(&self, source: io::Error) -> TransportError {
        self.line.unreachable(self.shown, source)
    }
}

fn begins_with(line: &str, word: &str) -> bool {
    line.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// The folder that the server says the session stands in: between quotes, in which a quote is doubled.
fn folder_in(reply: &Reply) -> Option<String> {
    let quoted = reply.text.split_once('"')?.1;
    let mut folder = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' if rest.clone().next() != Some('"') => return reply.is_done().then_some(folder),
            '"' => folder.extend(rest.next()),
            c => folder.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_what_stands_between_quotes() {
        let of = |text: &str| folder_in(&Reply { code: 257, text: text.to_owned() });
        assert_eq!(of("\"/srv/relay\" is the current directory"), Some("/srv/relay".to_owned()));
        assert_eq!(of("\"/a \"\"b\"\"\""), Some("/a \"b\"".to_owned()));
        assert_eq!(of("/srv/relay"), None);
        assert_eq!(of("\"/srv"), None);
    }
}
