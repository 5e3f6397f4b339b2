//! Nodes by the names that people know: who made a change, who brought it.

use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{LinkId, NodeId, NodeName};
use packhorse_shared::replica::{Replica, StoredLink};

use crate::failure::Failure;
use crate::node::Node;
use crate::wording::timestamp;

/// When something was that nobody remembers, as everybody has it.
pub const FORGOTTEN: &str = "before all that is remembered";

/// The nodes that this one knows.
pub struct People {
    here: (NodeId, NodeName),
    links: Vec<StoredLink>,
}

impl People {
    /// Those that a node knows.
    pub fn of(node: &mut Node) -> Result<Self, Failure> {
        let here = (node.replica.identity().node, node.name().clone());
        Ok(Self { here, links: node.replica.links()? })
    }

    /// The node at the other end of a link.
    pub fn brought(&self, link: LinkId) -> Option<String> {
        self.links.iter().find(|known| known.id == link).map(|link| link.peer.to_string())
    }

    /// When and by whom a change was made.
    pub fn when_and_who(&self, stamp: Stamp) -> String {
        match self.made(stamp) {
            Some(node) => format!("{} by {node}", timestamp(stamp.reading.time()).unwrap_or_default()),
            None => FORGOTTEN.to_owned(),
        }
    }

    /// The node that made a change; None if the stamp stands for what was before all that is remembered.
    pub fn made(&self, stamp: Stamp) -> Option<String> {
        if stamp == Stamp::ZERO || stamp.is_of_horizon() {
            return None;
        }
        if stamp.node == self.here.0 {
            return Some(self.here.1.to_string());
        }
        let link = self.links.iter().find(|link| link.node == Some(stamp.node));
        Some(link.map_or_else(|| stamp.node.to_string(), |link| link.peer.to_string()))
    }
}
