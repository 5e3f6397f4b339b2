//! One link's files over one relay: what waits here is put, what lies there is fetched.
//!
//! Owns the order of it: both mailboxes are looked into once, then files move, small ones first, then what has been replaced
//! is cleared away, after all that was to be put has been. Over a line that can carry both ways at once, and where there
//! is enough for both, what is sent goes over a connection of its own at the same time; it is dialled before it is known
//! whether anything comes, since logging in takes a slow line seconds and hardly any bytes. Where one connection does for
//! both ways none is dialled. Survives a broken connection:
//! what has been fetched is remembered until it is cleared from the relay. Leaves each way's files to [`crate::sending`]
//! and [`crate::fetching`].

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::thread;
use std::time::Duration;

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

/// Less than this, either way, is moved sooner over the connection that there is than another is dialled.
const WORTH_ANOTHER: u64 = 16 * 1024;

/// For so long at most fetching waits until the other connection is there: logging in takes many round trips, and each of
/// them far longer while something comes.
const LOGGING_IN: Duration = Duration::from_secs(10);

/// What is to be done, by what was found.
struct Looked {
    to_send: Vec<Outgoing>,
    wanted: Vec<Entry>,
    after: After,
}

/// What is to be done when all has been moved.
struct After {
    listed: BTreeSet<FileName>,
    stale: Vec<FileName>,
    obsolete: Vec<FileName>,
}

