//! Seal: making a bundle file and putting it into the outbox.
//!
//! The order of the durable steps is what makes a kill harmless: the file is complete and synced in `tmp`; then the
//! link's state takes the sequence number, durably; then the file gets its place in the outbox. A run that was cut
//! short between the last two is completed by the next one ([`Sealer::finish_interrupted`]), one that was cut short
//! before them leaves nothing but a file to remove. A number is never used twice.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use packhorse_shared::bundle::{Addressee, BundleName, BundleWriter, Limits, Manifest};
use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::id::{BundleId, NodeName};
use packhorse_shared::link::{Beyond, Contents, Due, Header, Holds, Outlook, Reach, Role, Standing, Sweep};
use packhorse_shared::replica::{Replica, ReplicaError, SharedRows, SharedTable, StoredLink};
use packhorse_shared::seam::{Saboteur, Step, World, is_at_work, publish};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;

use crate::error::BundlerError;
use crate::pack::{self, Route};
use crate::select::{Owed, Portion, RECORDS_AT_ONCE, Selection, select, sweep};

/// When changes are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// At once.
    Now,
    /// When they take this many bytes before compression, or the oldest has waited this many milliseconds.
    Thresholds {
        /// Bytes.
        seal_at: u64,
        /// Milliseconds.
        seal_after: u64,
    },
}

/// A link and the tables that it shares.
#[derive(Clone, Debug)]
pub struct Share {
    /// The link.
    pub link: StoredLink,
    /// The tables.
    pub tables: Arc<[SharedTable]>,
}

/// What came of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// There was nothing to say.
    Nothing,
    /// Changes wait until a threshold is crossed.
    Waiting {
        /// Records with changes.
        records: u64,
        /// Their bytes before compression.
        bytes: u64,
        /// When the oldest was made.
        oldest: Option<WallTime>,
    },
    /// A bundle lies in the outbox.
    Bundle {
        /// Its file name.
        name: String,
        /// Its length in bytes.
        bytes: u64,
        /// How many records it speaks of.
        records: u64,
        /// How many fields.
        fields: u64,
    },
}

/// What the name of a bundle begins with before it has its own.
const DRAFT: &str = "sealing-";

/// Makes bundles for one node.
pub struct Sealer<'a> {
    /// Clock, randomness, durable files.
    pub world: World<'a>,
    /// Where bundles are put.
    pub spool: &'a Spool<'a>,
    /// The node.
    pub node: &'a NodeName,
    /// How its links are sealed.
    pub trust: &'a Trust,
    /// About how many bytes of changes, before compression, one bundle holds at most.
    pub bundle_max: u64,
    /// How far everything that came over other links is in the database.
    pub beyond: Beyond,
    /// After how many milliseconds bundles that nobody fetches give way to a fresh run.
    pub supersede_after: u64,
}

/// What was chosen to be sealed, from one snapshot.
pub(crate) struct Chosen {
    pub(crate) selection: Selection,
    /// How far the sweep has come with it.
    sweep: Sweep,
    outlook: Outlook,
}

impl Share {
    /// What the link is owed.
    pub fn owed(&self) -> Owed {
        let state = &self.link.state;
        let (since, floor, extent) = (state.sent(), state.floor(), state.extent());
        Owed { link: self.link.id, peer: state.role(), since, floor, extent }
    }
}

