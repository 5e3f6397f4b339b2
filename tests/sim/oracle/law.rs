//! What policies and rights come to: which writes a hub may refuse, or has to; and what changes together.
//!
//! Rights are judged when a change arrives at the hub, by what is in force then: where all that were in force since it was
//! written agree, it is known what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{GENESIS, Life, Made, Oracle, SINGULAR, Write, ancestry};
use crate::application::{Picture, Record, field};
use crate::ids::{At, Column, Field, Uid};
use crate::policies::{Group, Policies, Prefer, TABLES};
use crate::rights::{Right, Rights, owner_column};

/// Policies and rights, and to whom they apply.
#[derive(Clone, Debug, Default)]
pub struct Law {
    /// Those in force, and the tables whose have changed since the story began.
    pub(super) policies: Policies,
    unsure: BTreeSet<&'static str>,
    /// The tables in which stamps do not decide everything.
    odd: BTreeSet<&'static str>,
    /// Of these, those in which the hub may decide otherwise.
    decided: BTreeSet<&'static str>,
    /// The tables in which columns have ever changed together.
    grouped: BTreeSet<&'static str>,
    /// Those that have ever had a counter.
    pub(super) adding: BTreeSet<&'static str>,
    /// The rights, each since a place among all that was written.
    rights: Vec<(usize, Rights)>,
    /// The hub of each node.
    hubs: Vec<Option<At>>,
    /// Whose records were ever those of the users of each node that has the set `sales`.
    pub(super) users: Vec<BTreeSet<&'static str>>,
}

/// What a remote does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It makes it.
    Make,
    /// It changes a column of it.
    Change(Column),
    /// It deletes it.
    Delete,
}

/// Whether something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It is not.
    No,
    /// It may be.
    Maybe,
    /// It is, wherever it arrives.
    Surely,
}

impl Refused {
    /// What several say that may apply.
    fn either(all: impl Iterator<Item = Self>) -> Self {
        let all: BTreeSet<Self> = all.collect();
        if all.len() > 1 { Self::Maybe } else { all.first().copied().unwrap_or(Self::No) }
    }
}

impl Law {
    /// Whether stamps alone decide about a table's records.
    pub(super) fn is_plain(&self, table: Option<&'static str>) -> bool {
        table.is_none_or(|table| !self.odd.contains(table))
    }

    /// Whether anything was ever forbidden.
    pub fn forbids(&self) -> bool {
        self.rights.iter().any(|(_, rights)| *rights != Rights::default())
    }

    /// The policy of a table, if it is the one with which the story began.
    pub fn is_sure(&self, table: &str) -> bool {
        !self.unsure.contains(table)
    }

    /// The columns of a table that have changed together from the beginning, and of which none may be refused alone.
    fn group(&self, table: &str) -> Option<Group> {
        let group = self.policies.group(table).filter(|_| self.is_sure(table))?;
        let mut read_only = self.rights.iter().filter_map(|(_, rights)| rights.of(table).read_only);
        (!read_only.any(|column| group.columns.contains(&column))).then_some(group)
    }
}

impl Oracle {
    /// The hub of each node, and whose companies each has; none where it has everything.
    pub fn has_links(&mut self, hubs: Vec<Option<At>>, users: Vec<Option<&'static str>>) {
        self.law.hubs = hubs;
        self.law.users.resize(users.len(), BTreeSet::new());
        users.into_iter().enumerate().for_each(|(at, user)| self.law.users[at].extend(user));
    }

    /// These are in force from now on. `begins`: everybody has heard of them, and nobody has written anything yet.
    pub fn has_policies(&mut self, policies: Policies, begins: bool) {
        for table in TABLES {
            let (before, after) = (self.law.policies.of(table), policies.of(table));
            if !begins && before != after {
                self.law.unsure.insert(table);
            }
            if after.prefer != Prefer::Latest || after.stale || policies.group(table).is_some() {
                self.law.odd.insert(table);
            }
            if after.prefer != Prefer::Latest || after.stale {
                self.law.decided.insert(table);
            }
            if policies.group(table).is_some() {
                self.law.grouped.insert(table);
            }
            if after.adds {
                self.law.adding.insert(table);
            }
        }
        self.law.policies = policies;
    }

    /// These are in force from now on.
    pub fn has_rights(&mut self, rights: Rights) {
        self.law.rights.push((self.places, rights));
    }

