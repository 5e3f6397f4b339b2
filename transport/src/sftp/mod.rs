//! Relays on SFTP servers.
//!
//! * [`login`] connects, checks the host's key and logs in, [`hosts`] reads the files of known hosts, [`wire`] is the
//!   protocol, [`request`] what is asked in it, [`answer`] what is said to that, [`placing`] moves files' bytes, in
//!   [`pieces`].
//!
//! Version 3 of the protocol, which servers speak, has one word for most failures, and a rename that never overwrites; so
//! what was meant is asked for after a failure. The library's own words for it wait for each answer before they go on.

mod answer;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzzing;
mod hosts;
mod login;
mod pieces;
mod placing;
mod request;
mod wire;

use std::io;
use std::mem::take;
use std::sync::Arc;

use packhorse_shared::id::NodeName;
use ssh2::{MethodType, Session};

use crate::access::Access;
use crate::address::{Place, ServerAddress};
use crate::carrier::{Carrier, Get, Likeness, Listing, MARKER, MARKER_MAX, Put, Sink, Source};
use crate::ending::Ending;
use crate::error::TransportError;
use crate::line::{Beside, Cut, Line};
use crate::mailbox::Mailbox;
use crate::name::{FileName, shown};
use crate::placing::{Placing, Seen, Server, place_marker};
use crate::sftp::answer::{Attributes, Handle, Trouble, status};
use crate::sftp::request::Request;
use crate::sftp::wire::Wire;
use crate::window::First;

/// No folder of a relay holds more.
const ENTRIES_MAX: usize = 1_000_000;

/// How many files are taken away at once: as many as fit any buffers on the way.
const AT_ONCE: usize = 50;

/// The server's word for what it cannot do.
const UNSUPPORTED: u32 = 8;

pub use hosts::known_lines;

/// A connection to a relay on an SFTP server, or a second one's use of it.
pub struct SftpCarrier {
    shown: String,
    wire: Wire,
    session: Session,
    line: Line,
    root: String,
    seen: Seen,
    /// A folder that is open, to be synced, and one that was asked for.
    folder: Option<(String, Handle)>,
    asked_folder: Option<(String, u32)>,
    /// The last writes to a file, not answered yet.
    written: Vec<u32>,
    /// How many pieces of files have been answered.
    answered: usize,
    /// That the line is used both ways, for as long as this is the second that uses it.
    _beside: Option<Beside>,
}

impl SftpCarrier {
    /// Connects and logs in. `shown` is the relay as messages name it.
    pub fn dial(
        shown: String,
        address: &ServerAddress,
        access: &Access,
        ending: Ending,
    ) -> Result<Self, TransportError> {
        let line = Line::open(ending, First::ByAnswers)
            .map_err(|error| TransportError::Unreachable { relay: shown.clone(), source: Arc::new(error) })?;
        let (session, wire) = login::login(&shown, address, access, &line).inspect_err(|_| line.close())?;
        let root = match &address.place {
            Place::OfAccount(path) if path.is_empty() => ".".to_owned(),
            Place::Absolute(path) | Place::OfAccount(path) => path.clone(),
        };
        Ok(Self {
            shown,
            wire,
            session,
            line,
            root,
            seen: Seen::default(),
            folder: None,
            asked_folder: None,
            written: Vec::new(),
            answered: 0,
            _beside: None,
        })
    }

    fn of_remote(&self, remote: Option<&NodeName>) -> String {
        remote.map_or_else(|| self.root.clone(), |remote| below(&self.root, remote.as_str()))
    }

    fn folder(&self, mailbox: &Mailbox) -> String {
        let holder = self.of_remote(mailbox.remote());
        mailbox.folder().map_or_else(|| holder.clone(), |folder| below(&holder, folder))
    }

    /// What stands at a path, not following links; None if nothing does.
    fn found(&mut self, path: &str, what: &str) -> Result<Option<Attributes>, TransportError> {
        let found = self.wire.ask(Request::LookAt(path)).and_then(|said| absent_is_none(said.attributes()));
        found.map_err(|error| self.failed("look at", what, error))
    }

    /// Whether a folder stands at a path, following links.
    fn is_folder(&mut self, path: &str) -> bool {
        let found = self.wire.ask(Request::LookThrough(path)).and_then(|said| said.attributes());
        found.is_ok_and(Attributes::is_folder)
    }

