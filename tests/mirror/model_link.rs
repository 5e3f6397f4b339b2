//! The model of a link: what was sent, what was acknowledged, what was applied (DESIGN section 5).
//!
//! It asks again at once where the real one has patience, and keeps its whole past. Everything else is the same.

use std::collections::BTreeMap;

use super::model::{Node, Stamp};
use super::relay::Carried;
use super::tables::{Cell, NodeNumber, Place};

/// A sequence number and the bundle that bore it.
type Mark = (u64, Option<u64>);

/// By sequence number: the cut at which the bundle ended, and which it was.
type History = BTreeMap<u64, Mark>;

/// After so many runs in which nothing came of what is not acknowledged, an empty bundle makes a gap show.
const PATIENCE: u32 = 4;

/// One direction out and one direction in.
#[derive(Clone, Debug)]
pub struct Link {
    epoch: u64,
    next: u64,
    base: Mark,
    sent: u64,
    acked: u64,
    history: History,
    /// Send whole records.
    whole: bool,
    /// Send back what came by this link.
    echo: bool,
    /// Epoch, sequence and id applied last.
    last: Option<(u64, u64, Option<u64>)>,
    applied: BTreeMap<u64, Option<u64>>,
    nack: bool,
    owe_ack: bool,
    /// The last position that had content, and the runs without its acknowledgement.
    said: u64,
    quiet: u32,
    past: BTreeMap<u64, (u64, History)>,
    /// "Send me everything": our latest request, and the peer's last one that we answered.
    ask: u64,
    answered: u64,
}

/// A record's changes on the way.
#[derive(Clone, Debug)]
pub struct Change {
    pub place: Place,
    pub fields: Vec<(usize, Cell, Stamp)>,
    pub dead: Option<Stamp>,
}

/// A bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub sender: NodeNumber,
    pub epoch: u64,
    pub sequence: u64,
    id: u64,
    base: Mark,
    ack: Option<(u64, u64, Option<u64>)>,
    nack: bool,
    ask: u64,
    clock: u64,
    probe: bool,
    pub changes: Vec<Change>,
}

impl Carried for Bundle {
    /// A receiver sees that a bundle is damaged and asks again; whoever asks again at a gap sees the gap.
    fn damaged(self, _how: u64) -> Option<Self> {
        None
    }
}

impl Link {
    /// The link to a remote whose package is made now.
    pub fn new(now: u64, cut: u64) -> Self {
        Self {
            epoch: now,
            next: 1,
            base: (0, None),
            sent: cut,
            acked: cut,
            history: History::from([(0, (cut, None))]),
            whole: false,
            echo: false,
            last: None,
            applied: BTreeMap::from([(0, None)]),
            nack: false,
            owe_ack: false,
            said: 0,
            quiet: 0,
            past: BTreeMap::new(),
            ask: 0,
            answered: 0,
        }
    }

    /// The other end of it: what the package holds counts as applied.
    pub fn of_package(now: u64, cut: u64) -> Self {
        Self { last: Some((now, 0, None)), ..Self::new(now, cut) }
    }

    fn new_epoch(&mut self, now: u64, cut: u64, echo: bool) {
        let over = std::mem::replace(&mut self.history, History::from([(0, (cut, None))]));
        self.past.insert(self.epoch, (self.next, over));
        // Epochs only rise: an old bundle can never look new.
        self.epoch = (self.epoch + 1).max(now);
        (self.next, self.base) = (1, (0, None));
        (self.sent, self.acked, self.said) = (cut, cut, cut);
        (self.whole, self.echo, self.owe_ack) = (true, echo, true);
    }