    /// What changes together of a record, if that has from the beginning, and what it is.
    pub fn together(&self, uid: &Uid, record: &Record) -> Option<(Field, Option<String>)> {
        let is_torn = self.left_out.as_ref().is_some_and(|((table, _), _)| *table == record.table);
        let group = self.law.group(record.table).filter(|_| !is_torn)?;
        let cells: Vec<String> = group.columns.iter().map(|column| format!("{:?}", record.cells[column])).collect();
        Some((field(uid, group.name), Some(cells.join(", "))))
    }

    /// Whether a column has ever changed together with others.
    pub fn was_grouped(&self, uid: &Uid, column: Column) -> bool {
        let Some(table) = self.tables.get(uid) else { return false };
        self.law.grouped.contains(table) && ![PAIR_OF, WHOLE].contains(&column) && !self.law.is_counter(table, column)
    }

    /// An application gave what changes together new values.
    pub(super) fn wrote_together(&mut self, uid: &Uid, (old, new): (Option<&Record>, &Record), made: Made) {
        let Some((field, value)) = self.together(uid, new) else { return };
        let before = old.and_then(|old| self.together(uid, old)).map(|(_, value)| value);
        if before.as_ref() == Some(&value) {
            return;
        }
        let writes = self.grouped.entry(field).or_default();
        let replaced = before.and_then(|before| super::seen_by(made.node, writes, &before));
        writes.push(Write { value, made, replaced, lost: false });
    }

    /// What is there before a policy is in force counts as written then.
    pub fn begin_together(&mut self, genesis: &Picture) {
        let made = Made { node: At(0), place: GENESIS, earliest: crate::ids::Millis(0), latest: None };
        genesis.iter().for_each(|(uid, record)| self.wrote_together(uid, (None, record), made));
    }

    /// Whether what a database lost that was put back may be lost although others have it, as they may not write it.
    pub fn may_not_come_back(&self) -> bool {
        self.shaken > 0 && self.law.forbids()
    }

    /// Whether a word of the hub's on what it had may overrule what was written in view of that, without knowing of the word.
    pub fn may_be_decided(&self, uid: &Uid) -> bool {
        self.tables.get(uid).is_some_and(|table| self.law.decided.contains(table))
    }

    /// Whether a change is refused by who is the hub of its maker, or a hub above.
    fn is_forbidden(&self, deed: Deed, uid: &Uid, made: Made) -> Refused {
        if !self.law.forbids() || made.place <= GENESIS {
            return Refused::No;
        }
        let hub = |at: &At| self.law.hubs.get(at.0).copied().flatten();
        let senders = std::iter::successors(Some(made.node), hub).filter(|at| hub(at).is_some());
        let restricted = senders.filter(|at| !self.law.users[at.0].is_empty());
        restricted.map(|sender| self.refuses(sender, deed, uid, made)).max().unwrap_or(Refused::No)
    }

    fn refuses(&self, sender: At, deed: Deed, uid: &Uid, made: Made) -> Refused {
        let all = self.law.rights.iter().map(|(_, rights)| *rights);
        let ends = self.law.rights.iter().skip(1).map(|(since, _)| *since).chain([usize::MAX]);
        let in_force = all.zip(ends).filter(|(_, end)| *end >= made.place);
        Refused::either(in_force.map(|(rights, _)| self.refuses_by(rights, sender, deed, uid, made)))
    }

    fn refuses_by(&self, rights: Rights, sender: At, deed: Deed, uid: &Uid, made: Made) -> Refused {
        let Some((table, life)) = self.tables.get(uid).copied().zip(self.lives.get(uid)) else { return Refused::No };
        let of = rights.of(table);
        let is_new = life.births.iter().any(|birth| birth.place == made.place);
        match deed {
            Deed::Change(column) if of.read_only == Some(column) => Refused::Surely,
            // Under a key that others have too it is a change of what they have.
            Deed::Make | Deed::Change(_) if is_new && table == "products" => {
                let made = self.extends_not(of.writes, sender, (uid, table, life), true);
                Refused::either([made, self.extends_not(of.writes, sender, (uid, table, life), false)].into_iter())
            }
            Deed::Make | Deed::Change(_) => self.extends_not(of.writes, sender, (uid, table, life), is_new),
            // What nobody has heard of nobody refuses to have deleted.
            Deed::Delete if life.births.iter().any(|birth| birth.node == made.node) => {
                self.extends_not(of.deletes, sender, (uid, table, life), false).min(Refused::Maybe)
            }
            Deed::Delete => self.extends_not(of.deletes, sender, (uid, table, life), false),
        }
    }

