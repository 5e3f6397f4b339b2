//! One link's files over one relay: what waits here is put, what lies there is fetched.
//!
//! Owns the order of it: both mailboxes are looked into once, then files move, small ones first, then what has been replaced
//! is cleared away, after all that was to be put has been. Over a line that can carry both ways at once, and where there
//! is something for both, what is sent goes over a connection of its own at the same time. Survives a broken connection:
//! what has been fetched is remembered until it is cleared from the relay. Leaves each way's files to [`crate::sending`]
//! and [`crate::fetching`].

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use crate::carrier::{Carrier, Entry, Listing};
use crate::error::{Kind, TransportError};
use crate::fetching::Fetching;
use crate::mailbox::{Mailbox, Role};
use crate::marker::prepare_remote;
use crate::name::FileName;
use crate::relays::Another;
use crate::report::{Attempt, LinkReport};
use crate::run::{Link, Outgoing, Run};
use crate::sending::Sending;
use crate::stopwatch::Deadline;

enum Job {
    Send(Outgoing),
    Fetch(Entry),
}

impl Job {
    fn order(&self) -> (u64, &FileName) {
        match self {
            Self::Send(file) => (file.size, &file.name),
            Self::Fetch(entry) => (entry.size, &entry.name),
        }
    }
}

/// The work of one link in a run.
pub(crate) struct Exchange<'a> {
    run: &'a Run<'a>,
    link: &'a Link,
    sending: Sending<'a>,
    fetching: Fetching<'a>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(run: &'a Run<'a>, link: &'a Link, deadline: Deadline<'a>) -> Self {
        let (outgoing, incoming) = (Mailbox::outgoing(&link.peer, link.role), Mailbox::incoming(&link.peer, link.role));
        let (sending, fetching) =
            (Sending::new(run, link, outgoing, deadline), Fetching::new(run, link, incoming, deadline));
        Self { run, link, sending, fetching }
    }

    /// The first failure of this node's own disk. The rest is moved all the same, and then this is reported.
    pub(crate) fn local_failure(self) -> Option<TransportError> {
        self.sending.local_failure.or(self.fetching.local_failure)
    }

    /// Lists both mailboxes once and moves what there is; both ways at once if there is another connection to be had.
    pub(crate) fn run(
        &mut self,
        carrier: &mut dyn Carrier,
        another: Option<&Another<'_>>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let outbox = self.run.spool.outbox(&self.link.peer);
        let outbox = outbox
            .map_err(|error| TransportError::local("list the outbox of", Path::new(self.link.peer.as_str()), error))?;
        let there = carrier.list(&self.sending.mailbox)?;
        let here = match self.link.accept {
            true => carrier.list(&self.fetching.mailbox)?,
            false => Listing { present: true, ..Listing::default() },
        };
        self.make_missing(carrier, there.present, here.present)?;
        let stale = self.sending.stale_partials(&there, &outbox);
        let obsolete = self.sending.obsolete(&there);
        let to_send = self.sending.prepare(outbox, there, report);
        let listed = here.files.iter().map(|entry| entry.name.clone()).collect();
        let wanted = self.fetching.wanted(here, report);
        match another.filter(|_| !to_send.is_empty() && !wanted.is_empty()) {
            Some(another) => self.at_once(carrier, another, to_send, wanted, report)?,
            None => self.in_turn(carrier, to_send, wanted, report)?,
        }
        self.fetching.clear(carrier)?;
        if self.link.accept {
            self.fetching.settle_begun(&listed, report)?;
        }
        if !stale.is_empty() {
            carrier.remove_partials(&self.sending.mailbox, &stale)?;
        }
        self.sending.clear_obsolete(carrier, &obsolete, report)
    }

    /// Takes from the relay what has been fetched.
    pub(crate) fn clear_fetched(&mut self, carrier: &mut dyn Carrier) -> Result<(), TransportError> {
        self.fetching.clear(carrier)
    }

    /// Small files first, both ways together, so that a brief call carries the acknowledgements.
    fn in_turn(
        &mut self,
        carrier: &mut dyn Carrier,
        to_send: Vec<Outgoing>,
        wanted: Vec<Entry>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let mut jobs: Vec<Job> = to_send.into_iter().map(Job::Send).chain(wanted.into_iter().map(Job::Fetch)).collect();
        jobs.sort_by(|one, other| one.order().cmp(&other.order()));
        for job in jobs {
            let name = job.order().1.clone();
            let done = match job {
                Job::Send(file) => self.sending.send(carrier, file, report),
                Job::Fetch(entry) => self.fetching.fetch(carrier, &entry, report),
            };
            done.inspect_err(|error| note_attempt(report, name, error))?;
        }
        Ok(())
    }

    /// Each way its own connection, small files first on both. What one fails at keeps the other from nothing.
    fn at_once(
        &mut self,
        carrier: &mut dyn Carrier,
        another: &Another<'_>,
        mut to_send: Vec<Outgoing>,
        mut wanted: Vec<Entry>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        to_send.sort_by_key(|file| (file.size, file.name.clone()));
        wanted.sort_by_key(|entry| (entry.size, entry.name.clone()));
        let (sending, fetching) = (&mut self.sending, &mut self.fetching);
        let mut fetched = LinkReport::new(&self.link.peer);
        let peer = Path::new(self.link.peer.as_str());
        let (sent, got) = thread::scope(|scope| {
            let sender = thread::Builder::new().spawn_scoped(scope, || match another.dial() {
                Ok(mut other) => send_all(sending, &mut *other, to_send, report).map(|()| Vec::new()),
                Err(error) if error.kind() == Kind::Stopped => Err(error),
                // A server may let nobody in twice at a time.
                Err(_) => Ok(to_send),
            });
            let got = fetch_all(fetching, carrier, &wanted, &mut fetched);
            let sent = match sender {
                Ok(sender) => sender.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(error) => Err(TransportError::local("start sending for", peer, error)),
            };
            (sent, got)
        });
        report.absorb(fetched);
        let left = sent?;
        got?;
        send_all(&mut self.sending, carrier, left, report)
    }

    fn make_missing(&self, carrier: &mut dyn Carrier, there: bool, here: bool) -> Result<(), TransportError> {
        match (there && here, self.link.role) {
            (true, _) => Ok(()),
            (false, Role::Remote) => prepare_remote(carrier, self.run.network, &self.link.peer).map(|_| ()),
            (false, Role::Hub) => {
                let mailboxes = [&self.sending.mailbox, &self.fetching.mailbox];
                mailboxes.into_iter().try_for_each(|mailbox| carrier.make_mailbox(mailbox))
            }
        }
    }
}

fn send_all(
    sending: &mut Sending<'_>,
    carrier: &mut dyn Carrier,
    files: Vec<Outgoing>,
    report: &mut LinkReport,
) -> Result<(), TransportError> {
    files.into_iter().try_for_each(|file| {
        let name = file.name.clone();
        sending.send(carrier, file, report).inspect_err(|error| note_attempt(report, name, error))
    })
}

fn fetch_all(
    fetching: &mut Fetching<'_>,
    carrier: &mut dyn Carrier,
    entries: &[Entry],
    report: &mut LinkReport,
) -> Result<(), TransportError> {
    entries.iter().try_for_each(|entry| {
        let fetched = fetching.fetch(carrier, entry, report);
        fetched.inspect_err(|error| note_attempt(report, entry.name.clone(), error))
    })
}

/// That the time is over says nothing of a file.
fn note_attempt(report: &mut LinkReport, name: FileName, error: &TransportError) {
    if error.kind() != Kind::Stopped {
        report.failed.push(Attempt { name, error: error.clone() });
    }
}
