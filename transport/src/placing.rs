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

    /// Whether a listing tells as well how large a file is as a question about it, and nothing is made where a file is to be
    /// gone on with that is gone.
    fn lists_sizes(&self) -> bool {
        false
    }

    /// Takes a file away. Absent is no error.
    fn discard(&mut self, path: &str, shown: &str) -> Result<(), TransportError>;
}

/// How many listings are kept: a link's both mailboxes.
const KEPT: usize = 2;

/// Which names the mailboxes that were listed last have, and how large the server says that each file is.
#[derive(Clone, Debug, Default)]
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
        let listed =
            Some(seen.size(self.mailbox, &self.name.partial())).filter(|size| *size > 0 && server.lists_sizes());
        seen.note_put(self.mailbox, self.name);
        let shown = self.shown();
        if !is_free && let Some(found) = server.size(&self.target, &shown)? {
            return self.settle_taken(server, found, source);
        }
        let begun = match (is_new, listed) {
            (true, _) => None,
            (false, Some(size)) => Some(size),
            (false, None) => server.size(&self.part, &shown)?,
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Way;

    /// A server on which sizes are as the test says, and which notes what it is asked to do.
    struct Told {
        /// Of the file and of its part, before anything is written.
        sizes: [Option<u64>; 2],
        /// As it says once something was written.
        written: u64,
        renamed: Renamed,
        lists_sizes: bool,
        done: Vec<String>,
    }

    impl Server for Told {
        fn relay(&self) -> &str {
            "told"
        }
        fn size(&mut self, path: &str, _shown: &str) -> Result<Option<u64>, TransportError> {
            Ok(self.sizes[usize::from(path.ends_with(".part"))])
        }
        fn write(&mut self, path: &str, from: u64, _: &mut dyn Source, _: &str) -> Result<u64, TransportError> {
            self.done.push(format!("write {path} from {from}"));
            Ok(self.written)
        }
        fn rename(&mut self, from: &str, to: &str, _shown: &str) -> Result<Renamed, TransportError> {
            self.done.push(format!("rename {from} to {to}"));
            Ok(self.renamed)
        }
        fn lists_sizes(&self) -> bool {
            self.lists_sizes
        }
        fn discard(&mut self, path: &str, _shown: &str) -> Result<(), TransportError> {
            self.done.push(format!("discard {path}"));
            Ok(())
        }
    }

    /// What becomes of a put of ten bytes, and what the server is asked to do.
    fn put(sizes: [Option<u64>; 2], written: u64, renamed: Renamed) -> (Result<Put, TransportError>, Vec<String>) {
        let server = Told { sizes, written, renamed, lists_sizes: false, done: Vec::new() };
        put_to(server, &mut Seen::default())
    }

    fn put_to(mut server: Told, seen: &mut Seen) -> (Result<Put, TransportError>, Vec<String>) {
        let (mailbox, name) = (Mailbox::at_remote(Way::Up), "f".parse().unwrap());
        let placing = Placing { mailbox: &mailbox, name: &name, target: "f".to_owned(), part: "f.part".to_owned() };
        let placed = placing.run(&mut server, seen, &mut &b"0123456789"[..]);
        (placed, server.done)
    }

    #[test]
    fn a_name_is_given_only_to_what_has_the_whole_size() {
        let (placed, done) = put([None, None], 10, Renamed::Done);
        assert_eq!(placed.unwrap(), Put::Placed { moved: 10 });
        assert_eq!(done, ["write f.part from 0", "rename f.part to f"]);
        for (written, then) in [(9, &["write f.part from 0"][..]), (11, &["write f.part from 0", "discard f.part"])] {
            let (placed, done) = put([None, None], written, Renamed::Done);
            assert!(matches!(placed, Err(TransportError::WrongSize { expected: 10, .. })), "{placed:?}");
            assert_eq!(done, then, "a success that the server told of {written} bytes");
        }
    }

    #[test]
    fn what_is_there_is_gone_on_with_and_never_beyond_it() {
        for (part, from) in [(Some(4), 4), (Some(10), 10), (None, 0)] {
            assert_eq!(put([None, part], 10, Renamed::Done).1[0], format!("write f.part from {from}"));
        }
        for longer in [11, u64::MAX] {
            let (_, done) = put([None, Some(longer)], 10, Renamed::Done);
            assert_eq!(done, ["discard f.part", "write f.part from 0", "rename f.part to f"]);
        }
    }

    #[test]
    fn what_a_listing_has_told_is_not_asked_again_where_it_tells_as_well() {
        for (lists_sizes, from) in [(true, 6), (false, 4)] {
            let mut seen = Seen::default();
            seen.remember(&Mailbox::at_remote(Way::Up), [("f.part".to_owned(), 6)].into_iter());
            let told =
                || Told { sizes: [None, Some(4)], written: 10, renamed: Renamed::Done, lists_sizes, done: Vec::new() };
            assert_eq!(put_to(told(), &mut seen).1[0], format!("write f.part from {from}"));
            assert_eq!(put_to(told(), &mut seen).1[0], "write f.part from 4", "what was put since is another");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_never_written_over() {
        for (sizes, renamed) in [([Some(10), None], Renamed::Done), ([None, None], Renamed::Taken(10))] {
            assert_eq!(put(sizes, 10, renamed).0.unwrap(), Put::Already);
        }
        for (sizes, renamed) in [([Some(9), None], Renamed::Done), ([None, None], Renamed::Taken(9))] {
            let (placed, done) = put(sizes, 10, renamed);
            assert!(matches!(placed, Err(TransportError::NameTaken { .. })), "{placed:?}");
            assert!(!done.contains(&"discard f".to_owned()));
        }
    }
}
