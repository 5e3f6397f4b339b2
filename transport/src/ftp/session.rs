//! One FTP connection that is logged in.
//!
//! Owns the commands, where on the server they act, and how their failures are told. What can be said in one go is, and
//! with it the question where the next data connection goes, which is nearly always wanted. Invariants: every wait is
//! under the guard of the line; after a failure nothing more is said. Leaves logging in to [`super::login`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use packhorse_shared::id::NodeName;

use super::control::{Control, Reply, port_in};
use super::login::{Opened, Opening};
use super::moving::{Moving, Way};
use super::wire::{Seal, Wire};
use crate::access::Access;
use crate::address::ServerAddress;
use crate::carrier::Likeness;
use crate::ending::Ending;
use crate::error::TransportError;
use crate::line::{Cut, Line, Load};
use crate::mailbox::Mailbox;
use crate::name::shown;
use crate::placing::Seen;
use crate::window::First;

/// How many commands are said before their replies are heard: as many as fit any buffers on the way.
const AT_ONCE: usize = 20;

/// What came of asking for a file.
pub(super) enum Retrieval {
    Begun(Moving),
    /// There is nothing of it behind that place.
    AtItsEnd,
    Absent,
}

/// What came of asking for a mailbox's listing.
pub(super) enum Listed {
    Begun(Moving),
    /// It is not there, and the folder is listed in which the session stood before.
    AnotherBegun(Moving),
    Absent,
}

/// A connection that is logged in.
pub(super) struct Session {
    shown: String,
    greeting: String,
    control: Control,
    seal: Option<Seal>,
    pub(super) line: Line,
    /// The relay's folder, absolute.
    root: String,
    /// The mailbox that the session stands in.
    inside: Option<Mailbox>,
    pub(super) seen: Seen,
    pub(super) has_mlsd: bool,
    /// What the server has told of the root's marker. Used once.
    pub(super) likeness: Option<Likeness>,
    /// Where the server waits for the next data connection, if it has been asked.
    port: Option<u16>,
}

impl Session {
    pub(super) fn dial(
        shown: String,
        address: &ServerAddress,
        access: &Access,
        ending: Ending,
    ) -> Result<Self, TransportError> {
        let line = Line::open(ending, First::ByBuffers)
            .map_err(|error| TransportError::Unreachable { relay: shown.clone(), source: Arc::new(error) })?;
        let opening = Opening { shown: &shown, address, access, line: &line };
        let opened = opening.run().inspect_err(|_| line.close())?;
        let Opened { greeting, control, seal, root, has_mlsd, likeness, port } = opened;
        let (inside, seen) = (None, Seen::default());
        Ok(Self { shown, greeting, control, seal, line, root, inside, seen, has_mlsd, likeness, port })
    }

    pub(super) fn relay(&self) -> &str {
        &self.shown
    }

    /// The path of a file in the root, or in a remote's folder.
    pub(super) fn path(&self, remote: Option<&NodeName>, file: &str) -> String {
        let holder = remote.map(|remote| format!("{remote}/")).unwrap_or_default();
        format!("{}/{holder}{file}", self.root.trim_end_matches('/'))
    }

