//! Keeping a membership: which records come into a set and which leave it, by what changed since the last look.
//!
//! Invariant: the cost follows what changed and its followers. Group by group, parents first; within a group whose tables
//! follow each other in a circle, members that have lost their own reason are taken out with all that follows them there, and
//! those are put back that have another: records which only keep each other in are not in. Leaves to `first` the first look.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params_from_iter};

use super::belonging::has_died;
use super::plan::{By, Chosen, Follow, Plan, find};
use super::rows::{Exception, State};
use crate::id::{Cut, LinkId};
use crate::marks::Roster;
use crate::replica::MembershipId;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::{PREFIX, joined, quoted};
use crate::replica::sqlite::values::{bind_from, key_at};
use crate::seam::{Saboteur, is_at_work};
use crate::set::Scalar;
use crate::value::{Key, Value};

/// Records by the name of their table.
pub(super) type Records = BTreeMap<String, BTreeSet<Key>>;

/// One look at a membership, within a write transaction.
pub(super) struct Evaluation<'a> {
    pub connection: &'a Connection,
    pub catalogue: &'a Catalogue,
    pub roster: &'a Roster,
    pub plan: &'a Plan<'a>,
    pub membership: MembershipId,
    /// The links that share it.
    pub links: &'a [LinkId],
    /// What changed up to here was looked at.
    pub since: Cut,
    /// The cut of what changes now.
    pub cut: Cut,
    /// Whether anything did.
    pub changed: bool,
    /// Records whose parents came in or left.
    pub touched: Records,
}

