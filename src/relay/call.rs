//! A call: one transfer over all links, in three steps.
//!
//! Owns what a call has to know beforehand, and what becomes of what it saw. It takes neither keys nor database: how the links
//! stand is in its orders, and what it saw is left for whoever has the database to take in. Where it is made by somebody who has
//! both they are held only before and after the moving itself, which lasts as long as the line is slow: so a service applies and
//! seals while a call is under way. A call that is cut short before its last step is as if it had been killed there: nothing is
//! lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use packhorse_shared::bundle::BundleName;
use packhorse_shared::calls::{Empty, Look, Orders};
use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::ledger::Stock;
use packhorse_shared::seam::Stop;
use packhorse_transport::{KnownRelays, Likeness, Link, Report, Run};

use super::files::{BundleFiles, Elsewhere, Insight, NodeSpool};
use super::keys::Keys;
use super::looks::look;
use super::{relays, role};
use crate::courier::Courier;
use crate::failure::Failure;
use crate::node::Node;

/// A call that is about to be made.
pub struct Call {
    courier: Courier,
    keys: Keys,
    orders: Orders,
    insight: Option<Insight>,
    links: Vec<Link>,
    known: KnownRelays,
    empty: Empty,
    before: Stock,
}

/// A call that was made.
pub struct Made {
    /// What it reports.
    pub report: Report,
    courier: Courier,
    at: WallTime,
    /// The peers from whom what came was fetched.
    accepting: BTreeSet<NodeName>,
    known: KnownRelays,
    empty: Empty,
    elsewhere: BTreeMap<NodeName, Elsewhere>,
    before: Stock,
}

impl Call {
    /// Of somebody who has keys and database: what is fetched is looked into, as far as that tells for whom it is.
    pub fn prepare(node: &mut Node) -> Result<Self, Failure> {
        let (orders, insight, before) = (node.orders()?, node.insight()?, node.stock()?);
        Ok(Self { before, ..Self::by_orders(node.courier(), orders, Some(insight))? })
    }

    /// Of somebody who needs neither: the digest in a bundle's name is all that is checked, and by somebody who can open them
    /// all the same for which installation it is.
    pub fn by_orders(courier: Courier, orders: Orders, insight: Option<Insight>) -> Result<Self, Failure> {
        let calls = courier.home.calls();
        let known = calls.known_relays().into_iter().map(|(relay, likeness)| (relay, Likeness(likeness))).collect();
        let mut empty = calls.empty();
        let links = links(&courier, &orders, &empty)?;
        expect_puts(&courier, &orders, &mut empty)?;
        let keys = Keys::new(&courier.config.access, courier.home.folder());
        Ok(Self { courier, keys, orders, insight, links, known, empty, before: Stock::default() })
    }

    /// Moves what lies ready, until the time is over or the run is to stop.
    pub fn make(self, budget: Option<Duration>, stop: &Stop) -> Made {
        let Self { courier, keys, orders, insight, links, known, empty, before } = self;
        let (world, spool) = (courier.machine.world, courier.spool());
        let most = courier.config.limits.of_bundles().file();
        let inspect = BundleFiles::new(world.disk, courier.name(), &orders, insight.as_ref(), most);
        let run = Run {
            dial: courier.machine.dial,
            spool: &NodeSpool { spool: &spool, folder_of_tmp: courier.home.tmp(), clock: world.clock },
            inspect: &inspect,
            disk: world.disk,
            steps: world.steps,
            stopwatch: &*(courier.machine.start)(stop.clone()),
            random: world.random,
            network: courier.home.identity().network,
            budget,
            stop,
            keyring: &keys,
            known: &known,
        };
        let report = run.transfer(&links);
        let accepting = links.iter().filter(|link| link.accept).map(|link| link.peer.clone()).collect();
        let (elsewhere, at) = (inspect.elsewhere(), world.clock.now());
        Made { report, courier, at, accepting, known, empty, elsewhere, before }
    }
}