    /// The path of a mailbox's folder.
    fn folder(&self, mailbox: &Mailbox) -> String {
        let path = self.path(mailbox.remote(), mailbox.folder().unwrap_or_default());
        if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path }
    }

    /// Goes into a mailbox's folder; false if it is not there.
    pub(super) fn enter(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        if self.inside.as_ref() == Some(mailbox) {
            return Ok(true);
        }
        self.inside = None;
        let path = self.folder(mailbox);
        let there = self.go(&path)?;
        self.inside = there.then(|| mailbox.clone());
        Ok(there)
    }

    fn go(&mut self, path: &str) -> Result<bool, TransportError> {
        Ok(self.one("open", path, &format!("CWD {path}"))?.is_done())
    }

    /// Makes a mailbox's folder and goes into it. Above it only a remote's folder is made.
    pub(super) fn make(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        let root = self.root.clone();
        if !self.go(&root)? {
            return Err(TransportError::NoFolder { relay: self.shown.clone() });
        }
        if let Some(remote) = mailbox.remote() {
            let folder = format!("{}/{remote}", root.trim_end_matches('/'));
            self.make_folder(&folder)?;
        }
        let folder = self.folder(mailbox);
        self.make_folder(&folder)?;
        if self.enter(mailbox)? {
            Ok(())
        } else {
            Err(self.failed("open", &mailbox.to_string(), "it was made and is not there"))
        }
    }

    /// Makes the folder that a marker is written to: the root, or a remote's in it.
    pub(super) fn make_holder(&mut self, remote: Option<&NodeName>) -> Result<(), TransportError> {
        let root = self.root.trim_end_matches('/').to_owned();
        self.inside = None;
        if !self.go(&self.root.clone())? {
            self.make_folder(&root)?;
        }
        match remote {
            Some(remote) => self.make_folder(&format!("{root}/{remote}")),
            None => Ok(()),
        }
    }

    /// Makes a folder unless it is there.
    fn make_folder(&mut self, path: &str) -> Result<(), TransportError> {
        self.inside = None;
        let said = self.one("make the folder", path, &format!("MKD {path}"))?;
        // Servers have no common word for what is there already.
        if said.is_done() || self.go(path)? {
            return Ok(());
        }
        Err(self.broken("make the folder", path, said.as_error()))
    }

    /// Takes a mailbox's folder away, and the remote's that holds it. What the server refuses to, as it does with what is
    /// not empty, stays.
    pub(super) fn remove_folders(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        let root = self.root.clone();
        self.go(&root)?;
        self.inside = None;
        for folder in mailbox.below_root().map(|folder| self.folder(&folder)).collect::<Vec<_>>() {
            if !self.one("remove", &folder, &format!("RMD {folder}"))?.is_done() {
                break;
            }
        }
        Ok(())
    }

    /// What the server says of itself.
    pub(super) fn about(&self) -> Vec<String> {
        let listing = if self.has_mlsd { "it lists for programs (MLSD)" } else { "it lists for people only (LIST)" };
        vec![format!("the server says {}", shown(self.greeting.trim())), listing.to_owned()]
    }

    /// How large a file is; None if the server has none to tell of.
    pub(super) fn size(&mut self, path: &str) -> Result<Option<u64>, TransportError> {
        let said = self.one("ask for the size of", path, &format!("SIZE {path}"))?;
        match (said.is_done(), said.text.trim().parse()) {
            (false, _) => Ok(None),
            (true, Ok(size)) => Ok(Some(size)),
            (true, Err(_)) => Err(self.broken("ask for the size of", path, said.as_error())),
        }
    }

    /// Deletes files. What the server refuses to delete must be absent.
    pub(super) fn delete(&mut self, paths: &[String]) -> Result<(), TransportError> {
        for some in paths.chunks(AT_ONCE) {
            let commands: Vec<String> = some.iter().map(|path| format!("DELE {path}")).collect();
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            let replies = self.ask("remove", some.first().map_or("", String::as_str), &commands)?;
            for (path, said) in some.iter().zip(replies) {
                if !said.is_done() && self.size(path)?.is_some() {
                    return Err(self.broken("remove", path, said.as_error()));
                }
            }
        }
        Ok(())
    }

    /// Renames a file. What bears the new name is overwritten, or the rename is refused, as the server likes it.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), TransportError> {
        // If the first is refused, so is the second, which is half of nothing then.
        let replies = self.ask("rename", from, &[&format!("RNFR {from}"), &format!("RNTO {to}")])?;
        match replies.into_iter().find(|said| !said.is_done() && !said.wants_more()) {
            None => Ok(()),
            Some(refusal) => Err(self.broken("rename", from, refusal.as_error())),
        }
    }

    /// Begins to get a file from a place on.
    pub(super) fn retrieve(
        &mut self,
        path: &str,
        from: u64,
        load: Load,
        file: &str,
    ) -> Result<Retrieval, TransportError> {
        let refusal = match self.resume(from, "get", file)? {
            Ok(()) => match self.begin(&format!("RETR {path}"), Way::In(load), "get", file)? {
                Ok(moving) => return Ok(Retrieval::Begun(moving)),
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        };
        match self.size(path)? {
            // Some refuse to begin where the file ends.
            Some(size) if from > 0 && from >= size => Ok(Retrieval::AtItsEnd),
            Some(_) => Err(self.broken("get", file, refusal.as_error())),
            None => Ok(Retrieval::Absent),
        }
    }

    /// Begins to put a file, after so many bytes of what is there.
    pub(super) fn store(&mut self, path: &str, from: u64, file: &str) -> Result<Moving, TransportError> {
        let mut begun = match self.resume(from, "put", file)? {
            Ok(()) => self.begin(&format!("STOR {path}"), Way::Out, "put", file)?,
            Err(refusal) => Err(refusal),
        };
        if from > 0 && begun.is_err() {
            // Some servers let uploads go on only by appending; the size was asked for just before.
            begun = self.begin(&format!("APPE {path}"), Way::Out, "put", file)?;
        }
        begun.map_err(|refusal| self.broken("put", file, refusal.as_error()))
    }

    /// Lets the next transfer begin at a place. Heard by itself: where it is refused, the file would be begun anew.
    fn resume(&mut self, from: u64, doing: &'static str, file: &str) -> Result<Result<(), Reply>, TransportError> {
        if from == 0 {
            return Ok(Ok(()));
        }
        // Nothing may come between it and the transfer.
        self.await_port(doing, file)?;
        let said = self.one(doing, file, &format!("REST {from}"))?;
        Ok(if said.wants_more() { Ok(()) } else { Err(said) })
    }

    /// Goes into a mailbox's folder and begins to list it, in one go: that it is not there is the exception.
    pub(super) fn listing(&mut self, mailbox: &Mailbox) -> Result<Listed, TransportError> {
        let (what, list) = (mailbox.to_string(), if self.has_mlsd { "MLSD" } else { "LIST" });
        let go = (self.inside.as_ref() != Some(mailbox)).then(|| format!("CWD {}", self.folder(mailbox)));
        self.inside = None;
        let (gone, begun) = self.begin_after(go.as_deref(), list, Way::In(Load::Usual), "list", &what)?;
        let is_inside = gone.is_none_or(|said| said.is_done());
        self.inside = is_inside.then(|| mailbox.clone());
        match (is_inside, begun) {
            (true, Ok(moving)) => Ok(Listed::Begun(moving)),
            (true, Err(refusal)) => Err(self.broken("list", &what, refusal.as_error())),
            (false, Ok(moving)) => Ok(Listed::AnotherBegun(moving)),
            (false, Err(_)) => Ok(Listed::Absent),
        }
    }

    /// Ends a transfer, and hears whether it went well.
    pub(super) fn end(&mut self, moving: Moving, doing: &'static str, what: &str) -> Result<(), TransportError> {
        let ended = moving.end();
        let heard = self.control.hear();
        // What the server says explains more than how its connection ended.
        let said = heard.map_err(|error| self.broken(doing, what, error))?;
        if !said.is_done() {
            return Err(self.broken(doing, what, said.as_error()));
        }
        ended.map_err(|error| self.broken(doing, what, error))
    }

    /// Says a command that has a data connection; or the server's refusal.
    fn begin(
        &mut self,
        command: &str,
        way: Way,
        doing: &'static str,
        what: &str,
    ) -> Result<Result<Moving, Reply>, TransportError> {
        Ok(self.begin_after(None, command, way, doing, what)?.1)
    }

    /// The same with another command before it; what the server said to that comes with it.
    fn begin_after(
        &mut self,
        first: Option<&str>,
        command: &str,
        way: Way,
        doing: &'static str,
        what: &str,
    ) -> Result<(Option<Reply>, Result<Moving, Reply>), TransportError> {
        let _waiting = self.line.wait();
        let port = self.await_port(doing, what)?;
        self.port = None;
        // Before the connection is made: the server waits for it, and a round trip is spared.
        let commands: Vec<&str> = first.into_iter().chain([command]).collect();
        self.control.say(&commands).map_err(|error| self.broken(doing, what, error))?;
        let connected =
            self.control.peer().and_then(|peer| self.line.connect_for_data(SocketAddr::new(peer, port), way.load()));
        let mut hear = || self.control.hear();
        let heard = first.map(|_| hear()).transpose().and_then(|first| Ok((first, hear()?)));
        // What the server refuses it waits for no longer; else nobody but the way there keeps us from it.
        let is_refused = heard.as_ref().is_ok_and(|(_, said)| !said.is_beginning());
        if let Err(error) = &connected
            && (!is_refused || error.kind() == io::ErrorKind::TimedOut)
            && self.line.cut() != Some(Cut::Ended)
        {
            let why = format!(
                "no connection to its port {port} for data ({error}): a firewall may not let its passive ports through"
            );
            return Err(failed(&self.shown, doing, what, io::Error::new(error.kind(), why)));
        }
        let (first, said) = heard.map_err(|error| self.broken(doing, what, error))?;
        if !said.is_beginning() {
            connected.iter().for_each(|socket| self.line.release(socket));
            return Ok((first, Err(said)));
        }
        let wire = connected.and_then(|socket| Wire::new(socket, self.line.is_narrow(), self.seal.as_ref()));
        let wire = wire.map_err(|error| self.broken(doing, what, error))?;
        Ok((first, Ok(Moving::new(wire, &self.line, way))))
    }

    /// Where the next data connection goes, which may have been asked already.
    fn await_port(&mut self, doing: &'static str, what: &str) -> Result<u16, TransportError> {
        if self.port.is_none() {
            let _ = self.ask(doing, what, &[])?;
        }
        if self.port.is_none() {
            // Old servers have only this word for it.
            let said = self.control.ask(&["PASV"]).map_err(|error| self.broken(doing, what, error))?;
            self.port = said.first().and_then(port_in);
        }
        self.port.ok_or_else(|| self.failed(doing, what, "the server does not say where it waits for data"))
    }

    fn one(&mut self, doing: &'static str, what: &str, command: &str) -> Result<Reply, TransportError> {
        let replies = self.ask(doing, what, &[command])?;
        replies.into_iter().next().ok_or_else(|| self.failed(doing, what, "the server did not answer"))
    }

    /// Says commands, and with them the question where the next data connection goes unless that is known.
    fn ask(&mut self, doing: &'static str, what: &str, commands: &[&str]) -> Result<Vec<Reply>, TransportError> {
        let passive: &[&str] = if self.port.is_none() { &["EPSV"] } else { &[] };
        let all = [commands, passive].concat();
        let mut replies = self.control.ask(&all).map_err(|error| self.broken(doing, what, error))?;
        if !passive.is_empty() {
            self.port = replies.pop().as_ref().and_then(port_in);
        }
        Ok(replies)
    }

    /// A failure that the server told, or of a connection, or the end of the line.
    pub(super) fn broken(&self, doing: &'static str, what: &str, error: io::Error) -> TransportError {
        match self.line.cut() {
            Some(Cut::Ended) => TransportError::BudgetOver,
            Some(Cut::Silent) => {
                failed(&self.shown, doing, what, io::Error::new(io::ErrorKind::TimedOut, "the line has gone dead"))
            }
            None => failed(&self.shown, doing, what, error),
        }
    }

    /// A failure that is ours to put in words.
    pub(super) fn failed(&self, doing: &'static str, what: &str, why: &str) -> TransportError {
        failed(&self.shown, doing, what, io::Error::other(why.to_owned()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A server that is told goodbye frees the login at once; what it says to it is not waited for.
        if self.line.cut().is_none() && !self.line.has_failed() {
            let _ = self.control.say(&["QUIT"]);
        }
        self.line.close();
    }
}

fn failed(relay: &str, doing: &'static str, what: &str, source: io::Error) -> TransportError {
    TransportError::Failed { relay: relay.to_owned(), doing, what: what.to_owned(), source: Arc::new(source) }
}
