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
}

/// For so long at most while another program writes.
const LONGEST_BESIDE: Duration = Duration::from_millis(25);

/// So long at least others may write before the next slice: SQLite's own wait for a lock sleeps for up to 100 ms.
const GAP_MIN: Duration = Duration::from_millis(110);

/// And at least so many times as long as the slice was.
const GAP_TIMES: u32 = 9;

/// Another round through the bundle is made only if the last one has placed at least one in so many of what was left.
const WORTH_ONE_IN: u64 = 8;

/// For so long another program counts as writing that has written.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// When others have written, as far as was looked.
struct Others(Option<Instant>);

impl Others {
    fn look(&mut self, replica: &mut dyn Replica) -> Result<(), UnbundlerError> {
        if replica.others_wrote()? {
            self.0 = Some(Instant::now());
        }
        Ok(())
    }

    fn are_writing(&self) -> bool {
        self.0.is_some_and(|at| at.elapsed() < BUSY_FOR)
    }

    /// For how long a slice may last.
    fn longest(&self, alone: Span) -> Duration {
        let alone = Duration::from_millis(alone.as_millis());
        if self.are_writing() { LONGEST_BESIDE.min(alone) } else { alone }
    }

    /// How long others may write after a slice that lasted so long.
    fn gap(&self, slice: Duration) -> Duration {
        if self.are_writing() { GAP_MIN.max(slice * GAP_TIMES) } else { Duration::ZERO }
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
    others: Others,
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
        pass: &Pass<'_>,
    ) -> Result<Left, UnbundlerError> {
        let mut placed = Placed::default();
        let count: u64 = changes.iter().map(|of| of.records.len() as u64).sum();
        let done: BTreeSet<u64> = replica.sliced(&bundle.file)?.into_iter().collect();
        let mut progress = Progress { done, at: 0, observed: observed(header, &changes), others: Others(None) };
        if self.slices.longest != Span::default() && count >= self.slices.from {
            // Only what was written since then is known.
            replica.others_wrote()?;
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
        pass: &Pass<'_>,
    ) -> Result<(Placed, Reached), UnbundlerError> {
        let now = self.world.clock.now();
        progress.others.look(replica)?;
        let longest = progress.others.longest(self.slices.longest);
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
        progress.others.look(replica)?;
        std::thread::sleep(progress.others.gap(begun.elapsed()));
        Ok((placed, reached))
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
