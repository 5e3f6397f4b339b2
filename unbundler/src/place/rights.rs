//! What a remote may do to the records that it shares: the hub enforces it on whatever arrives.
//!
//! Invariant: what is refused is undone by an edit of the hub's own, which is later: there is no second mechanism (DESIGN section
//! 6, authority). It is told to the people here, and to those at the remote. What is held is judged when it is placed.

use std::collections::BTreeMap;
use std::rc::Rc;

use packhorse_shared::change::RecordChange;
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::replica::{
    Conflict, Found, Matter, Missing, Placement, Present, Remains, Result, Side, TableShape,
};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::set::{Claim, Right, Rights};
use packhorse_shared::value::{Key, Value};

use super::references::{Before, Undo};
use super::undone::Taken;
use super::{Item, Placer, Step};
use crate::merge::{self, Deletions};

/// Why a deletion is refused that waited for a person's word.
pub(super) const REFUSED_BY_PERSON: &str = "`packhorse approve --refuse` said so of its bundle";

/// By whom a making is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// By a right: what refers to the record is refused with it, whenever it comes, as nobody would ever bring that back.
    Right,
    /// By a person, who has said nothing of what refers to it.
    Person,
}

/// What of a record's fields its sender may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum May {
    /// All.
    All,
    /// None, or all but these columns, by position; with the reason.
    Not(Option<Vec<usize>>, String),
}

impl May {
    /// Whether it may write a column.
    pub fn write(&self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Not(None, _) => false,
            Self::Not(Some(columns), _) => !columns.contains(&at),
        }
    }
}

/// A field that was refused: its position, and what it was to be.
pub(super) type RefusedField = (usize, Value, Stamp);

