//! Place: getting the outcome of a merge into the tables.
//!
//! A bundle is placed in rounds. First deletions, then everything else, since a deletion may free a unique key; then
//! what was refused once more, since another record may have stood in the way; then deletions that wait for each other
//! in a circle; and at the end what must be so of the whole: no record refers to one that was deleted here. Invariant:
//! a change is placed or held, the fields of one that wait held apart, and one that is held never stops the rest.
//!
//! Which record, under which number: `identity` finds it here, `follow` gives it the hub's number, `quiet` has what
//! waits for the application before that; `unite` and `united` make one of two made apart, `rejoin` of one that comes
//! back and one made since, `moved` and `returned` know who is known under another birth, `displaced` brings such a one
//! back, `lost` whom the hub has lost, and `anew` on whom it decided again.
//! What becomes of it: `standing` if it stands in its table, `absent` if it does not. What was made without seeing each
//! other: `conflicts`, and `overruled` if the other end found it; what adds up: `counted`. What it refers to: `references`,
//! `mistaken` if that is another here, `parent`, `column`, `undone` if it has to wait for that after all, and `limbo` if that was
//! withdrawn. What its sender may not do: `rights`, and `word` on what is decided against it. What does not fit the schema:
//! `fitting`. What cannot be placed:
//! `hold`, and `retried`; what a person decides on that: `discarded`, `joined` with `handed_over` and `handed_on`. What is placed
//! only together: `swap`, `circle`, `give_way`, and `reborn` with `leaving` where numbers were given again; what is placed in
//! part: `partly`; what is placed ahead of the rest of its bundle: `ahead`.

mod absent;
mod ahead;
mod anew;
mod circle;
mod column;
mod conflicts;
mod counted;
mod discarded;
mod displaced;
mod fitting;
mod follow;
mod give_way;
mod handed_on;
mod handed_over;
mod hold;
mod identity;
mod joined;
mod leaving;
mod limbo;
mod lost;
mod mistaken;
mod moved;
mod named;
mod overruled;
mod parent;
mod partly;
mod placed;
mod quiet;
mod reborn;
mod references;
mod rejoin;
mod retried;
mod returned;
mod rights;
mod standing;
mod swap;
mod undone;
mod unite;
mod united;
mod withdraw;
mod within;
mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::{Stamp, WallTime};
use packhorse_shared::config::Span;
use packhorse_shared::id::{ColumnId, LinkId, TableId};
use packhorse_shared::replica::{Heard, MergeTransaction, Moves, Result, SharedTable, TableShape};
use packhorse_shared::set::Rights;
use packhorse_shared::value::Key;

use crate::merge::{Arrival, Authority, Deletions};
use displaced::Displaced;
use follow::says_only_number;
use hold::Waits;
use identity::{Adopted, Births, Confirms};
use named::Named;
use quiet::Waiting;
use references::Undo;
use rights::REFUSED_BY_PERSON;
use standing::Outlives;
use within::SpokenOf;

pub use ahead::AheadPlacer;
pub use discarded::{Discarded, MayDelete};
pub use joined::Party;
pub use placed::Placed;
pub use quiet::{REFERS_TO_WAITING, WAITS_FOR_QUIET};
pub use retried::HeldPlacer;

/// What became of one record's change.
enum Step {
    Done,
    /// It is what is here already, or older.
    Nothing,
    /// The database or another record stands in the way.
    Refused(String),
    /// Another record stands under its number.
    NumberTaken,
    /// A living child stands in the way of a deletion.
    HasChild(String),
    /// Its sender may not delete it, for this reason.
    MayNotDie(String),
}

type Item<'t> = (&'t TableShape, &'t TableChanges, &'t RecordChange);