impl Sealer<'_> {
    /// Seals what a link is owed: nothing, or one bundle, or several if it is much. A link that is not open is owed
    /// nothing. Bundles that nobody fetched are superseded if that gains anything, and leave the outbox once all that
    /// replaces them is in it.
    pub fn seal(
        &self,
        replica: &mut dyn Replica,
        share: &mut Share,
        urgency: Urgency,
    ) -> Result<Vec<Sealed>, BundlerError> {
        let mut sealed = Vec::new();
        if share.link.state.standing() != Standing::Open {
            return Ok(sealed);
        }
        let urgency = self.supersede(replica, share, urgency)?;
        loop {
            let (outcome, reach) = self.seal_portion(replica, share, urgency)?;
            sealed.push(outcome);
            if reach == Reach::Rest {
                self.clear_obsolete(&share.link)?;
                return Ok(sealed);
            }
        }
    }

    fn seal_portion(
        &self,
        replica: &mut dyn Replica,
        share: &mut Share,
        urgency: Urgency,
    ) -> Result<(Sealed, Reach), BundlerError> {
        let now = self.world.clock.now();
        let before = share.link.state.clone();
        let Chosen { selection, sweep, outlook } = self.select(replica, share, now)?;
        let Some(due) = due(&mut share.link, &selection, urgency, now) else {
            share.link.state.swept_to(sweep);
            if share.link.state != before {
                replica.save_link(&share.link)?;
                self.reached(Step::LinkSkipped, share.link.peer.as_str())?;
            }
            let waiting =
                Sealed::Waiting { records: selection.records(), bytes: selection.size(), oldest: selection.oldest };
            return Ok((if selection.is_empty() { Sealed::Nothing } else { waiting }, selection.reach));
        };
        let (content, withdraws) = (!selection.is_empty(), selection.withdraws());
        let contents = Contents { cut: selection.upto, reach: selection.reach, content, withdraws, sweep };
        let id = BundleId(self.world.random.next_u64());
        let header = share.link.state.seal(id, contents, due, outlook, now);
        Ok((self.write(replica, share, header, &selection)?, selection.reach))
    }

    /// Selects the next portion of what a link is owed.
    pub(crate) fn select(
        &self,
        replica: &mut dyn Replica,
        share: &Share,
        now: WallTime,
    ) -> Result<Chosen, ReplicaError> {
        match self.select_once(replica, share, now) {
            Err(ReplicaError::Vanished { table }) => {
                replica.bury_vanished(&table)?;
                self.select_once(replica, share, now)
            }
            other => other,
        }
    }

    fn select_once(&self, replica: &mut dyn Replica, share: &Share, now: WallTime) -> Result<Chosen, ReplicaError> {
        let snapshot = replica.snapshot(now)?;
        snapshot.must_be_judged(share.link.id)?;
        let portion = Portion { records: RECORDS_AT_ONCE, bytes: self.bundle_max };
        let latest = snapshot.clock();
        let horizon = snapshot.horizon();
        let complete_to = self.beyond.complete_to(latest, share.link.id);
        let clock = latest.max(Reading::at(now));
        let come_to = self.beyond.come_to(latest, share.link.id);
        let (hub_to, heard_to) = (self.beyond.hub_to(), self.beyond.heard_to());
        let outlook = Outlook { clock, complete_to, come_to, hub_to, heard_to, horizon: snapshot.births() };
        let (selection, sweep) = match share.link.state.sweep(horizon, self.held_by(share)) {
            Sweep::Done => (select(&*snapshot, &share.tables, share.owed(), portion)?, Sweep::Done),
            from => sweep(&*snapshot, &share.tables, share.owed(), &from, portion)?,
        };
        Ok(Chosen { selection, sweep, outlook })
    }

    /// A remote takes off what leaves its set, and what is withdrawn from its hub.
    fn held_by(&self, share: &Share) -> Holds {
        let by_rows = share.tables.iter().any(|table| matches!(table.rows, SharedRows::Members(_)));
        let is_remote = share.link.state.role() == Role::Remote;
        if is_remote && (by_rows || self.beyond.has_hub()) { Holds::Part } else { Holds::All }
    }

    fn write(
        &self,
        replica: &mut dyn Replica,
        share: &mut Share,
        header: Header,
        selection: &Selection,
    ) -> Result<Sealed, BundlerError> {
        let identity = replica.identity();
        let (network, node) = (identity.network, identity.node);
        let route = Route { network, from: self.node, node, to: &share.link.peer, addressee: addressee(&share.link) };
        let mut members = pack::members(selection, node)?;
        members.sealing(self.trust.sealing(&share.link)).limits(Limits::WRITTEN);
        let manifest = pack::manifest(route, header.clone(), selection, &share.tables);
        let (name, written) = self.write_to_tmp(members, manifest, &header)?;
        share.link.state.sealed_as(&name);
        let name = name.to_string();
        replica.save_link(&share.link)?;
        self.reached(Step::BundleNumbered, &name)?;
        self.spool.publish_to_outbox(&share.link.peer, &name)?;
        self.reached(Step::BundlePublished, &name)?;
        let counts = written.manifest.counts;
        Ok(Sealed::Bundle { name, bytes: written.length, records: counts.records, fields: counts.fields })
    }

    /// Writes the file under a name of its own, then under the name that its digest gives it.
    fn write_to_tmp(
        &self,
        mut members: BundleWriter<'_>,
        manifest: Manifest,
        header: &Header,
    ) -> Result<(BundleName, packhorse_shared::bundle::Written), BundlerError> {
        let disk = self.world.disk;
        let (from, to) = (manifest.from.clone(), manifest.to.clone());
        let draft = self.spool.fresh_tmp(&format!("{DRAFT}{}", header.id))?;
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| BundlerError::File { doing, path, source }
        };
        let mut file = disk.create_for_all(&draft).map_err(failed("make", &draft))?;
        let mut buffered = BufWriter::new(&mut file);
        let written = members
            .write(manifest, &mut buffered)
            .map_err(|source| BundlerError::Write { path: draft.clone(), source })?;
        buffered.flush().map_err(failed("write", &draft))?;
        drop(buffered);
        if !is_at_work(Saboteur::ForgetFileSync) {
            file.sync().map_err(failed("sync", &draft))?;
        }
        drop(file);
        self.reached(Step::BundleDrafted, "a bundle")?;
        let name = BundleName { from, to, epoch: header.epoch, sequence: header.sequence, digest: written.digest };
        let place = self.spool.fresh_tmp(&name.to_string())?;
        publish(disk, &draft, &place).map_err(failed("rename", &draft))?;
        self.reached(Step::BundleNamed, &name.to_string())?;
        Ok((name, written))
    }

    fn reached(&self, step: Step, what: &str) -> Result<(), BundlerError> {
        let stopped = |source| BundlerError::File { doing: "go on sealing", path: what.into(), source };
        self.world.steps.reached(step).map_err(stopped)
    }

    /// Completes or clears away what a run that was cut short left in `tmp`: a bundle whose number the link's state
    /// has taken goes into the outbox; anything else of ours was never numbered. The database of a package holds all that a
    /// remote may have: it is not to wait until one is made for that remote again.
    pub fn finish_interrupted(&self, links: &[StoredLink]) -> Result<(), BundlerError> {
        for leftover in self.spool.leftovers()? {
            let ours = leftover.name.parse::<BundleName>().ok().filter(|name| name.from == *self.node);
            let link = ours.as_ref().and_then(|name| links.iter().find(|link| link.peer == name.to));
            let numbered = ours.as_ref().zip(link).filter(|(name, link)| link.state.has_sealed(name));
            if let Some((_, link)) = numbered {
                self.spool.publish_to_outbox(&link.peer, &leftover.name)?;
                self.reached(Step::LeftoverPublished, &leftover.name)?;
            } else if ours.is_some() || leftover.name.starts_with(DRAFT) {
                self.spool.fresh_tmp(&leftover.name)?;
                self.reached(Step::LeftoverRemoved, &leftover.name)?;
            }
        }
        for database in self.spool.packings()? {
            self.spool.fresh_packing(&database)?;
            self.reached(Step::LeftoverRemoved, &database)?;
        }
        Ok(())
    }
}

