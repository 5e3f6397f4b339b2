//! What a call has to know of the links.
//!
//! Owns its text form. Pure. Invariant: it is written by whoever has the database, from what stands there; whoever makes calls
//! only reads it, and one that is out of date does no harm: what is moved too much or too little is found by the next.

use serde::{Deserialize, Serialize};

use crate::bundle::BundleName;
use crate::id::{Epoch, NodeName, Sequence};
use crate::link::{Role, Standing};
use crate::replica::StoredLink;

/// All links of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// One after the other.
    #[serde(default, rename = "link")]
    pub links: Vec<LinkOrders>,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkOrders {
    /// The other end.
    pub peer: NodeName,
    /// Which end that is.
    pub role: Role,
    /// Whether anything is moved.
    pub standing: Standing,
    /// Whether what comes is fetched, or left on the relay: it may be for whoever has taken this installation's place.
    #[serde(default = "yes")]
    pub fetch: bool,
    /// Of the last bundle that was sealed, the epoch and the number: with another one something is ready.
    pub sealed: (Epoch, Sequence),
    /// Our bundles that others have replaced: they are not sent, and leave the mailbox once their successors are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obsolete: Vec<String>,
}

impl Orders {
    /// By how the links of a node stand, and what lies in its inbox.
    pub fn of(node: &NodeName, links: &[StoredLink], inbox: &[BundleName]) -> Self {
        let of_link = |link: &StoredLink| LinkOrders {
            peer: link.peer.clone(),
            role: link.state.role(),
            standing: link.state.standing(),
            // What was applied is there no more, and its epoch is not new.
            fetch: !inbox.iter().any(|name| name.from == link.peer && link.state.is_new_epoch(name.epoch)),
            sealed: link.state.last_numbered(),
            obsolete: obsolete(node, link),
        };
        Self { links: links.iter().map(of_link).collect() }
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|_| "it is no text".to_owned())?;
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

impl LinkOrders {
    /// Whether a file of ours has been replaced by others.
    pub fn is_obsolete(&self, file: &str) -> bool {
        self.obsolete.iter().any(|name| name == file)
    }
}

fn yes() -> bool {
    true
}

fn obsolete(node: &NodeName, link: &StoredLink) -> Vec<String> {
    let name = |(epoch, sequence, digest)| {
        let (from, to) = (node.clone(), link.peer.clone());
        BundleName { from, to, epoch, sequence, digest }.to_string()
    };
    link.state.obsolete().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let link = |peer: &str, role, standing, obsolete: &[&str]| LinkOrders {
            peer: peer.parse().unwrap(),
            role,
            standing,
            fetch: role == Role::Remote,
            sealed: (Epoch(5), Sequence(7)),
            obsolete: obsolete.iter().map(|name| (*name).to_owned()).collect(),
        };
        let links = vec![
            link("hq", Role::Hub, Standing::Open, &["a.bundle", "b.bundle"]),
            link("alice", Role::Remote, Standing::Revoked, &[]),
        ];
        let orders = Orders { links };
        assert_eq!(Orders::parse(orders.text().unwrap().as_bytes()), Ok(orders.clone()));
        assert!(orders.links[0].is_obsolete("b.bundle") && !orders.links[1].is_obsolete("b.bundle"));
        assert!(Orders::parse(b"[[link]]\npeer = \"../x\"\nrole = \"Hub\"\nstanding = \"Open\"").is_err());
    }
}