/// Places the changes of one bundle within a transaction.
pub struct Placer<'a> {
    transaction: &'a mut dyn MergeTransaction,
    arrival: Arrival,
    now: WallTime,
    placed: Placed,
    /// What is held, once it was looked at: a change that comes again is not held twice.
    held: Option<BTreeMap<(String, Key), Vec<Waits>>>,
    /// Records that die together: none of them keeps another alive.
    dying: BTreeSet<(TableId, Key)>,
    /// Numbers that are out of date.
    moves: Moves,
    confirms: Confirms,
    adopted: Adopted,
    /// Numbers of records here that are to die by the bundle, or to go into others.
    vacated: BTreeSet<(TableId, i64)>,
    /// Those of which something spoke by a number that is out of date.
    redirected: BTreeSet<(TableId, Key, Option<Stamp>)>,
    /// Records that live on here although they were deleted at the other end.
    living_on: BTreeSet<(TableId, Key)>,
    /// Deletions that are overruled.
    outlived: Vec<(TableChanges, Outlives)>,
    /// What each link's remote may do, of those looked at.
    rights: BTreeMap<LinkId, Rc<BTreeMap<TableId, Rights>>>,
    /// The births of records that are about to be placed together, and of the sender's that are new here.
    coming: Births,
    unknown: Births,
    /// Whom the bundle names.
    named: Named,
    /// How changes that are held stand against what is here, by the link that brought them, where that is known.
    of_links: BTreeMap<LinkId, Arrival>,
    /// How far each link's ends have heard each other by now.
    heard: BTreeMap<LinkId, Heard>,
    /// What each link shares, of those looked at.
    sharing: BTreeMap<LinkId, Rc<[SharedTable]>>,
    /// The columns that its sender had dropped with what it says in them, as they were out of what it shares in between.
    regained: BTreeSet<(TableId, ColumnId)>,
    /// The columns of which our hub may not have told everything since it shares them: what has no mark there may be the default.
    untold: BTreeSet<(TableId, ColumnId)>,
    /// Why a change was held last.
    refusal: Option<String>,
    /// Whom what is left of a record was found to refer to last, and who has lost his number.
    displaced: Option<Displaced>,
    /// What its sender has spoken of, and was placed in this round.
    spoken: Vec<SpokenOf>,
    waiting: Waiting,
}

/// Places everything that a bundle brought, then tries what is held once more. `quiet`: for how long the application must
/// have written nothing before a record gets another number where that could mean another record to it.
pub fn place(
    transaction: &mut dyn MergeTransaction,
    bundle: &[TableChanges],
    arrival: Arrival,
    now: WallTime,
    quiet: Span,
) -> Result<Placed> {
    let mut placer = Placer::new(transaction, arrival, now, quiet)?;
    let (overruled, bundle) = overruled::apart(bundle);
    let within = placer.within(&bundle)?;
    let bundle = within.as_deref().unwrap_or(&bundle);
    let named = placer.with_births(bundle)?;
    placer.keep_what_comes_in(bundle)?;
    placer.keep_out_who_died(bundle)?;
    placer.changes(named.as_deref().unwrap_or(bundle))?;
    placer.hear_lost_unions(bundle)?;
    placer.keep_what_comes_in(bundle)?;
    let mut placed = placer.retry_held(&|_| true)?;
    placer.transaction.note_tried()?;
    // A record that is withdrawn may make another free, which was tried before it.
    while !placed.is_empty() {
        placed = placer.retry_held(&|held| held.change.passage == Passage::Withdrawn)?;
    }
    placer.hear_overruled(&overruled)?;
    if placer.placed.held > 0 {
        placer.count_waiting()?;
    }
    Ok(placer.placed)
}

impl<'a> Placer<'a> {
    fn new(transaction: &'a mut dyn MergeTransaction, arrival: Arrival, now: WallTime, quiet: Span) -> Result<Self> {
        transaction.comes_by(arrival.link);
        let moves = transaction.moves()?;
        let regained = match arrival.authority() {
            Authority::Sender => BTreeSet::new(),
            Authority::Here | Authority::HereForNow => transaction.gained((arrival.link, arrival.seen))?,
        };
        let (untold, heard) = (transaction.untold()?, transaction.heard()?);
        let (confirms, adopted, coming) = (Confirms::new(), Adopted::new(), Births::new());
        Ok(Self {
            transaction,
            arrival,
            now,
            placed: Placed::default(),
            held: None,
            dying: BTreeSet::new(),
            moves,
            confirms,
            adopted,
            vacated: BTreeSet::new(),
            redirected: BTreeSet::new(),
            living_on: BTreeSet::new(),
            outlived: Vec::new(),
            rights: BTreeMap::new(),
            coming,
            unknown: Births::new(),
            named: Named::default(),
            of_links: BTreeMap::new(),
            heard,
            sharing: BTreeMap::new(),
            regained,
            untold,
            refusal: None,
            displaced: None,
            spoken: Vec::new(),
            waiting: Waiting::until(quiet),
        })
    }
}

