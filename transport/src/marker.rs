//! The marker that tells a relay of ours from an empty mount point and from another network's relay.
//!
//! Owns the marker's text, and the decision whether a relay may be used. Invariant: nothing is written to a relay
//! that is not known to be ours. A relay is known by an intact marker of our network, or, since a relay may lose or
//! damage any file, by a lost or damaged marker beside our own mailboxes; it is then restored and that is reported.
//! Another network's intact marker is never touched.

use packhorse_shared::id::{Digest, NetworkId, NodeName};

use crate::carrier::{Carrier, Likeness, MARKER_MAX};
use crate::error::TransportError;
use crate::mailbox::{Mailbox, Role};

const TITLE: &str = "packhorse relay 1";

/// How many hex digits of the digest stand on the check line.
const CHECK_DIGITS: usize = 16;

/// What a marker's bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The relay is this network's.
    Of(NetworkId),
    /// The check line does not fit the rest.
    Damaged,
    /// There is none.
    Missing,
}

impl Marker {
    /// The marker's text for a network.
    pub fn text(network: NetworkId) -> String {
        let body = format!("{TITLE}\nnetwork {network}\n");
        let check = check(&body);
        format!("{body}check {check}\n")
    }

    /// Reads what [`Carrier::read_marker`] gave. Lines that a later version may add are passed over.
    pub fn read(content: Option<&[u8]>) -> Self {
        let Some(content) = content else { return Self::Missing };
        if content.len() > MARKER_MAX {
            return Self::Damaged;
        }
        std::str::from_utf8(content).ok().and_then(network_of).map_or(Self::Damaged, Self::Of)
    }
}

fn check(body: &str) -> String {
    Digest::of(body.as_bytes()).to_string().chars().take(CHECK_DIGITS).collect()
}

fn network_of(text: &str) -> Option<NetworkId> {
    let (body, found) = text.strip_suffix('\n')?.rsplit_once("check ")?;
    if found != check(body) || !body.starts_with("packhorse relay ") {
        return None;
    }
    body.lines().find_map(|line| line.strip_prefix("network "))?.parse().ok()
}

/// How a relay was found to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// By its marker.
    Marked,
    /// By its mailboxes: the marker was missing or damaged and has been written anew.
    Restored,
}

/// Admits a relay for use, or says why not. `evidence` gives pairs of mailboxes of ours: one pair that exists shows
/// that a relay without a readable marker is ours all the same. Costs one call when the marker is in order.
pub fn admit(
    carrier: &mut dyn Carrier,
    network: NetworkId,
    evidence: &[[Mailbox; 2]],
) -> Result<Admission, TransportError> {
    let found = Marker::read(carrier.read_marker(None)?.as_deref());
    match found {
        Marker::Of(marked) => ours_only(carrier, marked, network).map(|()| Admission::Marked),
        Marker::Missing | Marker::Damaged if has_any(carrier, evidence)? => {
            carrier.write_marker(None, Marker::text(network).as_bytes())?;
            Ok(Admission::Restored)
        }
        Marker::Missing => Err(TransportError::NotARelay { relay: carrier.relay().to_owned() }),
        Marker::Damaged => Err(TransportError::DamagedMarker { relay: carrier.relay().to_owned() }),
    }
}

/// The same where a marker of this likeness was ours: it is read only if it has another by now, or none is told. Returns
/// with it the likeness of a marker that is ours.
pub(crate) fn admit_known(
    carrier: &mut dyn Carrier,
    network: NetworkId,
    evidence: &[[Mailbox; 2]],
    known: Option<&Likeness>,
) -> Result<(Admission, Option<Likeness>), TransportError> {
    let likeness = carrier.marker_likeness()?;
    if likeness.is_some() && likeness.as_ref() == known {
        return Ok((Admission::Marked, likeness));
    }
    let admission = admit(carrier, network, evidence)?;
    Ok((admission, likeness.filter(|_| admission == Admission::Marked)))
}

/// What marking found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The marker has been made.
    New,
    /// Our network's marker was there already.
    Already,
}

/// Marks a relay's root as this network's, for `init`. Makes the folder if it can. A folder that bears another
/// network's marker is refused, and so is one whose marker is damaged: it may be anybody's.
pub fn mark(carrier: &mut dyn Carrier, network: NetworkId) -> Result<Marked, TransportError> {
    mark_at(carrier, None, network)
}

/// Prepares a remote's folder on a relay that has been admitted: its marker, for the remote's account sees only
/// that folder, and both mailboxes.
pub fn prepare_remote(
    carrier: &mut dyn Carrier,
    network: NetworkId,
    remote: &NodeName,
) -> Result<Marked, TransportError> {
    let marked = mark_at(carrier, Some(remote), network)?;
    for mailbox in Mailbox::both(remote, Role::Remote) {
        carrier.make_mailbox(&mailbox)?;
    }
    Ok(marked)
}

fn mark_at(carrier: &mut dyn Carrier, remote: Option<&NodeName>, network: NetworkId) -> Result<Marked, TransportError> {
    let found = Marker::read(carrier.read_marker(remote)?.as_deref());
    match found {
        Marker::Of(marked) => ours_only(carrier, marked, network).map(|()| Marked::Already),
        // Below a root that is ours, a remote's damaged marker is ours too.
        Marker::Damaged if remote.is_none() => Err(TransportError::DamagedMarker { relay: carrier.relay().to_owned() }),
        Marker::Damaged | Marker::Missing => {
            carrier.write_marker(remote, Marker::text(network).as_bytes()).map(|()| Marked::New)
        }
    }
}

fn ours_only(carrier: &dyn Carrier, found: NetworkId, ours: NetworkId) -> Result<(), TransportError> {
    if found == ours {
        return Ok(());
    }
    Err(TransportError::OtherNetwork { relay: carrier.relay().to_owned(), found, ours })
}

fn has_any(carrier: &mut dyn Carrier, evidence: &[[Mailbox; 2]]) -> Result<bool, TransportError> {
    for [one, other] in evidence {
        if carrier.has_mailbox(one)? && carrier.has_mailbox(other)? {
            return Ok(true);
        }
    }
    Ok(false)
}
