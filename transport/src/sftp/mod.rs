//! Relays on SFTP servers.
//!
//! * [`login`] connects, checks the host's key and logs in, [`hosts`] reads the files of known hosts, [`placing`] puts.
//!
//! Version 3 of the protocol, which servers speak, has one word for most failures, and a rename that never overwrites; so
//! what was meant is asked for after a failure.

mod hosts;
mod login;
mod placing;

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packhorse_shared::id::NodeName;
use ssh2::{ErrorCode, FileStat, MethodType, Session, Sftp};

use crate::access::Access;
use crate::address::{Place, ServerAddress};
use crate::carrier::{Carrier, Get, Listing, MARKER, MARKER_MAX, Put, Sink, Source};
use crate::ending::Ending;
use crate::error::TransportError;
use crate::line::{Cut, Line};
use crate::mailbox::Mailbox;
use crate::name::{FileName, shown};
use crate::sftp::placing::Placing;

/// How much is asked for at a time: the library asks for the next while this one comes.
const READ_AT_ONCE: usize = 32 * 1024;

/// No folder of a relay holds more.
const ENTRIES_MAX: usize = 1_000_000;

/// The server's words for what is not there.
const NO_SUCH_FILE: i32 = 2;
const NO_SUCH_PATH: i32 = 10;
/// And for whatever it does not say more of.
const FAILURE: i32 = 4;

/// One connection to a relay on an SFTP server.
pub struct SftpCarrier {
    shown: String,
    // In this order: the channel is closed before its session.
    sftp: Sftp,
    session: Session,
    line: Line,
    root: PathBuf,
    listed: Option<(Mailbox, BTreeMap<String, u64>)>,
}

impl SftpCarrier {
    /// Connects and logs in. `shown` is the relay as messages name it.
    pub fn dial(
        shown: String,
        address: &ServerAddress,
        access: &Access,
        ending: Ending,
    ) -> Result<Self, TransportError> {
        let line = Line::open(ending)
            .map_err(|error| TransportError::Unreachable { relay: shown.clone(), source: Arc::new(error) })?;
        let (session, sftp) = login::login(&shown, address, access, &line).inspect_err(|_| line.close())?;
        let root = match &address.place {
            Place::Absolute(path) => PathBuf::from(path),
            Place::OfAccount(path) if path.is_empty() => PathBuf::from("."),
            Place::OfAccount(path) => PathBuf::from(path),
        };
        Ok(Self { shown, sftp, session, line, root, listed: None })
    }

    fn of_remote(&self, remote: Option<&NodeName>) -> PathBuf {
        remote.map_or_else(|| self.root.clone(), |remote| below(&self.root, remote.as_str()))
    }

    fn folder(&self, mailbox: &Mailbox) -> PathBuf {
        let holder = self.of_remote(mailbox.remote());
        mailbox.folder().map_or_else(|| holder.clone(), |folder| below(&holder, folder))
    }

    /// What stands at a path, not following links; None if nothing does.
    fn found(&self, path: &Path, what: &str) -> Result<Option<FileStat>, TransportError> {
        let _waiting = self.line.wait();
        absent_is_none(self.sftp.lstat(path)).map_err(|error| self.failed("look at", what, error))
    }

    /// Makes a folder unless it is there.
    fn make_folder(&self, path: &Path) -> Result<(), TransportError> {
        let _waiting = self.line.wait();
        let refusal = match self.sftp.mkdir(path, 0o777) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let what = path.to_string_lossy();
        match self.sftp.stat(path) {
            Ok(found) if found.is_dir() => Ok(()),
            _ => Err(self.failed("make the folder", &what, refusal)),
        }
    }

    fn make(&self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if self.found(&self.root, "the relay's folder")?.is_none() {
            return Err(TransportError::NoFolder { relay: self.shown.clone() });
        }
        if mailbox.remote().is_some() {
            self.make_folder(&self.of_remote(mailbox.remote()))?;
        }
        self.make_folder(&self.folder(mailbox))
    }

    fn delete(&mut self, mailbox: &Mailbox, names: impl Iterator<Item = String>) -> Result<(), TransportError> {
        let folder = self.folder(mailbox);
        for name in names {
            let _waiting = self.line.wait();
            let gone = absent_is_none(self.sftp.unlink(&below(&folder, &name)));
            gone.map_err(|error| self.failed("remove", &format!("{mailbox}/{name}"), error))?;
        }
        Ok(())
    }

    /// Whether this connection has seen that nothing bears the name in a mailbox.
    fn saw_none(&self, mailbox: &Mailbox, raw: &str) -> bool {
        self.listed.as_ref().is_some_and(|(listed, files)| listed == mailbox && !files.contains_key(raw))
    }

    fn failed(&self, doing: &'static str, what: &str, error: ssh2::Error) -> TransportError {
        self.broken(doing, what, in_words(&error))
    }

    fn broken(&self, doing: &'static str, what: &str, error: io::Error) -> TransportError {
        let source = match self.line.cut() {
            Some(Cut::Ended) => return TransportError::BudgetOver,
            Some(Cut::Silent) => io::Error::new(io::ErrorKind::TimedOut, "the line has gone dead"),
            None => error,
        };
        TransportError::Failed { relay: self.shown.clone(), doing, what: what.to_owned(), source: Arc::new(source) }
    }

