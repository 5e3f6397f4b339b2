//! By whom a conflict is decided: by the stamps, or by what the hub's policy says.
//!
//! Pure. Invariant: a policy decides at the hub alone, and what it decides is a new edit of the hub's: whichever value stands
//! there stands everywhere by its stamp, and the other end needs no rule of its own (DESIGN section 6, authority).

use packhorse_shared::config::Span;
use packhorse_shared::replica::{Prefer, Rules};

use super::{Arrival, Authority, Field};

/// Which value of a field stands, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By its stamp.
    ByStamp(Field),
    /// By the hub's word: under a stamp of its own.
    ByHub(Field),
}

/// Decides on a field that was weighed.
pub fn decide(weighed: Field, rules: &Rules, arrival: &Arrival) -> Decided {
    if arrival.authority() == Authority::Sender {
        return Decided::ByStamp(weighed);
    }
    let prefer = if is_stale(rules, arrival.silence.before(arrival.seen)) { Prefer::Hub } else { rules.prefer };
    match (prefer, weighed) {
        (Prefer::Hub, Field::TheirsOverUnseen) => Decided::ByHub(Field::OursOverBlind),
        (Prefer::Remote, Field::OursOverBlind) => Decided::ByHub(Field::TheirsOverUnseen),
        _ => Decided::ByStamp(weighed),
    }
}

/// Whether a remote was silent for so long that what it says goes behind what the hub has.
fn is_stale(rules: &Rules, silent: Span) -> bool {
    rules.stale_after.is_some_and(|limit| silent > limit)
}
