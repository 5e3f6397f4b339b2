//! By what a conflict is decided: by the stamps, or by what the hub's policy says.
//!
//! Pure. Invariant: what a policy decides is a new edit at the end that decides it: whichever value stands there stands
//! everywhere by its stamp (DESIGN section 6, authority). Both ends decide alike: whichever hears first of the other's value
//! tells no other in view of it, and what it tells then counts. Whether a remote was silent for too long only the hub knows.

use packhorse_shared::clock::Stamp;
use packhorse_shared::config::Span;
use packhorse_shared::replica::{Prefer, Rules};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Value;

use super::{Arrival, Authority, Field};

/// Which value of a field stands, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By its stamp.
    ByStamp(Field),
    /// By a policy: under a stamp of this node's own.
    ByPolicy(Field),
    /// Neither: this sum of what both have added does, under a stamp of this node's own.
    Sum(Value),
}

/// Decides on a field that was weighed, by the stamps of ours and of the incoming value.
pub fn decide(weighed: Field, (ours, theirs): (Stamp, Stamp), rules: &Rules, arrival: &Arrival) -> Decided {
    if is_at_work(Saboteur::IgnorePreference) {
        return Decided::ByStamp(weighed);
    }
    let is_by_hub = arrival.authority() == Authority::Sender;
    let is_stale = !is_by_hub && is_stale(rules, arrival);
    // Whose value is preferred is at the one end ours, and at the other theirs.
    let (ours_prefer, theirs_prefer) =
        if is_by_hub { (Prefer::Remote, Prefer::Hub) } else { (Prefer::Hub, Prefer::Remote) };
    match weighed {
        Field::TheirsOverUnseen if is_stale || rules.prefer == ours_prefer => {
            // What goes whole to somebody who knows it stands against nothing that was made in view of it.
            let is_known = !is_by_hub && ours.reading <= arrival.known_to;
            if is_known { Decided::ByStamp(weighed) } else { Decided::ByPolicy(Field::OursOverBlind) }
        }
        Field::OursOverBlind if !is_stale && rules.prefer == theirs_prefer => {
            // Nor does what is said once more, and was decided on when it came first.
            let is_known = theirs.reading <= arrival.had;
            if is_known { Decided::ByStamp(weighed) } else { Decided::ByPolicy(Field::TheirsOverUnseen) }
        }
        _ => Decided::ByStamp(weighed),
    }
}

/// Whether a remote was silent for so long that what it says goes behind what the hub has.
fn is_stale(rules: &Rules, arrival: &Arrival) -> bool {
    let silent: Span = arrival.silence.before(arrival.seen);
    rules.stale_after.is_some_and(|limit| silent > limit) && !is_at_work(Saboteur::NeverStale)
}