    fn read_into(
        &self,
        path: &Path,
        from: u64,
        what: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<bool, TransportError>,
    ) -> Result<Get, TransportError> {
        let _waiting = self.line.wait();
        let opened = absent_is_none(self.sftp.open(path)).map_err(|error| self.failed("get", what, error))?;
        let Some(mut file) = opened else { return Ok(Get::Absent) };
        file.seek(SeekFrom::Start(from)).map_err(|error| self.broken("get", what, error))?;
        let mut chunk = vec![0; READ_AT_ONCE];
        loop {
            let count = file.read(&mut chunk).map_err(|error| self.broken("get", what, error))?;
            self.line.came(count);
            match chunk.get(..count).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) if take(bytes)? => {}
                _ => break,
            }
        }
        Ok(Get::Ended)
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

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let folder = self.folder(mailbox);
        let _waiting = self.line.wait();
        let told = |error| self.failed("list", &mailbox.to_string(), error);
        let Some(mut opened) = absent_is_none(self.sftp.opendir(&folder)).map_err(told)? else {
            return Ok(Listing::default());
        };
        let mut listing = Listing { present: true, ..Listing::default() };
        let mut raw = BTreeMap::new();
        for _ in 0..ENTRIES_MAX {
            let (path, found) = match opened.readdir() {
                Ok(entry) => entry,
                Err(error) if is_end(&error) => {
                    self.listed = Some((mailbox.clone(), raw));
                    return Ok(listing);
                }
                Err(error) => return Err(told(error)),
            };
            self.line.came(path.as_os_str().len());
            note(&mut listing, &path, &found);
            raw.insert(path.to_string_lossy().into_owned(), found.size.unwrap_or(0));
        }
        Err(self.broken("list", &mailbox.to_string(), io::Error::other("the listing does not end")))
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        let is_listed = self.listed.as_ref().is_some_and(|(listed, _)| listed == mailbox);
        if !is_listed && self.found(&self.folder(mailbox), &mailbox.to_string())?.is_none() {
            self.make(mailbox)?;
        }
        let placed = Placing::new(self, mailbox, name).run(source);
        if let Some((_, files)) = &mut self.listed {
            files.insert(name.to_string(), source.size());
            files.insert(name.partial(), 0);
        }
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
        Ok(self.found(&self.folder(mailbox), &mailbox.to_string())?.is_some_and(|found| found.is_dir()))
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if self.has_mailbox(mailbox)? { Ok(()) } else { self.make(mailbox) }
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        let holder = mailbox.remote().map(|remote| self.of_remote(Some(remote)));
        for folder in [mailbox.folder().map(|_| self.folder(mailbox)), holder].into_iter().flatten() {
            let _waiting = self.line.wait();
            match absent_is_none(self.sftp.rmdir(&folder)) {
                // The protocol has no word for what is not empty.
                Err(error) if error.code() == ErrorCode::SFTP(FAILURE) => return Ok(()),
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

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        let _waiting = self.line.wait();
        if self.found(&self.root, "the relay's folder")?.is_none() {
            for folder in self.root.ancestors().collect::<Vec<_>>().into_iter().rev().skip(1) {
                // Folders far above may be there and not to be looked into.
                if folder == self.root || self.sftp.stat(folder).is_err() {
                    self.make_folder(folder)?;
                }
            }
        }
        if remote.is_some() {
            self.make_folder(&self.of_remote(remote))?;
        }
        placing::write_marker(self, remote, content)
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.unlink(&below(&self.root, MARKER), MARKER)
    }
}

impl Drop for SftpCarrier {
    fn drop(&mut self) {
        if self.line.cut().is_none() {
            let _waiting = self.line.wait();
            // The server frees the login also when it is not told.
            let _ = self.session.disconnect(None, "done", None);
        }
        self.line.close();
    }
}

/// Servers take `/` between names, whatever this machine does.
fn below(folder: &Path, name: &str) -> PathBuf {
    PathBuf::from(format!("{}/{name}", folder.to_string_lossy().trim_end_matches('/')))
}

fn note(listing: &mut Listing, path: &Path, found: &FileStat) {
    match path.to_str() {
        Some("." | "..") => {}
        Some(name) if found.is_file() => listing.add(name, found.size.unwrap_or(0)),
        _ => listing.add_foreign(&path.to_string_lossy()),
    }
}

fn absent_is_none<T>(done: Result<T, ssh2::Error>) -> Result<Option<T>, ssh2::Error> {
    match done {
        Err(error) if matches!(error.code(), ErrorCode::SFTP(NO_SUCH_FILE | NO_SUCH_PATH)) => Ok(None),
        done => done.map(Some),
    }
}

/// How the library tells that a folder has no more entries.
fn is_end(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-16))
}

/// The library's words, or better ones.
fn in_words(error: &ssh2::Error) -> io::Error {
    let (kind, text) = match error.code() {
        ErrorCode::SFTP(NO_SUCH_FILE | NO_SUCH_PATH) => (io::ErrorKind::NotFound, "there is no such file or folder"),
        ErrorCode::SFTP(3) => (io::ErrorKind::PermissionDenied, "the server does not allow it to this account"),
        ErrorCode::SFTP(FAILURE) => {
            (io::ErrorKind::Other, "the server says no more than \"failure\": its disk may be full")
        }
        ErrorCode::SFTP(14) => (io::ErrorKind::StorageFull, "the server has no space left"),
        ErrorCode::SFTP(15) => (io::ErrorKind::QuotaExceeded, "the account has used up its space"),
        _ => (io::ErrorKind::Other, error.message()),
    };
    io::Error::new(kind, text.to_owned())
}
