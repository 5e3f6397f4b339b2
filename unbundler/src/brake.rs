//! The brake: a remote's bundle that deletes a great deal waits at the hub for a person's word (DESIGN section 6, deletes), and so
//! does one that is dated far ahead, and so goes before what is changed here without knowing of it (section 3).
//!
//! Owns how much that is. Deletions of what does not stand here do not count, since nothing is lost by them. Invariant: nothing
//! of a bundle that waits is in the database; what its sender says later waits behind it.

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::link::Role;
use packhorse_shared::replica::{Approval, MergeTransaction, Replica, ReplicaError, StoredLink, TableShape, Word};
use packhorse_shared::seam::{Saboteur, is_at_work};

use crate::error::UnbundlerError;
use crate::intake::Arrived;
use crate::merge::Deletions;
use crate::receive::Receiver;

/// So many deletions in one table are too many.
const DELETIONS_MAX: u64 = 50;

/// Or more than one in so many of its records, if these are more than a few: who has ten customers may lose three.
const ONE_IN: u64 = 20;
const A_FEW: u64 = 10;

/// By how many milliseconds what comes may be ahead of this node's clock.
const AHEAD_MAX: u64 = 24 * 3_600_000;

/// Whether such bundles wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brake {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// What is done with a bundle by what it deletes.
pub(crate) enum Weighed {
    /// It is applied.
    Go(Deletions),
    /// It waits for a person's word, for this reason.
    Wait(String),
}

impl Receiver<'_> {
    /// Whether a remote's bundle may be applied, and what becomes of what it deletes. `observed`: the latest stamp of anything in
    /// it.
    pub(crate) fn weigh(
        &self,
        replica: &mut dyn Replica,
        link: &StoredLink,
        bundle: &Arrived,
        (changes, observed): (&[TableChanges], Reading),
    ) -> Result<Weighed, UnbundlerError> {
        let now = self.world.clock.now();
        let deletes = changes.iter().any(|changes| changes.deleted_count() > A_FEW);
        let deletes = deletes && !is_at_work(Saboteur::SkipBrake);
        if link.state.role() == Role::Hub || !deletes && !is_far_ahead(observed, now) {
            return Ok(Weighed::Go(Deletions::Count));
        }
        let mut transaction = replica.begin_merge(now, Reading(0))?;
        let word = transaction.approval(&bundle.file)?.and_then(|approval| approval.word);
        let too_much = match (word, self.brake) {
            (None, Brake::On) => match too_early(&*transaction, observed, now) {
                Some(why) => Some(why),
                None => too_much(&mut *transaction, changes)?,
            },
            _ => None,
        };
        drop(transaction);
        match (word, too_much) {
            (Some(Word::Refused), _) => Ok(Weighed::Go(Deletions::Refused)),
            (Some(Word::Approved), _) | (None, None) => Ok(Weighed::Go(Deletions::Count)),
            (None, Some(why)) => {
                let (bundle, link) = (bundle.file.clone(), link.id);
                replica.ask_approval(&Approval { bundle, link, why: why.clone(), since: now, word: None })?;
                Ok(Weighed::Wait(why))
            }
        }
    }
}

fn is_far_ahead(observed: Reading, now: WallTime) -> bool {
    observed.time().0 > now.0.saturating_add(AHEAD_MAX)
}

/// Why a bundle has to wait for when it is dated; None if this node's own stamps are as far ahead already.
fn too_early(transaction: &dyn MergeTransaction, observed: Reading, now: WallTime) -> Option<String> {
    let ours = transaction.clock().time().max(now);
    let days = observed.time().0.saturating_sub(now.0) / AHEAD_MAX;
    let many = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
    is_far_ahead(observed, ours).then(|| {
        format!(
            "it is dated {many} ahead of the clock here, and would overrule what is changed here without knowing of it"
        )
    })
}

/// Why a bundle has to wait; None if it deletes no more than it may.
fn too_much(transaction: &mut dyn MergeTransaction, changes: &[TableChanges]) -> Result<Option<String>, ReplicaError> {
    let tables = transaction.tables();
    for of in changes {
        let Some(table) = TableShape::named(&tables, &of.table).filter(|_| of.deleted_count() > A_FEW) else {
            continue;
        };
        let mut deaths = 0;
        for record in of.records.iter().filter(|record| record.dead.is_some()) {
            deaths += u64::from(transaction.find(table, &record.key)?.is_some());
        }
        let records = transaction.count(table)?;
        if deaths > DELETIONS_MAX || deaths > A_FEW && deaths.saturating_mul(ONE_IN) > records {
            return Ok(Some(format!("it deletes {deaths} of the {records} records of {}", table.name)));
        }
    }
    Ok(None)
}
