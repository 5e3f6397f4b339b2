//! The write transaction of a merge.
//!
//! Invariant: nothing that is written here is captured (see [`super::silence`]), so the log is as empty at the end as
//! it was when the transaction began.

mod bounds;
mod conflict;
mod counting;
mod numbering;
mod parking;
mod records;
mod refusal;
mod sharing;
mod writing;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::catalogue::{Catalogue, Entry};
use super::fault::{Fault, Outcome};
use super::silence::Loud;
use super::state::{self, Progress};
use super::{
    approvals, arrivals, counters, holding, in_the_way, membership, missing, moves, numbers, quiet, rights, slices,
};
use crate::change::TableChanges;
use crate::clock::{Clock, Reading, Stamp, WallTime};
use crate::horizon::Horizon;
use crate::id::{ColumnId, Cut, LinkId, NodeId, TableId};
use crate::marks::Roster;
use crate::replica::{
    Approval, Belonging, Bounds, Buried, Conflict, Counter, Heard, Held, MergeTransaction, Missing, Moves, Placement,
    Present, Remains, Residence, Result, SharedTable, Spoken, StoredLink, TableShape, ToldOf,
};
use crate::seam::{Saboteur, is_at_work};
use crate::set::Rights;
use crate::value::{Key, Value};
use parking::Part;

/// A write transaction that has begun with nothing unharvested; rolled back when dropped without commit.
pub(super) struct SqliteMerge<'a> {
    writer: &'a Connection,
    path: PathBuf,
    catalogue: &'a Catalogue,
    loud: &'a Loud,
    node: NodeId,
    roster: Roster,
    progress: Progress,
    clock: Clock,
    now: WallTime,
    /// Statements made for column sets, by table: building their text costs more than running them.
    inserts: BTreeMap<(TableId, Vec<usize>), String>,
    updates: BTreeMap<(TableId, Vec<usize>), String>,
    /// Whether anything was written with triggers off, which search tables then have not heard of.
    unheard: Cell<bool>,
    part: Part,
    /// The link that what is written comes by.
    comes_by: LinkId,
    /// Up to where differences of counters need not be told apart, once that was looked at.
    bounds: Cell<Option<Bounds>>,
    open: bool,
}

impl<'a> SqliteMerge<'a> {
    fn entry(&self, table: &TableShape) -> Outcome<&'a Entry> {
        let entry = self.catalogue.entry(table);
        entry.ok_or_else(|| Fault::Damaged(format!("table {} is not synced here", table.name)))
    }

    fn said<T>(&self, outcome: Outcome<T>) -> Result<T> {
        outcome.map_err(|fault| fault.at(&self.path, "be written"))
    }

    fn enlist(&mut self, nodes: impl IntoIterator<Item = NodeId>) -> Outcome<()> {
        nodes.into_iter().try_for_each(|node| state::enlist(self.writer, &mut self.roster, node))
    }
}

