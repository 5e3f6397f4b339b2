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

/// What calls saw of each link, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Looks(BTreeMap<NodeName, Vec<Look>>);

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
    pub(super) fn is_blank(&self) -> bool {
        *self == Self { relay: self.relay.clone(), ..Self::new(self.peer.clone(), self.at) }
    }
}

impl Looks {
    /// Every look.
    pub fn all(&self) -> impl Iterator<Item = &Look> {
        self.0.values().flatten()
    }

    /// Those at a link.
    pub fn of(&self, peer: &NodeName) -> &[Look] {
        self.0.get(peer).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds one.
    pub fn add(&mut self, look: Look) {
        let of_peer = self.0.entry(look.peer.clone()).or_default();
        match of_peer.last_mut() {
            // A file that was put twice, in two calls that are otherwise alike, was put twice.
            Some(last) if look.sent.is_empty() && *last == (Look { at: last.at, ..look.clone() }) => last.at = look.at,
            _ => of_peer.push(look),
        }
        keep_last(of_peer, LOOKS_MAX);
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, String> {
        rmp_serde::from_slice(content).map_err(|error| error.to_string())
    }

    /// In so many bytes at most, as far as the last look at each link goes in.
    pub(super) fn content(&mut self, most: u64) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let whole = rmp_serde::to_vec_named(self)?;
        if whole.len() as u64 <= most {
            return Ok(whole);
        }
        self.0.values_mut().for_each(|of_peer| keep_last(of_peer, 1));
        rmp_serde::to_vec_named(self)
    }
}

impl FromIterator<Look> for Looks {
    fn from_iter<I: IntoIterator<Item = Look>>(looks: I) -> Self {
        let mut all = Self::default();
        looks.into_iter().for_each(|look| all.add(look));
        all
    }
}

/// Lets go of the oldest looks at a link, but for what asks for an answer.
fn keep_last(looks: &mut Vec<Look>, most: usize) {
    let old = looks.drain(..looks.len().saturating_sub(most));
    let is_damaged = old.fold(false, |damaged, look| damaged | look.damaged);
    if let Some(first) = looks.first_mut() {
        first.damaged |= is_damaged;
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
        let looks = Looks::from_iter([whole, look(8)]);
        assert_eq!(Looks::parse(&looks.clone().content(1 << 20).unwrap()), Ok(looks));
        for damaged in [&b""[..], b"\xc1", b"nonsense"] {
            assert!(Looks::parse(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn the_same_seen_again_is_kept_once_with_its_last_time() {
        assert!(look(1).is_blank(), "nothing was seen");
        let quiet = |at| Look { quiet: true, ..look(at) };
        let sent = |at| Look { sent: vec!["a.bundle".to_owned()], ..look(at) };
        let looks = Looks::from_iter([quiet(2), quiet(3), sent(4), sent(5)]);
        assert_eq!(looks.of(&look(0).peer), [quiet(3), sent(4), sent(5)]);
        assert!(!quiet(3).is_blank() && looks.of(&"bob".parse().unwrap()).is_empty());
    }

    #[test]
    fn of_many_looks_the_oldest_go_but_for_what_asks_for_an_answer() {
        let mut looks = Looks::default();
        looks.add(Look { damaged: true, ..look(0) });
        looks.add(Look { damaged: true, ..Look::new("bob".parse().unwrap(), WallTime(0)) });
        for at in 1..=LOOKS_MAX as u64 + 5 {
            looks.add(Look { sent: vec![format!("{at}")], ..look(at) });
        }
        let alice = looks.of(&look(0).peer);
        assert_eq!((alice.len(), alice[0].at, alice[0].damaged), (LOOKS_MAX, WallTime(6), true));
        assert!(!alice[1].damaged);
        assert_eq!(looks.of(&"bob".parse().unwrap()).len(), 1, "what was seen of one puts out nothing of another's");
        let short = looks.content(100).unwrap();
        let short = Looks::parse(&short).unwrap();
        assert_eq!(short.all().map(|look| look.damaged).collect::<Vec<_>>(), [true, true]);
    }
}
