//! Which links are sealed, and whose signature counts on them.
//!
//! Owns the rule: a link whose keys are known is sealed unless the configuration says otherwise, both ways, and what comes over
//! it less than sealed and signed is refused. Whose signature counts: the peer's, and of a remote that of any later keys too,
//! which nobody but its hub can have given it; a hub that was put back to an older copy learns of them so. Leaves the
//! cryptography to [`crate::keys`], and reading and writing to [`crate::bundle`].

use std::collections::BTreeSet;

use crate::bundle::{Opening, Provenance, Sealing};
use crate::id::NodeName;
use crate::keys::envelope::SealedTo;
use crate::keys::{KeyNumber, NodeKeys, PublicKeys};
use crate::link::Role;
use crate::replica::StoredLink;

/// A node's keys, and the peers with whom it exchanges open bundles all the same.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Option<NodeKeys>,
    open: BTreeSet<NodeName>,
}

impl Trust {
    /// With these keys; `open`: the peers whose links the configuration leaves unsealed.
    pub fn new(keys: Option<NodeKeys>, open: BTreeSet<NodeName>) -> Self {
        Self { keys, open }
    }

    /// This node's keys.
    pub fn keys(&self) -> Option<&NodeKeys> {
        self.keys.as_ref()
    }

    /// Whether what goes and comes over a link is sealed.
    pub fn is_sealed(&self, link: &StoredLink) -> bool {
        self.sealing(link).is_some()
    }

    /// How bundles for a link's peer are sealed, if they are.
    pub fn sealing<'a>(&'a self, link: &'a StoredLink) -> Option<Sealing<'a>> {
        let is_open = self.open.contains(&link.peer);
        let keys = self.keys.as_ref().zip(link.keys.as_ref()).filter(|_| !is_open);
        keys.map(|(from, to)| Sealing { from, to: SealedTo::Keys(to) })
    }

    /// Opens something of a link's with what that takes.
    pub fn opening<T>(&self, link: &StoredLink, open: impl FnOnce(&Opening<'_>) -> T) -> T {
        let known = |number| self.signer(link, number);
        let signers: Option<&dyn Fn(KeyNumber) -> Option<PublicKeys>> =
            if self.is_sealed(link) { Some(&known) } else { None };
        open(&Opening { keys: self.keys.as_ref(), passphrase: None, signers })
    }

    /// Takes account of what a link's peer has signed with: later keys than are known of it are its keys now.
    pub fn learn(&self, link: &mut StoredLink, provenance: Provenance) {
        if let Some(number) = provenance.signer.filter(|_| self.is_sealed(link)) {
            link.keys = self.signer(link, number).or_else(|| link.keys.take());
        }
    }

    /// The keys with this number, if they are or may be those of a link's peer.
    fn signer(&self, link: &StoredLink, number: KeyNumber) -> Option<PublicKeys> {
        let known = link.keys.as_ref()?;
        if known.number() == number {
            return Some(known.clone());
        }
        let may_be_later = link.state.role() == Role::Remote && number > known.number();
        let keys = self.keys.as_ref().filter(|_| may_be_later)?;
        Some(keys.of_remote(&link.peer, number).public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Reading, WallTime};
    use crate::id::{Cut, Epoch, LinkId};
    use crate::link::{Beginning, Link};

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
    fn link(keys: Option<PublicKeys>) -> StoredLink {
        let state = Link::new(Role::Remote, WallTime(0), Cut(0), Reading(0), Epoch(0));
        StoredLink { id: LinkId(1), peer: name(), node: None, keys, state }
    }

    fn signed(number: u64) -> Provenance {
        Provenance { is_sealed: true, signer: Some(KeyNumber(number)) }
    }

    #[test]
    fn a_link_is_sealed_if_both_ends_keys_are_known_and_it_is_not_said_otherwise() {
        let known = link(Some(remote(5).public()));
        let trust = Trust::new(Some(hub()), BTreeSet::new());
        assert!(trust.is_sealed(&known) && !trust.is_sealed(&link(None)));
        assert!(!Trust::new(None, BTreeSet::new()).is_sealed(&known));
        assert!(!Trust::new(Some(hub()), BTreeSet::from([name()])).is_sealed(&known));
        assert!(trust.opening(&known, |opening| opening.signers.is_some()));
        assert!(trust.opening(&link(None), |opening| opening.signers.is_none() && opening.keys.is_some()));
    }

    #[test]
    fn of_a_remote_later_keys_count_and_earlier_ones_do_not() {
        let known = link(Some(remote(5).public()));
        let trust = Trust::new(Some(hub()), BTreeSet::new());
        let signer = |number| trust.opening(&known, |opening| opening.signers.and_then(|known| known(number)));
        assert_eq!(signer(KeyNumber(5)), Some(remote(5).public()));
        assert_eq!(signer(KeyNumber(6)), Some(remote(6).public()));
        assert_eq!(signer(KeyNumber(4)), None);
        let mut learnt = known.clone();
        trust.learn(&mut learnt, signed(6));
        assert_eq!(learnt.keys, Some(remote(6).public()));
        trust.learn(&mut learnt, signed(5));
        assert_eq!(learnt.keys, Some(remote(6).public()), "what is not accepted teaches nothing");
    }

    #[test]
    fn of_a_hub_its_keys_alone_count() {
        let mut known = link(Some(hub().public()));
        known.state = Link::restored_from_package(WallTime(0), Beginning { epoch: Epoch(1), complete_to: Reading(0) });
        let trust = Trust::new(Some(remote(5)), BTreeSet::new());
        let signer = |number| trust.opening(&known, |opening| opening.signers.and_then(|known| known(number)));
        assert_eq!(signer(KeyNumber(1)), Some(hub().public()));
        assert_eq!(signer(KeyNumber(2)), None);
    }
}
