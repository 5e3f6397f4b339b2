//! What a transfer came to, in words, and how a command ends by it.

use packhorse_shared::calls::Orders;
use packhorse_shared::config::Part;
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Standing;
use packhorse_transport::{LinkReport, Outcome, Report, TransportError};

use crate::failure::{Exit, Failure};
use crate::journal::Event;
use crate::wording::{bytes, count};

/// Tells of the links over which this node is refused, and how the command ends by it.
pub fn tell_refused(node: &NodeName, orders: &Orders) -> Exit {
    let refused = orders.links.iter().filter(|link| link.standing == Standing::Refused);
    let words: Vec<String> = refused.map(|link| refusal(&link.peer, node)).collect();
    words.iter().for_each(|words| event(words).warning().tell_standing());
    if words.is_empty() { Exit::Done } else { Exit::Attention }
}

/// What a node that is refused has to know.
pub fn refusal(hub: &NodeName, node: &NodeName) -> String {
    format!(
        "{hub} refuses this installation: another one has its place (the package was restored twice or made anew, or the \
         disk was copied); have {hub} run `packhorse remote pack {node}` and restore the new package here; what was \
         changed here since stays in this database"
    )
}

/// Tells each failure once, however many links it stopped.
fn tell_failures(report: &Report) {
    let mut failures: Vec<(&TransportError, Vec<&str>)> = Vec::new();
    for (peer, error) in report.links.iter().flat_map(|link| link.errors.iter().map(|error| (&link.peer, error))) {
        match failures.iter_mut().find(|(known, _)| known.to_string() == error.to_string()) {
            Some((_, peers)) => peers.push(peer.as_str()),
            None => failures.push((error, vec![peer.as_str()])),
        }
    }
    for (error, peers) in failures {
        let links = match peers.as_slice() {
            [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", peers.len() - 3),
            few => few.join(", "),
        };
        Failure::from(error.clone()).about(&links).tell(Part::Transfer);
    }
}

/// Tells what a transfer came to, and says how the command ends by it.
pub fn tell(report: &Report) -> Exit {
    report.links.iter().for_each(tell_link);
    tell_failures(report);
    let blocked = tell_blocked(report);
    let rejected = report.links.iter().any(|link| !link.rejected.is_empty() || !link.too_large.is_empty());
    let exit = match report.outcome() {
        Outcome::Done if rejected => Exit::Attention,
        Outcome::Done => Exit::Done,
        Outcome::WorkLeft => Exit::OutOfTime,
        Outcome::Unreachable => Exit::Unreachable,
        Outcome::Failed => Exit::Failed,
    };
    exit.worse(blocked)
}

/// Tells of bundles that could not be sent because something else bears their name on the relay: nothing may say then that
/// all was sent.
fn tell_blocked(report: &Report) -> Exit {
    let mut exit = Exit::Done;
    for (link, name) in report.links.iter().flat_map(|link| link.blocked.iter().map(move |name| (link, name))) {
        let relay = link.relay.clone().unwrap_or_default();
        let failure = Failure::from(TransportError::NameTaken { relay, file: name.to_string() });
        exit = exit.worse(failure.exit());
        failure.about(link.peer.as_str()).tell(Part::Transfer);
    }
    exit
}

fn tell_link(link: &LinkReport) {
    let (peer, relay) = (&link.peer, link.relay.as_deref().unwrap_or("no relay"));
    if link.sent.files + link.received.files > 0 {
        let words = format!(
            "{peer}: sent {} ({}), received {} ({}) by {relay}",
            count(link.sent.files, "bundle", "bundles"),
            bytes(link.sent.bytes),
            count(link.received.files, "bundle", "bundles"),
            bytes(link.received.bytes)
        );
        event(words).node(peer).bytes(link.sent.bytes + link.received.bytes).tell();
    }
    if link.marker_restored {
        let words = format!("{peer}: the relay's marker was missing or damaged and has been restored");
        event(words).warning().node(peer).tell();
    }
    for rejected in &link.rejected {
        let words = format!("{peer}: {} went into quarantine: {}", rejected.name, rejected.reason);
        event(words).warning().node(peer).bundle(rejected.name.as_str()).tell();
    }
    for entry in &link.too_large {
        let (name, size) = (&entry.name, bytes(entry.size));
        let words = format!(
            "{peer}: {name} is said to have {size}, more than a bundle may ([limits] in packhorse.toml): it was not fetched; \
             if that limit is right, remove it from the relay"
        );
        event(words).warning().node(peer).bundle(name.as_str()).tell_standing();
    }
    for name in &link.left_alone {
        let words = format!("{peer}: {name} is not for this node and was left on the relay");
        event(words).warning().node(peer).tell_standing();
    }
}

fn event(words: impl Into<String>) -> Event {
    Event::new(Part::Transfer, words)
}
