//! Bundles that could not be sent because something else bears their name on the relay.

use packhorse_shared::config::Part;
use packhorse_transport::{Report, TransportError};

use crate::failure::{Exit, Failure};

/// Tells of them, and how the command ends by it: nothing may say that all was sent.
pub fn tell(report: &Report) -> Exit {
    let mut exit = Exit::Done;
    for link in &report.links {
        for name in &link.blocked {
            let relay = link.relay.clone().unwrap_or_default();
            let failure = Failure::from(TransportError::NameTaken { relay, file: name.to_string() });
            exit = exit.worse(failure.exit());
            failure.about(link.peer.as_str()).tell(Part::Transfer);
        }
    }
    exit
}