    fn acknowledged(&mut self, bundle: &Bundle, now: u64) {
        let (mut restored, mut sequence, mut id) = (false, 0, None);
        if let Some((epoch, acked, by)) = bundle.ack {
            let (next, history) = match self.past.get(&epoch) {
                Some((next, history)) if epoch < self.epoch => (*next, history),
                _ if epoch == self.epoch => (self.next, &self.history),
                _ => (0, &self.history),
            };
            restored =
                epoch > self.epoch || acked >= next || history.get(&acked).is_some_and(|(_, known)| *known != by);
            if epoch == self.epoch {
                (sequence, id) = (acked, by);
            }
        }
        // Each request is answered once, and whoever is asked asks back: it may have been restored too.
        let asked = bundle.ask > self.answered;
        if asked {
            self.answered = bundle.ask;
            self.ask = self.ask.max(bundle.ask);
        }
        if restored {
            self.epoch = self.epoch.max(bundle.ack.map_or(0, |ack| ack.0));
            self.ask = self.ask.max(self.answered).max(now) + 1;
        }
        if restored || asked {
            self.new_epoch(now, if asked { 0 } else { self.acked }, asked);
            return;
        }
        (self.acked, self.quiet) = (self.history.get(&sequence).map_or(0, |known| known.0), 0);
        if bundle.nack {
            (self.sent, self.base, self.owe_ack) = (self.acked, (sequence, id), true);
            (self.whole, self.echo) = (sequence == 0, sequence == 0);
        }
    }

    fn is_due(&mut self, has_changes: bool, position: u64) -> Option<bool> {
        self.quiet = if self.acked < self.said { self.quiet + 1 } else { 0 };
        let probe = self.quiet >= PATIENCE;
        if probe {
            (self.owe_ack, self.quiet) = (true, 0);
        }
        if has_changes {
            self.said = position;
        }
        (has_changes || self.owe_ack).then_some(probe)
    }
}

impl Node {
    /// What a peer is owed now, as a bundle of this identity.
    pub fn seal(&mut self, peer: NodeNumber, id: u64) -> Option<Bundle> {
        let (sender, position, clock) = (self.number, self.position, self.clock);
        let link = self.links.get_mut(&peer)?;
        let mut changes = Vec::new();
        for (&place, record) in &self.records {
            let fresh = |at: u64, via: Option<NodeNumber>| at > link.sent && (link.echo || via != Some(peer));
            let present =
                record.fields.iter().enumerate().filter_map(|(column, field)| Some((column, field.as_ref()?)));
            let present: Vec<_> = present.collect();
            let dead = record.dead.filter(|dead| fresh(dead.at, dead.via)).map(|dead| dead.stamp);
            let is_touched = dead.is_some() || present.iter().any(|(_, field)| fresh(field.at, field.via));
            let whole = link.whole && is_touched && record.visible();
            let chosen = present.into_iter().filter(|(_, field)| whole || fresh(field.at, field.via));
            let fields = chosen.map(|(column, field)| (column, field.value.clone(), field.stamp)).collect();
            if is_touched {
                changes.push(Change { place, fields, dead });
            }
        }
        let probe = link.is_due(!changes.is_empty(), position)?;
        let (epoch, sequence) = (link.epoch, link.next);
        let (base, ack, nack, ask) = (link.base, link.last, link.nack, link.ask);
        link.history.insert(sequence, (position, Some(id)));
        (link.base, link.sent, link.next) = ((sequence, Some(id)), position, sequence + 1);
        (link.nack, link.owe_ack, link.whole, link.echo) = (false, false, false, false);
        Some(Bundle { sender, epoch, sequence, id, base, ack, nack, ask, clock, probe, changes })
    }

    /// Takes a bundle in.
    pub fn receive(&mut self, bundle: &Bundle, now: u64) {
        let Some(link) = self.links.get_mut(&bundle.sender) else { return };
        let known = link.last.map(|last| (last.0, last.1));
        if known.is_some_and(|known| (bundle.epoch, bundle.sequence) <= known) {
            link.owe_ack = true;
            return;
        }
        let new_epoch = known.is_none_or(|known| known.0 != bundle.epoch);
        let (sequence, id) = bundle.base;
        let fits = if new_epoch { bundle.base == (0, None) } else { link.applied.get(&sequence) == Some(&id) };
        if !fits {
            (link.nack, link.owe_ack) = (true, true);
            return link.acknowledged(bundle, now);
        }
        self.clock = self.clock.max(bundle.clock);
        self.apply(bundle, now);
        let Some(link) = self.links.get_mut(&bundle.sender) else { return };
        if new_epoch {
            link.applied = BTreeMap::from([(0, None)]);
        }
        link.last = Some((bundle.epoch, bundle.sequence, Some(bundle.id)));
        link.applied.insert(bundle.sequence, Some(bundle.id));
        link.owe_ack |= !bundle.changes.is_empty() || bundle.probe;
        link.acknowledged(bundle, now);
    }
}
