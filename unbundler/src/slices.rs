//! Slices: a large bundle is applied in several transactions, so that the application, which comes first, gets its turn between
//! them (DESIGN section 6).
//!
//! Owns how long each may hold the write lock, and what is done of a bundle so far. Invariant: a slice is stored with what it has
//! done, and the bundle counts as applied with the last transaction alone. What cannot be placed by itself ([`crate::place`])
//! is left to that one. Leaves small bundles to it as a whole. Until then nothing of the bundle is acknowledged: so after a kill
//! it is finished before anything is sealed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::Reading;
use packhorse_shared::config::Span;
use packhorse_shared::link::Header;
use packhorse_shared::replica::{Replica, StoredLink};

use crate::arriving::observed;
use crate::error::UnbundlerError;
use crate::intake::Arrived;
use crate::place::{AheadPlacer, Placed};
use crate::receive::{Pass, Receiver};

/// How bundles are applied in several transactions.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    /// Bundles of fewer records are applied in one.
    pub from: u64,
    /// So many records at most are placed in one slice.
    pub most: u64,
    /// For so long at most a slice holds the write lock while nobody else writes; at zero all is one transaction.
    pub longest: Span,
}

impl Slices {
    /// As it is for people, with the configuration's `apply_pause`.
    pub fn of(longest: Span) -> Self {
        Self { from: 1_000, most: u64::MAX, longest }
    }

    /// Whether all is one transaction, without gaps.
    fn is_at_once(self) -> bool {
        self.longest == Span::default()
    }
}

/// For so long at most while another program writes.
const LONGEST_BESIDE: Duration = Duration::from_millis(25);

/// So long at least others may write before the next slice: SQLite's own wait for a lock sleeps for up to 100 ms.
const GAP_MIN: Duration = Duration::from_millis(110);

/// And at least so many times as long as the lock was held.
const GAP_TIMES: u32 = 9;

/// Another round through the bundle is made only if the last one has placed at least one in so many of what was left.
const WORTH_ONE_IN: u64 = 8;

/// For so long another program counts as writing that has written.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// At most.
const GAP_MAX: Duration = Duration::from_secs(1);

/// For so long the write lock may be held without a gap while nobody is seen to write: who waits for it looks for it now and then
/// only, and is not seen before it has had its turn.
const IN_A_ROW_MOST: Duration = Duration::from_millis(600);

/// What is known of other programs that write.
#[derive(Default)]
pub(crate) struct Others {
    /// When they have written, as far as was looked.
    seen: Option<Instant>,
    /// For how long the lock was held since they had a gap.
    without_gap: Duration,
}

impl Others {
    fn look(&mut self, replica: &mut dyn Replica) -> Result<(), UnbundlerError> {
        if replica.others_wrote()? {
            self.seen = Some(Instant::now());
        }
        Ok(())
    }

    fn are_writing(&self) -> bool {
        self.seen.is_some_and(|at| at.elapsed() < BUSY_FOR)
    }

    /// For how long a slice may last.
    fn longest(&self, alone: Span) -> Duration {
        let alone = Duration::from_millis(alone.as_millis());
        if self.are_writing() { LONGEST_BESIDE.min(alone) } else { alone }
    }

    /// How long a gap they are to have after the lock was held for so long.
    fn gap(&mut self, held: Duration) -> Duration {
        self.without_gap += held;
        let is_busy = self.are_writing();
        if self.without_gap < if is_busy { LONGEST_BESIDE } else { IN_A_ROW_MOST } {
            return Duration::ZERO;
        }
        let held = std::mem::take(&mut self.without_gap);
        if is_busy { (held * GAP_TIMES).clamp(GAP_MIN, GAP_MAX) } else { GAP_MIN }
    }
}

/// How far a bundle has got.
struct Progress {
    /// Which records are placed, by their places in it.
    done: BTreeSet<u64>,
    /// The place that is looked at next.
    at: u64,
    /// The latest stamp of anything in it.
    observed: Reading,
}

/// What is left of a bundle once what could be placed ahead is, and what placing that came to.
pub(crate) struct Left {
    pub changes: Vec<TableChanges>,
    pub placed: Placed,
}

/// Where a slice has got to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// There is more to be looked at.
    Part,
    End,
}

