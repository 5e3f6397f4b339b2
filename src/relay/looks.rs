//! What calls saw, taken in: what it tells the links, and the bundle queue's books.
//!
//! The sender remembers what nobody has fetched, for superseding; the receiver says that it holds a part of a bundle, so
//! that the bundle is not taken away meanwhile. A bundle that came damaged is asked for again, since its sender thinks that it
//! arrived; and a call in which nothing of ours was on the way counts towards a lost last bundle, unless its acknowledgement may
//! be what is left on the relay.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::bundle::BundleName;
use packhorse_shared::calls::{Look, Looks};
use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::ledger::Stock;
use packhorse_shared::link::Role;
use packhorse_shared::replica::{Replica, StoredLink};
use packhorse_shared::seam::Step;
use packhorse_transport::{FileName, LinkReport, Outcome};

use super::files::Elsewhere;
use crate::bookkeeping;
use crate::failure::Failure;
use crate::node::{Node, reached};
use crate::report::note;

/// What a call's report of a link comes to.
pub(super) fn look(told: &LinkReport, at: WallTime, accept: bool) -> Look {
    let names = |names: &[FileName]| names.iter().map(FileName::to_string).collect();
    Look {
        relay: told.relay.clone(),
        damaged: !told.rejected.is_empty(),
        quiet: accept && is_quiet(told),
        unfetched: told.unfetched.iter().map(|entry| entry.name.to_string()).collect(),
        lying: told.lying.as_ref().map(|lying| lying.iter().map(FileName::to_string).collect()),
        sent: names(&told.sent_files),
        broken_off: told.broken_off.iter().map(|(name, size)| (name.to_string(), *size)).collect(),
        failed: bookkeeping::not_moved(told).collect(),
        ..Look::new(told.peer.clone(), at)
    }
}

/// Whether nothing of ours was on the way.
fn is_quiet(told: &LinkReport) -> bool {
    let on_the_way = told.sent.files > 0 || !told.unfetched.is_empty() || told.work_left;
    told.outcome() == Outcome::Done && !on_the_way
}

impl Node {
    /// Takes in what calls saw that were made without the database.
    pub fn take_in_looks(&mut self) -> Result<(), Failure> {
        let calls = self.home.calls();
        match calls.take(self.world.disk) {
            Ok(looks) if looks == Looks::default() => {}
            Ok(looks) => self.take_in(&looks, &BTreeMap::new(), &Stock::default())?,
            // The next call looks again. What cannot even be removed is in nobody's way but its own.
            Err(error) => {
                note(&format!("{error}; what the last calls saw is not known"));
                calls.taken_in(self.world.disk).unwrap_or_else(|error| note(&error.to_string()));
                return Ok(());
            }
        }
        Ok(calls.taken_in(self.world.disk)?)
    }

    /// Takes in what calls saw. `elsewhere`: where the peer was found to send to another installation. `before`: what lay in the
    /// queues then, as far as it was looked at.
    pub(super) fn take_in(
        &mut self,
        looks: &Looks,
        elsewhere: &BTreeMap<NodeName, Elsewhere>,
        before: &Stock,
    ) -> Result<(), Failure> {
        for mut link in self.replica.links()? {
            let state = link.state.clone();
            let elsewhere = elsewhere.get(&link.peer).copied();
            let of_link = looks.of(&link.peer);
            take_account(self.name(), &mut link, of_link, elsewhere);
            if link.state != state {
                self.replica.save_link(&link)?;
                reached(self.world, Step::TransferConcluded, self.replica.path())?;
            }
        }
        self.keep_books(None, |books, _| {
            books.meet(before);
            looks.all().for_each(|look| bookkeeping::transferred(books, look));
        });
        Ok(())
    }
}

/// Tells a link's state what calls saw of its bundles on their way, in both directions.
fn take_account(node: &NodeName, link: &mut StoredLink, looks: &[Look], elsewhere: Option<Elsewhere>) {
    let Some(last) = looks.last() else { return };
    for look in looks {
        if let Some(lying) = &look.lying {
            let ours = |name: &str| bundle(name, node, &link.peer);
            let lying: BTreeSet<BundleName> = lying.iter().filter_map(|name| ours(name)).collect();
            let broken_off = look.broken_off.iter().filter_map(|(name, size)| Some((ours(name)?, *size)));
            let (lying, broken_off): (Vec<_>, Vec<_>) = (lying.into_iter().collect(), broken_off.collect());
            link.state.looked(&lying, &broken_off, look.at);
        }
        if look.damaged {
            link.state.ask_again();
        }
    }
    match elsewhere.filter(|_| link.state.role() == Role::Hub) {
        Some(Elsewhere::Replaced) => link.state.refused(),
        // It hears of us by our next word, unless one is on its way.
        Some(Elsewhere::Unheard) if last.quiet => link.state.dropped_predecessors(),
        Some(Elsewhere::Unheard) | None => {}
    }
    if last.in_part {
        link.state.holds_part(last.at);
    }
    // However many calls were made meanwhile: what the ones before fetched was not applied yet.
    if last.quiet {
        link.state.quiet_run();
    }
}

fn bundle(name: &str, from: &NodeName, to: &NodeName) -> Option<BundleName> {
    name.parse().ok().filter(|name: &BundleName| name.from == *from && name.to == *to)
}
