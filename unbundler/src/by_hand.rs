//! By hand: what a person decides on that is held, which is new edits made here and now.
//!
//! Everything happens in one transaction, of which nothing is left if it cannot be done whole. What it may have made room for is
//! tried at once. Leaves to [`crate::place`] what the edits are, and to the command which records a person means.

use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::config::Span;
use packhorse_shared::replica::{Held, Replica};
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
    let links = replica.links()?;
    let mut transaction = replica.begin_merge(now, Reading(0))?;
    let AtRest { nobodys, of_links } = at_rest(&links, &mut *transaction)?;
    let mut placer = HeldPlacer::new(&mut *transaction, nobodys, of_links, now, Span::default())?;
    let mut all = Vec::new();
    for held in these {
        let discarded = placer.discard(held, may_delete)?;
        let can = matches!(discarded, Discarded::Undone | Discarded::Deleted);
        all.push(discarded);
        if !can {
            return Ok((all, Placed::default()));
        }
    }
    let came_to = placer.place_all()?;
    transaction.note_tried()?;
    transaction.commit()?;
    Ok((all, came_to))
}

/// Makes one record of two, of which the first is kept: what refers to the other refers to it from now on, and the other is
/// deleted. Tells under which key it stands, or why that cannot be.
pub fn join(
    replica: &mut dyn Replica,
    keep: &Party,
    other: &Party,
    now: WallTime,
) -> Result<Settled<Result<Key, String>>, UnbundlerError> {
    let links = replica.links()?;
    let mut transaction = replica.begin_merge(now, Reading(0))?;
    let AtRest { nobodys, of_links } = at_rest(&links, &mut *transaction)?;
    let mut placer = HeldPlacer::new(&mut *transaction, nobodys, of_links, now, Span::default())?;
    let joined = placer.join(keep, other)?;
    if joined.is_err() {
        return Ok((joined, Placed::default()));
    }
    let came_to = placer.place_all()?;
    transaction.note_tried()?;
    transaction.commit()?;
    Ok((joined, came_to))
}
