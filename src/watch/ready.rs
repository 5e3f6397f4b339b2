//! Where something may lie ready for a call, and what a call came to.
//!
//! Owns which mailboxes on relays are watched: those on folders of this machine, up to a number.

use std::collections::BTreeSet;
use std::path::PathBuf;

use packhorse_shared::calls::{LinkOrders, Orders};
use packhorse_shared::config::Part;
use packhorse_transport::{Mailbox, Report};
use packhorse_unbundler::watch::Arrivals;

use super::schedule::Outcome;
use crate::courier::Courier;
use crate::failure::{Exit, Failure};
use crate::journal::Event;
use crate::relay::{relays, role};

/// Beyond so many mailboxes those on the relay are not watched: each takes a watch of the system's.
const MAILBOXES_MAX: usize = 256;

/// The incoming mailboxes on relays that are folders.
pub fn mailboxes(courier: &Courier, orders: &Orders) -> Result<BTreeSet<PathBuf>, Failure> {
    let served: Vec<&LinkOrders> = orders.links.iter().filter(|link| link.standing.is_served()).collect();
    let relays = relays(&courier.config.node.relay)?;
    if served.len() > MAILBOXES_MAX || !courier.config.node.accept {
        return Ok(BTreeSet::new());
    }
    let in_one = |relay| served.iter().map(move |link| Mailbox::incoming(&link.peer, role(link.role)).under(relay));
    Ok(relays.iter().filter_map(|relay| relay.folder()).flat_map(in_one).collect())
}

/// Watches for arrivals anew: a folder may have been removed and made again.
pub fn watch(arrivals: &mut Option<Arrivals>, folders: &BTreeSet<PathBuf>) {
    let failed = arrivals.iter_mut().flat_map(|arrivals| arrivals.watch(folders));
    failed.for_each(|failed| Event::new(Part::Watch, failed.to_string()).warning().tell_standing());
}

/// How a call ended that was told so. One link that fails must not keep what is sealed for the others waiting.
pub fn outcome(told: Exit, report: &Report) -> Outcome {
    let has_failed = matches!(told, Exit::Failed | Exit::Usage | Exit::Unreachable);
    if has_failed && !report.has_got_through() { Outcome::Failed } else { Outcome::Done }
}
