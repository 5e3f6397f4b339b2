//! What waits to be sealed, counted: for one link, and for many in one pass over what changed.
//!
//! Owns the sharing of that pass. Links that share alike and whose peers have the same are owed the same, but for what came
//! by the link itself and the records that it makes an exception of; those are counted for it alone. Invariant: of each link
//! it tells what [`pending`] tells.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use packhorse_shared::clock::WallTime;
use packhorse_shared::id::{Cut, LinkId};
use packhorse_shared::link::{Extent, Reach, Role};
use packhorse_shared::replica::{
    Audience, Belonging, ChangedRecord, Life, Result, Seen, SharedRows, SharedTable, Snapshot, Standings,
};

use super::selector::{Chosen, Selector};
use super::{Owed, Portion, RECORDS_AT_ONCE, Selection, oldest_stamp, select};

/// What waits for a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Records with changes.
    pub records: u64,
    /// About how many bytes they take before compression.
    pub bytes: u64,
    /// When the oldest change was made.
    pub oldest: Option<WallTime>,
}

impl Pending {
    fn add(&mut self, more: Self) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.oldest = self.oldest.into_iter().chain(more.oldest).min();
    }
}

/// Counts all that a link is owed, a portion at a time.
pub fn pending(snapshot: &dyn Snapshot, tables: &[SharedTable], mut owed: Owed) -> Result<Pending> {
    let mut pending = Pending::default();
    loop {
        let selection = select(snapshot, tables, owed, Portion { records: RECORDS_AT_ONCE, bytes: u64::MAX })?;
        pending.add(waiting_in(&selection));
        if selection.reach == Reach::Rest {
            return Ok(pending);
        }
        owed.since = selection.upto;
    }
}

/// What was selected of changes. What the peer is to hear of what was overruled goes along with them, and is none.
fn waiting_in(selection: &Selection) -> Pending {
    let mut pending = Pending::default();
    for table in selection.tables.iter().filter(|table| !table.passage.is_for_people()) {
        let oldest = table.records.iter().filter_map(oldest_stamp).min();
        pending.add(Pending { records: table.records.len() as u64, bytes: table.size(), oldest });
    }
    pending
}

/// Counts all that each of many links is owed. The cost follows what changed and how many sets that concerns, not the
/// number of links.
pub fn pending_of_all(snapshot: &dyn Snapshot, links: &[(&[SharedTable], Owed)]) -> Result<Vec<Pending>> {
    let mut alike: BTreeMap<Alike<'_>, Vec<usize>> = BTreeMap::new();
    for (at, (tables, owed)) in links.iter().enumerate() {
        alike.entry(Alike::of(tables, owed)).or_default().push(at);
    }
    let mut all = vec![Pending::default(); links.len()];
    for group in alike.into_values() {
        let group: Vec<_> = group.into_iter().map(|at| (at, links[at])).collect();
        for ((at, _), pending) in group.iter().zip(pending_of_group(snapshot, &group)?) {
            all[*at] = pending;
        }
    }
    Ok(all)
}

type Member<'a> = (usize, (&'a [SharedTable], Owed));

fn pending_of_group(snapshot: &dyn Snapshot, group: &[Member<'_>]) -> Result<Vec<Pending>> {
    let one_by_one = || group.iter().map(|(_, (tables, owed))| pending(snapshot, tables, *owed)).collect();
    let [(_, (first, owed)), _, ..] = group else { return one_by_one() };
    let mut all = vec![Pending::default(); group.len()];
    for (at, table) in first.iter().enumerate() {
        let rows = |tables: &[SharedTable]| tables[at].rows;
        let audience = Audience::of(group.iter().map(|(_, (tables, owed))| (owed.link, rows(tables))));
        let mut count = Count::new(snapshot, table, *owed, &audience)?;
        let mut show = |record: &dyn ChangedRecord, standings: &Standings| count.record(record, standings);
        snapshot.changed_for(&audience, &table.shape, owed.since, snapshot.cut(), &mut show)?;
        if count.says_twice {
            return one_by_one();
        }
        count.in_order();
        for (pending, (_, (tables, owed))) in all.iter_mut().zip(group) {
            pending.add(count.of(owed.link, rows(tables)));
        }
    }
    Ok(all)
}

/// What two links have in common that can be counted together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    peer: Role,
    since: Cut,
    floor: Cut,
    extent: Extent,
    tables: Tables<'a>,
}

impl<'a> Alike<'a> {
    fn of(tables: &'a [SharedTable], owed: &Owed) -> Self {
        let Owed { peer, since, floor, extent, .. } = *owed;
        Self { peer, since, floor, extent, tables: Tables(tables) }
    }
}

/// Tables and columns, whatever the membership that chooses the rows.
struct Tables<'a>(&'a [SharedTable]);

impl Ord for Tables<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self.0, other.0) {
            return Ordering::Equal;
        }
        let of = |table: &SharedTable| (table.shape.id, table.rows == SharedRows::All);
        let one = self.0.iter().map(|table| (of(table), &table.columns));
        one.cmp(other.0.iter().map(|table| (of(table), &table.columns)))
    }
}

impl PartialOrd for Tables<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Tables<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Tables<'_> {}

/// A link by which nothing came: what it is owed, every other is.
const NOBODY: LinkId = LinkId(u32::MAX);

/// The count of one table.
struct Count<'a> {
    audience: &'a Audience,
    selector: Selector<'a>,
    shared: BTreeMap<SharedRows, Sum>,
    /// What is different for single links.
    apart: BTreeMap<LinkId, Difference>,
    said: HashSet<u64>,
    /// Whether anything is said twice of one record, of which a bundle says one thing.
    says_twice: bool,
}