/// How far everything that came over the links is in the database.
pub fn beyond(replica: &mut dyn Replica) -> Result<Beyond, ReplicaError> {
    let links = replica.links()?;
    Ok(Beyond::of(links.iter().map(|link| (link.id, &link.state)), replica.earliest_held()?))
}

/// A remote is told for which of its installations a bundle is: a package may have been restored twice, and both fetch
/// from the same mailbox.
fn addressee(link: &StoredLink) -> Addressee {
    match (link.state.role(), link.node, link.state.package()) {
        (Role::Hub, _, _) => Addressee::Anybody,
        (Role::Remote, Some(node), _) => Addressee::Installation(node),
        (Role::Remote, None, package) => package.map_or(Addressee::Anybody, Addressee::PackageOf),
    }
}

/// Whether a bundle is due, and why.
fn due(link: &mut StoredLink, selection: &Selection, urgency: Urgency, now: WallTime) -> Option<Due> {
    if !selection.is_empty() {
        let is_due = selection.reach == Reach::Part || is_due(selection, urgency, now);
        return is_due.then_some(Due::Nothing);
    }
    link.state.skip_to(selection.upto, selection.reach);
    if selection.reach == Reach::Part {
        return None;
    }
    match link.state.due_without_content() {
        Due::Nothing => None,
        due => Some(due),
    }
}

/// Whether changes have reached a threshold.
pub(crate) fn is_due(selection: &Selection, urgency: Urgency, now: WallTime) -> bool {
    match urgency {
        Urgency::Now => true,
        Urgency::Thresholds { seal_at, seal_after } => {
            let waited = selection.oldest.map_or(0, |oldest| now.0.saturating_sub(oldest.0));
            selection.size() >= seal_at || waited >= seal_after
        }
    }
}