impl MergeTransaction for SqliteMerge<'_> {
    fn cut(&self) -> Cut {
        self.progress.cut.next()
    }

    fn clock(&self) -> Reading {
        self.clock.latest()
    }

    fn tick(&mut self) -> Stamp {
        Stamp { reading: self.clock.tick(self.now), node: self.node }
    }

    fn tables(&self) -> Arc<[TableShape]> {
        Arc::clone(self.catalogue.shapes())
    }

    fn find(&mut self, table: &TableShape, key: &Key) -> Result<Option<Present>> {
        self.said(self.entry(table).and_then(|entry| self.try_find(entry, key)))
    }

    fn remains(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Buried>> {
        let find = |entry: &Entry| entry.metadata.all_remains(self.writer, key, &self.roster);
        self.said(self.entry(table).and_then(find))
    }

    fn horizon(&mut self) -> Result<Horizon> {
        self.said(state::horizon(self.writer))
    }

    fn births(&mut self, theirs: Horizon) -> Result<Horizon> {
        let raise = || {
            let ours = state::births(self.writer)?;
            if theirs > ours {
                state::set_births(self.writer, theirs)?;
            }
            Ok(ours.max(theirs))
        };
        self.said(raise())
    }

    fn values(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Value>> {
        self.said(self.entry(table).and_then(|entry| self.try_values(entry, key)))
    }

    fn insert(&mut self, table: &TableShape, key: &Key, fields: &[(usize, Value)]) -> Result<Placement> {
        let inserted = self.try_insert(table, key, fields);
        self.said(inserted)
    }

    fn update(&mut self, table: &TableShape, key: &Key, fields: &[(usize, Value)]) -> Result<Placement> {
        if self.part.parked(table.id, key).is_some() {
            return self.put_back(table, key, fields);
        }
        let updated = self.try_update(table, key, fields);
        self.said(updated)
    }

    fn delete(&mut self, table: &TableShape, key: &Key) -> Result<Placement> {
        let deleted = self.try_delete(table, key);
        self.said(deleted)
    }

    fn comes_by(&mut self, link: LinkId) {
        self.comes_by = link;
    }

    fn counters(&mut self, table: &TableShape, key: &Key) -> Result<BTreeMap<ColumnId, Counter>> {
        self.said(self.entry(table).and_then(|entry| self.try_counters(entry, key)))
    }

    fn note_said(&mut self, table: &TableShape, key: &Key, said: &[(ColumnId, Stamp)]) -> Result<()> {
        self.said(self.entry(table).and_then(|entry| self.try_note_said(entry, key, said)))
    }

    fn forget_counters(&mut self, table: &TableShape, key: &Key) -> Result<()> {
        self.said(self.entry(table).and_then(|entry| entry.drop_counters(self.writer, key)))
    }

    fn forget_differences(&mut self) -> Result<()> {
        self.said(counters::forget_differences(self.writer, self.catalogue, self.cut()))
    }

    fn mark(&mut self, table: &TableShape, key: &Key, present: &Present) -> Result<()> {
        let marked = self.entry(table).and_then(|entry| self.try_mark(entry, key, present.clone()));
        self.said(marked)
    }

    fn bury(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>, remains: &Remains) -> Result<()> {
        let buried = self.entry(table).and_then(|entry| self.try_bury(entry, key, birth, remains));
        self.said(buried)
    }

    fn unbury(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>) -> Result<()> {
        if self.never_met(birth) {
            return Ok(());
        }
        let drop = |entry: &Entry| entry.metadata.drop_remains(self.writer, key, birth, &self.roster);
        self.said(self.entry(table).and_then(drop))
    }

    fn take_off(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>, limbo: &Remains) -> Result<Placement> {
        let taken_off = self.try_take_off(table, key, birth, limbo);
        self.said(taken_off)
    }

    fn has_part(&mut self, table: &TableShape) -> Result<bool> {
        self.said(self.try_has_part(table))
    }

    fn heard(&mut self) -> Result<BTreeMap<LinkId, Heard>> {
        self.said(self.try_heard())
    }

    fn remotes(&mut self) -> Result<Vec<LinkId>> {
        self.said(self.try_remotes().map(|remotes| remotes.iter().map(|link| link.id).collect()))
    }

    fn forget_withdrawn(&mut self) -> Result<()> {
        self.said(self.try_forget_withdrawn())
    }

    fn sharing(&mut self, link: LinkId) -> Result<Vec<SharedTable>> {
        self.said(self.try_sharing(link))
    }

    fn rights(&mut self, link: LinkId) -> Result<BTreeMap<TableId, Rights>> {
        self.said(rights::of_link(self.writer, self.catalogue.shapes(), link))
    }

    fn gained(&mut self, (link, seen): (LinkId, Cut)) -> Result<BTreeSet<(TableId, ColumnId)>> {
        self.said(membership::gained::since(self.writer, link, seen))
    }

    fn untold(&mut self) -> Result<BTreeSet<(TableId, ColumnId)>> {
        self.said(membership::gained::untold(self.writer))
    }

    fn belonging(&mut self, link: LinkId, table: &SharedTable, key: &Key) -> Result<Option<Belonging>> {
        self.said(self.try_belonging(link, table, key))
    }

    fn is_unjudged(&mut self, table: &SharedTable, key: &Key) -> Result<bool> {
        self.said(self.try_is_unjudged(table, key))
    }

    fn told_of(&mut self, of: (LinkId, Cut), table: &SharedTable, key: &Key, withdrawn: Option<Cut>) -> Result<ToldOf> {
        self.said(self.try_told_of(of, table, key, withdrawn))
    }

    fn is_new_to(&mut self, of: (LinkId, Cut), table: &SharedTable, key: &Key) -> Result<bool> {
        self.said(self.try_is_new_to(of, table, key))
    }

    fn note_spoken_of(&mut self, link: LinkId, table: &SharedTable, key: &Key, spoken: Spoken) -> Result<()> {
        self.said(self.try_note_spoken_of(link, table, key, spoken))
    }

    fn missing_parents(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Missing>> {
        let find = |entry: &Entry| missing::find(self.writer, self.catalogue, entry, key, &self.roster);
        self.said(self.entry(table).and_then(find))
    }

    fn living_child(
        &mut self,
        table: &TableShape,
        key: &Key,
        dying: &BTreeSet<(TableId, Key)>,
    ) -> Result<Option<String>> {
        if is_at_work(Saboteur::OrphanChildren) {
            return Ok(None);
        }
        self.said(self.try_child(table, key, dying))
    }

    fn living_children(&mut self, table: &TableShape, key: &Key) -> Result<Vec<(TableId, Key)>> {
        self.said(self.try_children(table, key))
    }

    fn free_number(&mut self, table: &TableShape, taken: &BTreeSet<i64>) -> Result<Option<i64>> {
        self.said(self.entry(table).and_then(|entry| numbers::free(self.writer, entry, taken)))
    }

    fn may_adopt(&mut self, table: &TableShape, number: i64) -> Result<bool> {
        self.said(self.entry(table).and_then(|entry| numbers::may_adopt(self.writer, entry, number)))
    }

    fn wrote_without_range(&mut self, table: &TableShape) -> Result<Option<WallTime>> {
        self.said(quiet::wrote_without_range(self.writer, &table.name))
    }

    fn number_of(&mut self, table: &TableShape, birth: Stamp) -> Result<Option<i64>> {
        let find = |entry: &Entry| entry.metadata.number_of(self.writer, birth, &self.roster);
        self.said(self.entry(table).and_then(find))
    }

    fn given_number(&mut self, table: &TableShape, theirs: i64, birth: Stamp) -> Result<Option<i64>> {
        self.said(self.entry(table).and_then(|of| moves::given(self.writer, of, theirs, birth, &self.roster)))
    }

    fn renumber(&mut self, table: &TableShape, from: i64, to: i64) -> Result<Placement> {
        self.said(self.entry(table).and_then(|entry| self.try_renumber(entry, from, to)))
    }

    fn absorb(&mut self, table: &TableShape, from: i64, into: i64) -> Result<Placement> {
        self.said(self.entry(table).and_then(|entry| self.try_absorb(entry, from, into)))
    }

    fn moves(&mut self) -> Result<Moves> {
        self.said(moves::returned(self.writer, &self.roster))
    }

    fn note_move(&mut self, table: &TableShape, from: &Residence, to: &Residence) -> Result<()> {
        let births = from.birth.into_iter().chain(to.birth);
        let noted = self
            .enlist(births.map(|birth| birth.node))
            .and_then(|()| moves::note(self.writer, table.id, from, to, &self.roster))
            .and_then(|()| numbers::pass_over(self.writer, table, &to.key));
        self.said(noted)
    }

    fn identical(&mut self, table: &TableShape, values: &[Value]) -> Result<Option<Key>> {
        self.said(self.try_identical(table, values))
    }

    fn in_the_way(
        &mut self,
        table: &TableShape,
        key: &Key,
        fields: &[(usize, Value)],
        words: &str,
    ) -> Result<Option<Key>> {
        let at = |name: &str| fields.iter().find(|field| table.position(name) == Some(field.0));
        let said = |name: &str| at(name).map(|field| field.1.clone());
        self.said(self.entry(table).and_then(|entry| in_the_way::find(self.writer, entry, words, key, &said)))
    }

    fn hold(&mut self, of: (LinkId, Cut), change: &TableChanges, reason: &str, now: WallTime) -> Result<()> {
        self.said(holding::hold(self.writer, self.node, of, change, reason, now))
    }

    fn held(&mut self) -> Result<Vec<Held>> {
        self.said(holding::held(self.writer, self.node))
    }

    fn hold_on(&mut self, id: i64, reason: &str) -> Result<()> {
        self.said(holding::hold_on(self.writer, id, reason))
    }

    fn release(&mut self, id: i64) -> Result<()> {
        self.said(holding::release(self.writer, id))
    }

    fn note_tried(&mut self) -> Result<()> {
        self.said(state::set_tried(self.writer, self.cut()))
    }

    fn begin_part(&mut self) -> Result<()> {
        self.try_begin_part()
    }

    fn park(&mut self, table: &TableShape, key: &Key) -> Result<Placement> {
        let parked = self.try_park(table, key);
        self.said(parked)
    }

    fn keep_part(&mut self) -> Result<Placement> {
        self.try_keep_part()
    }

    fn take_back_part(&mut self) -> Result<()> {
        self.try_take_back_part()
    }

    fn note_conflict(&mut self, link: LinkId, table: &str, conflict: &Conflict<'_>, now: WallTime) -> Result<bool> {
        self.put_conflict(link, table, conflict, now)
    }

    fn is_refusal(&mut self, table: &str, word: Stamp) -> Result<bool> {
        self.refusal(table, word)
    }

    fn note(&mut self, text: &str, now: WallTime) -> Result<()> {
        self.said(state::note(self.writer, text, now))
    }

    fn note_slice(&mut self, link: LinkId, bundle: &str, done: &[u64]) -> Result<()> {
        self.said(slices::note(self.writer, (link, bundle), done))
    }

    fn count(&mut self, table: &TableShape) -> Result<u64> {
        self.said(self.try_count(table))
    }

    fn approval(&mut self, bundle: &str) -> Result<Option<Approval>> {
        self.said(approvals::of_bundle(self.writer, bundle))
    }

    fn note_arrival(&mut self, link: LinkId, bundle: &str) -> Result<()> {
        self.said(approvals::forget(self.writer, bundle))?;
        self.said(slices::forget(self.writer, bundle))?;
        self.said(arrivals::note(self.writer, self.cut(), (link, bundle), self.now))
    }

    fn save_link(&mut self, link: &StoredLink) -> Result<()> {
        self.said(state::save_link(self.writer, link))
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        let done = self.try_commit();
        self.said(done)
    }
}
