//! The files that a link fetches over one relay.
//!
//! Owns what becomes of the incoming mailbox: a file leaves the relay only when it stands durably in the inbox, or in
//! quarantine, and what has been fetched is remembered until then, through broken connections. Leaves to
//! [`crate::exchange`] when.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use packhorse_shared::seam::Step;

use crate::carrier::{Bounded, Carrier, Entry, Get, Listing};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::{FileName, shown};
use crate::report::{LinkReport, Rejected};
use crate::run::{Link, Run, Verdict};
use crate::stopwatch::Deadline;
use crate::stream::TmpFile;

/// How much may lie fetched and not yet cleared from the relay: fewer removals spare round trips, and if the run is
/// killed, no more than this travels again.
const CLEAR_AFTER_BYTES: u64 = 16 * 1024;

/// One link's fetching in a run.
pub(crate) struct Fetching<'a> {
    run: &'a Run<'a>,
    link: &'a Link,
    pub(crate) mailbox: Mailbox,
    deadline: Deadline<'a>,
    /// Fetched (or found to be here already), and still to be cleared from the relay.
    fetched: BTreeSet<FileName>,
    fetched_bytes: u64,
    /// How much of each file has come.
    farthest: BTreeMap<FileName, u64>,
    /// This node's disk does not take files: what would be fetched now would be fetched in vain.
    disk_failed: bool,
    /// The first failure of this node's own disk.
    pub(crate) local_failure: Option<TransportError>,
}

impl<'a> Fetching<'a> {
    pub(crate) fn new(run: &'a Run<'a>, link: &'a Link, mailbox: Mailbox, deadline: Deadline<'a>) -> Self {
        Self {
            run,
            link,
            mailbox,
            deadline,
            fetched: BTreeSet::new(),
            fetched_bytes: 0,
            farthest: BTreeMap::new(),
            disk_failed: false,
            local_failure: None,
        }
    }

    /// How many bytes have come, again and again counted once. Never more than are there.
    pub(crate) fn progress(&self) -> u64 {
        self.farthest.values().sum()
    }

    /// What is to be fetched; the rest is told and left alone.
    pub(crate) fn wanted(&self, here: Listing, report: &mut LinkReport) -> Vec<Entry> {
        let (ours, others): (Vec<_>, Vec<_>) =
            here.files.into_iter().partition(|entry| self.run.inspect.is_ours(&self.link.peer, &entry.name));
        report.left_alone = here.foreign;
        report.left_alone.extend(others.iter().map(|entry| shown(entry.name.as_str())));
        let most = self.run.inspect.most();
        let (fitting, too_large) = ours.into_iter().partition(|entry| entry.size <= most);
        report.too_large = too_large;
        fitting
    }

    /// Takes from the relay what has been fetched.
    pub(crate) fn clear(&mut self, carrier: &mut dyn Carrier) -> Result<(), TransportError> {
        if self.fetched.is_empty() {
            return Ok(());
        }
        let names: Vec<FileName> = self.fetched.iter().cloned().collect();
        carrier.remove(&self.mailbox, &names)?;
        let reached = self.run.steps.reached(Step::RelayCleared);
        reached
            .map_err(|error| TransportError::local("go on after moving", Path::new(self.link.peer.as_str()), error))?;
        self.fetched.clear();
        self.fetched_bytes = 0;
        Ok(())
    }

    /// What was begun to be fetched and has left the relay: if it is whole it is taken, else it never will be, unless
    /// another relay has it.
    pub(crate) fn settle_begun(
        &mut self,
        listed: &BTreeSet<FileName>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
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

    /// Fetches a file, and clears the relay when there is enough to be cleared.
    pub(crate) fn fetch(
        &mut self,
        carrier: &mut dyn Carrier,
        entry: &Entry,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        if !self.disk_failed && !self.fetched.contains(&entry.name) {
            self.take(carrier, entry, report)?;
        }
        if self.fetched_bytes < CLEAR_AFTER_BYTES { Ok(()) } else { self.clear(carrier) }
    }

    fn take(
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
        let shown = format!("{}/{}", self.mailbox, entry.name);
        let mut bounded =
            Bounded { sink: &mut file, at: from, whole: entry.size, relay: carrier.relay().to_owned(), file: &shown };
        let got = if from < entry.size {
            carrier.get(&self.mailbox, &entry.name, from, &mut bounded)
        } else {
            Ok(Get::Ended)
        };
        report.received.bytes += file.taken();
        let (got, found) = (self.watched(got), file.size());
        let farthest = self.farthest.entry(entry.name.clone()).or_default();
        *farthest = found.max(*farthest);
        self.watched(file.finish())?;
        match got? {
            Get::Absent => self.kept("remove", tmp, self.run.disk.remove(tmp)).map(|()| None),
            Get::Ended if found == entry.size => Ok(Some(from > 0)),
            Get::Ended => Err(TransportError::WrongSize {
                relay: carrier.relay().to_owned(),
                file: shown,
                expected: entry.size,
                found,
            }),
        }
    }

    fn note_fetched(&mut self, entry: &Entry) {
        self.fetched.insert(entry.name.clone());
        self.fetched_bytes += entry.size;
    }

    /// A step on this node's disk that fetching rests on.
    fn kept<T>(&mut self, doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, TransportError> {
        self.watched(result.map_err(|error| TransportError::local(doing, path, error)))
    }

    fn kept_at(&mut self, step: Step, path: &Path) -> Result<(), TransportError> {
        self.kept("go on after writing", path, self.run.steps.reached(step))
    }

    fn watched<T>(&mut self, result: Result<T, TransportError>) -> Result<T, TransportError> {
        if let Err(error @ TransportError::Local { .. }) = &result {
            self.disk_failed = true;
            self.local_failure.get_or_insert_with(|| error.clone());
        }
        result
    }
}
