//! What a call saw of a link's mailboxes, and did there.
//!
//! Owns its text form and how much of it is kept. Pure. Invariants: a call that saw what the one before saw adds nothing but
//! its time; what asks for an answer (a bundle that came damaged, another installation in our place) outlives the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::id::NodeName;

/// So many looks are kept while nobody takes them in.
const LOOKS_MAX: usize = 1_000;

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
    /// The hub sends to another installation under this node's name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replaced: bool,
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
            replaced: false,
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
            _ => self.looks.push(look),
        }
        if self.looks.len() > LOOKS_MAX {
            self.let_go_of_oldest();
        }
        true
    }

    fn let_go_of_oldest(&mut self) {
        let oldest = self.looks.remove(0);
        if let Some(next) = self.looks.iter_mut().find(|next| next.peer == oldest.peer) {
            next.damaged |= oldest.damaged;
            next.replaced |= oldest.replaced;
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
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
            replaced: true,
            quiet: true,
            in_part: true,
            unfetched: vec!["a.bundle".to_owned()],
            lying: Some(Vec::new()),
            sent: vec!["b.bundle".to_owned()],
            broken_off: BTreeMap::from([("c.bundle".to_owned(), 5)]),
            failed: BTreeMap::from([("d.bundle".to_owned(), "it\nbroke".to_owned())]),
            ..look(7)
        };
        let looks = Looks { looks: vec![whole, look(8)] };
        assert_eq!(Looks::parse(&looks.text().unwrap()), Ok(looks));
        assert_eq!(Looks::parse(""), Ok(Looks::default()));
        assert!(Looks::parse("[[look]]\npeer = \"alice\"").is_err());
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
        for at in 1..=LOOKS_MAX as u64 + 5 {
            looks.add(Look { sent: vec![format!("{at}")], ..look(at) });
        }
        assert_eq!(looks.all().len(), LOOKS_MAX);
        assert!(looks.all()[0].damaged && looks.all()[0].at == WallTime(6));
        assert!(!looks.all()[1].damaged);
    }
}
