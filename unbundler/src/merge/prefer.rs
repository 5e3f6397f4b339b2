//! By what a conflict is decided: by the stamps, or by what the hub's policy says.
//!
//! Pure. Invariant: what a policy decides is a new edit at the end that decides it: whichever value stands there stands
//! everywhere by its stamp (DESIGN section 6, authority). Both ends decide alike: whichever hears first of the other's value
//! tells no other in view of it, and what it tells then counts. Whether a remote was silent for too long only the hub knows.

use packhorse_shared::clock::Stamp;
use packhorse_shared::config::Span;
use packhorse_shared::replica::{Prefer, Rules};
use packhorse_shared::seam::{Saboteur, is_at_work};

use super::{Arrival, Authority, Field};

/// Which value of a field stands, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By its stamp.
    ByStamp(Field),
    /// By a policy: under a stamp of this node's own.
    ByPolicy(Field),
}

/// Decides on a field that was weighed; `theirs`: the stamp of the incoming value.
pub fn decide(weighed: Field, theirs: Stamp, rules: &Rules, arrival: &Arrival) -> Decided {
    if is_at_work(Saboteur::IgnorePreference) {
        return Decided::ByStamp(weighed);
    }
    let is_theirs_preferred = match arrival.authority() {
        Authority::Sender => rules.prefer == Prefer::Hub,
        _ => rules.prefer == Prefer::Remote && !is_stale(rules, arrival),
    };
    let is_ours_preferred = match arrival.authority() {
        Authority::Sender => rules.prefer == Prefer::Remote,
        _ => rules.prefer == Prefer::Hub || is_stale(rules, arrival),
    };
    // What the hub says once more was known when ours was made.
    let is_known = arrival.authority() == Authority::Sender && theirs.reading <= arrival.had;
    match weighed {
        Field::TheirsOverUnseen if is_ours_preferred => Decided::ByPolicy(Field::OursOverBlind),
        Field::OursOverBlind if is_theirs_preferred && !is_known => Decided::ByPolicy(Field::TheirsOverUnseen),
        _ => Decided::ByStamp(weighed),
    }
}

/// Whether a remote was silent for so long that what it says goes behind what the hub has.
fn is_stale(rules: &Rules, arrival: &Arrival) -> bool {
    let silent: Span = arrival.silence.before(arrival.seen);
    rules.stale_after.is_some_and(|limit| silent > limit) && !is_at_work(Saboteur::NeverStale)
}
