//! One FTP connection that is logged in.
//!
//! Owns the commands, where on the server they act, and how their failures are told. Invariants: every wait is under the
//! guard of the line; after a failure nothing more is said. Leaves logging in to [`super::login`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use packhorse_shared::id::NodeName;
use suppaftp::{FtpError, FtpResult, RustlsFtpStream, Status};

use super::login::{Opened, Opening};
use super::moving::Moving;
use crate::access::Access;
use crate::address::ServerAddress;
use crate::carrier::Listing;
use crate::ending::Ending;
use crate::error::TransportError;
use crate::line::{Cut, Line};
use crate::mailbox::Mailbox;
use crate::name::shown;

/// A connection that is logged in.
pub(super) struct Session {
    shown: String,
    ftp: RustlsFtpStream,
    line: Line,
    /// The relay's folder, absolute.
    root: String,
    /// The mailbox that the session stands in.
    inside: Option<Mailbox>,
    /// The mailbox that was listed last, and what lay there, by raw name.
    listed: Option<(Mailbox, BTreeMap<String, u64>)>,
    pub(super) has_mlsd: bool,
}

impl Session {
    pub(super) fn dial(
        shown: String,
        address: &ServerAddress,
        access: &Access,
        ending: Ending,
    ) -> Result<Self, TransportError> {
        let line = Line::open(ending)
            .map_err(|error| TransportError::Unreachable { relay: shown.clone(), source: Arc::new(error) })?;
        let opening = Opening { shown: &shown, address, access, line: &line };
        let opened = opening.run().inspect_err(|_| line.close())?;
        let Opened { ftp, root, has_mlsd } = opened;
        Ok(Self { shown, ftp, line, root, inside: None, listed: None, has_mlsd })
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
        mailbox.folder().map_or_else(|| self.root.clone(), |folder| self.path(mailbox.remote(), folder))
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
        let went = self.said(|ftp| ftp.cwd(path));
        self.if_there("open", path, went).map(|there| there.is_some())
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
        let refusal = match self.said(|ftp| ftp.mkdir(path)) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Servers have no common word for what is there already.
        if is_refusal(&refusal) && self.go(path)? {
            return Ok(());
        }
        Err(self.refused("make the folder", path, refusal))
    }

    /// Takes a mailbox's folder away, and the remote's that holds it. What the server refuses to, as it does with what is
    /// not empty, stays.
    pub(super) fn remove_folders(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        let root = self.root.clone();
        self.go(&root)?;
        self.inside = None;
        let holder = mailbox.remote().map(|remote| format!("{}/{remote}", root.trim_end_matches('/')));
        for folder in [mailbox.folder().map(|_| self.folder(mailbox)), holder].into_iter().flatten() {
            match self.said(|ftp| ftp.rmdir(&folder)) {
                Err(error) if is_refusal(&error) => return Ok(()),
                done => done.map_err(|error| self.refused("remove", &folder, error))?,
            }
        }
        Ok(())
    }

    /// What the server says of itself.
    pub(super) fn about(&self) -> Vec<String> {
        let greeting = self.ftp.get_welcome_msg().map(|greeting| format!("the server says {}", shown(greeting.trim())));
        let listing = if self.has_mlsd { "it lists for programs (MLSD)" } else { "it lists for people only (LIST)" };
        greeting.into_iter().chain([listing.to_owned()]).collect()
    }

    /// How large a file is; None if the server has none to tell of.
    pub(super) fn size(&mut self, path: &str) -> Result<Option<u64>, TransportError> {
        let size = self.said(|ftp| ftp.size(path));
        self.if_there("ask for the size of", path, size).map(|size| size.map(|size| size as u64))
    }

    /// Deletes a file; false if the server refuses, or there is none.
    pub(super) fn delete(&mut self, path: &str) -> Result<bool, TransportError> {
        self.unlist(path);
        let deleted = self.said(|ftp| ftp.rm(path));
        self.if_there("remove", path, deleted).map(|deleted| deleted.is_some())
    }

