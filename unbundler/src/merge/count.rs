//! What a counter comes to where its differences add up.
//!
//! Pure. Invariant: no difference is added twice: what a sender says holds all that it knows of, and only what it does not know
//! of is added. Who comes from a backup, or speaks to one who does, is not known to know anything: nothing is added then, nor where
//! it is in doubt what the sender has seen.

use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Counter, Difference, is_number};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Value;

use super::Arrival;

/// What a counter comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// What it is here: what its sender says was counted before.
    AsHere,
    /// What its sender says: that knows of all that is here.
    AsSaid,
    /// What its sender says, and what that does not know of; the sender is to hear of it even if that comes to nothing.
    Sum(Value),
}

/// What becomes of a counter of which its sender says this. None where that is to be decided as of any other field: what either
/// has is no number, the sender has not seen from where on it is counted, or it is not known what it has seen.
pub fn count(ours: &Counter, (value, said): (&Value, Stamp), arrival: &Arrival) -> Option<Counted> {
    if arrival.tells_again || is_at_work(Saboteur::CompareCounters) || !is_number(&ours.value) || !is_number(value) {
        return None;
    }
    let is_again = |it: &Difference| it.via == arrival.link && it.said >= said;
    if ours.differences.iter().any(is_again) {
        return Some(Counted::AsHere);
    }
    let in_doubt = |(cut, via)| arrival.is_in_doubt(cut, via);
    if in_doubt(ours.since) || ours.differences.iter().any(|it| in_doubt((it.cut, it.via))) {
        return None;
    }
    let sum = ours.added_to(value, |cut, via| arrival.has_seen(cut, via))?;
    Some(sum.map_or(Counted::AsSaid, Counted::Sum))
}
