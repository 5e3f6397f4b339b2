//! By hand: what a person decides on that is held, which is new edits made here and now.
//!
//! Everything happens in one transaction, of which nothing is left if it cannot be done whole. What it may have made room for is
//! tried at once. Leaves to [`crate::place`] what the edits are, and to the command which records a person means.

use std::collections::BTreeSet;

use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::config::Span;
use packhorse_shared::replica::{Held, Replica, ReplicaError};
use packhorse_shared::value::Key;

use crate::error::UnbundlerError;
use crate::place::{Discarded, HeldPlacer, MayDelete, Party, Placed};
use crate::retry::{AtRest, at_rest};

/// What else came of a decision: what was placed of all that is held.
pub type Settled<T> = (T, Placed);

/// Discards these held changes: what stands here instead becomes what stands elsewhere. None is discarded unless all can be;
/// tells for each what became of it, or of the first that cannot.
pub fn discard(
    replica: &mut dyn Replica,
    these: &[Held],
    may_delete: MayDelete,
    now: WallTime,
) -> Result<Settled<Vec<Discarded>>, UnbundlerError> {
    let with: BTreeSet<i64> = these.iter().map(|held| held.id).collect();
    decide(replica, now, |placer| {
        let mut all = Vec::new();
        for held in these {
            all.push(placer.discard(held, &with, may_delete)?);
            if !all.last().is_some_and(Discarded::is_done) {
                return Ok((all, false));
            }
        }
        Ok((all, true))
    })
}

/// Makes one record of two, of which the first is kept: what refers to the other refers to it from now on, and the other is
/// deleted. Tells under which key it stands, or why that cannot be.
pub fn join(
    replica: &mut dyn Replica,
    keep: &Party,
    other: &Party,
    now: WallTime,
) -> Result<Settled<Result<Key, String>>, UnbundlerError> {
    decide(replica, now, |placer| {
        let joined = placer.join(keep, other)?;
        let is_done = joined.is_ok();
        Ok((joined, is_done))
    })
}

/// Does something within a transaction, which is kept if that is done.
fn decide<T>(
    replica: &mut dyn Replica,
    now: WallTime,
    work: impl FnOnce(&mut HeldPlacer<'_>) -> Result<(T, bool), ReplicaError>,
) -> Result<Settled<T>, UnbundlerError> {
    let links = replica.links()?;
    let mut transaction = replica.begin_merge(now, Reading(0))?;
    let AtRest { nobodys, of_links } = at_rest(&links, &mut *transaction)?;
    let mut placer = HeldPlacer::new(&mut *transaction, nobodys, of_links, now, Span::default())?;
    let (decided, is_done) = work(&mut placer)?;
    if !is_done {
        return Ok((decided, Placed::default()));
    }
    let came_to = placer.place_all()?;
    transaction.note_tried()?;
    transaction.commit()?;
    Ok((decided, came_to))
}
