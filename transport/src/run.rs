//! A transfer run of one node: over all its links, within a time budget.
//!
//! Owns the order of links and relays, and the retries. A link's failure is its own: it is reported and the next
//! link goes on. Leaves the moving of one link's files to `exchange`, folders and books to [`LocalSpool`], and the
//! judgement on content to [`Inspect`]. The caller sees to it that one run at a time works on a spool.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packhorse_shared::id::{NetworkId, NodeName};
use packhorse_shared::seam::{Disk, Random, Steps, Stop};

use crate::access::Keyring;
use crate::backoff::{Backoff, Next};
use crate::ending::Ending;
use crate::error::{Kind, TransportError};
use crate::exchange::Exchange;
use crate::location::Location;
use crate::mailbox::{Mailbox, Role};
use crate::marker::Admission;
use crate::name::FileName;
use crate::relays::{Approach, Dial, KnownRelays, Relays};
use crate::report::{LinkReport, Report};
use crate::stopwatch::{Deadline, Stopwatch};

/// A link as a run needs it.
#[derive(Clone, Debug)]
pub struct Link {
    /// The peer's name.
    pub peer: NodeName,
    /// What the peer is to this node.
    pub role: Role,
    /// Relays in the order in which they are tried; the first that answers is used.
    pub relays: Vec<Location>,
    /// Whether incoming files are fetched, or left on the relay (`accept off`).
    pub accept: bool,
    /// Whether nothing lies in the outgoing mailbox, as was seen earlier: it is looked into only if something is to be put.
    pub has_empty_mailbox: bool,
}

/// A file in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its name, here and on the relay.
    pub name: FileName,
    /// Its size.
    pub size: u64,
    /// Where it lies.
    pub path: PathBuf,
}

/// The node's own folders, as far as a run uses them.
pub trait LocalSpool: Sync {
    /// What waits to be sent to a peer.
    fn outbox(&self, peer: &NodeName) -> io::Result<Vec<Outgoing>>;
    /// Takes a file out of the outbox that stands durably on the relay. Absent is no error.
    fn remove_from_outbox(&self, peer: &NodeName, name: &FileName) -> io::Result<()>;
    /// Whether the inbox holds the file already (or has held it: then it need not travel again).
    fn holds(&self, name: &FileName) -> io::Result<bool>;
    /// The files that were begun to be fetched, and others that lie among them.
    fn begun(&self) -> io::Result<Vec<FileName>>;
    /// Where the file is collected until it is complete, in an existing folder. The same in every run.
    fn tmp_path(&self, name: &FileName) -> PathBuf;
    /// Gives the complete, synced `tmp` file its place in the inbox, durably.
    fn publish_to_inbox(&self, name: &FileName) -> io::Result<()>;
    /// Moves the `tmp` file into quarantine, with the reason, durably.
    fn reject(&self, name: &FileName, reason: &str) -> io::Result<()>;
}

/// What an inspection found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The content fits the name.
    Whole,
    /// It does not, for this reason.
    Damaged(String),
    /// It is no bundle from this peer for this node.
    NotOurs,
}

/// Judges files without any key.
pub trait Inspect: Sync {
    /// Whether a file of ours, in the outbox or in the mailbox to this peer, has been replaced by others in the outbox
    /// or beyond it: it is not sent any more, and leaves the mailbox once they are all there.
    fn is_obsolete(&self, peer: &NodeName, name: &FileName) -> bool;
    /// Whether the name is that of a bundle from this node for this peer.
    fn is_from_us(&self, peer: &NodeName, name: &FileName) -> bool;
    /// Whether the name is that of a bundle from this peer for this node; asked before anything is fetched.
    fn is_ours(&self, peer: &NodeName, name: &FileName) -> bool;
    /// How large a bundle's file can be, in bytes: what is larger is not fetched.
    fn most(&self) -> u64;
    /// Whether the fetched file is what its name says.
    fn inspect(&self, name: &FileName, path: &Path) -> io::Result<Verdict>;
}

/// A transfer run and all that it needs from outside.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Makes connections.
    pub dial: &'a dyn Dial,
    /// The node's own folders.
    pub spool: &'a dyn LocalSpool,
    /// Judges names and files.
    pub inspect: &'a dyn Inspect,
    /// Durable files.
    pub disk: &'a dyn Disk,
    /// Who is told of durable steps.
    pub steps: &'a dyn Steps,
    /// Measures and waits.
    pub stopwatch: &'a dyn Stopwatch,
    /// Spreads what all would do at once.
    pub random: &'a dyn Random,
    /// The node's network, which the relays must bear.
    pub network: NetworkId,
    /// How long the run may last.
    pub budget: Option<Duration>,
    /// Whether it has been asked to end.
    pub stop: &'a Stop,
    /// How servers are logged in to.
    pub keyring: &'a dyn Keyring,
    /// The relays that earlier runs have found to be ours.
    pub known: &'a KnownRelays,
}

