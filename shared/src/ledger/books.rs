//! The books: every bundle file that is known, and how reports and stock-takings move them on.
//!
//! Owns the bookkeeping rules, pure but for the reason of a refusal, which is read where it is news. Invariants: a file
//! that lies in the spool is in the books; one that has gone has moved on; what is finished is kept for a while only,
//! so that the books do not grow for ever.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Key, bundle_of};
use super::state::{Direction, Event, State};
use super::stock::{Lying, Standing, Stock};
use crate::bundle::BundleName;
use crate::clock::WallTime;
use crate::id::NodeName;

/// How many finished bundles are kept for each peer.
pub const FINISHED_MAX: usize = 1_000;

/// How long a finished bundle is kept, in milliseconds.
pub const FINISHED_FOR: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The bundle files of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub(super) entries: BTreeMap<Key, Entry>,
}

impl Books {
    /// Every entry, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// One entry.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// A bundle was put on a relay.
    pub fn sent(&mut self, file: &str, relay: &str, now: WallTime) {
        self.change(file, |entry| {
            entry.attempts = entry.attempts.saturating_add(1);
            entry.relay = Some(relay.to_owned());
            entry.step(Event::Sent, now);
        });
    }

    /// A bundle was to be moved and was not.
    pub fn not_moved(&mut self, file: &str, error: &str, now: WallTime) {
        self.change(file, |entry| {
            entry.attempts = entry.attempts.saturating_add(1);
            entry.failed(error, now);
        });
    }

    /// What of ours still lies on a relay for a peer: the rest that was put there has been fetched.
    pub fn listed(&mut self, peer: &NodeName, relay: &str, there: &[&str], now: WallTime) {
        let there: BTreeSet<&str> = there.iter().copied().collect();
        let put_there = |key: &Key, entry: &Entry| {
            entry.peer == *peer && entry.relay.as_deref() == Some(relay) && !there.contains(key.file.as_str())
        };
        let gone = self.entries.iter_mut().filter(|(key, entry)| put_there(key, entry));
        gone.for_each(|(_, entry)| entry.step(Event::Fetched, now));
    }

    /// Something has happened to a bundle in the queue.
    pub fn happened(&mut self, file: &str, event: Event, now: WallTime) {
        self.change(file, |entry| entry.step(event, now));
    }

    /// A bundle of the inbox was looked at, and this came of it.
    pub fn looked_at(&mut self, file: &str, event: Event, why: Option<&str>, now: WallTime) {
        self.change(file, |entry| {
            entry.attempts = entry.attempts.saturating_add(1);
            entry.step(event, now);
            match why {
                Some(why) => entry.failed(why, now),
                None if entry.state.is_finished() => entry.error = None,
                None => {}
            }
        });
    }

    /// Somebody discarded a bundle.
    pub fn discarded(&mut self, key: &Key, now: WallTime) {
        self.entries.entry(key.clone()).and_modify(|entry| entry.step(Event::Discarded, now));
    }

    /// Somebody wants a bundle to be tried again: as if it had never been.
    pub fn try_again(&mut self, key: &Key) {
        self.entries.entry(key.clone()).and_modify(|entry| {
            entry.attempts = 0;
            entry.error = None;
        });
    }

    /// Brings the books in line with what there is.
    pub fn take_stock(&mut self, stock: &Stock) {
        self.take_queues(stock);
        self.take_quarantine(stock);
        self.settle_gone(stock);
    }

    /// Takes in what lay in the queues at an earlier time and is not known yet. What became of the rest since is known better.
    pub fn meet(&mut self, earlier: &Stock) {
        for (peer, lying) in &earlier.outbox {
            self.meet_one(lying, Direction::Outgoing, peer, Event::InOutbox);
        }
        for lying in &earlier.inbox {
            if let Some(name) = bundle_of(&lying.file) {
                self.meet_one(lying, Direction::Incoming, &name.from, Event::InInbox);
            }
        }
    }

    fn meet_one(&mut self, lying: &Lying, direction: Direction, peer: &NodeName, event: Event) {
        if bundle_of(&lying.file).is_some() {
            let entry = self.entries.entry(Key::queued(&lying.file));
            entry.or_insert_with(|| new_entry(lying, direction, peer, event));
        }
    }