    fn extends_not(
        &self,
        right: Right,
        sender: At,
        (uid, table, life): (&Uid, &'static str, &Life),
        is_new: bool,
    ) -> Refused {
        let made_there = life.births.iter().any(|birth| birth.node == sender);
        match right {
            Right::Any => Refused::No,
            Right::None => Refused::Surely,
            Right::Own if is_new && life.births.iter().all(|birth| birth.node == sender) => Refused::No,
            Right::Own if is_new || made_there => Refused::Maybe,
            Right::Own | Right::Assigned if self.was_assigned(sender, uid, table) => Refused::Maybe,
            Right::Own | Right::Assigned => Refused::Surely,
        }
    }

    fn was_assigned(&self, sender: At, uid: &Uid, table: &str) -> bool {
        let Some(writes) = owner_column(table).and_then(|column| self.fields.get(&field(uid, column))) else {
            return false;
        };
        let users = &self.law.users[sender.0];
        writes.iter().filter_map(|write| write.value.as_deref()).any(|owner| users.contains(owner))
    }

    /// Whether a write is refused. Of columns that change together all may be, if one is.
    pub(super) fn is_write_forbidden(&self, field: &Field, write: &Write) -> Refused {
        let table = self.tables.get(&field.uid).copied().unwrap_or_default();
        let group = self.law.policies.group(table).filter(|group| group.name == field.column);
        let refused = |column: Column| self.is_forbidden(Deed::Change(column), &field.uid, write.made);
        match group {
            None if ["company", "contact"].contains(&field.column)
                && self.law.forbids()
                && self.refers_to_refused(write) =>
            {
                refused(field.column).max(Refused::Maybe)
            }
            None => refused(field.column),
            Some(group) => {
                group.columns.iter().map(|column| refused(column).min(Refused::Maybe)).max().unwrap_or(Refused::No)
            }
        }
    }

    /// Whether a deletion is refused.
    pub(super) fn is_deletion_forbidden(&self, uid: &Uid, deletion: &super::Deletion) -> Refused {
        match deletion.refused {
            true => Refused::Surely,
            false => self.is_forbidden(Deed::Delete, uid, deletion.made),
        }
    }

    /// Whether the making of a record is refused.
    pub fn is_making_forbidden(&self, uid: &Uid) -> Refused {
        let Some(life) = self.lives.get(uid).filter(|_| self.law.forbids()) else { return Refused::No };
        let own = life.births.iter().map(|made| self.is_forbidden(Deed::Make, uid, *made)).min();
        own.unwrap_or(Refused::No).max(if self.referred_to_refused(uid) { Refused::Maybe } else { Refused::No })
    }

    /// Whether a record was ever given a reference to one that may have been refused, which is refused then.
    fn referred_to_refused(&self, uid: &Uid) -> bool {
        ["company", "contact"].iter().any(|column| {
            let writes = self.fields.get(&field(uid, column)).map(Vec::as_slice).unwrap_or_default();
            writes.iter().any(|write| self.refers_to_refused(write))
        })
    }

    fn refers_to_refused(&self, write: &Write) -> bool {
        let parent = write.value.clone().filter(|_| write.made.place > GENESIS).map(Uid);
        parent.is_some_and(|parent| self.is_making_forbidden(&parent) != Refused::No)
    }

    /// Whether anything that was done to a record may have been refused, so that a hub's word may stand against what came later.
    pub(super) fn has_been_judged(&self, uid: &Uid) -> bool {
        if !self.law.forbids() {
            return false;
        }
        let Some(life) = self.lives.get(uid) else { return false };
        let deletions = life.deletions.iter().map(|it| self.is_deletion_forbidden(uid, it));
        let births = life.births.iter().map(|made| self.is_forbidden(Deed::Make, uid, *made));
        let writes = self.writes_of(uid).map(|(field, write)| self.is_write_forbidden(field, write));
        deletions.chain(births).chain(writes).any(|refused| refused != Refused::No)
    }

    /// Whether nobody may have given a field this value, of those that are given once.
    pub fn is_value_forbidden(&self, field: &Field, value: &Option<String>) -> Refused {
        let writes = self.writes(field).unwrap_or_default();
        let verdicts =
            writes.iter().filter(|write| write.value == *value).map(|write| self.is_write_forbidden(field, write));
        verdicts.min().unwrap_or(Refused::No)
    }

    /// A person has had a word on what a node deleted up to now. `surely`: of these it is known that they were refused.
    pub fn refuse_deletions(&mut self, node: At, refuses: bool, surely: &BTreeSet<Uid>) {
        let hubs = self.law.hubs.clone();
        let hub = |at: &At| hubs.get(at.0).copied().flatten();
        let came_by = |made: Made| std::iter::successors(Some(made.node), hub).any(|at| at == node);
        for (uid, life) in &mut self.lives {
            for deletion in life.deletions.iter_mut().filter(|it| came_by(it.made)) {
                deletion.lost |= refuses;
                deletion.refused = surely.contains(uid);
            }
        }
    }

    /// Whether only this node has ever deleted a record.
    pub fn is_deleted_by_one(&self, uid: &Uid, node: At) -> bool {
        self.lives.get(uid).is_some_and(|life| life.deletions.iter().all(|it| it.made.node == node))
    }

    /// Whether a field has the value that its table's policy prefers. In words, if it has not. In a star, where all speak with the hub of all.
    pub fn is_preferred(&self, field: &Field, value: &Option<String>) -> Result<(), String> {
        let table = self.tables.get(&field.uid).copied().unwrap_or_default();
        let prefer = self.law.policies.of(table).prefer;
        let is_star = self.law.hubs.iter().flatten().all(|hub| *hub == At(0));
        let stands_apart = prefer == Prefer::Latest || !is_star || !self.law.is_sure(table) || self.shaken > 0;
        let told_otherwise =
            self.lives.get(&field.uid).is_none_or(|it| it.refused || it.births.len() > 1 || !it.deletions.is_empty());
        if stands_apart || told_otherwise || self.is_ever_counted(field) || self.has_been_judged(&field.uid) {
            return Ok(());
        }
        let writes = self.writes(field).unwrap_or_default();
        let Some(stands) = writes.iter().rposition(|write| write.value == *value) else { return Ok(()) };
        let Some(preferred) = self.preferred((prefer, self.law.policies.of(table).stale), writes) else {
            return Ok(());
        };
        match ancestry(writes, stands).any(|at| at == preferred) {
            true => Ok(()),
            false => Err(format!(
                "the {field} is {:?}, made without knowing of what {prefer:?} said last, {:?}",
                writes[stands], writes[preferred]
            )),
        }
    }

    /// The last word of whoever is preferred: of the hub, or of the only remote that ever said anything.
    fn preferred(&self, (prefer, is_stale): (Prefer, bool), writes: &[Write]) -> Option<usize> {
        if writes.iter().any(|write| write.lost) {
            return None;
        }
        let remotes: BTreeMap<At, usize> = writes
            .iter()
            .enumerate()
            .filter(|(_, it)| it.made.node != At(0))
            .map(|(at, it)| (it.made.node, at))
            .collect();
        match prefer {
            Prefer::Latest => None,
            Prefer::Hub => writes.iter().rposition(|write| write.made.node == At(0)),
            Prefer::Remote if remotes.len() == 1 && !is_stale => remotes.into_values().next(),
            Prefer::Remote => None,
        }
    }

    /// Values of a node that a hub surely refuses, and that nobody has replaced since: they are told to people at both ends.
    pub fn refusals(&self) -> impl Iterator<Item = (&Field, &str, At)> {
        let fields = self.fields.iter().filter(|(field, _)| SINGULAR.contains(&field.column));
        fields.flat_map(|(field, writes)| {
            let followed: BTreeSet<usize> = writes.iter().filter_map(|write| write.replaced).collect();
            let ends = writes.iter().enumerate().filter(move |(at, write)| !followed.contains(at) && !write.lost);
            let refused = ends.filter(|(_, write)| self.is_write_forbidden(field, write) == Refused::Surely);
            refused.filter_map(move |(_, write)| Some((field, write.value.as_deref()?, write.made.node)))
        })
    }
}

/// The names of what changes together.
const PAIR_OF: Column = "name and phone";
const WHOLE: Column = "whole record";
