//! Receive: taking the bundles of the inbox in order, applying those whose turn it is.
//!
//! A bundle's changes and the link's new state are stored in one transaction; its file is removed after that. A kill
//! between the two leaves a file that the next run finds to be old. One bundle that cannot be read goes into quarantine
//! and its sender is asked again; the queue goes on. One over which the database stumbles holds up its own link alone.

use std::collections::BTreeSet;
use std::time::Instant;

use packhorse_shared::bundle::BundleName;
use packhorse_shared::change::{Passage, TableChanges};
use packhorse_shared::config::Span;
use packhorse_shared::id::{LinkId, NodeName};
use packhorse_shared::link::{Extent, Header, Role, Standing, Verdict};
use packhorse_shared::replica::{Replica, StoredLink};
use packhorse_shared::seam::{Saboteur, Step, Stop, World, is_at_work};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;

use crate::arriving::observed;
use crate::brake::{Brake, Weighed};
use crate::error::UnbundlerError;
use crate::intake::{self, Arrived, Examined, Said, Unfit};
use crate::merge::{Arrival, Deletions};
use crate::place::{Placed, place};
pub use crate::received::{Received, Rested};
use crate::retry::retry_if_due;
use crate::slices::{Left, Others, Slices};
use crate::stuck::Stuck;
use crate::told::Told;

/// Applies bundles at one node.
pub struct Receiver<'a> {
    /// Clock, randomness, durable files.
    pub world: World<'a>,
    /// Where bundles are found.
    pub spool: &'a Spool<'a>,
    /// The node.
    pub node: &'a NodeName,
    /// How its links are sealed.
    pub trust: &'a Trust,
    /// For how long the application must have written nothing before a record gets another number where that could mean
    /// another record to it.
    pub renumber_quiet: Span,
    /// Whether a remote's bundle that deletes a great deal waits for a person's word.
    pub brake: Brake,
    /// How large bundles are applied.
    pub slices: Slices,
    /// Whether this run counts for the patience with gaps.
    pub patience: Patience,
    /// Whether the run is to end after the bundle that it is at.
    pub stop: &'a Stop,
}

/// Whether a run that ends with bundles waiting brings nearer that their sender is asked again. While a call is under way,
/// small bundles may arrive before a large one that they build on, and a run follows each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It counts.
    Counts,
    /// It does not: what is missing may be on its way.
    Spares,
}

/// One run through the inbox.
pub(crate) struct Pass<'r> {
    received: &'r mut Received,
    /// The links of which something waits.
    kept_waiting: BTreeSet<LinkId>,
    /// The links of which something waits for a person's word, and everything else behind it.
    unapproved: BTreeSet<LinkId>,
    /// How far each peer was told that everything had been sent.
    pub told: Told,
    /// The link to this node's own hub.
    pub hub: Option<LinkId>,
    /// How much the hub is to be sent.
    pub owed: Extent,
    /// The other programs that write to the database.
    pub others: Others,
}

