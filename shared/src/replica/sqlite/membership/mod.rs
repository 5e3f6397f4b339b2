//! Memberships: which records each remote's set holds (DESIGN section 4).
//!
//! Owns the tables `_packhorse_memberships` (one row for each distinct set with its parameters' values), `_packhorse_sharing`
//! (what each link shares) and the rows of [`rows`]. Invariants: links with equal sets and values share one membership; what
//! is sent was judged as of everything that is harvested. A set is compiled by [`plan`], looked at for the first time by
//! `first`, kept by `evaluate`; checked by `lint`; `switch` takes a link from one set to another, and `gained` remembers since
//! when it shares a column. Leaves to `snapshot` how a
//! link's records are shown by it.

pub(super) mod added;
pub(super) mod belonging;
#[cfg(test)]
mod cost;
mod evaluate;
mod first;
pub(super) mod fit;
pub(super) mod gained;
pub(super) mod lint;
mod plan;
pub(super) mod prune;
pub(super) mod rows;
mod switch;
pub(super) mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::catalogue::Catalogue;
use super::fault::{Fault, Outcome};
use super::state::{self, Progress};
use super::terms;
use crate::clock::Reading;
use crate::id::{Cut, LinkId};
use crate::link::Role;
use crate::replica::{MembershipId, SharedRows, SharedTable, StoredLink, TableShape, Terms};
use crate::set::{BoundSet, Rows, Scope};
use evaluate::{Evaluation, Records};
use first::FirstLook;
use fit::{fitting, fitting_still};
use switch::Switch;

/// The tables.
pub(super) const TABLES: &str = "
CREATE TABLE _packhorse_memberships (id INTEGER PRIMARY KEY AUTOINCREMENT, bound BLOB NOT NULL UNIQUE,
    evaluated_to INTEGER);
CREATE TABLE _packhorse_sharing (link INTEGER PRIMARY KEY, membership INTEGER NOT NULL, terms BLOB NOT NULL,
    terms_since INTEGER NOT NULL, terms_before BLOB);
CREATE TABLE _packhorse_judged (cut INTEGER PRIMARY KEY, at INTEGER NOT NULL);
";

/// The set of a membership.
fn load(connection: &Connection, of: MembershipId) -> Outcome<BoundSet> {
    let sql = "SELECT bound FROM _packhorse_memberships WHERE id = ?1";
    let bytes: Vec<u8> = connection.prepare_cached(sql)?.query_row([of.0], |row| row.get(0))?;
    rmp_serde::from_slice(&bytes).map_err(|error| Fault::Damaged(format!("a sync set cannot be read: {error}")))
}

fn bytes_of(set: &BoundSet) -> Outcome<Vec<u8>> {
    rmp_serde::to_vec_named(set).map_err(|error| Fault::Damaged(format!("a sync set cannot be kept: {error}")))
}

/// The membership of a link, if it has one.
fn of_link(connection: &Connection, link: LinkId) -> Outcome<Option<MembershipId>> {
    let sql = "SELECT membership FROM _packhorse_sharing WHERE link = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([link.0], |row| row.get(0).map(MembershipId)).optional()?)
}

/// What a link shares. One of a remote that was not told what it is shares nothing.
pub(super) fn sharing(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    role: Role,
) -> Outcome<Vec<SharedTable>> {
    if role == Role::Hub {
        return terms::shared_with_hub(connection, catalogue);
    }
    let membership = of_link(connection, link)?;
    membership.map_or(Ok(Vec::new()), |membership| of(connection, catalogue, membership))
}

