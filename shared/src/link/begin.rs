//! How a link begins: with a package, at either end, and anew with another package.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ack, Base, Extent, Header, Incoming, Link, Lives, Outgoing, Role, Sealed, Sight, Standing, Sweep, Withdrawing,
};
use crate::clock::{Reading, WallTime};
use crate::id::{Cut, Epoch, Sequence};

/// Where a link begins at its remote: what the package says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The hub's epoch, whose start the package is.
    pub epoch: Epoch,
    /// Everything made up to here on the hub's side is in the package.
    pub complete_to: Reading,
}

impl Link {
    /// A link to a peer that already has everything up to `cut`, in an epoch that starts now and is later than `after`
    /// (that of a link under the same name which was removed). `clock`: nothing the peer has is stamped later, and
    /// everything that it will make is.
    pub fn new(role: Role, now: WallTime, cut: Cut, clock: Reading, after: Epoch) -> Self {
        let start = Sealed::start(cut, Extent::Changes);
        let outgoing = Outgoing {
            epoch: Epoch(after.next().0.max(now.0 / 1000)),
            next: Sequence(1),
            base: Base::default(),
            sent: cut,
            floor: cut,
            acked: Sequence(0),
            replaced: super::Replaced::default(),
            history: BTreeMap::from([(Sequence(0), start)]),
            quiet_runs: 0,
            extent: Extent::Changes,
            past: BTreeMap::new(),
            lost: BTreeSet::new(),
            lives: Lives::default(),
            sweep: Sweep::Done,
            sight: Sight::default(),
            told: Reading(0),
            withdrawing: Withdrawing::default(),
        };
        let incoming = match role {
            Role::Hub => Incoming { complete_to: clock, ..Incoming::default() },
            Role::Remote => Incoming::of_package(clock),
        };
        Self {
            role,
            package: Some(outgoing.epoch),
            outgoing,
            incoming,
            ask: 0,
            answered: 0,
            last_sealed: None,
            last_accepted: None,
            begun: now,
            standing: Standing::Open,
        }
    }

    /// The other end of a link made by a package: what the package holds counts as applied at this epoch's start.
    pub fn restored_from_package(now: WallTime, beginning: Beginning) -> Self {
        let Beginning { epoch, complete_to } = beginning;
        let mut link = Self::new(Role::Hub, now, Cut(0), complete_to, Epoch(0));
        link.outgoing.epoch = link.outgoing.epoch.max(epoch);
        link.package = Some(epoch);
        link.incoming.last = Some(Ack { epoch, sequence: Sequence(0), id: None });
        link.incoming.applied = BTreeMap::from([(Sequence(0), None)]);
        link
    }

    /// Opens a later epoch at `cut`: what a package made now holds counts as sent. Earlier epochs stay known; the new
    /// installation's bundles start afresh, and nothing that it makes is stamped before `clock`.
    pub fn repack(&mut self, now: WallTime, cut: Cut, clock: Reading) {
        self.outgoing.start_epoch(now, cut, Extent::Changes);
        self.incoming = Incoming::of_package(clock);
        self.package = Some(self.outgoing.epoch);
        self.begun = now;
        self.standing = Standing::Open;
    }

    /// Whether a bundle of an installation that was not met comes of a later package than any that we know of: we come from a
    /// backup of the time before that was made.
    pub fn is_of_lost_package(&self, header: &Header) -> bool {
        let out = &self.outgoing;
        let latest = self.package.unwrap_or(out.epoch);
        let is_known =
            |epoch| epoch <= latest || epoch == out.epoch || out.past.contains_key(&epoch) || out.lost.contains(&epoch);
        self.role == Role::Remote && header.ack.is_some_and(|ack| !is_known(ack.epoch))
    }

    /// Takes account of such a package, by the first that comes of it. What came with it is lost here, and what was deleted
    /// before it was made is not there.
    pub fn find_lost_package(&mut self, header: &Header) {
        self.package = header.ack.map(|ack| ack.epoch);
        let complete_to = self.incoming.complete_to;
        self.incoming = Incoming { complete_to, before_package: true, ..Incoming::default() };
    }
}

impl Incoming {
    /// From a remote whose package is made now: it has everything made up to `clock`, and nothing that it makes is stamped
    /// before.
    fn of_package(clock: Reading) -> Self {
        Self { complete_to: clock, answered_to: clock, ..Self::default() }
    }
}