    /// Forgets what has been finished for long, or is more than is kept for a peer.
    pub fn forget_old(&mut self, now: WallTime) {
        let mut finished: BTreeMap<&NodeName, Vec<(WallTime, &Key)>> = BTreeMap::new();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| entry.is_finished()) {
            finished.entry(&entry.peer).or_default().push((entry.since, key));
        }
        let mut forgotten: Vec<Key> = Vec::new();
        for mut of_peer in finished.into_values() {
            of_peer.sort_unstable_by(|one, other| other.cmp(one));
            let old = of_peer
                .iter()
                .enumerate()
                .filter(|(at, (since, _))| *at >= FINISHED_MAX || now.0.saturating_sub(since.0) > FINISHED_FOR);
            forgotten.extend(old.map(|(_, (_, key))| (*key).clone()));
        }
        forgotten.iter().for_each(|key| drop(self.entries.remove(key)));
    }

    fn change(&mut self, file: &str, change: impl FnOnce(&mut Entry)) {
        self.entries.entry(Key::queued(file)).and_modify(change);
    }

    fn take_queues(&mut self, stock: &Stock) {
        for (peer, lying) in &stock.outbox {
            self.see(Key::queued(&lying.file), lying, Direction::Outgoing, |_| peer.clone(), stock.now);
        }
        for lying in &stock.inbox {
            self.see(Key::queued(&lying.file), lying, Direction::Incoming, |name| name.from, stock.now);
        }
    }

    /// A refused bundle goes on from where it was when it lay in the inbox.
    fn take_quarantine(&mut self, stock: &Stock) {
        for lying in &stock.quarantine {
            let (key, Some(name)) = (Key::refused(&lying.file), bundle_of(&lying.file)) else { continue };
            let before = Key::queued(&name.to_string());
            let lies_there = || stock.inbox.iter().any(|other| other.file == before.file);
            let was_there = self.entries.get(&before).is_some_and(|entry| entry.state.is_in_inbox());
            if was_there && !self.entries.contains_key(&key) && !lies_there() {
                let moved = self.entries.remove(&before).into_iter();
                self.entries.extend(moved.map(|entry| (key.clone(), entry)));
            }
            self.see(key, lying, Direction::Incoming, |name| name.from, stock.now);
        }
    }

    /// A file that lies in the spool. What bears no bundle's name is passed over.
    fn see(
        &mut self,
        key: Key,
        lying: &Lying,
        direction: Direction,
        peer: impl FnOnce(BundleName) -> NodeName,
        now: WallTime,
    ) {
        let event = match (key.quarantine, direction) {
            (true, _) => Event::InQuarantine,
            (false, Direction::Outgoing) => Event::InOutbox,
            (false, Direction::Incoming) => Event::InInbox,
        };
        let entry = match self.entries.entry(key) {
            // A key of the books is a bundle's name: it need not be read again.
            Occupied(known) => known.into_mut(),
            Vacant(place) => {
                let Some(name) = place.key().bundle() else { return };
                place.insert(new_entry(lying, direction, &peer(name), event))
            }
        };
        entry.step(event, now);
        entry.size = lying.size;
        let is_news = entry.error.is_none() || entry.since == now;
        if let Some(why) = is_news.then(|| lying.why.words()).flatten() {
            entry.failed(&why, entry.since);
        }
    }

    /// Moves on what lies nowhere in the spool any more.
    fn settle_gone(&mut self, stock: &Stock) {
        let queued = stock.outbox.iter().map(|(_, lying)| lying).chain(&stock.inbox);
        let queued: BTreeSet<&str> = queued.map(|lying| lying.file.as_str()).collect();
        let refused: BTreeSet<&str> = stock.quarantine.iter().map(|lying| lying.file.as_str()).collect();
        let links: BTreeMap<&NodeName, &Standing> = stock.links.iter().map(|link| (&link.peer, link)).collect();
        for (key, entry) in &mut self.entries {
            if entry.state.is_under_way() {
                // Few links have sealed any, and reading a name takes longer than all the rest.
                let link = links.get(&entry.peer).filter(|link| !link.empty.is_empty()).zip(key.bundle());
                entry.empty =
                    link.is_some_and(|(link, name)| name.epoch == link.epoch && link.empty.contains(&name.sequence));
            }
            let lies = if key.quarantine { &refused } else { &queued };
            if !lies.contains(key.file.as_str()) && !entry.state.is_finished() {
                settle(key, entry, links.get(&entry.peer).copied(), stock.now);
            }
        }
        // A file that went from quarantine back into the inbox goes on under its name there.
        let is_back = |key: &Key| bundle_of(&key.file).is_some_and(|name| queued.contains(name.to_string().as_str()));
        self.entries.retain(|key, entry| !(key.quarantine && entry.state.is_finished() && is_back(key)));
    }
}

fn new_entry(lying: &Lying, direction: Direction, peer: &NodeName, event: Event) -> Entry {
    let state = match event {
        Event::InOutbox => State::Sealed,
        Event::InQuarantine => State::Quarantined,
        _ => State::Received,
    };
    let (first_seen, since) = (lying.written, lying.written);
    let (size, peer) = (lying.size, peer.clone());
    Entry { direction, peer, state, size, first_seen, since, attempts: 0, empty: false, error: None, relay: None }
}

/// What has become of a bundle whose file is gone, as the link tells it.
fn settle(key: &Key, entry: &mut Entry, link: Option<&Standing>, now: WallTime) {
    let Some((name, link)) = key.bundle().zip(link) else { return entry.step(Event::Discarded, now) };
    let place = (name.epoch, name.sequence);
    match entry.direction {
        Direction::Outgoing if place <= (link.epoch, link.acknowledged) && name.epoch == link.epoch => {
            entry.step(Event::Acknowledged, now);
        }
        // A later epoch holds what the earlier one was about.
        Direction::Outgoing if name.epoch < link.epoch || link.superseded.contains(&name.sequence) => {
            entry.step(Event::Superseded, now);
        }
        Direction::Outgoing => entry.step(Event::Sent, now),
        Direction::Incoming if link.applied.is_some_and(|applied| place <= applied) && !key.quarantine => {
            entry.step(Event::Applied, now);
        }
        Direction::Incoming => {
            entry.step(Event::Discarded, now);
            entry.failed("its file is gone from the spool", now);
        }
    }
}
