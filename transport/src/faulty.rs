//! A carrier that fails on purpose, for tests.
//!
//! Owns the plan of what fails when: a call before or after it took effect (a lost answer), everything from a call
//! on (a kill), or a transfer after some bytes. The plan is shared by all connections, so that a retry goes on
//! counting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use packhorse_shared::id::NodeName;

use crate::carrier::{Carrier, Get, Likeness, Listing, Put, Sink, Source};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;

/// What goes wrong. Calls and transfers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The n-th call does nothing and fails.
    Before(u64),
    /// The n-th call does its work, and its answer is lost.
    After(u64),
    /// From the n-th call on nothing works any more, as after a kill.
    DeadFrom(u64),
    /// The n-th transfer (put or get) breaks after so many bytes.
    Cut(u64, u64),
    /// Every transfer breaks, each of them so many bytes further than the one before.
    CutEach(u64),
}

/// The shared plan: one fault, and counters.
#[derive(Debug)]
pub struct Plan {
    fault: Fault,
    calls: AtomicU64,
    transfers: AtomicU64,
    struck: AtomicBool,
}

impl Plan {
    /// A plan with one fault.
    pub fn new(fault: Fault) -> Arc<Self> {
        let (calls, transfers) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { fault, calls, transfers, struck: AtomicBool::new(false) })
    }

    /// Whether anything has failed by it.
    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::Relaxed)
    }

    fn strikes(&self) {
        self.struck.store(true, Ordering::Relaxed);
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs one step that may fail, of a carrier or of anything else that a test counts along.
    pub fn step<T, E>(&self, failure: impl Fn() -> E, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let strikes = || {
            self.strikes();
            Err(failure())
        };
        match self.fault {
            Fault::Before(n) if n == call => strikes(),
            Fault::DeadFrom(n) if n <= call => strikes(),
            Fault::After(n) if n == call => act().and_then(|_| strikes()),
            _ => act(),
        }
    }

    /// How many bytes the transfer that begins now may move.
    fn allowance(&self) -> u64 {
        let transfer = self.transfers.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fault {
            Fault::Cut(n, bytes) if n == transfer => bytes,
            Fault::CutEach(bytes) => transfer * bytes,
            _ => u64::MAX,
        }
    }
}

/// A carrier under a [`Plan`].
pub struct Faulty<C> {
    inner: C,
    plan: Arc<Plan>,
}

impl<C: Carrier> Faulty<C> {
    /// Wraps a carrier.
    pub fn new(inner: C, plan: Arc<Plan>) -> Self {
        Self { inner, plan }
    }

    fn step<T>(&mut self, act: impl FnOnce(&mut C) -> Result<T, TransportError>) -> Result<T, TransportError> {
        let inner = &mut self.inner;
        self.plan.step(broken, || act(inner))
    }
}

/// The failure that a fault causes.
pub fn broken() -> TransportError {
    let source = Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
    TransportError::Failed { relay: "faulty".into(), doing: "reach", what: "anything".into(), source }
}

/// A source that breaks where so many bytes have been read in order; reading again below that place works.
struct CutSource<'a> {
    inner: &'a mut dyn Source,
    end: u64,
    plan: &'a Plan,
}

impl Source for CutSource<'_> {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        let left = self.end.saturating_sub(offset);
        if left == 0 && offset < self.size() {
            self.plan.strikes();
            return Err(broken());
        }
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.inner.read_at(offset, into.get_mut(..most).unwrap_or_default())
    }
}

struct CutSink<'a> {
    inner: &'a mut dyn Sink,
    left: u64,
    plan: &'a Plan,
}

impl Sink for CutSink<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        let allowed = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= allowed as u64;
        self.inner.take(bytes.get(..allowed).unwrap_or_default())?;
        if allowed < bytes.len() {
            self.plan.strikes();
            return Err(broken());
        }
        Ok(())
    }
}

impl<C: Carrier> Carrier for Faulty<C> {
    fn relay(&self) -> &str {
        self.inner.relay()
    }

    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        self.step(|inner| inner.list(mailbox))
    }

    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        let plan = Arc::clone(&self.plan);
        let mut source = CutSource { inner: source, end: plan.allowance(), plan: &plan };
        self.step(|inner| inner.put(mailbox, name, &mut source))
    }

    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        let plan = Arc::clone(&self.plan);
        let mut sink = CutSink { inner: sink, left: plan.allowance(), plan: &plan };
        self.step(|inner| inner.get(mailbox, name, from, &mut sink))
    }

    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.step(|inner| inner.remove(mailbox, names))
    }

    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.step(|inner| inner.remove_partials(mailbox, names))
    }

    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        self.step(|inner| inner.has_mailbox(mailbox))
    }

    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.step(|inner| inner.make_mailbox(mailbox))
    }

    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.step(|inner| inner.remove_mailbox(mailbox))
    }

    fn read_marker(&mut self, remote: Option<&NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        self.step(|inner| inner.read_marker(remote))
    }

    fn marker_likeness(&mut self) -> Result<Option<Likeness>, TransportError> {
        self.inner.marker_likeness()
    }

    fn write_marker(&mut self, remote: Option<&NodeName>, content: &[u8]) -> Result<(), TransportError> {
        self.step(|inner| inner.write_marker(remote, content))
    }

    fn remove_marker(&mut self) -> Result<(), TransportError> {
        self.step(Carrier::remove_marker)
    }
}
