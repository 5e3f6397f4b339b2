//! Putting a file on an FTP server.
//!
//! Owns the order: bytes under `NAME.part`, the size as the server tells it, the name. Invariant: a name is given only to
//! a file whose size was confirmed just before, since servers tell a success of uploads that were cut short, and keep an
//! old tail behind what is written over it.

use std::io::Write;

use packhorse_shared::id::NodeName;

use crate::carrier::{MARKER, Put, Source};
use crate::error::TransportError;
use crate::ftp::session::Session;
use crate::mailbox::Mailbox;
use crate::name::FileName;

/// How much is written between two looks at the time: seconds of a slow line.
const PIECE: usize = 8 * 1024;

/// One put, in the mailbox in which the session stands.
pub(super) struct Placing<'s> {
    pub(super) session: &'s mut Session,
    pub(super) mailbox: &'s Mailbox,
    pub(super) name: &'s FileName,
}

impl Placing<'_> {
    pub(super) fn run(mut self, source: &mut dyn Source) -> Result<Put, TransportError> {
        let (name, part) = (self.name.to_string(), self.name.partial());
        if let Some(found) = self.size_unless_unseen(&name)? {
            return self.settle_taken(found, source);
        }
        let from = self.resume_point(&part, source.size())?;
        if from < source.size() || source.size() == 0 {
            send(self.session, &part, from, source, &self.file())?;
        }
        self.confirm(&part, source.size())?;
        self.session.rename(&part, &name)?;
        Ok(Put::Placed { moved: source.size() - from })
    }

    fn file(&self) -> String {
        format!("{}/{}", self.mailbox, self.name)
    }

    /// A size that is asked for, unless this connection has seen that there is no such file.
    fn size_unless_unseen(&mut self, raw: &str) -> Result<Option<u64>, TransportError> {
        if self.session.saw_none(self.mailbox, raw) { Ok(None) } else { self.session.size(raw) }
    }

    fn settle_taken(&mut self, found: u64, source: &dyn Source) -> Result<Put, TransportError> {
        if found != source.size() {
            return Err(TransportError::NameTaken { relay: self.session.relay().to_owned(), file: self.file() });
        }
        // An earlier attempt may have been cut off between the two.
        self.session.delete(&self.name.partial())?;
        Ok(Put::Already)
    }

    /// Where to go on: where the server says that the part ends, unless it is longer than the whole.
    fn resume_point(&mut self, part: &str, whole: u64) -> Result<u64, TransportError> {
        match self.size_unless_unseen(part)? {
            Some(size) if size <= whole => Ok(size),
            Some(_) => self.session.delete(part).map(|_| 0),
            None => Ok(0),
        }
    }

    fn confirm(&mut self, part: &str, expected: u64) -> Result<(), TransportError> {
        let found = self.session.size(part)?.unwrap_or(0);
        if found == expected {
            return Ok(());
        }
        if found > expected {
            // An old tail: the next attempt begins anew.
            self.session.delete(part)?;
        }
        Err(TransportError::WrongSize { relay: self.session.relay().to_owned(), file: self.file(), expected, found })
    }
}

/// Sends a source's bytes from a place on to its end.
fn send(
    session: &mut Session,
    path: &str,
    from: u64,
    source: &mut dyn Source,
    file: &str,
) -> Result<(), TransportError> {
    let mut data = session.store(path, from, file)?;
    let mut piece = vec![0; PIECE];
    let mut at = from;
    loop {
        let count = source.read_at(at, &mut piece)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        data.write_all(bytes).map_err(|error| session.broken("put", file, error))?;
        at += count as u64;
    }
    data.flush().map_err(|error| session.broken("put", file, error))?;
    data.end().map_err(|error| session.refused("put", file, error))
}

/// Makes or replaces a marker: complete beside it, then in its place.
pub(super) fn write_marker(
    session: &mut Session,
    remote: Option<&NodeName>,
    mut content: &[u8],
) -> Result<(), TransportError> {
    let (marker, beside) = (session.path(remote, MARKER), session.path(remote, &format!("{MARKER}.new")));
    let size = content.len() as u64;
    send(session, &beside, 0, &mut content, MARKER)?;
    let found = session.size(&beside)?.unwrap_or(0);
    if found != size {
        return Err(TransportError::WrongSize {
            relay: session.relay().to_owned(),
            file: MARKER.to_owned(),
            expected: size,
            found,
        });
    }
    // No server is relied upon to overwrite by a rename. If this ends in between, the mailboxes show whose the relay is.
    session.delete(&marker)?;
    session.rename(&beside, &marker)
}