impl Placer<'_> {
    /// What the sender may do to a table's records; None if everything that it shares.
    fn rights(&mut self, table: &TableShape) -> Result<Option<Rights>> {
        if !self.is_from_remote() {
            return Ok(None);
        }
        let link = self.arrival.link;
        let known = match self.rights.get(&link) {
            Some(known) => Rc::clone(known),
            None => {
                let all: Rc<BTreeMap<TableId, Rights>> = self.transaction.rights(link)?.into();
                self.rights.insert(link, Rc::clone(&all));
                all
            }
        };
        Ok(known.get(&table.id).cloned())
    }

    /// What the sender may write of a record that stands here.
    pub(super) fn may_write(&mut self, table: &TableShape, key: &Key, present: &Present) -> Result<May> {
        let Some(rights) = self.rights(table)? else { return Ok(May::All) };
        let allows = is_at_work(Saboteur::AllowChanges);
        if !allows && !self.extends(&rights, rights.table.writes, table, (key, present))? {
            return Ok(May::Not(None, format!("{} may not change it", rights.remote)));
        }
        let (columns, why) = (self.read_only(table)?, only_to_be_read(&rights));
        Ok(if columns.is_empty() { May::All } else { May::Not(Some(columns), why) })
    }

    /// Why the sender may not delete a record that stands here; None if it may.
    pub(super) fn may_not_delete(
        &mut self,
        table: &TableShape,
        key: &Key,
        present: &Present,
    ) -> Result<Option<String>> {
        if self.arrival.deletions == Deletions::Refused && !is_at_work(Saboteur::IgnoreWord) {
            return Ok(Some(REFUSED_BY_PERSON.to_owned()));
        }
        let Some(rights) = self.rights(table)? else { return Ok(None) };
        let allows = is_at_work(Saboteur::AllowDeletions);
        let may = allows || self.extends(&rights, rights.table.deletes, table, (key, present))?;
        Ok((!may).then(|| format!("{} may not delete it", rights.remote)))
    }

    /// Why the sender may not make a record, or bring it back to life; None if it may.
    pub(super) fn may_not_make(
        &mut self,
        table: &TableShape,
        (key, birth): (&Key, Option<Stamp>),
        known: Option<&Remains>,
        remains: &Remains,
    ) -> Result<Option<String>> {
        let Some(rights) = self.rights(table)? else { return Ok(None) };
        // Who brings back a record writes it, and whose it was it is.
        let is_new = birth.map_or(known.is_none(), |birth| birth.node == self.arrival.sender);
        let named = rights.table.owner_column.as_deref();
        let field = |id| known.and_then(|known| known.get(id)).or_else(|| remains.get(id));
        let value = named.and_then(|name| owner_in(table, key, name, |id| Some(&field(id)?.value)));
        let may = rights.allow(rights.table.writes, Claim { made_there: is_new, owner: value });
        let may = may || is_at_work(Saboteur::AllowMakings);
        Ok((!may).then(|| format!("{} may not make it", rights.remote)))
    }

    /// The columns that the sender may only read, by position.
    pub(super) fn read_only(&mut self, table: &TableShape) -> Result<Vec<usize>> {
        let Some(rights) = self.rights(table)? else { return Ok(Vec::new()) };
        let columns = table.columns.iter().enumerate().filter(|(_, column)| rights.is_read_only(&column.name));
        Ok(columns.map(|(at, _)| at).collect())
    }

    /// Has what was kept back told to its sender as an edit of the hub's.
    pub(super) fn decide_kept_back(&mut self, table: &TableShape, present: &mut Present, kept: &[RefusedField]) {
        for (column, stamp) in kept.iter().filter_map(|(at, _, stamp)| Some((table.columns.get(*at)?, *stamp))) {
            let known = present.marks.get(column.id).map_or(stamp, |mark| mark.stamp.max(stamp));
            present.marks.set(column.id, self.word_on(known));
        }
    }

    /// Tells what was kept back of a record that stands now, but for what says the same.
    pub(super) fn tell_kept_back(
        &mut self,
        table: &TableShape,
        (key, present): (&Key, &Present),
        mut kept: Vec<RefusedField>,
    ) -> Result<()> {
        if kept.is_empty() {
            return Ok(());
        }
        let values = self.transaction.values(table, key)?;
        kept.retain(|(at, lost, _)| values.get(*at) != Some(lost));
        match (kept.is_empty(), self.rights(table)?) {
            (false, Some(rights)) => {
                let why = only_to_be_read(&rights);
                self.refused_fields(table, (key, present), (&kept, &values), &why)
            }
            _ => Ok(()),
        }
    }

    fn extends(
        &mut self,
        rights: &Rights,
        right: Right,
        table: &TableShape,
        (key, present): (&Key, &Present),
    ) -> Result<bool> {
        let made_there = present.birth.is_some_and(|birth| birth.node == self.arrival.sender);
        let named = rights.table.owner_column.as_deref().filter(|_| matches!(right, Right::Own | Right::Assigned));
        let values = match named {
            Some(_) => self.transaction.values(table, key)?,
            None => Vec::new(),
        };
        let place = |id: ColumnId| table.columns.iter().position(|column| column.id == id);
        let owner = named.and_then(|name| owner_in(table, key, name, |id| values.get(place(id)?)));
        Ok(rights.allow(right, Claim { made_there, owner }))
    }

    /// Tells that fields of a record were refused, here and at the remote.
    pub(super) fn refused_fields(
        &mut self,
        table: &TableShape,
        (key, present): (&Key, &Present),
        (fields, values): (&[RefusedField], &[Value]),
        why: &str,
    ) -> Result<()> {
        let mut names = Vec::new();
        for (at, lost, stamp) in fields {
            let (Some(column), Some(kept)) = (table.columns.get(*at), values.get(*at)) else { continue };
            let stands_as = present.marks.get(column.id).map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
            let refusal = refusal((key, present.birth), &column.name, (kept, stands_as), (lost, *stamp));
            self.tell_remote(table, &refusal)?;
            names.push(format!("{} = {lost}", column.name));
        }
        self.refused(&format!(
            "a change of {} {key} was refused, and is undone ({}): {why}",
            table.name,
            names.join(", ")
        ))
    }

    /// Keeps a record that its sender may not delete: it goes back whole.
    pub(super) fn refuse_death(&mut self, (table, of, record): Item<'_>, why: &str) -> Result<()> {
        let Some(dead) = record.dead else { return Ok(()) };
        if !record.fields.is_empty() {
            let (alive, mut undos) = (RecordChange { dead: None, ..record.clone() }, Vec::new());
            self.give_up(table, of, &alive, &mut undos)?;
            self.mend_references(undos)?;
        }
        let Some(mut present) = self.transaction.find(table, &record.key)? else { return Ok(()) };
        let mark = self.word_on(dead);
        merge::live_on(&mut present.marks, &table.column_ids(), &table.identity, mark, self.arrival.horizon);
        self.transaction.mark(table, &record.key, &present)?;
        self.living_on.insert((table.id, record.key.clone()));
        self.note_refused_whole(table, (&record.key, present.birth), dead, mark.stamp)?;
        self.refused(&format!("the deletion of {} {} was refused, and is undone: {why}", table.name, record.key))
    }

    /// Lets a record that its sender may not make be deleted there; one that would not stand is as if nothing had been said.
    pub(super) fn refuse_making(
        &mut self,
        (table, _, record): Item<'_>,
        birth: Option<Stamp>,
        (mut remains, may_stand): (Remains, bool),
        (by, why): (By, &str),
    ) -> Result<Step> {
        if !may_stand {
            return Ok(Step::Nothing);
        }
        let made = remains.latest_field().unwrap_or(Stamp::ZERO);
        let mark = self.word_on(made);
        remains.dead = Some(mark);
        self.name_said(table, &mut remains)?;
        self.transaction.bury(table, &record.key, birth, &remains)?;
        let word = if by == By::Right { mark.stamp } else { made };
        self.note_refused_whole(table, (&record.key, birth), made, word)?;
        self.refused(&format!("the making of {} {} was refused, and is undone: {why}", table.name, record.key))?;
        Ok(Step::Done)
    }

    /// Whether a record does not stand since its maker may not make it.
    pub(super) fn is_of_refused_making(&mut self, missing: &Missing) -> Result<bool> {
        let tables = self.transaction.tables();
        let table = TableShape::with_id(&tables, missing.table).filter(|_| self.is_from_remote());
        let (Some(table), Some(dead)) = (table, missing.remains.dead) else { return Ok(false) };
        self.transaction.is_refusal(&table.name, dead.stamp)
    }

    /// Refuses what refers to a record that its maker may not make: nobody would ever bring that one back.
    pub(super) fn refuse_with(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<Taken> {
        let (table, of, record) = (undo.table, undo.of, undo.change);
        let tables = self.transaction.tables();
        let parent = TableShape::with_id(&tables, missing.table).map_or("", |table| table.name.as_str());
        let why = format!("it refers to {parent} {}, which was refused", missing.key);
        let stands = match &undo.before {
            Before::Absent(_) => self.transaction.find(table, &record.key)?,
            Before::Standing(..) => return self.refuse_reference(missing, undo, &why),
        };
        if self.take_back(undo)? == Taken::NotBack {
            return Ok(Taken::NotBack);
        }
        self.placed.records = self.placed.records.saturating_sub(1);
        let birth = stands.and_then(|present| present.birth);
        let remains = self.gathered(table, of, record)?.remains;
        self.refuse_making((table, of, record), birth, (remains, true), (By::Right, &why)).map(|_| Taken::Back)
    }

    /// Has a record that stands refer to whom it referred to before.
    fn refuse_reference(&mut self, missing: &Missing, undo: &Undo<'_>, why: &str) -> Result<Taken> {
        let (table, key) = (undo.table, &undo.change.key);
        let Before::Standing(_, values) = &undo.before else { return Ok(Taken::NotBack) };
        let is_it = |at: usize| table.columns.get(at).is_some_and(|column| missing.by.contains(&column.id));
        let before: Vec<(usize, Value)> = values.iter().filter(|(at, _)| is_it(*at)).cloned().collect();
        let lost = !self.lost(table, key, &before)?.is_empty();
        let Some(mut present) = self.transaction.find(table, key)?.filter(|_| !lost && !before.is_empty()) else {
            return self.wait_for(missing, undo);
        };
        let now = self.transaction.values(table, key)?;
        if let Placement::Refused(_) = self.transaction.update(table, key, &before)? {
            return self.wait_for(missing, undo);
        }
        let mut refused = Vec::new();
        for (at, _) in &before {
            let (Some(column), Some(lost)) = (table.columns.get(*at), now.get(*at)) else { continue };
            let stamp = present.marks.get(column.id).map_or(Stamp::ZERO, |mark| mark.stamp);
            present.marks.set(column.id, self.word_on(stamp));
            refused.push((*at, lost.clone(), stamp));
        }
        self.transaction.mark(table, key, &present)?;
        let values = self.transaction.values(table, key)?;
        self.refused_fields(table, (key, &present), (&refused, &values), why)?;
        Ok(Taken::Back)
    }

    fn note_refused_whole(
        &mut self,
        table: &TableShape,
        of: (&Key, Option<Stamp>),
        refused: Stamp,
        word: Stamp,
    ) -> Result<()> {
        let refusal = refusal(of, "", (&Value::Null, word), (&Value::Null, refused));
        self.tell_remote(table, &refusal)
    }

    /// A remote is told what its hub has refused; what a remote itself refuses is an edit of its own to its hub.
    fn tell_remote(&mut self, table: &TableShape, refusal: &Conflict<'_>) -> Result<()> {
        if self.is_from_remote() {
            self.transaction.note_conflict(self.arrival.link, &table.name, refusal, self.now)?;
        }
        Ok(())
    }

    fn refused(&mut self, text: &str) -> Result<()> {
        self.placed.refused += 1;
        self.transaction.note(text, self.now)
    }
}

