//! The relays of one run: dialled when first needed, admitted once, shared by all links that name them.
//!
//! Invariants: no call but those of the admission reaches a relay that is not admitted; after a failure a connection
//! is dropped, never repaired; a relay that did not answer is not asked again in the same run, or a hub with a
//! thousand remotes would wait a thousand times. Owns the count of calls, which stands for time on line.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use packhorse_shared::id::{NetworkId, NodeName};

use crate::access::Keyring;
use crate::carrier::{Carrier, Get, Likeness, Listing, Put, Sink, Source};
use crate::ending::Ending;
use crate::error::TransportError;
use crate::location::Location;
use crate::mailbox::Mailbox;
use crate::marker::{self, Admission};
use crate::name::FileName;

/// How a run comes to relays.
#[derive(Clone)]
pub struct Approach<'a> {
    /// Until when.
    pub ending: Ending,
    /// How servers are logged in to.
    pub keyring: &'a dyn Keyring,
}

/// Relays, as they are shown, with the likeness of the marker by which each was found to be ours.
pub type KnownRelays = BTreeMap<String, Likeness>;

/// Makes a connection to a relay. Several threads may do so at once.
pub trait Dial: Sync {
    /// Connects. Fails with [`TransportError::Unreachable`] if nobody answers there.
    fn dial<'a>(
        &'a self,
        location: &Location,
        approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError>;
}

enum Relay<'a> {
    Open(Box<dyn Carrier + 'a>),
    Silent(TransportError),
}

/// The relays that a run has dialled.
pub(crate) struct Relays<'a> {
    dial: &'a dyn Dial,
    network: NetworkId,
    approach: Approach<'a>,
    known: KnownRelays,
    dialled: HashMap<Location, Relay<'a>>,
    admitted: HashMap<Location, Admission>,
    calls: Arc<AtomicU64>,
}

impl<'a> Relays<'a> {
    pub(crate) fn new(dial: &'a dyn Dial, network: NetworkId, approach: Approach<'a>, known: KnownRelays) -> Self {
        let calls = Arc::default();
        Self { dial, network, approach, known, dialled: HashMap::new(), admitted: HashMap::new(), calls }
    }

    /// The relays that are known now.
    pub(crate) fn known(self) -> KnownRelays {
        self.known
    }

    /// Calls made so far, over all relays; a dial counts as one.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The connection to a relay, dialled and admitted if it is not open.
    pub(crate) fn open(
        &mut self,
        location: &Location,
        evidence: &dyn Fn() -> Vec<[Mailbox; 2]>,
    ) -> Result<&mut (dyn Carrier + 'a), TransportError> {
        if !self.dialled.contains_key(location) {
            let carrier = self.connect(location, evidence)?;
            self.dialled.insert(location.clone(), Relay::Open(carrier));
        }
        match self.dialled.get_mut(location) {
            Some(Relay::Open(carrier)) => Ok(&mut **carrier),
            Some(Relay::Silent(error)) => Err(error.clone()),
            None => Err(TransportError::NotARelay { relay: location.to_string() }),
        }
    }

    /// The connection to a relay if it is open already.
    pub(crate) fn if_open(&mut self, location: &Location) -> Option<&mut (dyn Carrier + 'a)> {
        match self.dialled.get_mut(location)? {
            Relay::Open(carrier) => Some(&mut **carrier),
            Relay::Silent(_) => None,
        }
    }

    /// Ends a connection; the next use dials again.
    pub(crate) fn hang_up(&mut self, location: &Location) {
        self.dialled.remove(location);
    }

    /// Remembers that a relay does not answer in this run.
    pub(crate) fn give_up(&mut self, location: &Location, error: TransportError) {
        self.dialled.insert(location.clone(), Relay::Silent(error));
    }

    /// How a relay was admitted, if it was.
    pub(crate) fn admission(&self, location: &Location) -> Option<Admission> {
        self.admitted.get(location).copied()
    }

    /// A second connection to an admitted relay, if its line can carry both ways at once. A folder's can too, but there
    /// is no waiting for answers in it that could be put to use.
    pub(crate) fn another(&self, location: &Location) -> Option<Another<'a>> {
        let is_server = location.folder().is_none();
        let (location, calls) = (location.clone(), self.calls.clone());
        is_server.then(|| Another { dial: self.dial, approach: self.approach.clone(), location, calls })
    }

    fn connect(
        &mut self,
        location: &Location,
        evidence: &dyn Fn() -> Vec<[Mailbox; 2]>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut carrier = Counted { inner: self.dial.dial(location, &self.approach)?, calls: self.calls.clone() };
        let shown = location.to_string();
        let known = self.known.get(&shown);
        let (admission, likeness) = marker::admit_known(&mut carrier, self.network, &evidence(), known)?;
        match likeness {
            Some(likeness) => self.known.insert(shown, likeness),
            None => self.known.remove(&shown),
        };
        // A marker restored earlier in this run stays reported after dialling anew.
        let restored = self.admission(location) == Some(Admission::Restored);
        self.admitted.insert(location.clone(), if restored { Admission::Restored } else { admission });
        Ok(Box::new(carrier))
    }
}

/// A connection that can be had beside the one that is open. The relay has been admitted.
pub(crate) struct Another<'a> {
    dial: &'a dyn Dial,
    approach: Approach<'a>,
    location: Location,
    calls: Arc<AtomicU64>,
}

impl<'a> Another<'a> {
    /// Connects.
    pub(crate) fn dial(&self) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let inner = self.dial.dial(&self.location, &self.approach)?;
        Ok(Box::new(Counted { inner, calls: self.calls.clone() }))
    }
}

/// Counts the calls of a carrier.
struct Counted<C: ?Sized> {
    inner: Box<C>,
    calls: Arc<AtomicU64>,
}

impl<C: Carrier + ?Sized> Counted<C> {
    fn count(&mut self) -> &mut C {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &mut self.inner
    }
}

impl<C: Carrier + ?Sized> Carrier for Counted<C> {
    fn relay(&self) -> &str {
        self.inner.relay()
    }
    fn about(&self) -> Vec<String> {
        self.inner.about()
    }
    fn is_two_way(&self) -> bool {
        self.inner.is_two_way()
    }
    fn beside(&mut self) -> Option<Box<dyn Carrier + Send>> {
        // It is no call: nothing is said.
        let inner = self.inner.beside()?;
        Some(Box::new(Counted { inner, calls: self.calls.clone() }))
    }
    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        self.count().list(mailbox)
    }
    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        self.count().put(mailbox, name, source)
    }
    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        self.count().get(mailbox, name, from, sink)
    }
    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.count().remove(mailbox, names)
    }
    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.count().remove_partials(mailbox, names)
    }
    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        self.count().has_mailbox(mailbox)
    }
    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.count().make_mailbox(mailbox)
    }
    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.count().remove_mailbox(mailbox)
    }
    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        self.count().read_marker(remote)
    }
    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        // It comes with the login, or in place of the reading.
        self.inner.marker_likeness()
    }
    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        self.count().write_marker(remote, content)
    }
    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.count().remove_marker()
    }
}