/// What is owed to all who share the same.
#[derive(Default)]
struct Sum {
    records: u64,
    bytes: u64,
    oldest: Vec<WallTime>,
}

/// What a link is owed instead of a part of that.
#[derive(Default)]
struct Difference {
    instead_of: Sum,
    owed: Pending,
}

impl Sum {
    fn add(&mut self, more: Pending) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.oldest.extend(more.oldest);
    }
}

/// What decides, beside the record and the link, what is said of a record that stands so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Within,
    Entered,
    Left,
    LeftBefore,
    Died,
}

impl Way {
    fn of(belonging: Belonging, floor: Cut) -> Self {
        match belonging {
            Belonging::Since(at) if at > floor => Self::Entered,
            Belonging::Since(_) => Self::Within,
            Belonging::LeftAt(at) if at > floor => Self::Left,
            Belonging::LeftAt(_) => Self::LeftBefore,
            Belonging::DiedAt(_) => Self::Died,
        }
    }
}

impl<'a> Count<'a> {
    fn new(snapshot: &'a dyn Snapshot, table: &'a SharedTable, owed: Owed, audience: &'a Audience) -> Result<Self> {
        let selector = Selector::new(snapshot, table, owed)?;
        let (shared, apart, said) = Default::default();
        Ok(Self { audience, selector, shared, apart, said, says_twice: false })
    }

    fn record(&mut self, record: &dyn ChangedRecord, standings: &Standings) -> Result<()> {
        let (floor, mut keys) = (self.selector.owed.floor, Vec::new());
        let mut by_way: Vec<(Way, Pending)> = Vec::new();
        for (rows, belonging) in &standings.shared {
            let way = Way::of(*belonging, floor);
            let known = by_way.iter().find(|(known, _)| *known == way).map(|(_, owed)| *owed);
            let owed = match known {
                Some(owed) => owed,
                None => self.said_of(&Seen { record, belonging: *belonging }, NOBODY, &mut keys)?,
            };
            if known.is_none() {
                by_way.push((way, owed));
            }
            self.shared.entry(*rows).or_default().add(owed);
        }
        for (link, belonging) in self.concerned(record, standings) {
            let Some(rows) = self.audience.links().get(&link) else { continue };
            let way = standings.to_sharers(*rows).map(|belonging| Way::of(belonging, floor));
            let to_others = by_way.iter().find(|(known, _)| Some(*known) == way).map(|(_, owed)| *owed);
            let owed = match belonging {
                Some(belonging) => self.said_of(&Seen { record, belonging }, link, &mut keys)?,
                None => Pending::default(),
            };
            let difference = self.apart.entry(link).or_default();
            difference.instead_of.add(to_others.unwrap_or_default());
            difference.owed.add(owed);
        }
        keys.sort_unstable();
        keys.dedup();
        self.says_twice |= keys.into_iter().any(|key| !self.said.insert(key));
        Ok(())
    }

    /// The links to which something else may be said of a record than to others, with how it stands to them: those that make
    /// an exception of it, and those by which anything of it came.
    fn concerned(&self, record: &dyn ChangedRecord, standings: &Standings) -> BTreeMap<LinkId, Option<Belonging>> {
        let mut concerned: BTreeMap<LinkId, Option<Belonging>> = standings.apart.iter().copied().collect();
        let mut came_by = |link: LinkId| {
            if let Some(rows) = self.audience.links().get(&link) {
                concerned.entry(link).or_insert_with(|| standings.to_sharers(*rows));
            }
        };
        match record.life() {
            Life::Present(marks) => marks.links().for_each(&mut came_by),
            Life::Absent(remains) => remains.links().for_each(&mut came_by),
        }
        concerned
    }

    /// What is said of a record to a link; notes of what.
    fn said_of(&mut self, record: &dyn ChangedRecord, link: LinkId, keys: &mut Vec<u64>) -> Result<Pending> {
        self.selector.owed.link = link;
        self.selector.consider(record)?;
        let (mut said, before) = (Pending::default(), keys.len());
        for Chosen { passage, change, .. } in self.selector.chosen.drain(..) {
            said.add(Pending { records: 1, bytes: change.size(), oldest: oldest_stamp(&change) });
            let mut hasher = DefaultHasher::new();
            (passage, &change.key, change.birth).hash(&mut hasher);
            let key = hasher.finish();
            self.says_twice |= keys[before..].contains(&key);
            keys.push(key);
        }
        Ok(said)
    }

    /// Readies the sums to be asked.
    fn in_order(&mut self) {
        let apart = self.apart.values_mut().map(|difference| &mut difference.instead_of);
        self.shared.values_mut().chain(apart).for_each(|sum| sum.oldest.sort_unstable());
    }

    /// What a link is owed that shares this.
    fn of(&self, link: LinkId, rows: SharedRows) -> Pending {
        let (nothing, no_difference) = (Sum::default(), Difference::default());
        let sum = self.shared.get(&rows).unwrap_or(&nothing);
        let Difference { instead_of, owed } = self.apart.get(&link).unwrap_or(&no_difference);
        let mut pending = Pending {
            records: sum.records.saturating_sub(instead_of.records),
            bytes: sum.bytes.saturating_sub(instead_of.bytes),
            oldest: first_not_in(&sum.oldest, &instead_of.oldest),
        };
        pending.add(*owed);
        pending
    }
}

/// The first of some that is not among others, each of which is one of them; both in order.
fn first_not_in(all: &[WallTime], others: &[WallTime]) -> Option<WallTime> {
    let same = all.iter().zip(others).take_while(|(one, other)| one == other).count();
    all.get(same).copied()
}
