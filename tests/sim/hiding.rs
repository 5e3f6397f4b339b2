//! A relay whose listing is late: a file is there, and not in it. A put of its name meets it, and a get of it finds it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use packhorse_shared::id::NodeName;
use packhorse_transport::{Carrier, FileName, Get, Listing, Mailbox, Put, Sink, Source, TransportError};

thread_local! {
    /// The names that this thread's relay does not list.
    static HIDDEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// A file is not listed from now on.
pub fn hide(name: String) {
    HIDDEN.with_borrow_mut(|hidden| hidden.insert(name));
}

/// Every file is listed again; how many were not.
pub fn show_all() -> usize {
    HIDDEN.take().len()
}

/// A carrier whose listings are late.
pub struct Hiding<C>(pub C);

impl<C: Carrier> Carrier for Hiding<C> {
    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        let mut listing = self.0.list(mailbox)?;
        HIDDEN.with_borrow(|hidden| listing.files.retain(|file| !hidden.contains(file.name.as_str())));
        Ok(listing)
    }

    fn relay(&self) -> &str {
        self.0.relay()
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        self.0.put(mailbox, name, source)
    }

    fn get(&mut self, mailbox: &Mailbox, name: &FileName, at: u64, to: &mut dyn Sink) -> Result<Get, TransportError> {
        self.0.get(mailbox, name, at, to)
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.0.remove(mailbox, names)
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.0.remove_partials(mailbox, names)
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        self.0.has_mailbox(mailbox)
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.0.make_mailbox(mailbox)
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.0.remove_mailbox(mailbox)
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        self.0.read_marker(remote)
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        self.0.write_marker(remote, content)
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.0.remove_marker()
    }
}