impl Placer<'_> {
    /// Places changes; tells whether any of them spoke of a number that is out of date.
    fn changes(&mut self, changes: &[TableChanges]) -> Result<bool> {
        let identified = self.identify(changes)?;
        let changes = identified.as_deref().unwrap_or(changes);
        let Some(sorted) = self.sort(changes)? else { return self.round(changes).map(|()| false) };
        self.redirected = sorted.redirected;
        let done = self.round(&sorted.changes);
        self.redirected.clear();
        done.map(|()| true)
    }

    fn round(&mut self, bundle: &[TableChanges]) -> Result<()> {
        let tables = self.transaction.tables();
        let mut work: Vec<(&TableShape, &TableChanges, &RecordChange)> = Vec::new();
        let bundle = self.hold_unknown_columns(&tables, bundle)?;
        let bundle = self.hold_unlike(&tables, bundle)?;
        for changes in &*bundle {
            match self.fitting(&tables, changes) {
                Ok(table) => work.extend(changes.records.iter().map(|record| (table, changes, record))),
                Err(reason) => self.hold_all(changes, &reason)?,
            }
        }
        let (leaving, work): (Vec<_>, Vec<_>) = work.into_iter().partition(|item| item.1.passage == Passage::Withdrawn);
        let (deaths, others): (Vec<_>, Vec<_>) = work.into_iter().partition(|(_, _, record)| record.dead.is_some());
        let mut undos = Vec::new();
        let refused = self.pass(deaths, &mut undos)?;
        let refused = [self.pass(others, &mut undos)?, refused].concat();
        // What refers to it may have been changed by the same bundle, and what it makes room for waits for that.
        self.withdraw_all(leaving)?;
        let refused = self.pass_until_settled(refused, &mut undos)?;
        let refused = self.die_together(refused, &mut undos)?;
        let refused = self.give_way(refused, &mut undos)?;
        let refused = self.make_room_for_new(refused, &mut undos)?;
        let refused = self.swap(refused, &mut undos)?;
        self.give_up_all(refused, &mut undos)?;
        self.revive_all(&tables)?;
        self.mend_references(undos)?;
        self.note_all_spoken_of()
    }

    fn pass<'t>(&mut self, work: Vec<Item<'t>>, undos: &mut Vec<Undo<'t>>) -> Result<Vec<Item<'t>>> {
        let mut refused = Vec::new();
        for item in work {
            match self.record(item, undos)? {
                Step::Done => self.placed.records += 1,
                Step::Nothing => {}
                Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => refused.push(item),
            }
        }
        Ok(refused)
    }

    fn pass_until_settled<'t>(
        &mut self,
        mut refused: Vec<Item<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Item<'t>>> {
        loop {
            let before = refused.len();
            refused = self.pass(refused, undos)?;
            if refused.is_empty() || refused.len() == before {
                return Ok(refused);
            }
        }
    }

    /// What is still refused at the end is held; a deletion that a living child refuses is overruled by it.
    fn give_up<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<()> {
        let step = self.record((table, of, record), undos)?;
        self.as_said(table, record, |placer| placer.end_with(step, (table, of, record)))
    }

    fn end_with(&mut self, step: Step, (table, of, record): Item<'_>) -> Result<()> {
        match step {
            Step::Done => self.placed.records += 1,
            Step::Nothing => {}
            // What a person has refused does not wait to happen after all.
            Step::Refused(_) if record.dead.is_some() && self.arrival.deletions == Deletions::Refused => {
                self.outlive(of, record, Outlives::Right(REFUSED_BY_PERSON.to_owned()));
            }
            Step::Refused(reason) => {
                if self.place_partly(table, of, record, &reason)? {
                    return Ok(());
                }
                let same = self.same_here(table, of, record, &reason)?;
                let reason = same.unwrap_or_else(|| self.why_refused(table, &record.key, reason));
                self.hold(of, record, &reason)?;
            }
            Step::NumberTaken => self.give_number(table, of, record)?,
            Step::HasChild(child) => self.outlive(of, record, Outlives::Child(child)),
            Step::MayNotDie(why) => self.outlive(of, record, Outlives::Right(why)),
        }
        Ok(())
    }

    fn record<'t>(&mut self, (table, of, record): Item<'t>, undos: &mut Vec<Undo<'t>>) -> Result<Step> {
        if says_only_number(table, of, record) || self.is_beyond(table, record)? {
            return Ok(Step::Nothing);
        }
        let step = self.as_said(table, record, |placer| placer.merged((table, of, record), undos))?;
        if matches!(step, Step::Done | Step::Nothing) {
            self.has_spoken_of(table, of, record);
        }
        Ok(step)
    }

    fn merged<'t>(&mut self, (table, of, record): Item<'t>, undos: &mut Vec<Undo<'t>>) -> Result<Step> {
        if let Some(reason) = self.awaited(table, of, record)?
            && !self.has_died_since(table, of, record)?
        {
            return Ok(Step::Refused(reason));
        }
        let standing = self.transaction.find(table, &record.key)?;
        match standing {
            Some(present) if self.is_meant(table, &present, record) => self.standing(table, of, record, present, undos),
            occupant => self.absent(table, of, record, occupant.is_some(), undos),
        }
    }
}
