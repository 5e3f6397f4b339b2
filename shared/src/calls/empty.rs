//! The mailboxes that calls found empty.
//!
//! Owns the file `empty`: a mailbox to a peer in which nothing lay need not be listed again for a while, if nothing was put
//! there since. Invariant: a mailbox does not count as empty any more, durably, before anything is put there. Without the
//! file, or if it is damaged, mailboxes are listed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::clock::WallTime;
use crate::id::NodeName;
use crate::seam::{Disk, write_for_all};

const EMPTY: &str = "empty";

/// For how long a mailbox counts as empty, in milliseconds. A relay may bring back what was taken away.
const EMPTY_MAX: u64 = 24 * 3_600_000;

/// Since when nothing lies in the mailboxes to these peers, each on one relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Empty(BTreeMap<(NodeName, String), WallTime>);

impl Empty {
    /// Whether nothing lies in the mailbox to a peer on a relay, as far as is known without another look.
    pub fn is_known(&self, peer: &NodeName, relay: &str, now: WallTime) -> bool {
        self.0.get(&(peer.clone(), relay.to_owned())).is_some_and(|at| now.0.abs_diff(at.0) < EMPTY_MAX)
    }

    /// A look found nothing. What is known already stays as it is: it was not looked into again.
    pub fn found(&mut self, peer: &NodeName, relay: &str, now: WallTime) {
        if !self.is_known(peer, relay, now) {
            self.0.insert((peer.clone(), relay.to_owned()), now);
        }
    }

    /// Whether anything is remembered of a peer's mailboxes.
    pub fn knows(&self, peer: &NodeName) -> bool {
        self.0.keys().any(|(known, _)| known == peer)
    }

    /// Something lies in a mailbox of a peer's, or is about to.
    pub fn forget(&mut self, peer: &NodeName) {
        self.0.retain(|(known, _), _| known != peer);
    }

    pub(super) fn read(folder: &Path) -> Self {
        let text = super::read_if_sound(&folder.join(EMPTY));
        let line = |line: &str| {
            let (at, rest) = line.split_once(' ')?;
            let (peer, relay) = rest.split_once(' ')?;
            Some(((peer.parse().ok()?, relay.to_owned()), WallTime(at.parse().ok()?)))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// A relay that no line can hold is left out.
    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let fit = self.0.iter().filter(|((_, relay), _)| !relay.contains(['\n', '\r']));
        let lines: String = fit.map(|((peer, relay), at)| format!("{} {peer} {relay}\n", at.0)).collect();
        write_for_all(disk, &folder.join(EMPTY), lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::seam::OsDisk;

    const DAY: u64 = EMPTY_MAX;

    fn alice() -> NodeName {
        "alice".parse().unwrap()
    }

    #[test]
    fn a_mailbox_that_was_found_empty_is_that_for_a_day_unless_something_is_put_there() {
        let mut empty = Empty::default();
        let (peer, now) = (alice(), WallTime(5 * DAY));
        assert!(!empty.is_known(&peer, "relay", now), "nobody has looked");
        empty.found(&peer, "relay", now);
        assert!(empty.is_known(&peer, "relay", now) && !empty.is_known(&peer, "another", now));
        let later = WallTime(now.0 + DAY - 1);
        let seen = empty.clone();
        empty.found(&peer, "relay", later);
        assert_eq!(empty, seen, "it was not looked into again");
        assert!(!empty.is_known(&peer, "relay", WallTime(later.0 + 1)));
        assert!(!empty.is_known(&peer, "relay", WallTime(0)), "the clock was set back");
        empty.forget(&peer);
        assert!(!empty.is_known(&peer, "relay", now));
    }

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut empty = Empty::default();
        empty.found(&alice(), "sftp://a@b/c d", WallTime(7));
        let written = empty.clone();
        empty.found(&alice(), "a\nb", WallTime(7));
        empty.write(&OsDisk, folder.path()).unwrap();
        assert_eq!(Empty::read(folder.path()), written);
        for damaged in ["", "7", "7 alice", "x alice relay", "7 ../x relay"] {
            fs::write(folder.path().join(EMPTY), damaged).unwrap();
            assert_eq!(Empty::read(folder.path()), Empty::default(), "{damaged}");
        }
    }
}
