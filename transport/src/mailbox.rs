//! A link's two folders on a relay, and the folder that holds a relay's, or packages.
//!
//! Owns where they lie, seen from where a carrier is rooted: at the hub in the relay's root, at the remote in the
//! remote's own folder, so that an account can be confined to it; packages lie in a root itself.

use std::fmt;
use std::path::{Path, PathBuf};

use packhorse_shared::id::NodeName;

/// Which of a link's two folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// To the hub.
    Up,
    /// To the remote.
    Down,
}

/// What a link's peer is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The peer is the hub: this node is its remote, and its carrier is rooted in its own folder.
    Hub,
    /// The peer is a remote: this node is its hub, and its carrier is rooted in the relay's root.
    Remote,
}

/// One folder of a link, addressed from a carrier's root: `REMOTE/up` at the hub, `up` at the remote. Or the root itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    remote: Option<NodeName>,
    /// None in the folder that holds both: a remote's, or the root.
    way: Option<Way>,
}

impl Mailbox {
    /// A remote's mailbox, seen from the hub.
    pub fn at_hub(remote: &NodeName, way: Way) -> Self {
        Self { remote: Some(remote.clone()), way: Some(way) }
    }

    /// The node's own mailbox, seen from a remote.
    pub fn at_remote(way: Way) -> Self {
        Self { remote: None, way: Some(way) }
    }

    /// The carrier's root itself, where packages lie. It is there or it is not: no carrier makes it for a file.
    pub fn root() -> Self {
        Self { remote: None, way: None }
    }

    /// Both mailboxes of a link.
    pub fn both(peer: &NodeName, role: Role) -> [Self; 2] {
        [Way::Up, Way::Down].map(|way| match role {
            Role::Remote => Self::at_hub(peer, way),
            Role::Hub => Self::at_remote(way),
        })
    }

    /// The mailbox that this node puts into.
    pub fn outgoing(peer: &NodeName, role: Role) -> Self {
        match role {
            Role::Remote => Self::at_hub(peer, Way::Down),
            Role::Hub => Self::at_remote(Way::Up),
        }
    }

    /// The mailbox that this node gets from.
    pub fn incoming(peer: &NodeName, role: Role) -> Self {
        match role {
            Role::Remote => Self::at_hub(peer, Way::Up),
            Role::Hub => Self::at_remote(Way::Down),
        }
    }

    /// This folder and, above it, the remote's own; not the root, which nobody takes away.
    pub(crate) fn below_root(&self) -> impl Iterator<Item = Self> {
        let own = self.way.map(|_| self.clone());
        let holder = self.remote.clone().map(|remote| Self { remote: Some(remote), way: None });
        own.into_iter().chain(holder)
    }

    /// The folder that holds both mailboxes: a remote's, or the carrier's root.
    pub fn remote(&self) -> Option<&NodeName> {
        self.remote.as_ref()
    }

    /// Where it lies in a folder that is the carrier's root.
    pub fn under(&self, root: &Path) -> PathBuf {
        let holder = self.remote.as_ref().map_or_else(|| root.to_owned(), |remote| root.join(remote.as_str()));
        self.folder().map_or_else(|| holder.clone(), |folder| holder.join(folder))
    }

    /// The folder's own name; None of one that holds both ways'.
    pub fn folder(&self) -> Option<&'static str> {
        self.way.map(|way| match way {
            Way::Up => "up",
            Way::Down => "down",
        })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder().unwrap_or(".");
        match &self.remote {
            Some(remote) => write!(f, "{remote}/{folder}"),
            None => f.write_str(folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_puts_the_remote_gets() {
        let alice: NodeName = "alice".parse().unwrap();
        let hq: NodeName = "hq".parse().unwrap();
        assert_eq!(Mailbox::outgoing(&alice, Role::Remote).to_string(), "alice/down");
        assert_eq!(Mailbox::incoming(&alice, Role::Remote).to_string(), "alice/up");
        assert_eq!(Mailbox::outgoing(&hq, Role::Hub).to_string(), "up");
        assert_eq!(Mailbox::incoming(&hq, Role::Hub).to_string(), "down");
    }
}