/// Every link with what it shares. A set is read once, however many links share it.
pub(super) fn all_sharing(
    connection: &Connection,
    catalogue: &Catalogue,
) -> Outcome<Vec<(StoredLink, Arc<[SharedTable]>)>> {
    let sql = "SELECT link, membership FROM _packhorse_sharing";
    let mut statement = connection.prepare_cached(sql)?;
    let memberships = statement.query_map([], |row| Ok((LinkId(row.get(0)?), MembershipId(row.get(1)?))))?;
    let memberships: BTreeMap<LinkId, MembershipId> = memberships.collect::<rusqlite::Result<_>>()?;
    let mut known: BTreeMap<Option<MembershipId>, Arc<[SharedTable]>> = BTreeMap::new();
    let with_tables = |link: StoredLink| {
        let role = link.state.role();
        if role == Role::Hub {
            let tables = sharing(connection, catalogue, link.id, role)?;
            return Ok((link, tables.into()));
        }
        let membership = memberships.get(&link.id).copied();
        if let Some(tables) = known.get(&membership) {
            return Ok((link, Arc::clone(tables)));
        }
        let tables: Arc<[SharedTable]> = match membership {
            Some(membership) => of(connection, catalogue, membership)?.into(),
            None => Arc::new([]),
        };
        known.insert(membership, Arc::clone(&tables));
        Ok((link, tables))
    };
    state::links(connection)?.into_iter().map(with_tables).collect()
}

/// What a membership's set shares.
pub(super) fn of(
    connection: &Connection,
    catalogue: &Catalogue,
    membership: MembershipId,
) -> Outcome<Vec<SharedTable>> {
    Ok(shared_tables(&load(connection, membership)?, catalogue, membership))
}

/// The tables of a set, as this database has them. One that is not synced any more is passed over.
fn shared_tables(set: &BoundSet, catalogue: &Catalogue, membership: MembershipId) -> Vec<SharedTable> {
    let Scope::Tables(tables) = &set.scope else {
        return catalogue.shapes().iter().cloned().map(SharedTable::all).collect();
    };
    let shared = tables.iter().filter_map(|table| {
        let shape = TableShape::named(catalogue.shapes(), &table.name)?.clone();
        let rows = if table.rows == Rows::All { SharedRows::All } else { SharedRows::Members(membership) };
        let all = SharedTable::all(shape);
        let Some(named) = &table.columns else { return Some(SharedTable { rows, ..all }) };
        let is_named = |at: &usize| named.iter().any(|name| all.shape.columns[*at].name.eq_ignore_ascii_case(name));
        Some(SharedTable { columns: all.columns.iter().copied().filter(is_named).collect(), rows, ..all })
    });
    shared.collect()
}

/// The membership of a set, if it has been looked at.
pub(super) fn find(connection: &Connection, set: &BoundSet) -> Outcome<Option<MembershipId>> {
    let sql = "SELECT id FROM _packhorse_memberships WHERE bound = ?1 AND evaluated_to IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([bytes_of(set)?], |row| row.get(0).map(MembershipId)).optional()?)
}

/// Makes the membership of a set and looks at it for the first time.
pub(super) fn make(writer: &mut Connection, catalogue: &Catalogue, set: &BoundSet) -> Outcome<MembershipId> {
    // A set that does not fit is refused before anything is written.
    let plan = fitting(writer, set, catalogue)?;
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for entry in catalogue.entries().iter().filter(|_| set.scope != Scope::Everything) {
        rows::create(&transaction, &entry.shape.name, entry.shape.keys.len())?;
    }
    let (bytes, sql) = (bytes_of(set)?, "SELECT id FROM _packhorse_memberships WHERE bound = ?1");
    // A first look that was cut short begins anew.
    if let Some(id) = transaction.query_row(sql, [&bytes], |row| row.get(0)).optional()? {
        remove(&transaction, catalogue, MembershipId(id))?;
    }
    transaction.execute("INSERT INTO _packhorse_memberships (bound) VALUES (?1)", [&bytes])?;
    let membership = MembershipId(transaction.last_insert_rowid());
    let begun = Progress::load(&transaction)?.cut;
    transaction.commit()?;
    FirstLook { writer, catalogue, membership, behavior: TransactionBehavior::Immediate }.run(&plan)?;
    set_evaluated(writer, membership, begun)?;
    Ok(membership)
}

fn set_evaluated(connection: &Connection, membership: MembershipId, upto: Cut) -> Outcome<()> {
    let sql = "UPDATE _packhorse_memberships SET evaluated_to = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![membership.0, upto.0 as i64])?;
    Ok(())
}

