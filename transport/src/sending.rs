//! The files that a link sends over one relay.
//!
//! Owns what becomes of the outbox: a file leaves it only when it stands on the relay, and what cannot be read keeps the
//! others from nothing. Leaves to [`crate::exchange`] when, and over which connection.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use packhorse_shared::seam::Step;

use crate::carrier::{Carrier, Listing, Put};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;
use crate::report::LinkReport;
use crate::run::{Link, Outgoing, Run};
use crate::stopwatch::Deadline;
use crate::stream::OutgoingFile;

/// One link's sending in a run.
pub(crate) struct Sending<'a> {
    run: &'a Run<'a>,
    link: &'a Link,
    pub(crate) mailbox: Mailbox,
    deadline: Deadline<'a>,
    /// How far earlier puts had come that broke off, by what the relay says.
    begun: BTreeMap<FileName, u64>,
    /// How far each file has been read.
    farthest: BTreeMap<FileName, u64>,
    /// Outbox files that cannot be read: they must not keep the others back.
    unreadable: BTreeSet<FileName>,
    /// The first failure of this node's own disk.
    pub(crate) local_failure: Option<TransportError>,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(run: &'a Run<'a>, link: &'a Link, mailbox: Mailbox, deadline: Deadline<'a>) -> Self {
        let (begun, farthest, unreadable) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { run, link, mailbox, deadline, begun, farthest, unreadable, local_failure: None }
    }

    /// How many bytes have been sent of all that there is, again and again counted once. Never more than there are.
    pub(crate) fn progress(&self) -> u64 {
        self.farthest.values().sum()
    }

    /// What is to be put, by what lies there: what has been replaced waits only to be cleared away.
    pub(crate) fn prepare(
        &mut self,
        mut outbox: Vec<Outgoing>,
        there: Listing,
        report: &mut LinkReport,
    ) -> Vec<Outgoing> {
        outbox.retain(|file| !self.run.inspect.is_obsolete(&self.link.peer, &file.name));
        report.lying = Some(there.files.iter().map(|entry| entry.name.clone()).collect());
        report.unfetched = there.files;
        self.begun = there.partials.into_iter().map(|entry| (entry.name, entry.size)).collect();
        outbox
    }

    /// What earlier puts of ours have left of files that are no longer in the outbox.
    pub(crate) fn stale_partials(&self, there: &Listing, outbox: &[Outgoing]) -> Vec<FileName> {
        let waiting: BTreeSet<&FileName> = outbox.iter().map(|file| &file.name).collect();
        let stale = there.partials.iter().map(|entry| &entry.name).filter(|name| !waiting.contains(name));
        stale.filter(|name| self.run.inspect.is_from_us(&self.link.peer, name)).cloned().collect()
    }

    /// What lies there and has been replaced.
    pub(crate) fn obsolete(&self, there: &Listing) -> Vec<FileName> {
        let names = there.files.iter().map(|entry| &entry.name);
        names.filter(|name| self.run.inspect.is_obsolete(&self.link.peer, name)).cloned().collect()
    }

    /// Takes away what has been replaced, unless something that may be what replaces it could not be put.
    pub(crate) fn clear_obsolete(
        &self,
        carrier: &mut dyn Carrier,
        names: &[FileName],
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        if names.is_empty() || !report.blocked.is_empty() || !self.unreadable.is_empty() {
            return Ok(());
        }
        carrier.remove(&self.mailbox, names)?;
        report.lying.iter_mut().for_each(|lying| lying.retain(|name| !names.contains(name)));
        Ok(())
    }

    /// Puts a file, and takes it out of the outbox.
    pub(crate) fn send(
        &mut self,
        carrier: &mut dyn Carrier,
        file: Outgoing,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        if self.unreadable.contains(&file.name) {
            return Ok(());
        }
        let sent = self.put(carrier, &file, report);
        if let Err(error @ TransportError::Local { .. }) = &sent {
            self.local_failure.get_or_insert_with(|| error.clone());
            self.unreadable.insert(file.name);
        }
        sent
    }

    fn put(
        &mut self,
        carrier: &mut dyn Carrier,
        file: &Outgoing,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        let Some(mut source) = OutgoingFile::open(self.run.disk, &file.path, self.deadline)? else { return Ok(()) };
        let put = carrier.put(&self.mailbox, &file.name, &mut source);
        let farthest = self.farthest.entry(file.name.clone()).or_default();
        *farthest = source.farthest().max(*farthest);
        match put {
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
        removed.map_err(|error| TransportError::local("remove from the outbox", &file.path, error))?;
        let reached = self.run.steps.reached(Step::OutboxCleared);
        reached.map_err(|error| TransportError::local("go on after moving", Path::new(file.name.as_str()), error))
    }
}