    /// Makes a folder unless it is there.
    fn make_folder(&mut self, path: &str) -> Result<(), TransportError> {
        let refusal = match self.wire.ask(Request::MakeFolder(path)).and_then(|said| said.done()) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if self.is_folder(path) { Ok(()) } else { Err(self.failed("make the folder", path, refusal)) }
    }

    fn make(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if self.found(&self.root.clone(), "the relay's folder")?.is_none() {
            return Err(TransportError::NoFolder { relay: self.shown.clone() });
        }
        if mailbox.remote().is_some() {
            self.make_folder(&self.of_remote(mailbox.remote()))?;
        }
        self.make_folder(&self.folder(mailbox))
    }

    fn delete(&mut self, mailbox: &Mailbox, names: impl Iterator<Item = String>) -> Result<(), TransportError> {
        let folder = self.folder(mailbox);
        let names: Vec<String> = names.collect();
        for some in names.chunks(AT_ONCE) {
            let removed = self.remove_all(&folder, some);
            removed.map_err(|(name, error)| self.failed("remove", &format!("{mailbox}/{name}"), error))?;
        }
        Ok(())
    }

    fn remove_all<'n>(&mut self, folder: &str, names: &'n [String]) -> Result<(), (&'n str, Trouble)> {
        let mut asked = Vec::new();
        for name in names {
            let number = self.wire.send(Request::Remove(&below(folder, name)));
            asked.push((name, number.map_err(|error| (name.as_str(), error))?));
        }
        for (name, number) in asked {
            let removed = self.wire.answer(number).and_then(|said| absent_is_none(said.done()));
            removed.map_err(|error| (name.as_str(), error))?;
        }
        Ok(())
    }

    /// All that a folder holds; None if there is none.
    fn names(&mut self, folder: &str) -> Result<Option<Vec<(String, Attributes)>>, Trouble> {
        let opened = self.wire.ask(Request::OpenFolder(folder))?.handle();
        let Some(handle) = absent_is_none(opened)? else { return Ok(None) };
        let mut all = Vec::new();
        // Nearly always the first holds all, and the second says so.
        let mut asked = self.wire.send(Request::NextNames(&handle))?;
        loop {
            let next = self.wire.send(Request::NextNames(&handle))?;
            match self.wire.answer(asked)?.names()? {
                Some(names) if names.is_empty() => return Err(io::Error::other("the listing does not end").into()),
                Some(names) => all.extend(names),
                None => break self.wire.ignore(next),
            }
            if all.len() > ENTRIES_MAX {
                return Err(io::Error::other("the listing does not end").into());
            }
            asked = next;
        }
        self.wire.send_only(Request::Close(&handle))?;
        Ok(Some(all))
    }

    fn failed(&self, doing: &'static str, what: &str, trouble: Trouble) -> TransportError {
        let source = match (self.line.cut(), trouble) {
            (Some(Cut::Ended), _) => return TransportError::BudgetOver,
            (Some(Cut::Silent), _) => io::Error::new(io::ErrorKind::TimedOut, "the line has gone dead"),
            (None, Trouble::Said(code)) => in_words(code),
            (None, Trouble::Broken(error)) => error,
        };
        TransportError::Failed { relay: self.shown.clone(), doing, what: what.to_owned(), source: Arc::new(source) }
    }
}

impl Carrier for SftpCarrier {
    fn relay(&self) -> &str {
        &self.shown
    }

    fn about(&self) -> Vec<String> {
        let methods = [("keys agreed by", MethodType::Kex), ("host shows", MethodType::HostKey)];
        let banner = self.session.banner().map(|banner| format!("the server is {}", shown(banner)));
        let methods = methods.into_iter().filter_map(|(what, method)| Some((what, self.session.methods(method)?)));
        banner.into_iter().chain(methods.map(|(what, method)| format!("{what} {}", shown(method)))).collect()
    }

    fn is_two_way(&self) -> bool {
        true
    }

