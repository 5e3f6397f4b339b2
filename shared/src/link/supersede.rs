//! Superseding: one fresh run in place of bundles that nobody fetches (DESIGN section 5).
//!
//! Owns what is remembered of our bundles' way (the looks at the mailbox, and what the peer's bundles tell of its
//! fetching), and the rule by which those that lie there give way. Invariants: what is superseded is selected again
//! from the acknowledged cut; a file is obsolete only if it is known by its digest as ours, and only once the run that
//! replaces it has been sealed to its end, or a package has replaced the installation that it was for. Leaves it to the callers to ask only when something is gained, and to take
//! obsolete files away after the new ones are in place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Link, Outgoing, Role, Sealed};
use crate::bundle::{BundleName, ShortDigest};
use crate::clock::WallTime;
use crate::id::{Epoch, Sequence};

/// For how many times `supersede_after` something is waited for that was under way when last heard of: one that calls
/// once a week, on a line that carries a part of a bundle each time, must be able to finish.
const PATIENCE_UNDER_WAY: u64 = 7;

/// How long a node that holds a part of a bundle keeps silent before it says so, in milliseconds.
const SILENCE_MAX: u64 = 3_600_000;

/// Whether a movement is known to be over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Pace {
    /// It came to its end.
    #[default]
    Over,
    /// It was going on when last heard of.
    UnderWay,
}

/// What was seen and heard of our bundles' way to the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sight {
    /// Those of this epoch that lay in the mailbox after the last look.
    lying: BTreeSet<Sequence>,
    /// How much of each the mailbox held when putting it last broke off.
    parts: BTreeMap<Sequence, u64>,
    /// When a look last showed a movement (one fetched, or a part of one carried there), and whether the latest did.
    moved: Option<(WallTime, Pace)>,
    /// Whether the peer's last bundle left open what becomes of ours: it may be fetching them.
    peer: Pace,
    /// The latest run that replaces others begins after this.
    replaced_to: Sequence,
}

/// Bundles with changes that nobody fetched in time, with no sign that somebody is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfetched {
    sequences: BTreeSet<Sequence>,
    /// How many selections they are of. One alone is superseded only if there is something new to say.
    pub runs: u64,
}

impl Pace {
    fn patience(self) -> u64 {
        match self {
            Self::Over => 1,
            Self::UnderWay => PATIENCE_UNDER_WAY,
        }
    }
}

impl Link {
    /// Notes under which name the bundle was sealed that has taken its number.
    pub fn sealed_as(&mut self, name: &BundleName) {
        if let Some(sealed) = self.outgoing.history.get_mut(&name.sequence) {
            sealed.digest = Some(name.digest);
        }
    }

    /// Takes account of a look at the mailbox to the peer: which files lie in it, and how much it held of those whose
    /// put has broken off since.
    pub fn looked(&mut self, lying: &[BundleName], broken_off: &[(BundleName, u64)], now: WallTime) {
        let out = &mut self.outgoing;
        let lying = out.ours(lying);
        let ours = broken_off.iter().filter(|(name, _)| out.knows(name).is_some());
        let parts: BTreeMap<Sequence, u64> = ours.map(|(name, size)| (name.sequence, *size)).collect();
        // One that was begun just now has the benefit of the doubt; a relay that takes nothing has it once.
        let carried = parts.iter().any(|(sequence, size)| out.sight.parts.get(sequence).is_none_or(|had| size > had));
        // What is superseded we take away ourselves.
        let counts = |sequence: &Sequence| out.history.get(sequence).is_none_or(|sealed| !sealed.superseded);
        let fetched = out.sight.lying.difference(&lying).any(counts);
        if carried || fetched {
            out.sight.moved = Some((now, Pace::UnderWay));
        } else if let Some((_, pace)) = &mut out.sight.moved {
            *pace = Pace::Over;
        }
        out.sight.lying = lying;
        out.sight.parts = parts;
    }

    /// Takes account of what a bundle of the peer's tells of its fetching: while it acknowledges nothing new, it may be
    /// in the midst of it.
    pub(super) fn heard(&mut self, news: bool) {
        let open = !news && self.unacknowledged() > 0;
        self.outgoing.sight.peer = if open { Pace::UnderWay } else { Pace::Over };
    }

    /// Takes account of a part of a bundle that has been fetched so far: its sender is to hear of it, so that it does
    /// not take the bundle away.
    pub fn holds_part(&mut self, now: WallTime) {
        if self.last_sealed.is_none_or(|at| now.0.abs_diff(at.0) >= SILENCE_MAX) {
            self.incoming.owe_ack = true;
        }
    }

