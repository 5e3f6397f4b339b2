//! One link over one relay: what to move, in which order, and when a copy may go.
//!
//! Invariant: at every moment each file stands complete and durable in at least one place. A file leaves the outbox
//! only after its put has returned, and the relay only after it was published into the inbox or put into quarantine (or,
//! if later ones replace it, after all that was to be put has been).
//! Small files go first, both ways together, so that a brief call carries the acknowledgements. Survives a broken
//! connection: what has been fetched is remembered until it is cleared from the relay.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use packhorse_shared::seam::Step;

use crate::carrier::{Carrier, Entry, Get, Listing, Put};
use crate::error::{Kind, TransportError};
use crate::mailbox::{Mailbox, Role};
use crate::marker::prepare_remote;
use crate::name::{FileName, shown};
use crate::report::{Attempt, LinkReport, Rejected};
use crate::run::{Link, Outgoing, Run, Verdict};
use crate::stopwatch::Deadline;
use crate::stream::{OutgoingFile, TmpFile};

/// How much may lie fetched and not yet cleared from the relay: fewer removals spare round trips, and if the run is
/// killed, no more than this travels again.
const CLEAR_AFTER_BYTES: u64 = 16 * 1024;

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
    outgoing: Mailbox,
    incoming: Mailbox,
    deadline: Deadline<'a>,
    /// Fetched (or found to be here already), and still to be cleared from the relay.
    fetched: BTreeSet<FileName>,
    fetched_bytes: u64,
    /// How far earlier puts had come that broke off, by what the relay says.
    begun: BTreeMap<FileName, u64>,
    /// Outbox files that cannot be read: they must not keep the others back.
    unreadable: BTreeSet<FileName>,
    /// This node's disk does not take files: what would be fetched now would be fetched in vain.
    disk_failed: bool,
    /// The first failure of this node's own disk. The rest is moved all the same, and then this is reported.
    pub(crate) local_failure: Option<TransportError>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(run: &'a Run<'a>, link: &'a Link, deadline: Deadline<'a>) -> Self {
        Self {
            run,
            link,
            outgoing: Mailbox::outgoing(&link.peer, link.role),
            incoming: Mailbox::incoming(&link.peer, link.role),
            deadline,
            fetched: BTreeSet::new(),
            fetched_bytes: 0,
            begun: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            disk_failed: false,
            local_failure: None,
        }
    }

    /// Lists both mailboxes once and moves what there is.
    pub(crate) fn run(&mut self, carrier: &mut dyn Carrier, report: &mut LinkReport) -> Result<(), TransportError> {
        let outbox =
            local("list the outbox of", Path::new(self.link.peer.as_str()), self.run.spool.outbox(&self.link.peer))?;
        let there = carrier.list(&self.outgoing)?;
        let here = match self.link.accept {
            true => carrier.list(&self.incoming)?,
            false => Listing { present: true, ..Listing::default() },
        };
        self.make_missing(carrier, there.present, here.present)?;
        let stale = stale_partials(&there, &outbox);
        let (obsolete, to_send) = (self.obsolete(&there), self.to_send(outbox));
        report.lying = Some(there.files.iter().map(|entry| entry.name.clone()).collect());
        report.unfetched = there.files;
        self.begun = there.partials.into_iter().map(|entry| (entry.name, entry.size)).collect();
        let listed = here.files.iter().map(|entry| entry.name.clone()).collect();
        let wanted = self.wanted(here, report);
        let mut jobs: Vec<Job> = to_send.into_iter().map(Job::Send).chain(wanted.into_iter().map(Job::Fetch)).collect();
        jobs.sort_by(|one, other| one.order().cmp(&other.order()));
        for job in jobs {
            let name = job.order().1.clone();
            self.perform(carrier, job, report).inspect_err(|error| note_attempt(report, name, error))?;
        }
        self.clear_fetched(carrier)?;
        if self.link.accept {
            self.settle_begun(&listed, report)?;
        }
        if !stale.is_empty() {
            carrier.remove_partials(&self.outgoing, &stale)?;
        }
        self.clear_obsolete(carrier, &obsolete, report)
    }

    /// What is to be put: what has been replaced waits only to be cleared away.
    fn to_send(&self, mut outbox: Vec<Outgoing>) -> Vec<Outgoing> {
        outbox.retain(|file| !self.run.inspect.is_obsolete(&self.link.peer, &file.name));
        outbox
    }

    fn obsolete(&self, there: &Listing) -> Vec<FileName> {
        let names = there.files.iter().map(|entry| &entry.name);
        names.filter(|name| self.run.inspect.is_obsolete(&self.link.peer, name)).cloned().collect()
    }

    /// Takes away what has been replaced, unless something that may be what replaces it could not be put.
    fn clear_obsolete(
        &self,
        carrier: &mut dyn Carrier,
        names: &[FileName],
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        if names.is_empty() || !report.blocked.is_empty() || !self.unreadable.is_empty() {
            return Ok(());
        }
        carrier.remove(&self.outgoing, names)?;
        report.lying.iter_mut().for_each(|lying| lying.retain(|name| !names.contains(name)));
        Ok(())
    }

    /// Takes from the relay what has been fetched.
    pub(crate) fn clear_fetched(&mut self, carrier: &mut dyn Carrier) -> Result<(), TransportError> {
        if self.fetched.is_empty() {
            return Ok(());
        }
        let names: Vec<FileName> = self.fetched.iter().cloned().collect();
        carrier.remove(&self.incoming, &names)?;
        self.reached(Step::RelayCleared, self.link.peer.as_str())?;
        self.fetched.clear();
        self.fetched_bytes = 0;
        Ok(())
    }

    /// What was begun to be fetched and has left the relay: if it is whole it is taken, else it never will be, unless
    /// another relay has it.
    fn settle_begun(&mut self, listed: &BTreeSet<FileName>, report: &mut LinkReport) -> Result<(), TransportError> {
        let spool = self.run.spool;
        let begun = self.kept("list the files begun for", Path::new(self.link.peer.as_str()), spool.begun())?;
        let is_lost = |name: &FileName| !listed.contains(name) && self.run.inspect.is_ours(&self.link.peer, name);
        for name in begun.into_iter().filter(is_lost).collect::<Vec<_>>() {
            let tmp = spool.tmp_path(&name);
            if self.kept("read", &tmp, self.run.inspect.inspect(&name, &tmp))? == Verdict::Whole {
                self.kept("publish", &tmp, spool.publish_to_inbox(&name))?;
                report.received.files += 1;
            } else if self.link.relays.len() == 1 {
                self.kept("remove", &tmp, self.run.disk.remove(&tmp))?;
            }
        }
        Ok(())
    }

    fn make_missing(&self, carrier: &mut dyn Carrier, there: bool, here: bool) -> Result<(), TransportError> {
        match (there && here, self.link.role) {
            (true, _) => Ok(()),
            (false, Role::Remote) => prepare_remote(carrier, self.run.network, &self.link.peer).map(|_| ()),
            (false, Role::Hub) => {
                [&self.outgoing, &self.incoming].into_iter().try_for_each(|mailbox| carrier.make_mailbox(mailbox))
            }
        }
    }

    fn wanted(&self, here: Listing, report: &mut LinkReport) -> Vec<Entry> {
        let (ours, others): (Vec<_>, Vec<_>) =
            here.files.into_iter().partition(|entry| self.run.inspect.is_ours(&self.link.peer, &entry.name));
        report.left_alone = here.foreign;
        report.left_alone.extend(others.iter().map(|entry| shown(entry.name.as_str())));
        ours
    }

    fn perform(&mut self, carrier: &mut dyn Carrier, job: Job, report: &mut LinkReport) -> Result<(), TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        match job {
            Job::Send(file) if self.unreadable.contains(&file.name) => Ok(()),
            Job::Send(file) => {
                let sent = self.send(carrier, &file, report);
                self.note_local(&sent).then(|| self.unreadable.insert(file.name));
                sent
            }
            Job::Fetch(entry) => {
                if !self.disk_failed && !self.fetched.contains(&entry.name) {
                    self.fetch(carrier, &entry, report)?;
                }
                if self.fetched_bytes < CLEAR_AFTER_BYTES { Ok(()) } else { self.clear_fetched(carrier) }
            }
        }
    }

    fn send(&self, carrier: &mut dyn Carrier, file: &Outgoing, report: &mut LinkReport) -> Result<(), TransportError> {
        let Some(mut source) = OutgoingFile::open(self.run.disk, &file.path, self.deadline)? else { return Ok(()) };
        match carrier.put(&self.outgoing, &file.name, &mut source) {
            Ok(Put::Placed { moved }) => {
                report.sent.files += 1;
                report.sent.bytes += moved;
            }
            Ok(Put::Already) => report.sent.files += 1,
            Err(TransportError::NameTaken { .. }) => {
                report.blocked.push(file.name.clone());
                return Ok(());
            }
            Err(error) => {
                let begun = self.begun.get(&file.name).copied().unwrap_or_default();
                report.broken_off.insert(file.name.clone(), begun);
                return Err(error);
            }
        }
        report.lying.get_or_insert_default().insert(file.name.clone());
        report.sent_files.push(file.name.clone());
        let removed = self.run.spool.remove_from_outbox(&self.link.peer, &file.name);
        local("remove from the outbox", &file.path, removed)?;
        self.reached(Step::OutboxCleared, file.name.as_str())
    }

    fn fetch(
        &mut self,
        carrier: &mut dyn Carrier,
        entry: &Entry,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let spool = self.run.spool;
        let tmp = spool.tmp_path(&entry.name);
        if self.kept("look into the inbox", &tmp, spool.holds(&entry.name))? {
            self.note_fetched(entry);
            return Ok(());
        }
        // A resumed file may have begun as a damaged copy: only one fetched from the start is judged for good.
        while let Some(resumed) = self.collect(carrier, entry, &tmp, report)? {
            match self.kept("read", &tmp, self.run.inspect.inspect(&entry.name, &tmp))? {
                Verdict::Whole => {
                    self.kept_at(Step::BundleFetched, &tmp)?;
                    self.kept("publish", &tmp, spool.publish_to_inbox(&entry.name))?;
                    self.kept_at(Step::InboxPublished, &tmp)?;
                    report.received.files += 1;
                    report.received_files.push(entry.name.clone());
                }
                Verdict::Damaged(_) if resumed => {
                    self.kept("remove", &tmp, self.run.disk.remove(&tmp))?;
                    continue;
                }
                Verdict::Damaged(reason) => {
                    self.kept("put into quarantine", &tmp, spool.reject(&entry.name, &reason))?;
                    self.kept_at(Step::FetchedQuarantined, &tmp)?;
                    report.rejected.push(Rejected { name: entry.name.clone(), reason });
                }
                Verdict::NotOurs => {
                    report.left_alone.push(shown(entry.name.as_str()));
                    return self.kept("remove", &tmp, self.run.disk.remove(&tmp));
                }
            }
            self.note_fetched(entry);
            return Ok(());
        }
        Ok(())
    }

    /// Fetches into the tmp file until it is complete and durable, and says whether it had been begun before. None
    /// if the file has vanished from the relay.
    fn collect(
        &mut self,
        carrier: &mut dyn Carrier,
        entry: &Entry,
        tmp: &Path,
        report: &mut LinkReport,
    ) -> Result<Option<bool>, TransportError> {
        let opened = TmpFile::open(self.run.disk, tmp.to_owned(), entry.size, self.deadline);
        let mut file = self.watched(opened)?;
        let from = file.size();
        let got =
            if from < entry.size { carrier.get(&self.incoming, &entry.name, from, &mut file) } else { Ok(Get::Ended) };
        report.received.bytes += file.taken();
        let (got, found) = (self.watched(got), file.size());
        self.watched(file.finish())?;
        match got? {
            Get::Absent => self.kept("remove", tmp, self.run.disk.remove(tmp)).map(|()| None),
            Get::Ended if found == entry.size => Ok(Some(from > 0)),
            Get::Ended => {
                let (relay, file) = (carrier.relay().to_owned(), format!("{}/{}", self.incoming, entry.name));
                Err(TransportError::WrongSize { relay, file, expected: entry.size, found })
            }
        }
    }

    fn note_fetched(&mut self, entry: &Entry) {
        self.fetched.insert(entry.name.clone());
        self.fetched_bytes += entry.size;
    }

    /// A step on this node's disk that fetching rests on.
    fn kept<T>(&mut self, doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, TransportError> {
        self.watched(local(doing, path, result))
    }

    fn kept_at(&mut self, step: Step, path: &Path) -> Result<(), TransportError> {
        self.kept("go on after writing", path, self.run.steps.reached(step))
    }

    fn reached(&self, step: Step, what: &str) -> Result<(), TransportError> {
        local("go on after moving", Path::new(what), self.run.steps.reached(step))
    }

    fn watched<T>(&mut self, result: Result<T, TransportError>) -> Result<T, TransportError> {
        self.disk_failed |= self.note_local(&result);
        result
    }

    fn note_local<T>(&mut self, result: &Result<T, TransportError>) -> bool {
        let Err(error @ TransportError::Local { .. }) = result else { return false };
        self.local_failure.get_or_insert_with(|| error.clone());
        true
    }
}

/// That the time is over says nothing of a file.
fn note_attempt(report: &mut LinkReport, name: FileName, error: &TransportError) {
    if error.kind() != Kind::Stopped {
        report.failed.push(Attempt { name, error: error.clone() });
    }
}

fn local<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, TransportError> {
    result.map_err(|error| TransportError::local(doing, path, error))
}

/// What earlier puts have left of files that are no longer in the outbox.
fn stale_partials(there: &Listing, outbox: &[Outgoing]) -> Vec<FileName> {
    let waiting: BTreeSet<&FileName> = outbox.iter().map(|file| &file.name).collect();
    there.partials.iter().map(|entry| &entry.name).filter(|name| !waiting.contains(name)).cloned().collect()
}
