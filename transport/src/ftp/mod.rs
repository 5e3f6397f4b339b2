//! Relays on FTP servers, in the clear or over TLS.
//!
//! * [`login`] comes in, [`control`] says commands and hears replies, [`session`] knows which; [`moving`] is a file on its
//!   way, over a [`wire`], [`tls`] says whom to trust, [`listing`] reads what servers list, [`placing`] puts.
//!
//! Why not a library for it: those there are say one command at a time, and on a slow line each costs as much as a
//! kilobyte.
//!
//! What FTP leaves open decides the shape of all this: a transfer that was cut short may be told as a success, a rename
//! overwrites, a server may have no listing made for programs, and "550" means absent as well as forbidden. So sizes are
//! asked for before a name is given, a name that is taken is seen before, and what is absent is asked for twice.

mod control;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzzing;
mod listing;
mod login;
mod moving;
mod placing;
mod session;
mod tls;
mod wire;

use std::io::Read;
use std::mem::take;

use packhorse_shared::id::NodeName;

use crate::access::Access;
use crate::address::ServerAddress;
use crate::carrier::{Carrier, Get, Likeness, Listing, MARKER, MARKER_MAX, Put, Sink, Source};
use crate::ending::Ending;
use crate::error::TransportError;
use crate::ftp::session::{Retrieval, Session};
use crate::line::Load;
use crate::mailbox::Mailbox;
use crate::name::FileName;
use crate::placing::{Placing, place_marker};
use crate::stream::CHUNK;

/// One connection to a relay on an FTP server.
pub struct FtpCarrier {
    session: Session,
}

impl FtpCarrier {
    /// Connects and logs in. `shown` is the relay as messages name it.
    pub fn dial(
        shown: String,
        address: &ServerAddress,
        access: &Access,
        ending: Ending,
    ) -> Result<Self, TransportError> {
        Ok(Self { session: Session::dial(shown, address, access, ending)? })
    }

    fn delete(&mut self, mailbox: &Mailbox, names: impl Iterator<Item = String>) -> Result<(), TransportError> {
        if !self.session.enter(mailbox)? {
            return Ok(());
        }
        self.session.delete(&names.collect::<Vec<_>>())
    }
}

impl Carrier for FtpCarrier {
    fn relay(&self) -> &str {
        self.session.relay()
    }

    fn about(&self) -> Vec<String> {
        self.session.about()
    }

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let Some(listing) = listing::list(&mut self.session, mailbox)? else { return Ok(Listing::default()) };
        let files = listing.files.iter().map(|entry| (entry.name.to_string(), entry.size));
        let partials = listing.partials.iter().map(|entry| (entry.name.partial(), entry.size));
        self.session.seen.remember(mailbox, files.chain(partials));
        Ok(listing)
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        if !self.session.enter(mailbox)? {
            self.session.make(mailbox)?;
        }
        let placing = Placing { mailbox, name, target: name.to_string(), part: name.partial() };
        let mut seen = take(&mut self.session.seen);
        let placed = placing.run(&mut self.session, &mut seen, source);
        self.session.seen = seen;
        placed
    }

    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        if !self.session.enter(mailbox)? {
            return Ok(Get::Absent);
        }
        let file = format!("{mailbox}/{name}");
        let load = Load::of(self.session.seen.size(mailbox, name.as_str()).saturating_sub(from));
        let mut data = match self.session.retrieve(name.as_str(), from, load, &file)? {
            Retrieval::Begun(data) => data,
            Retrieval::AtItsEnd => return Ok(Get::Ended),
            Retrieval::Absent => return Ok(Get::Absent),
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            match data.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => sink.take(chunk.get(..count).unwrap_or_default())?,
                Err(error) => return Err(self.session.broken("get", &file, error)),
            }
        }
        self.session.end(data, "get", &file)?;
        Ok(Get::Ended)
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.delete(mailbox, names.iter().map(ToString::to_string))
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.delete(mailbox, names.iter().map(FileName::partial))
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        self.session.enter(mailbox)
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if self.session.enter(mailbox)? { Ok(()) } else { self.session.make(mailbox) }
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.session.remove_folders(mailbox)
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        let path = self.session.path(remote, MARKER);
        let Retrieval::Begun(data) = self.session.retrieve(&path, 0, Load::Usual, MARKER)? else { return Ok(None) };
        let mut content = Vec::new();
        let mut limited = data.take(MARKER_MAX as u64 + 1);
        limited.read_to_end(&mut content).map_err(|error| self.session.broken("read", MARKER, error))?;
        // What is longer than a marker is not read to its end, and the line is not used any more.
        if content.len() <= MARKER_MAX {
            self.session.end(limited.into_inner(), "read", MARKER)?;
        }
        Ok(Some(content))
    }

    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        Ok(self.session.likeness.take())
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        self.session.make_holder(remote)?;
        let marker = self.session.path(remote, MARKER);
        place_marker(&mut self.session, &marker, content)
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        let path = self.session.path(None, MARKER);
        self.session.delete(&[path])
    }
}
