//! What the links of an open database share: sets are taken over, tried and judged, and what a hub says is followed.
//!
//! Leaves the memberships themselves to `membership`, and what a hub tells to `terms`.

use super::begin::QUIET_TRIES;
use super::catalogue::Catalogue;
use super::fault::Outcome;
use super::state::Progress;
use super::{SqliteReplica, membership, repair, schema, silence, terms};
use crate::clock::WallTime;
use crate::id::{Cut, LinkId};
use crate::replica::{MembershipId, ReplicaError, Result, Terms, Trial};
use crate::set::BoundSet;

impl SqliteReplica {
    /// Begins to sync those of these tables, and of those that the hub names, that can be and are not yet; tells which.
    pub fn sync_tables(&mut self, named: &[String], now: WallTime) -> Result<Vec<String>> {
        self.try_sync_tables(named, now).map_err(self.fault("be prepared for more tables"))
    }

    fn try_sync_tables(&mut self, named: &[String], now: WallTime) -> Outcome<Vec<String>> {
        let (found, mut left_out) = schema::candidates(&self.reader)?;
        let is_new = |table: &schema::Candidate| self.catalogue.named(&table.name).is_none();
        let found =
            schema::leave_out_unwritable(&self.writer, found.into_iter().filter(is_new).collect(), &mut left_out);
        let told = terms::told(&self.reader)?.tables.into_iter().flatten().map(|shared| shared.table);
        let named: Vec<String> = named.iter().cloned().chain(told).collect();
        let wanting = membership::added::wanting(&found, &self.catalogue, &named);
        if wanting.is_empty() {
            return Ok(wanting);
        }
        self.lock_judged(now)?;
        self.ended(membership::added::add(&self.writer, &wanting))?;
        self.catalogue = repair::renew_capture(&mut self.writer)?;
        self.loud = silence::silence(&mut self.writer, &self.catalogue)?;
        Ok(wanting)
    }

    /// Whether a set with these values is shared already, or was looked at to be.
    pub fn knows_set(&self, set: &BoundSet) -> Result<bool> {
        let known = membership::find(&self.reader, set).map_err(self.fault("be read"))?;
        Ok(known.is_some())
    }

    /// What a set would move in each table at a link's peer, or would put there if none is given. Nothing is changed.
    pub fn try_set(&self, set: &BoundSet, link: Option<LinkId>) -> Result<Vec<Trial>> {
        membership::trial::run(&self.path, &self.catalogue, set, link).map_err(self.fault("look at a sync set"))
    }

    /// Takes the write lock at a moment in which, besides, every membership whose set fits was judged as of everything there is.
    pub(super) fn lock_judged(&mut self, now: WallTime) -> Outcome<()> {
        for _ in 0..QUIET_TRIES {
            self.lock_quiet(now)?;
            if !membership::is_behind(&self.writer, &self.catalogue, Progress::load(&self.writer)?.cut)? {
                return Ok(());
            }
            self.ended(membership::evaluate(&self.writer, &self.catalogue))?;
        }
        Err(ReplicaError::Busy { path: self.path.clone() }.into())
    }

    /// Ends the transaction that the write lock was taken for, by how the work in it ended.
    fn ended<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        if outcome.is_ok() {
            self.writer.execute_batch("COMMIT")?;
        } else {
            // SQLite may have rolled back by itself; what was in the way is what is to be told.
            let _ = self.writer.execute_batch("ROLLBACK");
        }
        outcome
    }

    pub(super) fn try_take_over(&mut self, terms: &Terms, now: WallTime) -> Outcome<Vec<String>> {
        self.lock_quiet(now)?;
        let lacking = self.ended(terms::take_over(&self.writer, &self.catalogue, self.identity.node, terms))?;
        self.catalogue = repair::renew_capture(&mut self.writer)?;
        self.loud = silence::silence(&mut self.writer, &self.catalogue)?;
        Ok(lacking)
    }

    pub(super) fn try_membership(&mut self, set: &BoundSet) -> Outcome<MembershipId> {
        if let Some(known) = membership::find(&self.reader, set)? {
            return Ok(known);
        }
        let membership = membership::make(&mut self.writer, &self.catalogue, set)?;
        // Tables may have been made for it.
        let (found, _) = schema::candidates(&self.writer)?;
        self.catalogue = Catalogue::load(&self.writer, &found)?;
        Ok(membership)
    }

    pub(super) fn try_share(
        &mut self,
        now: WallTime,
        link: LinkId,
        membership: MembershipId,
        acked: Option<Cut>,
    ) -> Outcome<()> {
        if acked.is_some() && membership::is_shared(&self.reader, &self.catalogue, link, membership)? {
            return Ok(());
        }
        self.lock_judged(now)?;
        self.ended(membership::share(&self.writer, &self.catalogue, link, membership, acked))
    }
}
