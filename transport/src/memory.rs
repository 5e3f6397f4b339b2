//! A relay in memory, for tests: the second implementation that keeps the contract honest.
//!
//! Owns [`MemoryRelay`], which lives as long as its owner, and [`MemoryCarrier`], one connection to it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packhorse_shared::id::{Digest, NodeName};

use crate::carrier::{Carrier, Get, Likeness, Listing, MARKER_MAX, Put, Sink, Source};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;

/// How many bytes the memory carrier moves at a time.
const CHUNK: usize = 16;

type Files = BTreeMap<String, Vec<u8>>;

/// What a relay holds. Tests look into it and disturb it.
#[derive(Debug)]
pub struct Held {
    /// Whether anybody answers.
    pub silent: bool,
    /// Whether one connection does for both ways at once, and how often one has been asked to.
    pub two_way: bool,
    /// See there.
    pub besides: u32,
    /// The files in the root itself; None if it is not there.
    pub root: Option<Files>,
    /// Each mailbox's files by raw name, under the mailbox's shown path.
    pub mailboxes: BTreeMap<String, Files>,
    /// Markers by remote; the root's under the empty name.
    pub markers: Files,
}

/// Its root is there, and nothing in it.
impl Default for Held {
    fn default() -> Self {
        let (root, mailboxes, markers) = (Some(Files::new()), BTreeMap::new(), Files::new());
        Self { silent: false, two_way: false, besides: 0, root, mailboxes, markers }
    }
}

/// A relay in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryRelay(Arc<Mutex<Held>>);

impl MemoryRelay {
    /// What it holds.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to it.
    pub fn connect(&self) -> Result<MemoryCarrier, TransportError> {
        let carrier = MemoryCarrier(self.clone());
        if self.held().silent { Err(carrier.unreachable()) } else { Ok(carrier) }
    }
}

/// A connection to a [`MemoryRelay`].
#[derive(Clone, Debug)]
pub struct MemoryCarrier(MemoryRelay);

impl MemoryCarrier {
    fn unreachable(&self) -> TransportError {
        let source = Arc::new(io::Error::from(io::ErrorKind::TimedOut));
        TransportError::Unreachable { relay: self.relay().to_owned(), source }
    }

    fn with<T>(&self, mailbox: &Mailbox, act: impl FnOnce(&mut Files) -> T) -> Option<T> {
        let mut held = self.0.held();
        let files =
            if *mailbox == Mailbox::root() { held.root.as_mut() } else { held.mailboxes.get_mut(&mailbox.to_string()) };
        files.map(act)
    }

    fn drop_names(&self, mailbox: &Mailbox, names: impl Iterator<Item = String>) {
        self.with(mailbox, |files| names.for_each(|name| drop(files.remove(&name))));
    }

    fn fill_part(&self, mailbox: &Mailbox, part: &str, source: &mut dyn Source) -> Result<u64, TransportError> {
        let mut content = self.with(mailbox, |files| files.get(part).cloned()).flatten().unwrap_or_default();
        if content.len() as u64 > source.size() || beginning_of(source, content.len())? != content {
            content.clear();
        }
        let from = content.len();
        loop {
            self.with(mailbox, |files| files.insert(part.to_owned(), content.clone()));
            let mut chunk = [0; CHUNK];
            match source.read_at(content.len() as u64, &mut chunk)? {
                0 => return Ok((content.len() - from) as u64),
                count => content.extend(chunk.iter().take(count)),
            }
        }
    }
}

fn beginning_of(source: &mut dyn Source, size: usize) -> Result<Vec<u8>, TransportError> {
    let mut bytes = vec![0; size];
    let count = source.read_at(0, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn key(remote: Option<&NodeName>) -> String {
    remote.map(ToString::to_string).unwrap_or_default()
}

impl Carrier for MemoryCarrier {
    fn relay(&self) -> &str {
        "memory"
    }

    fn is_two_way(&self) -> bool {
        self.0.held().two_way
    }

    fn beside(&mut self) -> Option<Box<dyn Carrier + Send>> {
        let mut held = self.0.held();
        held.besides += u32::from(held.two_way);
        held.two_way.then(|| Box::new(self.clone()) as Box<dyn Carrier + Send>)
    }

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let mut listing = Listing::default();
        let found = self.with(mailbox, |files| {
            files.iter().for_each(|(name, content)| listing.add(name, content.len() as u64));
        });
        listing.present = found.is_some();
        Ok(listing)
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        self.make_mailbox(mailbox)?;
        if let Some(there) = self.with(mailbox, |files| files.get(name.as_str()).cloned()).flatten() {
            let file = format!("{mailbox}/{name}");
            let alike = there.len() as u64 == source.size() && there == beginning_of(source, there.len())?;
            return if alike {
                Ok(Put::Already)
            } else {
                Err(TransportError::NameTaken { relay: self.relay().to_owned(), file })
            };
        }
        let part = name.partial();
        let moved = self.fill_part(mailbox, &part, source)?;
        self.with(mailbox, |files| files.remove(&part).map(|content| files.insert(name.to_string(), content)));
        Ok(Put::Placed { moved })
    }

    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        let Some(content) = self.with(mailbox, |files| files.get(name.as_str()).cloned()).flatten() else {
            return Ok(Get::Absent);
        };
        let rest = usize::try_from(from).ok().and_then(|from| content.get(from..)).unwrap_or_default();
        rest.chunks(CHUNK).try_for_each(|chunk| sink.take(chunk))?;
        Ok(Get::Ended)
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.drop_names(mailbox, names.iter().map(ToString::to_string));
        Ok(())
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.drop_names(mailbox, names.iter().map(FileName::partial));
        Ok(())
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        Ok(self.with(mailbox, |_| ()).is_some())
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        if *mailbox != Mailbox::root() {
            self.0.held().mailboxes.entry(mailbox.to_string()).or_default();
        }
        Ok(())
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        let mut held = self.0.held();
        if held.mailboxes.get(&mailbox.to_string()).is_some_and(BTreeMap::is_empty) {
            held.mailboxes.remove(&mailbox.to_string());
        }
        Ok(())
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        let content = self.0.held().markers.get(&key(remote)).cloned();
        Ok(content.map(|content| content.into_iter().take(MARKER_MAX + 1).collect()))
    }

    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        let held = self.0.held();
        Ok(held.markers.get(&key(None)).map(|content| Likeness(Digest::of(content).to_string())))
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        self.0.held().markers.insert(key(remote), content.to_owned());
        Ok(())
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.0.held().markers.remove(&key(None));
        Ok(())
    }
}
