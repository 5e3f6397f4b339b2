//! Which links are sealed, whose signature counts on them, and how much is accepted.
//!
//! Owns the rule: a link is sealed unless the configuration says otherwise, both ways, and what comes over
//! it less than sealed and signed is refused. Whose signature counts: the peer's, and of a remote that of any later keys too,
//! which nobody but its hub can have given it; a hub that was put back to an older copy learns of them so. Leaves the
//! cryptography to [`crate::keys`], and reading and writing to [`crate::bundle`].

use std::collections::BTreeSet;

use crate::bundle::{Limits, Opening, Provenance, Sealing};
use crate::clock::WallTime;
use crate::id::NodeName;
use crate::keys::envelope::SealedTo;
use crate::keys::{KeyNumber, NodeKeys, PublicKeys};
use crate::link::Role;
use crate::replica::StoredLink;

/// A node's keys, the peers with whom it exchanges open bundles all the same, and how much a bundle of anybody's may hold.
#[derive(Clone, Debug)]
pub struct Trust {
    keys: NodeKeys,
    open: BTreeSet<NodeName>,
    limits: Limits,
}

impl Trust {
    /// With these keys; `open`: the peers whose links the configuration leaves unsealed.
    pub fn new(keys: NodeKeys, open: BTreeSet<NodeName>) -> Self {
        Self { keys, open, limits: Limits::BUNDLE }
    }

    /// With other limits than the usual ones.
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How much a bundle may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// This node's keys.
    pub fn keys(&self) -> &NodeKeys {
        &self.keys
    }

    /// Whether what goes to a peer and comes from it is sealed.
    pub fn is_sealed(&self, peer: &NodeName) -> bool {
        !self.open.contains(peer)
    }

    /// How bundles for a link's peer are sealed, if they are.
    pub fn sealing<'a>(&'a self, link: &'a StoredLink) -> Option<Sealing<'a>> {
        self.is_sealed(&link.peer).then_some(Sealing { from: &self.keys, to: SealedTo::Keys(&link.keys) })
    }

    /// Opens something of a link's with what that takes.
    pub fn opening<T>(&self, link: &StoredLink, open: impl FnOnce(&Opening<'_>) -> T) -> T {
        let known = |number| self.signer(link, number);
        let signers: Option<&dyn Fn(KeyNumber) -> Option<PublicKeys>> =
            if self.is_sealed(&link.peer) { Some(&known) } else { None };
        open(&Opening { keys: Some(&self.keys), passphrase: None, signers })
    }

    /// Takes account of what a link's peer has signed with: later keys than are known of it are its keys now.
    pub fn learn(&self, link: &mut StoredLink, provenance: Provenance) {
        let signer = provenance.signer.filter(|_| self.is_sealed(&link.peer));
        if let Some(keys) = signer.and_then(|number| self.signer(link, number)) {
            link.keys = keys;
        }
    }

    /// Refuses a remote from now on: nothing that it says counts, and nothing more is said to it. Its link takes keys that nobody
    /// has been given: a new package brings them. `last`: the latest number that a removed link had.
    pub fn revoke(&self, link: &mut StoredLink, last: KeyNumber, now: WallTime) {
        let number = link.keys.number().max(last).next(now);
        link.keys = self.keys.of_remote(&link.peer, number).public();
        link.state.revoke();
    }

    /// The keys with this number, if they are or may be those of a link's peer.
    fn signer(&self, link: &StoredLink, number: KeyNumber) -> Option<PublicKeys> {
        if link.keys.number() == number {
            return Some(link.keys.clone());
        }
        let may_be_later = link.state.role() == Role::Remote && number > link.keys.number();
        may_be_later.then(|| self.keys.of_remote(&link.peer, number).public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::id::{Cut, Epoch, LinkId};
    use crate::link::{Beginning, Link, Standing};

    fn hub() -> NodeKeys {
        NodeKeys::from_secret(KeyNumber(1), [1; 32])
    }

    fn name() -> NodeName {
        "alice".parse().unwrap()
    }

    fn remote(number: u64) -> NodeKeys {
        hub().of_remote(&name(), KeyNumber(number))
    }

    /// A hub's link to alice.
    fn link(keys: PublicKeys) -> StoredLink {
        let state = Link::new(Role::Remote, WallTime(0), Cut(0), Reading(0), Epoch(0));
        StoredLink { id: LinkId(1), peer: name(), node: None, keys, state }
    }

    fn signed(number: u64) -> Provenance {
        Provenance { is_sealed: true, signer: Some(KeyNumber(number)) }
    }

    #[test]
    fn a_link_is_sealed_and_strict_unless_it_is_said_otherwise() {
        let known = link(remote(5).public());
        let [sealed, open] = [BTreeSet::new(), BTreeSet::from([name()])].map(|open| Trust::new(hub(), open));
        let is_strict = |trust: &Trust| trust.opening(&known, |opening| opening.signers.is_some());
        assert!(sealed.sealing(&known).is_some() && is_strict(&sealed));
        assert!(open.sealing(&known).is_none() && !is_strict(&open));
    }

    #[test]
    fn of_a_remote_later_keys_count_and_earlier_ones_do_not() {
        let known = link(remote(5).public());
        let trust = Trust::new(hub(), BTreeSet::new());
        let signer = |number| trust.opening(&known, |opening| opening.signers.and_then(|known| known(number)));
        assert_eq!(signer(KeyNumber(5)), Some(remote(5).public()));
        assert_eq!(signer(KeyNumber(6)), Some(remote(6).public()));
        assert_eq!(signer(KeyNumber(4)), None);
        let mut learnt = known.clone();
        trust.learn(&mut learnt, signed(6));
        assert_eq!(learnt.keys, remote(6).public());
        trust.learn(&mut learnt, signed(5));
        assert_eq!(learnt.keys, remote(6).public(), "what is not accepted teaches nothing");
    }

    #[test]
    fn a_remote_that_is_revoked_has_no_keys_that_count() {
        let mut known = link(remote(5).public());
        let trust = Trust::new(hub(), BTreeSet::new());
        trust.revoke(&mut known, KeyNumber(9), WallTime(3));
        assert_eq!((known.keys.number(), known.state.standing()), (KeyNumber(10), Standing::Revoked));
        let signer = |number| trust.opening(&known, |opening| opening.signers.and_then(|known| known(number)));
        assert_eq!(signer(KeyNumber(5)), None);
        trust.revoke(&mut known, KeyNumber(9), WallTime(30));
        assert_eq!(known.keys.number(), KeyNumber(30), "once more, with others again");
    }

    #[test]
    fn of_a_hub_its_keys_alone_count() {
        let mut known = link(hub().public());
        known.state = Link::restored_from_package(WallTime(0), Beginning { epoch: Epoch(1), complete_to: Reading(0) });
        let trust = Trust::new(remote(5), BTreeSet::new());
        let signer = |number| trust.opening(&known, |opening| opening.signers.and_then(|known| known(number)));
        assert_eq!(signer(KeyNumber(1)), Some(hub().public()));
        assert_eq!(signer(KeyNumber(2)), None);
    }
}