/// Takes from what is known of a record that does not stand what its sender may only read: what was known before stands, else
/// the column's default. Tells what that was to be.
pub(super) fn keep_back(
    table: &TableShape,
    known: Option<&Remains>,
    remains: &mut Remains,
    read_only: &[usize],
) -> Vec<RefusedField> {
    let mut refused = Vec::new();
    for (at, column) in read_only.iter().filter_map(|at| Some((*at, table.columns.get(*at)?))) {
        let before = known.and_then(|known| known.get(column.id));
        let told = remains.get(column.id).filter(|told| before.is_none_or(|before| before.value != told.value));
        let Some(told) = told.cloned() else { continue };
        remains.fields.retain(|field| field.column != column.id);
        before.into_iter().for_each(|before| remains.set(before.clone()));
        refused.push((at, told.value, told.mark.map_or(Stamp::ZERO, |mark| mark.stamp)));
    }
    refused
}

fn only_to_be_read(rights: &Rights) -> String {
    format!("{} may read that and not change it", rights.remote)
}

/// What a record's owner column holds, be it part of the key or not.
fn owner_in<'v>(
    table: &TableShape,
    key: &'v Key,
    name: &str,
    field: impl FnOnce(ColumnId) -> Option<&'v Value>,
) -> Option<&'v Value> {
    match table.keys.iter().position(|column| column.eq_ignore_ascii_case(name)) {
        Some(at) => key.0.get(at),
        None => field(table.columns.get(table.position(name)?)?.id),
    }
}

fn refusal<'v>(
    (key, birth): (&'v Key, Option<Stamp>),
    column: &'v str,
    kept: (&'v Value, Stamp),
    lost: (&'v Value, Stamp),
) -> Conflict<'v> {
    let (matter, stands, found) = (Matter::Refusal, Side::Ours, Found::Here);
    Conflict { key, birth, column, kept, lost, stands_as: kept.1, stands, found, matter }
}