    /// Renames a file. What bears the new name is overwritten, or the rename is refused, as the server likes it.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), TransportError> {
        self.unlist(from);
        self.said(|ftp| ftp.rename(from, to)).map_err(|error| self.refused("rename", from, error))
    }

    /// Begins to get a file; None if it is not there.
    pub(super) fn retrieve(&mut self, path: &str, from: u64, file: &str) -> Result<Option<Moving>, TransportError> {
        let offset = self.offset(from, file)?;
        let opened = self.said(|ftp| ftp.resume_transfer(offset).and_then(|()| ftp.retr_as_stream(path)));
        match opened {
            Ok(data) => Ok(Some(Moving::new(data, &self.line))),
            Err(error) if is_refusal(&error) => match self.size(path)? {
                // Some refuse to begin where the file ends.
                Some(size) if from > 0 && from >= size => Ok(Some(Moving::nothing(&self.line))),
                Some(_) => Err(self.refused("get", file, error)),
                None => Ok(None),
            },
            Err(error) => Err(self.refused("get", file, error)),
        }
    }

    /// Begins to put a file, after so many bytes of what is there.
    pub(super) fn store(&mut self, path: &str, from: u64, file: &str) -> Result<Moving, TransportError> {
        self.unlist(path);
        let offset = self.offset(from, file)?;
        let opened = self.said(|ftp| ftp.resume_transfer(offset).and_then(|()| ftp.put_with_stream(path)));
        let opened = match opened {
            // Some servers let uploads go on only by appending; the size was asked for just before.
            Err(error) if from > 0 && is_refusal(&error) => self.said(|ftp| ftp.append_with_stream(path)),
            opened => opened,
        };
        opened.map(|data| Moving::new(data, &self.line)).map_err(|error| self.refused("put", file, error))
    }

    /// Begins to list the folder that the session stands in.
    pub(super) fn listing(&mut self, mailbox: &Mailbox) -> Result<Moving, TransportError> {
        let command = if self.has_mlsd { "MLSD" } else { "LIST" };
        let opened = self.said(|ftp| ftp.custom_data_command(command, &[Status::AboutToSend, Status::AlreadyOpen]));
        let opened = opened.map(|(_, data)| Moving::new(data, &self.line));
        opened.map_err(|error| self.refused("list", &mailbox.to_string(), error))
    }

    fn offset(&self, from: u64, file: &str) -> Result<usize, TransportError> {
        usize::try_from(from).map_err(|_| self.failed("resume", file, "it is too large for this machine"))
    }

    /// Remembers what was listed: it spares asking again.
    pub(super) fn remember(&mut self, mailbox: &Mailbox, listing: &Listing) {
        let files = listing.files.iter().map(|entry| (entry.name.to_string(), entry.size));
        let partials = listing.partials.iter().map(|entry| (entry.name.partial(), entry.size));
        self.listed = Some((mailbox.clone(), files.chain(partials).collect()));
    }

    /// Whether this connection has seen that nothing bears the name in a mailbox.
    pub(super) fn saw_none(&self, mailbox: &Mailbox, raw: &str) -> bool {
        self.listed.as_ref().is_some_and(|(listed, files)| listed == mailbox && !files.contains_key(raw))
    }

    fn unlist(&mut self, raw: &str) {
        if let Some((_, files)) = &mut self.listed {
            files.insert(raw.to_owned(), 0);
        }
    }

    fn said<T>(&mut self, act: impl FnOnce(&mut RustlsFtpStream) -> FtpResult<T>) -> FtpResult<T> {
        let _waiting = self.line.wait();
        let done = act(&mut self.ftp);
        if done.is_ok() {
            self.line.answered();
        }
        done
    }

    /// None where the server says that there is no such thing, or that it is not for us.
    fn if_there<T>(&self, doing: &'static str, what: &str, done: FtpResult<T>) -> Result<Option<T>, TransportError> {
        match done {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(self.refused(doing, what, error)),
        }
    }

    /// A failure that the server told, or the end of the line.
    pub(super) fn refused(&self, doing: &'static str, what: &str, error: FtpError) -> TransportError {
        match self.line.cut() {
            Some(cut) => cut_off(&self.shown, doing, what, cut),
            None => failed(&self.shown, doing, what, in_words(error)),
        }
    }

    /// A failure of a data connection.
    pub(super) fn broken(&self, doing: &'static str, what: &str, error: io::Error) -> TransportError {
        match self.line.cut() {
            Some(cut) => cut_off(&self.shown, doing, what, cut),
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
        // A server that is told goodbye frees the login at once; one that does not listen is not waited for.
        if self.line.cut().is_none() && !self.line.has_failed() {
            let _ = self.said(|ftp| ftp.quit());
        }
        self.line.close();
    }
}

fn is_refusal(error: &FtpError) -> bool {
    matches!(error, FtpError::UnexpectedResponse(_))
}

/// What a server said, as one line that a terminal can show.
pub(super) fn said_by(response: &suppaftp::types::Response) -> String {
    let text = String::from_utf8_lossy(&response.body);
    let text: String = text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{text}\"")
}

pub(super) fn in_words(error: FtpError) -> io::Error {
    match error {
        FtpError::ConnectionError(error) => error,
        FtpError::UnexpectedResponse(said) => io::Error::other(format!("the server says {}", said_by(&said))),
        other => io::Error::other(other.to_string()),
    }
}

fn failed(relay: &str, doing: &'static str, what: &str, source: io::Error) -> TransportError {
    TransportError::Failed { relay: relay.to_owned(), doing, what: what.to_owned(), source: Arc::new(source) }
}

fn cut_off(relay: &str, doing: &'static str, what: &str, cut: Cut) -> TransportError {
    match cut {
        Cut::Ended => TransportError::BudgetOver,
        Cut::Silent => failed(relay, doing, what, io::Error::new(io::ErrorKind::TimedOut, "the line has gone dead")),
    }
}