    fn beside(&mut self) -> Option<Box<dyn Carrier + Send>> {
        Some(Box::new(Self {
            shown: self.shown.clone(),
            wire: self.wire.beside(),
            session: self.session.clone(),
            line: self.line.clone(),
            root: self.root.clone(),
            seen: self.seen.clone(),
            folder: None,
            asked_folder: None,
            written: Vec::new(),
            answered: 0,
            _beside: Some(self.line.beside()),
        }))
    }

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let folder = self.folder(mailbox);
        let names = self.names(&folder).map_err(|error| self.failed("list", &mailbox.to_string(), error))?;
        let Some(names) = names else { return Ok(Listing::default()) };
        let mut listing = Listing { present: true, ..Listing::default() };
        names.iter().for_each(|(name, found)| note(&mut listing, name, *found));
        self.seen.remember(mailbox, names.into_iter().map(|(name, found)| (name, found.size.unwrap_or(0))));
        Ok(listing)
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        let folder = self.folder(mailbox);
        if !self.seen.is_of(mailbox) && self.found(&folder, &mailbox.to_string())?.is_none() {
            self.make(mailbox)?;
        }
        let (target, part) = (below(&folder, name.as_str()), below(&folder, &name.partial()));
        let mut seen = take(&mut self.seen);
        let placed = Placing { mailbox, name, target, part }.run(self, &mut seen, source);
        self.seen = seen;
        placed
    }

    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        let path = below(&self.folder(mailbox), name.as_str());
        self.read_into(&path, from, &format!("{mailbox}/{name}"), &mut |bytes| sink.take(bytes).map(|()| true))
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.delete(mailbox, names.iter().map(ToString::to_string))
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.delete(mailbox, names.iter().map(FileName::partial))
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        Ok(self.found(&self.folder(mailbox), &mailbox.to_string())?.is_some_and(|found| found.is_folder()))
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if self.has_mailbox(mailbox)? { Ok(()) } else { self.make(mailbox) }
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        for folder in mailbox.below_root().map(|folder| self.folder(&folder)).collect::<Vec<_>>() {
            match self.wire.ask(Request::RemoveFolder(&folder)).and_then(|said| absent_is_none(said.done())) {
                // The protocol has no word for what is not empty.
                Err(Trouble::Said(status::FAILURE)) => return Ok(()),
                done => done.map_err(|error| self.failed("remove", &mailbox.to_string(), error))?,
            };
        }
        Ok(())
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        let mut content = Vec::new();
        let path = below(&self.of_remote(remote), MARKER);
        let got = self.read_into(&path, 0, MARKER, &mut |bytes| {
            content.extend(bytes.iter().take(MARKER_MAX + 1 - content.len()));
            Ok(content.len() <= MARKER_MAX)
        })?;
        Ok((got == Get::Ended).then_some(content))
    }

    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        let path = below(&self.root, MARKER);
        let found = match self.wire.ask(Request::LookThrough(&path)).and_then(|said| said.attributes()) {
            Ok(found) => found,
            // The reading will tell what is wrong.
            Err(Trouble::Said(_)) => return Ok(None),
            Err(broken) => return Err(self.failed("look at", MARKER, broken)),
        };
        Ok(found.size.zip(found.written).map(|(size, written)| Likeness(format!("{size} {written}"))))
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        let root = self.root.clone();
        if self.found(&root, "the relay's folder")?.is_none() {
            let above = root.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
            let folders: Vec<&str> = above.filter_map(|at| root.get(..at)).chain([root.as_str()]).collect();
            for folder in folders {
                // Folders far above may be there and not to be looked into.
                if folder == root || !self.is_folder(folder) {
                    self.make_folder(folder)?;
                }
            }
        }
        if remote.is_some() {
            self.make_folder(&self.of_remote(remote))?;
        }
        let marker = below(&self.of_remote(remote), MARKER);
        place_marker(self, &marker, content)
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.discard(&below(&self.root, MARKER), MARKER)
    }
}

/// Servers take `/` between names, whatever this machine does.
fn below(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// The folder that holds a file.
fn holder(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn note(listing: &mut Listing, name: &str, found: Attributes) {
    match name {
        "." | ".." => {}
        name if found.is_file() => listing.add(name, found.size.unwrap_or(0)),
        name => listing.add_foreign(name),
    }
}

fn absent_is_none<T>(done: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match done {
        Err(Trouble::Said(status::NO_SUCH_FILE | status::NO_SUCH_PATH)) => Ok(None),
        done => done.map(Some),
    }
}

fn in_words(code: u32) -> io::Error {
    let (kind, text) = match code {
        status::NO_SUCH_FILE | status::NO_SUCH_PATH => (io::ErrorKind::NotFound, "there is no such file or folder"),
        status::DENIED => (io::ErrorKind::PermissionDenied, "the server does not allow it to this account"),
        status::FAILURE => (io::ErrorKind::Other, "the server says no more than \"failure\": its disk may be full"),
        status::NO_SPACE => (io::ErrorKind::StorageFull, "the server has no space left"),
        status::QUOTA => (io::ErrorKind::QuotaExceeded, "the account has used up its space"),
        code => return io::Error::other(format!("the server refuses it, with the code {code}")),
    };
    io::Error::new(kind, text)
}