impl Made {
    /// Puts down what the call shows of the links, and in the books what became of each bundle.
    pub fn conclude(&self, node: &mut Node) -> Result<(), Failure> {
        self.remember()?;
        node.take_in(&self.looks().into_iter().collect(), &self.elsewhere, &self.before)?;
        node.give_orders()
    }

    /// Leaves that to whoever has the database.
    pub fn leave_word(&self) -> Result<(), Failure> {
        self.courier.home.calls().saw(self.courier.machine.world.disk, self.looks())?;
        self.remember()
    }

    fn looks(&self) -> Vec<Look> {
        let partly = come_in_part(&self.courier);
        let looks = self.report.links.iter().map(|told| Look {
            in_part: partly.contains(&told.peer),
            ..look(told, self.at, self.accepting.contains(&told.peer))
        });
        looks.collect()
    }

    /// What the next call has to know. What is known already is not written again: most calls have nothing to write.
    fn remember(&self) -> Result<(), Failure> {
        let (calls, disk) = (self.courier.home.calls(), self.courier.machine.world.disk);
        if self.report.known != self.known {
            let known = self.report.known.iter().map(|(relay, likeness)| (relay.clone(), likeness.0.clone()));
            calls.set_known_relays(disk, &known.collect::<BTreeMap<_, _>>())?;
        }
        let mut empty = self.empty.clone();
        for told in &self.report.links {
            let (Some(relay), Some(lying)) = (&told.relay, &told.lying) else { continue };
            match lying.is_empty() && told.broken_off.is_empty() {
                true => empty.found(&told.peer, relay, self.at),
                false => empty.forget(&told.peer),
            }
        }
        if empty != self.empty {
            calls.set_empty(disk, &empty)?;
        }
        if self.report.has_got_through() {
            calls.clear_redial(disk)?;
        }
        Ok(())
    }
}

/// The nodes of whose bundles something has come only in part.
fn come_in_part(courier: &Courier) -> BTreeSet<NodeName> {
    // A folder that cannot be listed now is listed by the next call.
    let begun = courier.spool().leftovers().unwrap_or_default().into_iter().filter(|file| file.size > 0);
    let names = begun.filter_map(|file| file.name.parse::<BundleName>().ok());
    names.filter(|name| name.to == *courier.name()).map(|name| name.from).collect()
}

/// A mailbox into which something is to be put does not count as empty any more, whatever becomes of the call.
fn expect_puts(courier: &Courier, orders: &Orders, empty: &mut Empty) -> Result<(), Failure> {
    let before = empty.clone();
    for link in orders.links.iter().filter(|link| before.knows(&link.peer)) {
        // One that cannot be looked into is told of by the transfer, and is in no other's way.
        if !courier.spool().outbox(&link.peer).is_ok_and(|files| files.is_empty()) {
            empty.forget(&link.peer);
        }
    }
    if *empty != before {
        courier.home.calls().set_empty(courier.machine.world.disk, empty)?;
    }
    Ok(())
}

/// The links as a transfer needs them. One over which either end is refused is left out.
pub(super) fn links(courier: &Courier, orders: &Orders, empty: &Empty) -> Result<Vec<Link>, Failure> {
    let relays = relays(&courier.config.node.relay)?;
    let (accept, now) = (courier.config.node.accept, courier.machine.world.clock.now());
    // Of several it is not known which will answer.
    let only = match relays.as_slice() {
        [relay] => Some(relay.to_string()),
        _ => None,
    };
    let links = orders.links.iter().filter(|link| link.standing.is_served()).map(|link| Link {
        peer: link.peer.clone(),
        role: role(link.role),
        has_empty_mailbox: only.as_ref().is_some_and(|relay| empty.is_known(&link.peer, relay, now)),
        relays: relays.clone(),
        accept: accept && link.fetch,
    });
    Ok(links.collect())
}
