//! The boundary between a transfer run and whatever moves the bytes.
//!
//! Owns the trait [`Carrier`] and the plain values that cross it. Knows bytes, names and mailboxes, and nothing of
//! what is in a file. The contract stands on the trait; `conformance` holds every implementation to it.

use packhorse_shared::id::NodeName;

use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::{FileName, PART, shown};

/// The marker's name in a relay's root and in each remote's folder.
pub const MARKER: &str = "packhorse.relay";

/// No marker is longer; what is longer is read up to one byte more, and so is damaged.
pub const MARKER_MAX: usize = 4096;

/// How many names that are not ours a listing keeps for the report.
const FOREIGN_MAX: usize = 100;

/// A file on a relay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes; of an incomplete file, what has come so far.
    pub size: u64,
}

/// What a relay says lies in a mailbox. It may be late and incomplete: never the truth, only a proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Whether the mailbox's folder exists.
    pub present: bool,
    /// Complete files.
    pub files: Vec<Entry>,
    /// Incomplete files, under the names that they will bear.
    pub partials: Vec<Entry>,
    /// Other names, escaped for showing and at most a hundred: folders, links, and names that are not carried.
    pub foreign: Vec<String>,
}

impl Listing {
    /// Adds a regular file under the name that the relay gives; the one place where such names are judged.
    pub fn add(&mut self, raw: &str, size: u64) {
        let (base, list) = match raw.strip_suffix(PART) {
            Some(base) => (base, &mut self.partials),
            None => (raw, &mut self.files),
        };
        match base.parse() {
            Ok(name) => list.push(Entry { name, size }),
            Err(_) => self.add_foreign(raw),
        }
    }

    /// Adds a name that is not carried.
    pub fn add_foreign(&mut self, raw: &str) {
        if self.foreign.len() < FOREIGN_MAX {
            self.foreign.push(shown(raw));
        }
    }
}

/// Bytes to be put: a file of known size that can be read at any place, so that a carrier may resume and compare.
pub trait Source {
    /// The whole size.
    fn size(&self) -> u64;
    /// Reads from a place on, at most as much as fits, 0 only at the end. A failure ends the transfer, and the
    /// carrier hands it on unchanged: here the time budget comes in.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError>;
}

/// Where bytes that are got go, in order.
pub trait Sink {
    /// Takes the next bytes. A failure ends the transfer, and the carrier hands it on unchanged.
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError>;
}

/// Takes as much as was listed and no more: a relay may go on for ever.
pub(crate) struct Bounded<'s> {
    pub(crate) sink: &'s mut dyn Sink,
    /// Where the next byte goes.
    pub(crate) at: u64,
    /// The size that was listed.
    pub(crate) whole: u64,
    pub(crate) relay: String,
    pub(crate) file: &'s str,
}

impl Sink for Bounded<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        let found = self.at + bytes.len() as u64;
        if found > self.whole {
            let (relay, file, expected) = (self.relay.clone(), self.file.to_owned(), self.whole);
            return Err(TransportError::WrongSize { relay, file, expected, found });
        }
        self.at = found;
        self.sink.take(bytes)
    }
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The file was made, for which so many bytes were moved now.
    Placed {
        /// Without what an earlier attempt had moved.
        moved: u64,
    },
    /// It was there already with the same content.
    Already,
}

/// What a get found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// The relay's file was handed over from the given place to its end, as the relay says.
    Ended,
    /// There is no such file (any more).
    Absent,
}

/// What a server tells of the marker without its being read, such as its size and when it was written: while that stays
/// the same, so does the marker. Means something only to the kind of carrier that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness(pub String);

/// Moves files between this node and one relay, over one connection.
///
/// The contract, for every implementation:
///
/// * **Opaque.** A carrier looks at names and sizes, never at content, except to compare what it puts.
/// * **A name appears only when the file is complete** and, as far as the relay can promise, durable. Until then the
///   bytes lie under `NAME.part`, which [`Carrier::list`] tells apart.
/// * **Resumable.** A broken put leaves its `.part`, and the next put of that name goes on where the relay says that
///   it ends; a get starts at any place. A carrier that can read cheaply compares what is already there and starts
///   over if it differs; one that cannot relies on the receiver's check.
/// * **Idempotent.** Putting the same bytes under the same name again is success. Other bytes under a name that is
///   taken are [`TransportError::NameTaken`], and nothing is changed: no carrier relies on what a rename does to a
///   name that is taken. (A carrier that cannot compare content goes by the size.)
/// * **Absent is no error** for remove, get and list.
/// * **A listing is not the truth**: it may be late. Nothing is inferred from a name's absence.
/// * **No folder is made above the root.** A relay that is not there stays so: only [`Carrier::write_marker`] makes
///   the root. Mailboxes are made below it by [`Carrier::make_mailbox`] and [`Carrier::put`].
/// * **After an error the carrier is dropped**, and another is dialled; nobody repairs a connection. Every wait of a
///   carrier on the network ends by itself.
/// * **One call, few round trips.** Callers count calls. An implementation pipelines within a call and is free to
///   prepare for the next.
///
/// One carrier is used by one thread. To move both ways at once over a line that can, another is needed: had from the first
/// where one connection does for both ([`Carrier::beside`]), else dialled.
pub trait Carrier {
    /// The relay as it is shown in messages; without any password.
    fn relay(&self) -> &str;

    /// What the server says of itself and can do, for a person who looks into why it does not work.
    fn about(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether one connection does for two carriers at the same time.
    fn is_two_way(&self) -> bool {
        false
    }

    /// A carrier over the same connection, for whoever moves files the other way at the same time; it has seen what this one
    /// has. What breaks one breaks both. None where a connection carries one thing at a time.
    fn beside(&mut self) -> Option<Box<dyn Carrier + Send>> {
        None
    }

    /// Lists a mailbox, with sizes. A missing folder is an empty listing that is not `present`.
    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError>;

    /// Puts a file, making the mailbox if needed. When it returns, the complete file stands under its name, as
    /// durable as the relay can make it: the caller may forget its own copy.
    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError>;

    /// Gets a file from a place on to its end. The caller compares the size and makes its copy durable; an end that
    /// comes early need not be an error here.
    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError>;

    /// Takes files away. They may come back after a power cut at the relay.
    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError>;

    /// Takes away what broken puts of these names have left.
    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError>;

    /// Whether the mailbox's folder exists.
    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError>;

    /// Makes the mailbox's folder; success if it is there.
    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError>;

    /// Takes a mailbox's folder away and, if nothing else is in it, the remote's that holds it. What is not empty stays,
    /// and that is no error; the root always stays.
    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError>;

    /// The marker in the root, or in a remote's folder; at most [`MARKER_MAX`] + 1 bytes of it. None if there is
    /// none, or no folder.
    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError>;

    /// What there is to know of the root's marker for less than reading it costs; None where that is nothing.
    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        Ok(None)
    }

    /// Makes or replaces the marker, durably and as a whole, and its folder if that is missing.
    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError>;

    /// Takes the root's marker away: nothing came of what it was made for. Absent is no error.
    fn remove_marker(&mut self) -> Result<(), TransportError>;
}