fn remove(connection: &Connection, catalogue: &Catalogue, membership: MembershipId) -> Outcome<()> {
    for entry in catalogue.entries().iter().filter(|entry| entry.has_members) {
        let sql = format!("DELETE FROM {} WHERE owner = ?1", rows::members_table(&entry.shape.name));
        connection.execute(&sql, [membership.0])?;
    }
    connection.execute("DELETE FROM _packhorse_memberships WHERE id = ?1", [membership.0])?;
    Ok(())
}

/// Whether any membership that can be has not been looked at since something changed.
pub(super) fn is_behind(connection: &Connection, catalogue: &Catalogue, cut: Cut) -> Outcome<bool> {
    for (membership, _) in behind(connection, cut)? {
        if fitting_still(connection, membership, catalogue)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The memberships that were not looked at up to a cut, and up to where they were.
fn behind(connection: &Connection, cut: Cut) -> Outcome<Vec<(MembershipId, Cut)>> {
    let sql = "SELECT id, evaluated_to FROM _packhorse_memberships WHERE evaluated_to < ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_map([cut.0 as i64], |row| Ok((MembershipId(row.get(0)?), Cut(row.get::<_, i64>(1)? as u64))))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Looks at what changed for every membership, within a write transaction in which nothing is unharvested. One whose set does
/// not fit any more stays behind: the others must not wait for it, and its links are sent nothing (see [`fit`]).
pub(super) fn evaluate(connection: &Connection, catalogue: &Catalogue) -> Outcome<()> {
    let (mut progress, roster) = (Progress::load(connection)?, state::roster(connection)?);
    let (cut, mut changed, mut judged) = (progress.cut.next(), false, Vec::new());
    for (membership, since) in behind(connection, progress.cut)? {
        let Some(plan) = fitting_still(connection, membership, catalogue)? else { continue };
        let links = links_of(connection, membership)?;
        let (roster, plan, links) = (&roster, &plan, links.as_slice());
        let touched = Records::new();
        let mut look =
            Evaluation { connection, catalogue, roster, plan, membership, links, since, cut, changed: false, touched };
        look.run()?;
        changed |= look.changed;
        judged.push(membership);
    }
    if changed {
        progress.cut = cut;
        note_judged(connection, &mut progress)?;
        progress.store(connection)?;
    }
    judged.into_iter().try_for_each(|membership| set_evaluated(connection, membership, progress.cut))
}

/// Notes when the memberships were judged anew up to the latest cut: later than everything that any peer was told of.
fn note_judged(connection: &Connection, progress: &mut Progress) -> Outcome<()> {
    let at = progress.clock.latest().next();
    progress.clock.observe(at);
    let sql = "INSERT OR REPLACE INTO _packhorse_judged (cut, at) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![progress.cut.0 as i64, at.0 as i64])?;
    Ok(())
}

/// When what came to stand so at a cut was judged; the present clock if that is not known.
pub(super) fn judged_at(connection: &Connection, cut: Cut, clock: Reading) -> Outcome<Reading> {
    let sql = "SELECT at FROM _packhorse_judged WHERE cut >= ?1 ORDER BY cut LIMIT 1";
    let at: Option<i64> = connection.prepare_cached(sql)?.query_row([cut.0 as i64], |row| row.get(0)).optional()?;
    Ok(at.map_or(clock, |at| Reading(at as u64)))
}

fn links_of(connection: &Connection, membership: MembershipId) -> Outcome<Vec<LinkId>> {
    let mut statement = connection.prepare_cached("SELECT link FROM _packhorse_sharing WHERE membership = ?1")?;
    let links = statement.query_map([membership.0], |row| row.get(0).map(LinkId))?;
    Ok(links.collect::<rusqlite::Result<_>>()?)
}

/// What a remote that shares a membership is told of it.
pub(super) fn terms(connection: &Connection, catalogue: &Catalogue, membership: MembershipId) -> Outcome<Terms> {
    terms::of_set(connection, catalogue, &load(connection, membership)?)
}

/// Whether a link shares a membership already, on the terms of today.
pub(super) fn is_shared(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    membership: MembershipId,
) -> Outcome<bool> {
    let terms = terms::bytes_of(&terms(connection, catalogue, membership)?)?;
    let sql = "SELECT 1 FROM _packhorse_sharing WHERE link = ?1 AND membership = ?2 AND terms = ?3";
    Ok(connection.prepare_cached(sql)?.exists(params![link.0, membership.0, terms])?)
}

/// Lets a link share a membership from now on, within a write transaction in which every membership was looked at. `acked`:
/// what its peer has, unless it starts from a package, which holds just that.
pub(super) fn share(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    membership: MembershipId,
    acked: Option<Cut>,
) -> Outcome<()> {
    let mut progress = Progress::load(connection)?;
    let now = terms(connection, catalogue, membership)?;
    let terms = terms::bytes_of(&now)?;
    match acked {
        None => clear_exceptions(connection, catalogue, link)?,
        Some(_) if of_link(connection, link)? == Some(membership) => progress.cut = progress.cut.next(),
        Some(acked) => {
            progress.cut = switch(connection, catalogue, link, membership, [acked, progress.cut])?;
            note_judged(connection, &mut progress)?;
        }
    }
    progress.store(connection)?;
    let since = acked.map_or(Cut(0), |_| progress.cut);
    match acked {
        None => gained::forget(connection, link)?,
        Some(_) => gained::note(connection, catalogue, link, &now, since)?,
    }
    let sql = "INSERT INTO _packhorse_sharing (link, membership, terms, terms_since) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (link) DO UPDATE SET membership = excluded.membership, terms = excluded.terms, \
               terms_before = iif(terms = excluded.terms, terms_before, terms), \
               terms_since = iif(terms = excluded.terms AND ?4 > 0, terms_since, excluded.terms_since)";
    connection.execute(sql, params![link.0, membership.0, terms, since.0 as i64])?;
    remove_unused(connection, catalogue)
}

/// Notes what a link's peer lacks or has too much of; tells the last cut that this takes. The peer has what lies up to the
/// first of these cuts; the second is the latest there is.
fn switch(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    to: MembershipId,
    [acked, latest]: [Cut; 2],
) -> Outcome<Cut> {
    let had = sharing(connection, catalogue, link, Role::Remote)?;
    let now = of(connection, catalogue, to)?;
    let mut switch = Switch { connection, link, acked, after: latest };
    for entry in catalogue.entries().iter().filter(|entry| entry.has_members) {
        let of = |tables: &[SharedTable]| tables.iter().find(|table| table.shape.id == entry.shape.id).cloned();
        switch.after = switch.table(entry, of(&had).as_ref(), of(&now).as_ref())?;
    }
    Ok(switch.after.max(latest.next()))
}

/// Forgets what a link shares.
pub(super) fn unshare(connection: &Connection, catalogue: &Catalogue, link: LinkId) -> Outcome<()> {
    connection.execute("DELETE FROM _packhorse_sharing WHERE link = ?1", [link.0])?;
    gained::forget(connection, link)?;
    clear_exceptions(connection, catalogue, link)?;
    remove_unused(connection, catalogue)
}

fn clear_exceptions(connection: &Connection, catalogue: &Catalogue, link: LinkId) -> Outcome<()> {
    for entry in catalogue.entries().iter().filter(|entry| entry.has_members) {
        let sql = format!("DELETE FROM {} WHERE owner = ?1", rows::exceptions_table(&entry.shape.name));
        connection.execute(&sql, [link.0])?;
    }
    Ok(())
}

fn remove_unused(connection: &Connection, catalogue: &Catalogue) -> Outcome<()> {
    let sql = "SELECT id FROM _packhorse_memberships WHERE id NOT IN (SELECT membership FROM _packhorse_sharing)";
    let mut statement = connection.prepare_cached(sql)?;
    let unused = statement.query_map([], |row| row.get(0).map(MembershipId))?;
    let unused: Vec<MembershipId> = unused.collect::<rusqlite::Result<_>>()?;
    unused.into_iter().try_for_each(|membership| remove(connection, catalogue, membership))
}