impl Receiver<'_> {
    /// Places ahead what can be placed by itself of a large bundle.
    pub(crate) fn slice(
        &self,
        replica: &mut dyn Replica,
        link: &StoredLink,
        (bundle, header): (&Arrived, &Header),
        changes: Vec<TableChanges>,
        pass: &mut Pass<'_>,
    ) -> Result<Left, UnbundlerError> {
        let mut placed = Placed::default();
        let count: u64 = changes.iter().map(|of| of.records.len() as u64).sum();
        let done: BTreeSet<u64> = replica.sliced(&bundle.file)?.into_iter().collect();
        let mut progress = Progress { done, at: 0, observed: observed(header, &changes) };
        if !self.slices.is_at_once() && count >= self.slices.from {
            let mut known = progress.done.len();
            loop {
                let (slice, reached) =
                    self.one_slice(replica, link, (bundle, header), (&changes, &mut progress), pass)?;
                placed.add(slice);
                // Who was placed in one round may be whom others refer to; where few are, the rest goes faster at once.
                let now = progress.done.len();
                let yields = (now - known) as u64 >= (count - known as u64).div_ceil(WORTH_ONE_IN).max(1);
                match reached {
                    _ if self.stop.is_asked() => break,
                    Reached::Part => {}
                    Reached::End if yields => (progress.at, known) = (0, now),
                    Reached::End => break,
                }
            }
        }
        Ok(Left { changes: left_of(changes, &progress.done), placed })
    }

    fn one_slice(
        &self,
        replica: &mut dyn Replica,
        link: &StoredLink,
        (bundle, header): (&Arrived, &Header),
        (changes, progress): (&[TableChanges], &mut Progress),
        pass: &mut Pass<'_>,
    ) -> Result<(Placed, Reached), UnbundlerError> {
        let now = self.world.clock.now();
        pass.others.look(replica)?;
        let longest = pass.others.longest(self.slices.longest);
        let mut transaction = replica.begin_merge(now, progress.observed)?;
        let begun = Instant::now();
        let (_, arrival) = self.arrival(&mut *transaction, link, header, (true, pass), now)?;
        let mut placer = AheadPlacer::new(&mut *transaction, arrival, now, self.renumber_quiet)?;
        if !placer.may() {
            return Ok((Placed::default(), Reached::End));
        }
        let (mut slice, mut reached) = (Vec::new(), Reached::End);
        for (place, of, record) in places(changes).skip(usize::try_from(progress.at).unwrap_or(usize::MAX)) {
            if begun.elapsed() >= longest || slice.len() as u64 >= self.slices.most {
                reached = Reached::Part;
                break;
            }
            progress.at = place + 1;
            if !progress.done.contains(&place) && placer.place(of, record)? {
                slice.push(place);
            }
        }
        let placed = placer.end()?;
        if slice.is_empty() {
            return Ok((Placed::default(), reached));
        }
        transaction.note_slice(link.id, &bundle.file, &slice)?;
        transaction.commit()?;
        progress.done.extend(slice);
        self.let_others_write(replica, pass, begun.elapsed())?;
        Ok((placed, reached))
    }

    /// Leaves other programs a gap after the lock was held for so long, if it is time for one.
    pub(crate) fn let_others_write(
        &self,
        replica: &mut dyn Replica,
        pass: &mut Pass<'_>,
        held: Duration,
    ) -> Result<(), UnbundlerError> {
        if !self.slices.is_at_once() {
            pass.others.look(replica)?;
            std::thread::sleep(pass.others.gap(held));
        }
        Ok(())
    }
}

/// A bundle without the records of these places.
fn left_of(changes: Vec<TableChanges>, done: &BTreeSet<u64>) -> Vec<TableChanges> {
    let (mut left, mut place) = (changes, 0..);
    for of in &mut left {
        of.records.retain(|_| place.next().is_none_or(|place| !done.contains(&place)));
    }
    left.retain(|of| !of.records.is_empty());
    left
}

/// Every record of a bundle with its place in it.
fn places(changes: &[TableChanges]) -> impl Iterator<Item = (u64, &TableChanges, usize)> {
    let records = changes.iter().flat_map(|of| (0..of.records.len()).map(move |at| (of, at)));
    (0..).zip(records).map(|(place, (of, at))| (place, of, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_the_lock_gets_its_turn_although_it_was_not_seen_to_write() {
        let (mut others, slice) = (Others::default(), Duration::from_millis(100));
        let gaps: Vec<Duration> = (0..12).map(|_| others.gap(slice)).collect();
        let turns: Vec<usize> = (0..12).filter(|at| gaps[*at] >= GAP_MIN).collect();
        assert_eq!(turns, [5, 11]);
    }

    #[test]
    fn who_is_seen_to_write_has_most_of_the_time() {
        let (mut others, slice) =
            (Others { seen: Some(Instant::now()), ..Others::default() }, Duration::from_millis(25));
        assert_eq!(others.longest(Span::from_millis(100)), LONGEST_BESIDE);
        assert_eq!(others.gap(slice), slice * GAP_TIMES);
        assert_eq!(others.gap(slice / 5), Duration::ZERO);
        assert_eq!(others.gap(GAP_MAX), GAP_MAX);
    }
}