    /// The bundles that may be superseded now: with changes, in the outbox or the mailbox since `after` milliseconds,
    /// and without a sign that somebody is fetching them or that they are still being carried there.
    pub fn unfetched<'a>(
        &self,
        outbox: impl IntoIterator<Item = &'a BundleName>,
        now: WallTime,
        after: u64,
    ) -> Option<Unfetched> {
        let out = &self.outgoing;
        let sequences = &out.ours(outbox) | &out.sight.lying;
        let waits = |sealed: &&Sealed| sealed.content && !sealed.superseded;
        let there = out.history.range(out.acked.next()..).filter(|(sequence, _)| sequences.contains(sequence));
        let waiting: Vec<&Sealed> = there.map(|(_, sealed)| sealed).filter(waits).collect();
        let overdue = waiting.first().is_some_and(|oldest| has_passed(oldest.at, after, now));
        let runs = waiting.iter().filter(|sealed| sealed.ends_run()).count() as u64;
        (overdue && self.is_still(now, after)).then_some(Unfetched { sequences, runs })
    }

    /// Whether a bundle in which the peer is asked to send again lies in the outbox, or lay in the mailbox at the last look.
    pub(super) fn request_lies<'a>(&self, outbox: impl IntoIterator<Item = &'a BundleName>) -> bool {
        let out = &self.outgoing;
        let lying = &out.ours(outbox) | &out.sight.lying;
        lying.iter().any(|sequence| out.history.get(sequence).is_some_and(|sealed| sealed.nack))
    }

    /// Whether nothing was seen or heard lately of bundles on their way.
    fn is_still(&self, now: WallTime, after: u64) -> bool {
        let sight = &self.outgoing.sight;
        let heard = self.last_accepted.map(|at| (at, sight.peer));
        let is_over = |(at, pace): (WallTime, Pace)| has_passed(at, after.saturating_mul(pace.patience()), now);
        heard.into_iter().chain(sight.moved).all(is_over)
    }

    /// Goes back to the acknowledged cut, so that the next run replaces these bundles and all that followed them.
    ///
    /// What was fetched stays known, since it may still be acknowledged; of what was never fetched the last generation
    /// does, for as long as its files may have to be recognised.
    pub fn supersede(&mut self, unfetched: &Unfetched) {
        let out = &mut self.outgoing;
        let (acked, lies) = (out.acked, &unfetched.sequences);
        out.drop_replaced(|sequence, sealed| sequence <= acked || !sealed.superseded || lies.contains(&sequence));
        for (_, sealed) in out.history.range_mut(acked.next()..).filter(|(sequence, _)| lies.contains(sequence)) {
            sealed.superseded = true;
            // The request that it bore must not go with it, unless something has come since.
            self.incoming.nack |= sealed.nack && self.last_accepted.is_none_or(|at| at <= sealed.at);
        }
        let latest = out.history.last_key_value().map(|(sequence, _)| *sequence);
        out.sight.replaced_to = latest.unwrap_or_default();
        out.go_back();
        // Even if there is nothing left to say: the old ones can go only when a new one is there.
        self.incoming.owe_ack = true;
    }

    /// The bundles of the current epoch that later ones replace.
    pub fn superseded(&self) -> impl Iterator<Item = Sequence> {
        self.outgoing.history.iter().filter(|(_, sealed)| sealed.superseded).map(|(sequence, _)| *sequence)
    }

    /// Epoch and number of the last bundle that was sealed; the number before the first, if none was in this epoch.
    pub fn last_numbered(&self) -> (Epoch, Sequence) {
        let last = self.outgoing.history.last_key_value().map(|(sequence, _)| *sequence);
        (self.outgoing.epoch, last.unwrap_or_default())
    }

    /// Those of our bundles that later ones have replaced, which are sealed: they may be taken away once these are where they
    /// are. What was for the installation that a package has replaced nobody waits for, whether there is anything for its
    /// successor or not.
    pub fn obsolete(&self) -> impl Iterator<Item = (Epoch, Sequence, ShortDigest)> {
        let (out, has_replaced) = (&self.outgoing, self.outgoing.has_replaced());
        let superseded = out.history.iter().filter(move |(_, sealed)| has_replaced && sealed.superseded);
        let superseded = superseded.map(|(sequence, sealed)| (out.epoch, sequence, sealed));
        let past = out.past.iter().filter(move |(epoch, _)| has_replaced || self.is_before_package(**epoch));
        let past =
            past.flat_map(|(epoch, past)| past.history.iter().map(|(sequence, sealed)| (*epoch, sequence, sealed)));
        superseded.chain(past).filter_map(|(epoch, sequence, sealed)| Some((epoch, *sequence, sealed.digest?)))
    }

    /// Whether a file is one of those.
    pub fn is_obsolete(&self, name: &BundleName) -> bool {
        self.obsolete().any(|known| known == (name.epoch, name.sequence, name.digest))
    }

    /// Whether an epoch of ours was over when the remote's latest package was made.
    fn is_before_package(&self, epoch: Epoch) -> bool {
        self.role == Role::Remote && self.package.is_some_and(|package| epoch < package)
    }
}

impl Sealed {
    /// Whether nothing of its selection follows.
    fn ends_run(&self) -> bool {
        self.floor == self.cut
    }
}

impl Outgoing {
    /// The bundle of this epoch that bears this name. Another file may bear its number, from a past that a backup of
    /// ours does not know of.
    fn knows(&self, name: &BundleName) -> Option<&Sealed> {
        let known = self.history.get(&name.sequence).filter(|sealed| sealed.digest == Some(name.digest));
        known.filter(|_| name.epoch == self.epoch)
    }

    fn ours<'a>(&self, names: impl IntoIterator<Item = &'a BundleName>) -> BTreeSet<Sequence> {
        names.into_iter().filter(|name| self.knows(name).is_some()).map(|name| name.sequence).collect()
    }

    /// Whether the run that replaces others (of an earlier epoch: this one's first) has been sealed to its end.
    fn has_replaced(&self) -> bool {
        let mut fresh = self.history.range(self.sight.replaced_to.next()..).peekable();
        fresh.peek().is_some() && (self.floor == self.sent || fresh.any(|(_, sealed)| sealed.ends_run()))
    }
}

/// Whether so many milliseconds lie between the two. A clock that was set back by more than that has no say either: a
/// bundle superseded too early does no harm, one that never is does.
fn has_passed(since: WallTime, millis: u64, now: WallTime) -> bool {
    now.0.abs_diff(since.0) >= millis
}
