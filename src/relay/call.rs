//! A call: one transfer over all links, in three steps.
//!
//! Owns which of them need the home to themselves: what the call has to know is taken first, and what it showed of the
//! links is put down last, both under the home's lock; the moving itself, which lasts as long as the line is slow, needs
//! only the lock on transfers. So a service applies and seals while a call is under way. A call that is cut short
//! before its last step is as if it had been killed there: nothing is lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use packhorse_shared::id::{NetworkId, NodeId, NodeName};
use packhorse_shared::ledger::Stock;
use packhorse_shared::link::Role;
use packhorse_shared::replica::{Replica, StoredLink};
use packhorse_shared::seam::{Step, Stop, World};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;
use packhorse_transport::{Dial, KnownRelays, Likeness, Link, LinkReport, Outcome, Report, Run, Stopwatch};

use super::files::{BundleFiles, NodeSpool};
use super::keys::Keys;
use super::{relays, role};
use crate::bookkeeping;
use crate::failure::Failure;
use crate::look;
use crate::node::{Node, reached};

/// A call that is about to be made.
pub struct Call {
    node: NodeName,
    installation: NodeId,
    network: NetworkId,
    spool: Spool<'static>,
    folder_of_tmp: PathBuf,
    world: World<'static>,
    dial: &'static dyn Dial,
    start: fn(Stop) -> Box<dyn Stopwatch>,
    keys: Keys,
    trust: Trust,
    links: Vec<Link>,
    known: KnownRelays,
    states: Vec<StoredLink>,
    before: Stock,
}

/// A call that was made.
pub struct Made {
    /// What it reports.
    pub report: Report,
    known: KnownRelays,
    replaced_at: BTreeSet<NodeName>,
    before: Stock,
}

impl Call {
    /// Takes what the call has to know.
    pub fn prepare(node: &mut Node) -> Result<Self, Failure> {
        expect_puts(node)?;
        let identity = node.home.identity();
        let (network, installation) = (identity.network, identity.node);
        Ok(Self {
            node: node.name().clone(),
            installation,
            network,
            spool: node.spool(),
            folder_of_tmp: node.home.tmp(),
            world: node.world,
            dial: node.dial,
            start: node.start,
            keys: Keys::new(&node.config.access, node.home.folder()),
            trust: node.trust.clone(),
            links: links(node)?,
            known: node.home.known_relays().into_iter().map(|(relay, likeness)| (relay, Likeness(likeness))).collect(),
            states: node.replica.links()?,
            before: node.stock()?,
        })
    }

    /// Moves what lies ready, until the time is over or the run is to stop.
    pub fn make(self, budget: Option<Duration>, stop: &Stop) -> Made {
        let inspect = BundleFiles::new(self.world.disk, &self.node, self.installation, &self.states, &self.trust);
        let run = Run {
            dial: self.dial,
            spool: &NodeSpool { spool: &self.spool, folder_of_tmp: self.folder_of_tmp, clock: self.world.clock },
            inspect: &inspect,
            disk: self.world.disk,
            steps: self.world.steps,
            stopwatch: &*(self.start)(stop.clone()),
            random: self.world.random,
            network: self.network,
            budget,
            stop,
            keyring: &self.keys,
            known: &self.known,
        };
        let report = run.transfer(&self.links);
        Made { report, known: self.known, replaced_at: inspect.replaced_at(), before: self.before }
    }
}

impl Made {
    /// Puts down what the call shows of the links, and in the books what became of each bundle.
    pub fn conclude(&self, node: &mut Node) -> Result<(), Failure> {
        draw_conclusions(node, &self.report, &self.replaced_at)?;
        self.remember_relays(node)?;
        if self.report.has_got_through() {
            let cleared = node.home.clear_redial(node.world.disk);
            cleared.map_err(|error| Failure::file("tidy up in", node.home.folder(), &error))?;
        }
        node.keep_books(None, |books, now| {
            books.meet(&self.before);
            bookkeeping::transferred(books, &self.report, now);
        });
        Ok(())
    }

    /// What is known already is not written again: most calls have nothing to write.
    fn remember_relays(&self, node: &Node) -> Result<(), Failure> {
        if self.report.known == self.known {
            return Ok(());
        }
        let known = self.report.known.iter().map(|(relay, likeness)| (relay.clone(), likeness.0.clone()));
        let written = node.home.set_known_relays(node.world.disk, &known.collect::<BTreeMap<_, _>>());
        written.map_err(|error| Failure::file("remember the relays in", node.home.folder(), &error))
    }
}

/// A mailbox into which something is to be put does not count as empty any more, whatever becomes of the call.
fn expect_puts(node: &mut Node) -> Result<(), Failure> {
    let now = node.world.clock.now();
    for mut link in node.replica.links()?.into_iter().filter(|link| link.state.has_empty_mailbox(now)) {
        if !node.spool().outbox(&link.peer)?.is_empty() {
            link.state.puts();
            node.replica.save_link(&link)?;
        }
    }
    Ok(())
}

/// The links as a transfer needs them. One over which either end is refused is left out.
pub(super) fn links(node: &mut Node) -> Result<Vec<Link>, Failure> {
    let relays = relays(&node.config.node.relay)?;
    let (accept, now) = (node.config.node.accept, node.world.clock.now());
    // Of several it is not known which was looked into, and of one that is new that none was.
    let known = node.home.known_relays();
    let is_same = matches!(relays.as_slice(), [relay] if known.contains_key(&relay.to_string()));
    let links = node.replica.links()?.into_iter();
    let links = links.filter(|link| link.state.standing().is_served()).map(|link| Link {
        peer: link.peer,
        role: role(link.state.role()),
        has_empty_mailbox: is_same && link.state.has_empty_mailbox(now),
        relays: relays.clone(),
        accept,
    });
    Ok(links.collect())
}

/// What a transfer shows of the state of the links: a bundle that came damaged is asked for again, since its sender
/// thinks that it arrived; and a call in which nothing of ours was on the way counts towards a lost last bundle, unless
/// its acknowledgement may be what is left on the relay.
fn draw_conclusions(node: &mut Node, report: &Report, replaced_at: &BTreeSet<NodeName>) -> Result<(), Failure> {
    let accept = node.config.node.accept;
    for mut link in node.replica.links()? {
        let Some(told) = report.links.iter().find(|told| told.peer == link.peer) else { continue };
        let before = link.state.clone();
        look::take_account(node, &mut link, told)?;
        if !told.rejected.is_empty() {
            link.state.ask_again();
        }
        if link.state.role() == Role::Hub && replaced_at.contains(&link.peer) {
            link.state.refused();
        }
        if accept && is_quiet(told) {
            link.state.quiet_run();
        }
        if link.state != before {
            node.replica.save_link(&link)?;
            reached(node.world, Step::TransferConcluded, node.replica.path())?;
        }
    }
    Ok(())
}

/// Whether nothing of ours was on the way.
fn is_quiet(told: &LinkReport) -> bool {
    let on_the_way = told.sent.files > 0 || !told.unfetched.is_empty() || told.work_left;
    told.outcome() == Outcome::Done && !on_the_way
}