impl Receiver<'_> {
    /// Looks at every file in the inbox once. `received`: what the run came to, also up to where an error ended it.
    pub fn receive(&self, replica: &mut dyn Replica, received: &mut Received) -> Result<(), UnbundlerError> {
        let mut links = replica.links()?;
        let told = Told::of(links.iter().map(|link| (link.id, link.state.told())));
        let hub = links.iter().find(|link| link.state.role() == Role::Hub);
        let owed = hub.map_or(Extent::Changes, |hub| hub.state.extent());
        let mut pass = Pass {
            received,
            kept_waiting: BTreeSet::new(),
            unapproved: BTreeSet::new(),
            told,
            hub: hub.map(|hub| hub.id),
            owed,
            others: Others::default(),
        };
        // Only what is written from now on is known to be written beside this.
        replica.others_wrote()?;
        let (arrived, others) = intake::in_order(self.spool.inbox()?);
        let nameless = others.into_iter().map(|name| (name, "it does not bear a bundle's name".to_owned()));
        pass.received.left_alone.extend(nameless);
        let strangers = self.spool.strangers_in_inbox()?.into_iter();
        pass.received.left_alone.extend(strangers.map(|name| (name, "it is no bundle file".to_owned())));
        let mut stuck = Stuck::default();
        for bundle in arrived {
            if self.stop.is_asked() {
                return stuck.end();
            }
            let link = links.iter_mut().find(|link| link.peer == bundle.name.from);
            match link.filter(|_| bundle.name.to == *self.node) {
                Some(link) if stuck.links.contains(&link.id) || pass.unapproved.contains(&link.id) => {}
                Some(link) => {
                    let done = self.one(replica, link, &bundle, &mut pass);
                    stuck.take_in(link.id, done)?;
                }
                None => pass.received.left_alone.push((bundle.file.clone(), stranger(&bundle, self.node))),
            }
        }
        if self.patience == Patience::Counts {
            links.retain(|link| !stuck.links.contains(&link.id));
            self.count_waiting(replica, &mut links, &pass)?;
        }
        self.rest(replica, pass.received)?;
        stuck.end()
    }

    /// Counts the run for the links of which something waits for a bundle that has not come.
    fn count_waiting(
        &self,
        replica: &mut dyn Replica,
        links: &mut [StoredLink],
        pass: &Pass<'_>,
    ) -> Result<(), UnbundlerError> {
        let waits =
            |link: &&mut StoredLink| link.state.standing() == Standing::Open && pass.kept_waiting.contains(&link.id);
        for link in links.iter_mut().filter(waits) {
            let outbox = self.spool.outbox(&link.peer)?;
            let outbox: Vec<BundleName> = outbox.iter().filter_map(|file| file.name.parse().ok()).collect();
            link.state.run_ended_waiting(&outbox);
            replica.save_link(link)?;
            self.reached(Step::WaitingCounted, link.peer.as_str())?;
        }
        Ok(())
    }

    /// Every bundle that is applied tries what is held once more. Without any, what waits for quiet or for what the application
    /// does must not wait for more.
    fn rest(&self, replica: &mut dyn Replica, received: &mut Received) -> Result<(), UnbundlerError> {
        if !received.applied.is_empty() {
            return Ok(());
        }
        if let Some((occasion, retried)) = retry_if_due(replica, self.world.clock.now(), self.renumber_quiet)? {
            let (placed, conflicts) = (retried.placed.len() as u64, retried.came_to.conflicts);
            received.rested = Rested { occasion, placed, conflicts };
        }
        Ok(())
    }

    fn one(
        &self,
        replica: &mut dyn Replica,
        link: &mut StoredLink,
        bundle: &Arrived,
        pass: &mut Pass<'_>,
    ) -> Result<(), UnbundlerError> {
        let here = replica.identity();
        let examined = intake::examine(self.world.disk, bundle, self.node, here, link, self.trust);
        let Examined { manifest, header, provenance } = match examined {
            Ok(examined) => examined,
            Err(unfit) => return self.set_aside(replica, link, bundle, unfit, pass.received),
        };
        self.trust.learn(link, provenance);
        if link.node != Some(manifest.node) && link.state.is_of_lost_package(&header) {
            link.state.find_lost_package(&header);
            link.node = Some(manifest.node);
        }
        if link.state.is_fork(&header) {
            return self.set_aside(replica, link, bundle, Unfit::Refuse(intake::told_of_fork(link)), pass.received);
        }
        match link.state.judge(&header) {
            Verdict::Old => {
                link.state.dropped_old(&header, self.world.clock.now());
                self.drop_old(replica, link, bundle, pass.received)?;
            }
            Verdict::Wait => {
                // What it says may open a later epoch of ours, by which it could not be known any more.
                link.node = Some(manifest.node);
                link.state.overheard(&header, self.world.clock.now());
                replica.save_link(link)?;
                self.reached(Step::WaitingNoted, &bundle.file)?;
                pass.kept_waiting.insert(link.id);
                pass.received.waiting.push(bundle.file.clone());
            }
            Verdict::Apply => {
                link.node = Some(manifest.node);
                return self.apply(replica, link, bundle, &header, pass);
            }
        }
        Ok(())
    }

    fn apply(
        &self,
        replica: &mut dyn Replica,
        link: &mut StoredLink,
        bundle: &Arrived,
        header: &Header,
        pass: &mut Pass<'_>,
    ) -> Result<(), UnbundlerError> {
        let Said { changes, terms } = match intake::read(self.world.disk, &bundle.path, link, self.trust) {
            Ok(said) => said,
            Err(unfit) => return self.set_aside(replica, link, bundle, unfit, pass.received),
        };
        // What comes by new terms must find its tables. Taken over once too often they change nothing.
        if let Some(terms) = &terms {
            let lacking = replica.take_over(terms, self.world.clock.now())?;
            pass.received.lacking.extend(lacking.into_iter().map(|table| (link.peer.clone(), table)));
            self.reached(Step::TermsTakenOver, &bundle.file)?;
        }
        match self.weigh(replica, link, bundle, (&changes, observed(header, &changes)))? {
            Weighed::Go(deletions) => {
                let content = !changes.is_empty() || terms.is_some();
                self.merge(replica, link, (bundle, header), (changes, content, deletions), pass)
            }
            Weighed::Wait(why) => {
                pass.unapproved.insert(link.id);
                pass.received.unapproved.push((bundle.file.clone(), why));
                Ok(())
            }
        }
    }

    /// Merges the changes of a bundle, which counts as accepted then. `content`: whether it says anything.
    fn merge(
        &self,
        replica: &mut dyn Replica,
        link: &mut StoredLink,
        (bundle, header): (&Arrived, &Header),
        (changes, content, deletions): (Vec<TableChanges>, bool, Deletions),
        pass: &mut Pass<'_>,
    ) -> Result<(), UnbundlerError> {
        let now = self.world.clock.now();
        let Left { changes, placed: ahead } = match deletions {
            Deletions::Count => self.slice(replica, link, (bundle, header), changes, pass)?,
            Deletions::Refused => Left { changes, placed: Placed::default() },
        };
        if is_at_work(Saboteur::AcknowledgeBeforeCommit) {
            let mut accepted = link.clone();
            accepted.state.accept(header, content, now);
            replica.save_link(&accepted)?;
        }
        let mut transaction = replica.begin_merge(now, observed(header, &changes))?;
        let begun = Instant::now();
        let (mut accepted, arrival) = self.arrival(&mut *transaction, link, header, (content, pass), now)?;
        let (arrival, via, hub, owed) = (Arrival { deletions, ..arrival }, link.id, pass.hub, arrival.owed);
        if arrival.tells_again {
            transaction.forget_differences()?;
        }
        let mut placed = place(&mut *transaction, &changes, arrival, now, self.renumber_quiet)?;
        placed.add(ahead);
        if hub == Some(via) && (placed.withdrawn > 0 || withdraws(&changes)) {
            accepted.state.took_off();
        }
        transaction.save_link(&accepted)?;
        transaction.note_arrival(via, &bundle.file)?;
        hub.map_or(Ok(()), |_| transaction.forget_withdrawn())?;
        self.reached(Step::ApplyUncommitted, &bundle.file)?;
        transaction.commit()?;
        *link = accepted;
        pass.owed = owed;
        self.reached(Step::ApplyCommitted, &bundle.file)?;
        self.clear(&bundle.file)?;
        self.let_others_write(replica, pass, begun.elapsed())?;
        pass.received.applied.push((bundle.file.clone(), placed));
        Ok(())
    }

    fn drop_old(
        &self,
        replica: &mut dyn Replica,
        link: &StoredLink,
        bundle: &Arrived,
        received: &mut Received,
    ) -> Result<(), UnbundlerError> {
        replica.save_link(link)?;
        self.reached(Step::OldNoted, &bundle.file)?;
        self.clear(&bundle.file)?;
        received.old.push(bundle.file.clone());
        Ok(())
    }

    fn clear(&self, file: &str) -> Result<(), UnbundlerError> {
        self.spool.remove_from_inbox(file)?;
        self.reached(Step::InboxCleared, file)
    }

    fn reached(&self, step: Step, what: &str) -> Result<(), UnbundlerError> {
        let stopped = |source| UnbundlerError::File { doing: "go on applying", path: what.into(), source };
        self.world.steps.reached(step).map_err(stopped)
    }

    fn set_aside(
        &self,
        replica: &mut dyn Replica,
        link: &mut StoredLink,
        bundle: &Arrived,
        unfit: Unfit,
        received: &mut Received,
    ) -> Result<(), UnbundlerError> {
        match unfit {
            Unfit::LeaveAlone(why) => received.left_alone.push((bundle.file.clone(), why)),
            Unfit::Replaced(why) => {
                // A call that does not look into bundles has fetched it.
                if link.state.role() == Role::Hub {
                    link.state.refused();
                    replica.save_link(link)?;
                }
                received.left_alone.push((bundle.file.clone(), why));
            }
            Unfit::Outlived => {
                link.state.dropped_predecessors();
                self.drop_old(replica, link, bundle, received)?;
            }
            // As long as it cannot, it counts as one that has not come: what builds on it waits, and its sender is asked.
            Unfit::Unreadable(source) => {
                let why = format!("it cannot be read now ({source}); the next run tries again");
                received.left_alone.push((bundle.file.clone(), why));
            }
            Unfit::Refuse(why) => {
                link.state.refused_one();
                replica.save_link(link)?;
                self.reached(Step::SenderAsked, &bundle.file)?;
                self.spool.quarantine(&bundle.path, &bundle.file, &why, self.world.clock.now())?;
                received.quarantined.push((bundle.file.clone(), why));
            }
            Unfit::Quarantine(why) => {
                // The sender is asked first: a kill in between asks once too often, which does no harm.
                link.state.ask_again();
                replica.save_link(link)?;
                self.reached(Step::SenderAsked, &bundle.file)?;
                self.spool.quarantine(&bundle.path, &bundle.file, &why, self.world.clock.now())?;
                received.quarantined.push((bundle.file.clone(), format!("{why}; its sender is asked again")));
            }
        }
        Ok(())
    }
}

fn stranger(bundle: &Arrived, node: &NodeName) -> String {
    if bundle.name.to == *node {
        format!("there is no link to \"{}\"", bundle.name.from)
    } else {
        format!("it is for \"{}\", and this node is \"{node}\"", bundle.name.to)
    }
}

fn withdraws(changes: &[TableChanges]) -> bool {
    changes.iter().any(|changes| changes.passage == Passage::Withdrawn)
}