/// What is sent while something comes.
struct Task<'t, 'a> {
    sending: &'t mut Sending<'a>,
    files: Vec<Outgoing>,
    report: &'t mut LinkReport,
    /// Over what, unless it goes over a connection of its own.
    beside: Option<Box<dyn Carrier + Send>>,
}

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
    /// What was found in the incoming mailbox before the line broke.
    found: Option<Listing>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(run: &'a Run<'a>, link: &'a Link, deadline: Deadline<'a>) -> Self {
        let (outgoing, incoming) = (Mailbox::outgoing(&link.peer, link.role), Mailbox::incoming(&link.peer, link.role));
        let (sending, fetching) =
            (Sending::new(run, link, outgoing, deadline), Fetching::new(run, link, incoming, deadline));
        Self { run, link, sending, fetching, found: None }
    }

    /// How far all files together have come, both ways: grows only if something comes further than ever before.
    pub(crate) fn progress(&self) -> u64 {
        self.sending.progress().saturating_add(self.fetching.progress())
    }

    /// The first failure of this node's own disk. The rest is moved all the same, and then this is reported.
    pub(crate) fn local_failure(self) -> Option<TransportError> {
        self.sending.local_failure.or(self.fetching.local_failure)
    }

    /// Lists both mailboxes once, as far as that can tell anything new, and moves what there is; both ways at once if there is
    /// another connection to be had.
    pub(crate) fn run(
        &mut self,
        carrier: &mut dyn Carrier,
        another: Option<&Another<'_>>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let done = self.moved(carrier, another, report);
        // After anything but a break of the line it is looked again: it may be by what was found that it failed.
        self.found.take_if(|_| !matches!(done, Err(TransportError::Failed { .. })));
        done
    }

    fn moved(
        &mut self,
        carrier: &mut dyn Carrier,
        another: Option<&Another<'_>>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let outbox = self.run.spool.outbox(&self.link.peer);
        let outbox = outbox
            .map_err(|error| TransportError::local("list the outbox of", Path::new(self.link.peer.as_str()), error))?;
        let to_send: u64 = outbox.iter().map(|file| file.size).sum();
        let after = match another.filter(|_| to_send >= WORTH_ANOTHER && self.link.accept) {
            Some(another) => self.with_another(carrier, another, outbox, report)?,
            None => {
                let looked = self.look(carrier, outbox, report)?;
                self.in_turn(carrier, looked.to_send, looked.wanted, report)?;
                looked.after
            }
        };
        self.clear_away(carrier, after, report)
    }

    /// Looks into both mailboxes, and sees what is to be done.
    fn look(
        &mut self,
        carrier: &mut dyn Carrier,
        outbox: Vec<Outgoing>,
        report: &mut LinkReport,
    ) -> Result<Looked, TransportError> {
        let there = match outbox.is_empty() && self.link.has_empty_mailbox {
            true => Listing { present: true, ..Listing::default() },
            false => carrier.list(&self.sending.mailbox)?,
        };
        let here = match (self.link.accept, self.found.take()) {
            (false, _) => Listing { present: true, ..Listing::default() },
            (true, Some(found)) => found,
            (true, None) => carrier.list(&self.fetching.mailbox)?,
        };
        self.found = Some(here.clone());
        self.make_missing(carrier, there.present, here.present)?;
        let (stale, obsolete) = (self.sending.stale_partials(&there, &outbox), self.sending.obsolete(&there));
        let to_send = self.sending.prepare(outbox, there, report);
        let listed = here.files.iter().map(|entry| entry.name.clone()).collect();
        let wanted = self.fetching.wanted(here, report);
        Ok(Looked { to_send, wanted, after: After { listed, stale, obsolete } })
    }

    /// What is left to do once everything has been moved.
    fn clear_away(
        &mut self,
        carrier: &mut dyn Carrier,
        after: After,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let After { listed, stale, obsolete } = after;
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

    /// Each way its own carrier if there is enough for both, small files first on both. What one fails at keeps the
    /// other from nothing.
    fn with_another(
        &mut self,
        carrier: &mut dyn Carrier,
        another: &Another<'_>,
        outbox: Vec<Outgoing>,
        report: &mut LinkReport,
    ) -> Result<After, TransportError> {
        let mut fetched = LinkReport::new(&self.link.peer);
        let (this, reported) = (&mut *self, &mut *report);
        let moved = thread::scope(|scope| {
            let (give, given) = channel();
            let (tell, told) = channel::<()>();
            let mailbox = this.sending.mailbox.clone();
            let dialled = (!carrier.is_two_way()).then_some(another);
            let sender =
                thread::Builder::new().spawn_scoped(scope, move || send_what_is_given(dialled, mailbox, tell, &given));
            let Looked { to_send, wanted, after } = this.look(carrier, outbox, reported)?;
            let to_come: u64 = wanted.iter().map(|entry| entry.size).sum();
            if to_send.is_empty() || to_come < WORTH_ANOTHER {
                drop(give);
                return this.in_turn(carrier, to_send, wanted, reported).map(|()| (after, Vec::new()));
            }
            let beside = carrier.beside();
            let task = Task { sending: &mut this.sending, files: to_send, report: reported, beside };
            // Where no thread could be started, nobody takes it.
            let untaken = give.send(task).map_or_else(|SendError(task)| task.files, |()| Vec::new());
            // Nothing is ever told but that there is nothing more to be told.
            let _ = told.recv_timeout(LOGGING_IN);
            let got = fetch_all(&mut this.fetching, carrier, wanted, &mut fetched);
            let left = match sender {
                Ok(sender) => sender.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                Err(_) => untaken,
            };
            got.map(|()| (after, left))
        });
        report.absorb(fetched);
        let (after, left) = moved?;
        send_all(&mut self.sending, carrier, left, report)?;
        Ok(after)
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

/// Connects where that is needed, and sends what is given if anything is. What is left could not be sent for want of a
/// connection.
fn send_what_is_given(
    another: Option<&Another<'_>>,
    mailbox: Mailbox,
    tell: Sender<()>,
    given: &Receiver<Task<'_, '_>>,
) -> Result<Vec<Outgoing>, TransportError> {
    // What the connection has seen for itself it need not ask of each file.
    let dialled = another.map(|another| another.dial().and_then(|mut other| other.list(&mailbox).map(|_| other)));
    drop(tell);
    let Ok(Task { sending, files, report, beside }) = given.recv() else { return Ok(Vec::new()) };
    match (beside, dialled) {
        (Some(mut other), _) => send_all(sending, &mut *other, files, report).map(|()| Vec::new()),
        (None, Some(Ok(mut other))) => send_all(sending, &mut *other, files, report).map(|()| Vec::new()),
        (None, Some(Err(error))) if error.kind() == Kind::Stopped => Err(error),
        // A server may let nobody in twice at a time.
        (None, _) => Ok(files),
    }
}

fn send_all(
    sending: &mut Sending<'_>,
    carrier: &mut dyn Carrier,
    mut files: Vec<Outgoing>,
    report: &mut LinkReport,
) -> Result<(), TransportError> {
    files.sort_by_key(|file| (file.size, file.name.clone()));
    files.into_iter().try_for_each(|file| {
        let name = file.name.clone();
        sending.send(carrier, file, report).inspect_err(|error| note_attempt(report, name, error))
    })
}

fn fetch_all(
    fetching: &mut Fetching<'_>,
    carrier: &mut dyn Carrier,
    mut entries: Vec<Entry>,
    report: &mut LinkReport,
) -> Result<(), TransportError> {
    entries.sort_by_key(|entry| (entry.size, entry.name.clone()));
    entries.into_iter().try_for_each(|entry| {
        let fetched = fetching.fetch(carrier, &entry, report);
        fetched.inspect_err(|error| note_attempt(report, entry.name, error))
    })
}

/// That the time is over says nothing of a file.
fn note_attempt(report: &mut LinkReport, name: FileName, error: &TransportError) {
    if error.kind() != Kind::Stopped {
        report.failed.push(Attempt { name, error: error.clone() });
    }
}