impl Run<'_> {
    /// Sends what lies in the outbox and fetches what lies in the incoming mailbox, for each link.
    pub fn transfer(&self, links: &[Link]) -> Report {
        let deadline = Deadline::after(self.stopwatch, self.budget);
        let approach = Approach { ending: Ending::of(self.budget, self.stop.clone()), keyring: self.keyring };
        let relays = Relays::new(self.dial, self.network, approach, self.known.clone());
        let mut turn = Turn { run: self, links, deadline, relays };
        let done = links.iter().map(|link| turn.serve(link)).collect();
        Report { links: done, calls: turn.relays.calls(), known: turn.relays.known() }
    }
}

/// One run under way.
struct Turn<'a> {
    run: &'a Run<'a>,
    links: &'a [Link],
    deadline: Deadline<'a>,
    relays: Relays<'a>,
}

impl Turn<'_> {
    fn serve(&mut self, link: &Link) -> LinkReport {
        let mut report = LinkReport::new(&link.peer);
        for location in &link.relays {
            match self.over(location, link, &mut report) {
                Ok(()) => break,
                Err(TransportError::BudgetOver) => {
                    report.work_left = true;
                    break;
                }
                Err(error) if report.relay.is_some() => {
                    report.errors.push(error);
                    break;
                }
                Err(error) => report.passed_over.push(error),
            }
        }
        if report.relay.is_none() && !report.work_left {
            report.errors.append(&mut report.passed_over);
        }
        report
    }

    /// Serves a link over one relay, with retries. The relay is named in the report as soon as it has answered.
    fn over(&mut self, location: &Location, link: &Link, report: &mut LinkReport) -> Result<(), TransportError> {
        let mut exchange = Exchange::new(self.run, link, self.deadline);
        let mut backoff = Backoff::new(self.deadline, self.run.random);
        loop {
            let error = match self.attempt(location, &mut exchange, report) {
                Ok(()) => return exchange.local_failure().map_or(Ok(()), Err),
                Err(error) => error,
            };
            if error.kind() == Kind::Stopped {
                self.hang_up_after(location, &mut exchange);
                return Err(error);
            }
            self.relays.hang_up(location);
            match backoff.after(exchange.progress(), error.may_pass()) {
                Next::Again => report.retries += 1,
                Next::Over => return Err(TransportError::BudgetOver),
                Next::GiveUp => {
                    // A line that is dead in the midst of it is dead for the next link too.
                    if report.relay.is_none() || error.is_silence() {
                        self.relays.give_up(location, error.clone());
                    }
                    return Err(error);
                }
            }
            tracing::debug!(relay = %location, peer = %link.peer, %error, "trying again");
        }
    }

    fn attempt(
        &mut self,
        location: &Location,
        exchange: &mut Exchange<'_>,
        report: &mut LinkReport,
    ) -> Result<(), TransportError> {
        if self.deadline.is_over() {
            return Err(TransportError::BudgetOver);
        }
        let links = self.links;
        let evidence = || mailboxes_on(links, location);
        self.relays.open(location, &evidence)?;
        report.relay = Some(location.to_string());
        report.marker_restored = self.relays.admission(location) == Some(Admission::Restored);
        let another = self.relays.another(location);
        exchange.run(self.relays.open(location, &evidence)?, another.as_ref(), report)
    }

    /// When the time is up in the middle of a link: one last call spares the next run fetching again what has come.
    fn hang_up_after(&mut self, location: &Location, exchange: &mut Exchange<'_>) {
        if let Some(carrier) = self.relays.if_open(location) {
            // If it fails, the files come once more, and that does no harm.
            let _ = exchange.clear_fetched(carrier);
        }
        self.relays.hang_up(location);
    }
}

/// The mailboxes that should be on a relay if it is ours.
fn mailboxes_on(links: &[Link], location: &Location) -> Vec<[Mailbox; 2]> {
    let named = links.iter().filter(|link| link.relays.contains(location));
    named.map(|link| Mailbox::both(&link.peer, link.role)).collect()
}
