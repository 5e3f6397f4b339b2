//! What a call saw of a link's mailboxes, and did there.
//!
//! Owns its form (MessagePack) and how much of it is kept. Pure. Invariants: a call that saw what the one before saw adds nothing
//! but its time; that a bundle came damaged, which asks for an answer, outlives the rest. Nothing in it can do more than to have
//! something sent again: whoever makes calls may be anybody's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::id::NodeName;

/// So many looks at each link are kept while nobody takes them in.
const LOOKS_MAX: usize = 32;
/// So many in all are taken from a file.
const TAKEN_MAX: usize = 100_000;

/// What a call saw of one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The other end.
    pub peer: NodeName,
    /// When.
    pub at: WallTime,
    /// By which relay, if one answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// A bundle came damaged: its sender is to be asked again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
    /// Nothing of ours was on the way, and all was fetched.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quiet: bool,
    /// A bundle of the peer's has come in part: the peer is to hear that it is being fetched.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_part: bool,
    /// What lay in the mailbox to the peer when it was listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfetched: Vec<String>,
    /// What lies there after the call; None if it was not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lying: Option<Vec<String>>,
    /// What was put there whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<String>,
    /// Puts that broke off, each with how much of the file was there before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub broken_off: BTreeMap<String, u64>,
    /// What could not be moved, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
}

/// What calls saw, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    #[serde(default, rename = "look")]
    looks: Vec<Look>,
}

fn is_false(said: &bool) -> bool {
    !said
}

impl Look {
    /// Nothing was seen.
    pub fn new(peer: NodeName, at: WallTime) -> Self {
        Self {
            peer,
            at,
            relay: None,
            damaged: false,
            quiet: false,
            in_part: false,
            unfetched: Vec::new(),
            lying: None,
            sent: Vec::new(),
            broken_off: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Whether it tells anything.
    fn is_blank(&self) -> bool {
        *self == Self { relay: self.relay.clone(), ..Self::new(self.peer.clone(), self.at) }
    }
}

impl Looks {
    /// Every look.
    pub fn all(&self) -> &[Look] {
        &self.looks
    }

    /// Adds a look, and tells whether there is anything new to be kept.
    pub fn add(&mut self, look: Look) -> bool {
        if look.is_blank() {
            return false;
        }
        match self.looks.iter_mut().rev().find(|known| known.peer == look.peer) {
            // A file that was put twice, in two calls that are otherwise alike, was put twice.
            Some(last) if look.sent.is_empty() && *last == (Look { at: last.at, ..look.clone() }) => last.at = look.at,
            _ => self.push(look),
        }
        true
    }

    fn push(&mut self, look: Look) {
        let of_peer = |known: &&Look| known.peer == look.peer;
        if self.looks.iter().filter(of_peer).count() >= LOOKS_MAX {
            self.let_go_of_oldest(&look.peer);
        }
        self.looks.push(look);
    }

    fn let_go_of_oldest(&mut self, peer: &NodeName) {
        let Some(at) = self.looks.iter().position(|look| look.peer == *peer) else { return };
        let oldest = self.looks.remove(at);
        if let Some(next) = self.looks.iter_mut().find(|next| next.peer == *peer) {
            next.damaged |= oldest.damaged;
        }
    }

    /// Of each link the last look alone.
    fn shorten(&mut self) {
        let mut peers: Vec<NodeName> = self.looks.iter().map(|look| look.peer.clone()).collect();
        peers.sort();
        peers.dedup();
        for peer in peers {
            while self.looks.iter().filter(|look| look.peer == peer).count() > 1 {
                self.let_go_of_oldest(&peer);
            }
        }
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, String> {
        let read: Self = rmp_serde::from_slice(content).map_err(|error| error.to_string())?;
        if read.looks.len() > TAKEN_MAX { Err("it holds too much".to_owned()) } else { Ok(read) }
    }

    /// In so many bytes at most, as far as the last looks go in.
    pub(super) fn content(&mut self, most: u64) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let whole = rmp_serde::to_vec_named(self)?;
        if whole.len() as u64 <= most {
            return Ok(whole);
        }
        self.shorten();
        rmp_serde::to_vec_named(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: u64) -> Look {
        Look::new("alice".parse().unwrap(), WallTime(at))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let whole = Look {
            relay: Some("sftp://a@b/c \"d\"".to_owned()),
            damaged: true,
            quiet: true,
            in_part: true,
            unfetched: vec!["a.bundle".to_owned()],
            lying: Some(Vec::new()),
            sent: vec!["b.bundle".to_owned()],
            broken_off: BTreeMap::from([("c.bundle".to_owned(), u64::MAX)]),
            failed: BTreeMap::from([("d.bundle".to_owned(), "it\nbroke".to_owned())]),
            ..look(7)
        };
        let looks = Looks { looks: vec![whole, look(8)] };
        assert_eq!(Looks::parse(&looks.clone().content(1 << 20).unwrap()), Ok(looks));
        for damaged in [&b""[..], b"\xc1", b"nonsense"] {
            assert!(Looks::parse(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn the_same_seen_again_is_kept_once_with_its_last_time() {
        let mut looks = Looks::default();
        assert!(!looks.add(look(1)), "nothing was seen");
        let quiet = |at| Look { quiet: true, ..look(at) };
        assert!(looks.add(quiet(2)));
        assert!(looks.add(quiet(3)), "its time is news");
        assert_eq!(looks.all(), [quiet(3)]);
        let sent = |at| Look { sent: vec!["a.bundle".to_owned()], ..look(at) };
        looks.add(sent(4));
        looks.add(sent(5));
        assert_eq!(looks.all(), [quiet(3), sent(4), sent(5)]);
    }

    #[test]
    fn of_many_looks_the_oldest_go_but_for_what_asks_for_an_answer() {
        let mut looks = Looks::default();
        looks.add(Look { damaged: true, ..look(0) });
        looks.add(Look { damaged: true, ..Look::new("bob".parse().unwrap(), WallTime(0)) });
        for at in 1..=LOOKS_MAX as u64 + 5 {
            looks.add(Look { sent: vec![format!("{at}")], ..look(at) });
        }
        let of = |looks: &Looks, peer: &str| -> Vec<Look> {
            looks.all().iter().filter(|look| look.peer.as_str() == peer).cloned().collect()
        };
        let alice = of(&looks, "alice");
        assert_eq!((alice.len(), alice[0].at, alice[0].damaged), (LOOKS_MAX, WallTime(6), true));
        assert!(!alice[1].damaged);
        assert_eq!(of(&looks, "bob").len(), 1, "what was seen of one puts out nothing of another's");
        let short = looks.content(100).unwrap();
        let short = Looks::parse(&short).unwrap();
        assert_eq!(short.all().len(), 2);
        assert!(short.all().iter().all(|look| look.damaged));
    }
}