impl Evaluation<'_> {
    /// Looks at everything that changed.
    pub fn run(&mut self) -> Outcome<()> {
        let plan = self.plan;
        for (entry, followers) in &plan.whole {
            let moved = self.made_or_gone(entry)?;
            for follower in followers {
                self.touch(&follower.child, &follower.follow, &moved)?;
            }
        }
        self.touch_by_other_columns()?;
        plan.groups.iter().try_for_each(|group| self.group(group))
    }

    /// Notes those that follow what changed by other columns than its key: that they refer to it may be new.
    fn touch_by_other_columns(&mut self) -> Outcome<()> {
        for child in self.plan.groups.iter().flatten() {
            let By::Parents(follows) = &child.by else { continue };
            for follow in follows.iter().filter(|follow| follow.by_key.is_none()) {
                let changed = self.changed_keys(find(self.catalogue, &follow.parent)?)?;
                self.touch(&child.entry.shape.name, follow, &changed)?;
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &[Chosen<'_>]) -> Outcome<()> {
        let mut dirty: Vec<(&Chosen<'_>, Key)> = Vec::new();
        for chosen in group {
            let mut keys = self.touched.remove(&chosen.entry.shape.name).unwrap_or_default();
            keys.extend(self.changed_keys(chosen.entry)?);
            dirty.extend(keys.into_iter().map(|key| (chosen, key)));
        }
        let doomed = self.take_out(group, &dirty)?;
        let entered = self.put_back(group, &dirty, &doomed)?;
        self.settle(group, doomed, entered, &dirty)
    }

    /// Takes out the members that have no reason outside the group, with those that follow them in it; tells since when each
    /// was a member.
    fn take_out<'g>(
        &mut self,
        group: &'g [Chosen<'g>],
        dirty: &[(&Chosen<'_>, Key)],
    ) -> Outcome<BTreeMap<(String, Key), Cut>> {
        let mut doomed = BTreeMap::new();
        let mut work: Vec<(&str, Key)> = Vec::new();
        for (chosen, key) in dirty {
            if !self.has_own_reason(group, chosen, key)? {
                work.push((&chosen.entry.shape.name, key.clone()));
            }
        }
        while !work.is_empty() {
            let mut out = Records::new();
            for (table, key) in work.drain(..) {
                let rows = &find(self.catalogue, table)?.members;
                if let Some((State::Member, since)) = rows.member(self.connection, self.membership, &key)? {
                    rows.put(self.connection, self.membership, &key, State::Left, since)?;
                    doomed.insert((table.to_owned(), key.clone()), since);
                    out.entry(table.to_owned()).or_default().insert(key);
                }
            }
            work = self.followers_in(group, &out)?;
        }
        Ok(doomed)
    }

    /// Puts back those that have a reason, and takes in what was outside; tells the latter.
    fn put_back<'g>(
        &mut self,
        group: &'g [Chosen<'g>],
        dirty: &[(&Chosen<'_>, Key)],
        doomed: &BTreeMap<(String, Key), Cut>,
    ) -> Outcome<Records> {
        let mut entered = Records::new();
        let own = dirty.iter().map(|(chosen, key)| (chosen.entry.shape.name.as_str(), key.clone()));
        let named =
            |table: &String| group.iter().map(|chosen| chosen.entry.shape.name.as_str()).find(|name| name == table);
        let taken_out = doomed.keys().filter_map(|(table, key)| Some((named(table)?, key.clone())));
        let mut work: Vec<(&str, Key)> = own.chain(taken_out).collect();
        while !work.is_empty() {
            let mut came_in = Records::new();
            for (table, key) in work.drain(..) {
                let Some(chosen) = group.iter().find(|chosen| chosen.entry.shape.name == table) else { continue };
                let rows = &chosen.entry.members;
                let known = rows.member(self.connection, self.membership, &key)?;
                if matches!(known, Some((State::Member, _))) || !self.has_reason(chosen, &key)? {
                    continue;
                }
                let was = doomed.get(&(table.to_owned(), key.clone())).copied();
                rows.put(self.connection, self.membership, &key, State::Member, was.unwrap_or(self.cut))?;
                if was.is_none() {
                    entered.entry(table.to_owned()).or_default().insert(key.clone());
                }
                came_in.entry(table.to_owned()).or_default().insert(key);
            }
            work = self.followers_in(group, &came_in)?;
        }
        Ok(entered)
    }

    /// Notes what became of each, and whom that touches in later groups.
    fn settle(
        &mut self,
        group: &[Chosen<'_>],
        doomed: BTreeMap<(String, Key), Cut>,
        entered: Records,
        dirty: &[(&Chosen<'_>, Key)],
    ) -> Outcome<()> {
        let mut moved = entered;
        for ((table, key), since) in doomed {
            let entry = find(self.catalogue, &table)?;
            let Some((State::Left, _)) = entry.members.member(self.connection, self.membership, &key)? else {
                continue;
            };
            let state = if self.died(entry, &key, since)? { State::Died } else { State::Left };
            entry.members.put(self.connection, self.membership, &key, state, self.cut)?;
            self.drop_exceptions(entry, &key, state)?;
            moved.entry(table).or_default().insert(key);
        }
        for (chosen, key) in dirty {
            self.note_strays(chosen.entry, key)?;
        }
        self.changed |= !moved.is_empty();
        for (table, keys) in &moved {
            for child in self.plan.groups.iter().flatten() {
                let is_here = group.iter().any(|chosen| chosen.entry.shape.id == child.entry.shape.id);
                for follow in child.follows(table).filter(|_| !is_here) {
                    self.touch(&child.entry.shape.name, follow, keys)?;
                }
            }
        }
        Ok(())
    }

    /// What links made an exception of was the member. Of one that died there is what they have sent since then, under its key.
    fn drop_exceptions(&self, entry: &Entry, key: &Key, state: State) -> Outcome<()> {
        for link in self.links {
            let known = entry.members.exception(self.connection, *link, key)?;
            let is_since = state == State::Died && matches!(known, Some((Exception::MayHold, _)));
            if !is_since {
                entry.members.drop_exception(self.connection, *link, key)?;
            }
        }
        Ok(())
    }

    /// What a peer has sent and is no member it may have all the same: it is to be withdrawn.
    fn note_strays(&mut self, entry: &Entry, key: &Key) -> Outcome<()> {
        let state = entry.members.member(self.connection, self.membership, key)?;
        for link in self.links {
            let Some((what, _)) = entry.members.exception(self.connection, *link, key)? else { continue };
            match (what, state) {
                (Exception::MayHold, Some((State::Member, _))) => {
                    entry.members.drop_exception(self.connection, *link, key)?;
                }
                (Exception::Holds | Exception::MayHold, None | Some((State::Left | State::Died, _))) => {
                    entry.members.except(self.connection, *link, key, Exception::Stray, self.cut)?;
                    self.changed = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the member of that time has died. Who died before the last look and whose number was in the set all the same had
    /// given it to another by then, and that one is the member.
    fn died(&self, entry: &Entry, key: &Key, since: Cut) -> Outcome<bool> {
        has_died(self.connection, entry, self.roster, key, since.max(self.since))
    }

    /// The records of a table that changed since the last look, or that a peer has spoken of.
    fn changed_keys(&self, entry: &Entry) -> Outcome<BTreeSet<Key>> {
        let range = [self.since.0 as i64, i64::MAX];
        let mut keys = BTreeSet::new();
        for sql in entry.metadata.changed_keys() {
            let mut statement = self.connection.prepare_cached(sql)?;
            let found = statement.query_map(range, |row| entry.metadata.key(row))?;
            keys.extend(found.collect::<rusqlite::Result<Vec<Key>>>()?);
        }
        for link in self.links {
            keys.extend(entry.members.excepted(self.connection, *link, range)?);
        }
        Ok(keys)
    }

    /// The records of a table shared whole that were made or died since the last look.
    fn made_or_gone(&self, entry: &Entry) -> Outcome<BTreeSet<Key>> {
        let columns = entry.shape.column_ids();
        let mut moved = BTreeSet::new();
        for key in self.changed_keys(entry)? {
            let known = entry.metadata.marks(self.connection, &key, self.roster)?;
            let is_old = known.is_some_and(|present| {
                let marks = columns.iter().map(|column| present.marks.get(*column));
                marks.into_iter().any(|mark| mark.is_none_or(|mark| mark.cut <= self.since))
            });
            if !is_old {
                moved.insert(key);
            }
        }
        Ok(moved)
    }

    /// Notes the followers of records to be looked at.
    fn touch(&mut self, child: &str, follow: &Follow, parents: &BTreeSet<Key>) -> Outcome<()> {
        if is_at_work(Saboteur::LeaveFollowersBehind) {
            return Ok(());
        }
        let found = self.children(find(self.catalogue, child)?, follow, parents)?;
        self.touched.entry(child.to_owned()).or_default().extend(found);
        Ok(())
    }

    fn followers_in<'g>(&self, group: &'g [Chosen<'g>], moved: &Records) -> Outcome<Vec<(&'g str, Key)>> {
        let mut followers = Vec::new();
        for (table, keys) in moved {
            for child in group {
                for follow in child.follows(table) {
                    let found = self.children(child.entry, follow, keys)?;
                    followers.extend(found.into_iter().map(|key| (child.entry.shape.name.as_str(), key)));
                }
            }
        }
        Ok(followers)
    }

    /// The records that refer to any of these parents: in one go, so that a table without an index is read once.
    fn children(&self, child: &Entry, follow: &Follow, parents: &BTreeSet<Key>) -> Outcome<Vec<Key>> {
        let keys = &find(self.catalogue, &follow.parent)?.shape.keys;
        let width = keys.len();
        let flipped = format!("temp.{}", quoted(&format!("{PREFIX}flipped_{}", follow.parent)));
        // Its columns compare as those of the parent's key do, which is how a foreign key compares.
        let told = joined(width, ", ", |at| format!("{} AS k{}", quoted(&keys[at]), at + 1));
        self.connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {flipped} AS SELECT {told} FROM main.{} WHERE 0; DELETE FROM {flipped}",
            quoted(&follow.parent)
        ))?;
        let holes = joined(width, ", ", |at| format!("?{}", at + 1));
        let mut insert = self.connection.prepare_cached(&format!("INSERT INTO {flipped} VALUES ({holes})"))?;
        for key in parents {
            insert.execute(params_from_iter(&key.0))?;
        }
        let sql = follow.children(self.connection, child, &flipped, self.catalogue)?;
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_map([], |row| key_at(row, 0, child.shape.keys.len()))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether a record stands and is in the set whatever the others of its group are.
    fn has_own_reason(&self, group: &[Chosen<'_>], chosen: &Chosen<'_>, key: &Key) -> Outcome<bool> {
        self.has_reason_by(chosen, key, &|follow| group.iter().all(|other| other.entry.shape.name != follow.parent))
    }

    /// Whether a record stands and is in the set, as the others are now.
    fn has_reason(&self, chosen: &Chosen<'_>, key: &Key) -> Outcome<bool> {
        self.has_reason_by(chosen, key, &|_| true)
    }

    fn has_reason_by(&self, chosen: &Chosen<'_>, key: &Key, counts: &dyn Fn(&Follow) -> bool) -> Outcome<bool> {
        match &chosen.by {
            By::Condition { .. } if is_at_work(Saboteur::ShareEverything) => Ok(true),
            By::Condition { values, .. } => is_true(self.connection, &chosen.test(), values, key),
            By::Parents(follows) => {
                for follow in follows.iter().filter(|follow| counts(follow)) {
                    let sql = chosen.supported(follow, self.catalogue, self.membership)?;
                    if self.connection.prepare_cached(&sql)?.exists(params_from_iter(&key.0))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// Whether the record under a key stands and fulfils a condition. One for which SQLite cannot tell (malformed JSON, a number
/// that is too large) does not.
pub(super) fn is_true(connection: &Connection, sql: &str, values: &[Scalar], key: &Key) -> Outcome<bool> {
    let mut statement = connection.prepare_cached(sql)?;
    let values: Vec<Value> = values.iter().map(value_of).collect();
    let after = bind_from(&mut statement, 1, &values)?;
    bind_from(&mut statement, after, &key.0)?;
    let mut rows = statement.raw_query();
    match rows.next() {
        Ok(row) => Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(false)),
        Err(error) if is_about_the_row(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether SQLite stumbled over a row's values, and not over the database.
pub(super) fn is_about_the_row(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{TooBig, TypeMismatch, Unknown};
    matches!(error.sqlite_error_code(), Some(Unknown | TooBig | TypeMismatch))
}

/// A parameter's value as SQLite is given it.
pub(super) fn value_of(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Text(text) => Value::Text(text.clone().into_bytes()),
        Scalar::Integer(number) => Value::Integer(*number),
    }
}
