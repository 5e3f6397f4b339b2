//! Putting a file on a server, whatever it speaks.
//!
//! Owns the order: bytes under `NAME.part`, gone on with where the server says that it ends; the size as the server tells it;
//! the name. And what a connection has seen in listings, which spares asking. Invariant: a name is given only to a file
//! whose size was confirmed just before, and only where nothing bore it: servers tell a success of uploads that were cut
//! short, keep an old tail behind what is written over it, overwrite by a rename or refuse it. Leaves the words for all
//! this to the [`Server`]s.

use std::collections::BTreeMap;

use crate::carrier::{MARKER, Put, Source};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;

/// What a rename came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renamed {
    /// The file bears the name.
    Done,
    /// Something of this size bore it already.
    Taken(u64),
}

/// A connection that can put files. Paths are as it takes them; `shown` is the file as messages name it.
pub(crate) trait Server {
    fn relay(&self) -> &str;

    /// How large a file is; None if there is none. What is no file is larger than any.
    fn size(&mut self, path: &str, shown: &str) -> Result<Option<u64>, TransportError>;

    /// Writes a source from a place on, up to which the file is there, to the end, durably where the server can, and says
    /// how large the file is then, as the server tells it.
    fn write(&mut self, path: &str, from: u64, source: &mut dyn Source, shown: &str) -> Result<u64, TransportError>;

    /// Gives a file a name that is free, durably where the server can.
    fn rename(&mut self, from: &str, to: &str, shown: &str) -> Result<Renamed, TransportError>;

    /// Takes a file away. Absent is no error.
    fn discard(&mut self, path: &str, shown: &str) -> Result<(), TransportError>;
}

/// How many listings are kept: a link's both mailboxes.
const KEPT: usize = 2;

/// Which names the mailboxes that were listed last have, and how large the server says that each file is.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(Mailbox, BTreeMap<String, u64>)>);

impl Seen {
    /// Takes in the names of a listing, as the server tells them.
    pub(crate) fn remember(&mut self, mailbox: &Mailbox, raw: impl Iterator<Item = (String, u64)>) {
        self.0.retain(|(listed, _)| listed != mailbox);
        self.0.insert(0, (mailbox.clone(), raw.collect()));
        self.0.truncate(KEPT);
    }

    /// Whether the mailbox has been seen to be there.
    pub(crate) fn is_of(&self, mailbox: &Mailbox) -> bool {
        self.0.iter().any(|(listed, _)| listed == mailbox)
    }

    /// How large the server has said that a file is; 0 if it has not.
    pub(crate) fn size(&self, mailbox: &Mailbox, raw: &str) -> u64 {
        self.0.iter().find_map(|(listed, names)| names.get(raw).filter(|_| listed == mailbox)).copied().unwrap_or(0)
    }

    /// Whether nothing has been seen under a name, and nothing put there since.
    fn has_none(&self, mailbox: &Mailbox, raw: &str) -> bool {
        self.0.iter().any(|(listed, names)| listed == mailbox && !names.contains_key(raw))
    }

    /// From now on there may be something under the names of a file that is put.
    fn note_put(&mut self, mailbox: &Mailbox, name: &FileName) {
        let listed = self.0.iter_mut().filter(|(listed, _)| listed == mailbox);
        listed.for_each(|(_, names)| names.extend([(name.to_string(), 0), (name.partial(), 0)]));
    }
}

/// One put.
pub(crate) struct Placing<'p> {
    pub(crate) mailbox: &'p Mailbox,
    pub(crate) name: &'p FileName,
    /// The file's path as the server takes it, and that of its part.
    pub(crate) target: String,
    pub(crate) part: String,
}

impl Placing<'_> {
    /// Puts a file into a mailbox that is there.
    pub(crate) fn run(
        &self,
        server: &mut dyn Server,
        seen: &mut Seen,
        source: &mut dyn Source,
    ) -> Result<Put, TransportError> {
        let (is_free, is_new) =
            (seen.has_none(self.mailbox, self.name.as_str()), seen.has_none(self.mailbox, &self.name.partial()));
        seen.note_put(self.mailbox, self.name);
        let shown = self.shown();
        if !is_free && let Some(found) = server.size(&self.target, &shown)? {
            return self.settle_taken(server, found, source);
        }
        let begun = if is_new { None } else { server.size(&self.part, &shown)? };
        let from = match begun {
            Some(size) if size > 0 && size <= source.size() => size,
            Some(_) => server.discard(&self.part, &shown).map(|()| 0)?,
            None => 0,
        };
        let found = server.write(&self.part, from, source, &shown)?;
        confirm(server, &self.part, &shown, source.size(), found)?;
        match server.rename(&self.part, &self.target, &shown)? {
            Renamed::Done => Ok(Put::Placed { moved: source.size() - from }),
            // Another run of the same sender may have been quicker.
            Renamed::Taken(found) => self.settle_taken(server, found, source),
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.mailbox, self.name)
    }

    fn settle_taken(&self, server: &mut dyn Server, found: u64, source: &dyn Source) -> Result<Put, TransportError> {
        if found != source.size() {
            return Err(TransportError::NameTaken { relay: server.relay().to_owned(), file: self.shown() });
        }
        // An earlier attempt may have been cut off between the two.
        server.discard(&self.part, &self.shown())?;
        Ok(Put::Already)
    }
}

/// Makes or replaces a marker in a folder that is there: complete beside it, then in its place.
pub(crate) fn place_marker(server: &mut dyn Server, marker: &str, mut content: &[u8]) -> Result<(), TransportError> {
    let beside = format!("{marker}.new");
    let expected = content.size();
    server.discard(&beside, MARKER)?;
    let found = server.write(&beside, 0, &mut content, MARKER)?;
    confirm(server, &beside, MARKER, expected, found)?;
    // No rename is relied upon to overwrite. If this ends in between, the mailboxes show whose the relay is.
    server.discard(marker, MARKER)?;
    match server.rename(&beside, marker, MARKER)? {
        Renamed::Done => Ok(()),
        Renamed::Taken(_) => {
            Err(TransportError::NameTaken { relay: server.relay().to_owned(), file: MARKER.to_owned() })
        }
    }
}

fn confirm(server: &mut dyn Server, path: &str, shown: &str, expected: u64, found: u64) -> Result<(), TransportError> {
    if found == expected {
        return Ok(());
    }
    if found > expected {
        // An old tail: the next attempt begins anew.
        server.discard(path, shown)?;
    }
    Err(TransportError::WrongSize { relay: server.relay().to_owned(), file: shown.to_owned(), expected, found })
}
