//! A set compiled for a database: how each table's members are found, and in which order.
//!
//! Invariant: tables stand in an order in which every parent that is followed comes before its followers; tables that
//! follow each other in a circle, or themselves, form one group.

use rusqlite::Connection;

use crate::replica::sqlite::catalogue::{Catalogue, Entry, is_exactly};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::{joined, quoted};
use crate::replica::{KeyKind, MembershipId, Parent, ReplicaError};
use crate::set::expression::bind;
use crate::set::{BoundSet, Rows, Scalar, Scope, SetTable};

use super::rows::{is_member, members_table};

/// Every table of a set whose rows are chosen.
#[derive(Clone, Debug)]
pub(super) struct Plan<'c> {
    /// In groups, parents first.
    pub groups: Vec<Vec<Chosen<'c>>>,
    /// The tables shared whole whose records others follow, with those follows.
    pub whole: Vec<(&'c Entry, Vec<Follower>)>,
}

/// A table whose rows are chosen.
#[derive(Clone, Debug)]
pub(super) struct Chosen<'c> {
    /// The table.
    pub entry: &'c Entry,
    /// How its members are told.
    pub by: By,
}

/// How members are told.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// By a condition on the row.
    Condition {
        /// In SQL; its parameters are numbered from 1.
        sql: String,
        /// Their values.
        values: Vec<Scalar>,
    },
    /// By any of these parents.
    Parents(Vec<Follow>),
}

/// A foreign key that is followed.
#[derive(Clone, Debug)]
pub(super) struct Follow {
    /// The parent table.
    pub parent: String,
    /// Whether that is shared whole.
    pub is_whole: bool,
    /// The join of the parent `p` and the child `c`.
    pub joins: String,
    /// For each key column of the parent the child's column, if the foreign key refers to the key.
    pub by_key: Option<Vec<String>>,
}

/// A follow seen from the parent.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    /// The table that follows.
    pub child: String,
    /// How.
    pub follow: Follow,
}

impl<'c> Plan<'c> {
    /// Compiles a set.
    pub fn of(set: &BoundSet, catalogue: &'c Catalogue) -> Outcome<Self> {
        let Scope::Tables(tables) = &set.scope else { return Ok(Self { groups: Vec::new(), whole: Vec::new() }) };
        let mut chosen = Vec::new();
        for table in tables {
            let entry = find(catalogue, &table.name)?;
            match &table.rows {
                Rows::All => {}
                Rows::Where(text) => {
                    let bound = bind(text, &set.params).map_err(|error| unfit(&table.name, &error.why))?;
                    chosen.push(Chosen { entry, by: By::Condition { sql: bound.sql, values: bound.values } });
                }
                Rows::Follow(keys) => {
                    let follows = keys.iter().map(|key| follow(entry, key, tables, catalogue));
                    chosen.push(Chosen { entry, by: By::Parents(follows.collect::<Outcome<_>>()?) });
                }
            }
        }
        let whole = whole(tables, &chosen, catalogue)?;
        Ok(Self { groups: grouped(chosen), whole })
    }
}

impl Chosen<'_> {
    /// The follows by which it depends on a table.
    pub fn follows<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a Follow> {
        let follows = match &self.by {
            By::Condition { .. } => &[][..],
            By::Parents(follows) => follows,
        };
        follows.iter().filter(move |follow| follow.parent == parent)
    }
}

/// The tables shared whole that others follow.
fn whole<'c>(
    tables: &[SetTable],
    chosen: &[Chosen<'c>],
    catalogue: &'c Catalogue,
) -> Outcome<Vec<(&'c Entry, Vec<Follower>)>> {
    let mut whole = Vec::new();
    for table in tables.iter().filter(|table| table.rows == Rows::All) {
        let entry = find(catalogue, &table.name)?;
        let followers = chosen.iter().flat_map(|child| {
            let follows = child.follows(&entry.shape.name);
            follows.map(|follow| Follower { child: child.entry.shape.name.clone(), follow: follow.clone() })
        });
        let followers: Vec<Follower> = followers.collect();
        whole.extend((!followers.is_empty()).then_some((entry, followers)));
    }
    Ok(whole)
}

pub(super) fn find<'c>(catalogue: &'c Catalogue, table: &str) -> Outcome<&'c Entry> {
    let entry = catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(table));
    Ok(entry.ok_or_else(|| unfit(table, "it is not synced"))?)
}

pub(super) fn unfit(table: &str, why: &str) -> ReplicaError {
    ReplicaError::Set { table: table.to_owned(), why: why.to_owned() }
}

fn follow(entry: &Entry, key: &str, tables: &[SetTable], catalogue: &Catalogue) -> Outcome<Follow> {
    let parent = foreign_key(entry, key, catalogue)
        .ok_or_else(|| unfit(&entry.shape.name, &format!("it has no foreign key {key} that could be followed")))?;
    let in_set = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&parent.table));
    let in_set = in_set.ok_or_else(|| {
        unfit(&entry.shape.name, &format!("it follows {key} to {}, which is not in the set", parent.table))
    })?;
    let keys = &find(catalogue, &parent.table)?.shape.keys;
    let here = |there: &String| parent.columns.iter().find(|pair| pair.1.eq_ignore_ascii_case(there));
    let by_key: Option<Vec<String>> = keys.iter().map(|there| here(there).map(|pair| pair.0.clone())).collect();
    Ok(Follow {
        is_whole: in_set.rows == Rows::All,
        joins: joined(parent.columns.len(), " AND ", |at| {
            let (here, there) = &parent.columns[at];
            format!("p.{} = c.{}", quoted(there), quoted(here))
        }),
        by_key: by_key.filter(|columns| columns.len() == parent.columns.len()),
        parent: parent.table,
    })
}

/// The foreign key of these columns, declared or, for one column, by the configuration.
pub(super) fn foreign_key(entry: &Entry, key: &str, catalogue: &Catalogue) -> Option<Parent> {
    let shape = &entry.shape;
    let wanted: Vec<&str> = key.split(',').map(str::trim).collect();
    let is_it = |parent: &&Parent| {
        let has = |name: &&str| parent.columns.iter().any(|pair| pair.0.eq_ignore_ascii_case(name));
        parent.columns.len() == wanted.len() && wanted.iter().all(has)
    };
    if let Some(declared) = shape.parents.iter().find(is_it) {
        return Some(declared.clone());
    }
    let [column] = wanted.as_slice() else { return None };
    let of_key = shape.keys.iter().zip(&shape.key_refers_to).filter(|_| shape.key_kind == KeyKind::Natural);
    let of_columns = shape.columns.iter().map(|column| (&column.name, &column.refers_to));
    let (name, table) =
        of_key.chain(of_columns).find(|(name, to)| name.eq_ignore_ascii_case(column) && to.is_some())?;
    let table = table.clone()?;
    let there = catalogue.named(&table)?.shape.keys.first()?.clone();
    Some(Parent { table, columns: vec![(name.clone(), there)] })
}

/// Brings tables into groups, parents first. (A set has tens of tables, not thousands.)
fn grouped(mut rest: Vec<Chosen<'_>>) -> Vec<Vec<Chosen<'_>>> {
    let mut groups = Vec::new();
    while !rest.is_empty() {
        let group = (0..rest.len()).map(|at| reachable(&rest, at)).min_by_key(Vec::len).unwrap_or_default();
        let (mut members, others): (Vec<_>, Vec<_>) =
            rest.into_iter().enumerate().partition(|(at, _)| group.contains(at));
        members.sort_by_key(|(at, _)| *at);
        groups.push(members.into_iter().map(|(_, chosen)| chosen).collect());
        rest = others.into_iter().map(|(_, chosen)| chosen).collect();
    }
    groups
}

/// A table and every other on which it depends, by positions: the smallest of such sets depends on nothing else.
fn reachable(all: &[Chosen<'_>], from: usize) -> Vec<usize> {
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(&at) = reached.get(next) {
        let parents = (0..all.len()).filter(|parent| all[at].follows(&all[*parent].entry.shape.name).next().is_some());
        let new: Vec<usize> = parents.filter(|parent| !reached.contains(parent)).collect();
        reached.extend(new);
        next += 1;
    }
    reached
}

impl Chosen<'_> {
    /// The statement that tells whether the record under a key stands and fulfils the condition: one row with 0 or 1 if it
    /// stands. The key's parameters follow those of the condition.
    pub fn test(&self) -> String {
        let shape = &self.entry.shape;
        let keys: Vec<String> = shape.keys.iter().map(|key| quoted(key)).collect();
        let (condition, first) = match &self.by {
            // An expression may end with a comment.
            By::Condition { sql, values } => (format!("(({sql}\n) IS TRUE)"), values.len() + 1),
            By::Parents(_) => ("0".to_owned(), 1),
        };
        let is_it = joined(keys.len(), " AND ", |at| is_exactly(&keys[at], &format!("?{}", first + at)));
        format!("SELECT {condition} FROM {} WHERE {is_it}", quoted(&shape.name))
    }

    /// The statement that tells whether the record under a key refers by a followed key to a member.
    pub fn supported(&self, follow: &Follow, catalogue: &Catalogue, of: MembershipId) -> Outcome<String> {
        let shape = &self.entry.shape;
        let keys: Vec<String> = shape.keys.iter().map(|key| format!("c.{}", quoted(key))).collect();
        let is_it = joined(keys.len(), " AND ", |at| is_exactly(&keys[at], &format!("?{}", at + 1)));
        let (child, from) = (quoted(&shape.name), parent_members(follow, catalogue, of)?);
        Ok(format!("SELECT 1 FROM {child} c JOIN {from} WHERE {is_it}"))
    }

    /// The statement that finds the keys after a key, in their order, of the records that are members by a first look: a
    /// condition, or a parent that is one. Parameters: those of a condition, then the key's.
    pub fn first_look(&self, catalogue: &Catalogue, of: MembershipId, is_first: bool) -> Outcome<String> {
        let (shape, table) = (&self.entry.shape, quoted(&self.entry.shape.name));
        let (condition, values, from, c) = match &self.by {
            // It speaks of the row by its columns, or by the table's own name.
            By::Condition { sql, values } => (format!("({sql}\n) IS TRUE"), values.len(), table.clone(), table),
            By::Parents(follows) => {
                let any = follows
                    .iter()
                    .map(|follow| Ok(format!("EXISTS (SELECT 1 FROM {})", parent_exists(follow, catalogue, of)?)));
                let any = any.collect::<Outcome<Vec<String>>>()?.join(" OR ");
                (any, 0, format!("{table} c"), "c".to_owned())
            }
        };
        let keys: Vec<String> = shape.keys.iter().map(|key| format!("{c}.{}", quoted(key))).collect();
        Ok(in_order(&keys, &from, &condition, values, is_first))
    }

    /// The statement that finds the same of all records, with the same parameters.
    pub fn every(&self, is_first: bool) -> String {
        let keys: Vec<String> = self.entry.shape.keys.iter().map(|key| quoted(key)).collect();
        let values = match &self.by {
            By::Condition { values, .. } => values.len(),
            By::Parents(_) => 0,
        };
        // A parameter that occurs nowhere could not be bound.
        let (table, last) = (
            quoted(&self.entry.shape.name),
            if values > 0 { format!("?{values} IS ?{values}") } else { "true".to_owned() },
        );
        in_order(&keys, &table, &last, values, is_first)
    }
}

/// The statement that finds the keys after a key, in their order, of the records that fulfil a condition; the key's parameters
/// follow the `values` that the condition has.
fn in_order(keys: &[String], from: &str, condition: &str, values: usize, is_first: bool) -> String {
    let told = keys.join(", ");
    let whole = joined(keys.len(), " AND ", |at| format!("{} IS NOT NULL", keys[at]));
    let after = joined(keys.len(), ", ", |at| format!("?{}", values + at + 1));
    let after = if is_first { String::new() } else { format!(" AND ({told}) > ({after})") };
    format!("SELECT {told} FROM {from} WHERE ({condition}) AND {whole}{after} ORDER BY {told} LIMIT {CHUNK}")
}

/// How many members are written under one hold of the write lock.
pub(super) const CHUNK: usize = 2_000;

/// The members `s` of a followed parent `p`, joined with the child `c`.
fn parent_members(follow: &Follow, catalogue: &Catalogue, of: MembershipId) -> Outcome<String> {
    let parent = quoted(&follow.parent);
    if follow.is_whole {
        return Ok(format!("{parent} p ON {}", follow.joins));
    }
    Ok(format!("{parent} p ON {} JOIN {}", follow.joins, members_of(follow, catalogue, of)?))
}

/// The same without a join: a parent of the child `c`.
fn parent_exists(follow: &Follow, catalogue: &Catalogue, of: MembershipId) -> Outcome<String> {
    let parent = quoted(&follow.parent);
    if follow.is_whole {
        return Ok(format!("{parent} p WHERE {}", follow.joins));
    }
    Ok(format!("{parent} p JOIN {} WHERE {}", members_of(follow, catalogue, of)?, follow.joins))
}

fn members_of(follow: &Follow, catalogue: &Catalogue, of: MembershipId) -> Outcome<String> {
    let keys = &find(catalogue, &follow.parent)?.shape.keys;
    let keys: Vec<String> = keys.iter().map(|key| format!("p.{}", quoted(key))).collect();
    Ok(format!("{} s ON {}", members_table(&follow.parent), is_member(of, &keys)))
}

impl Follow {
    /// The statement that finds the keys of the children of the records whose keys stand in a table of ours.
    pub fn children(
        &self,
        connection: &Connection,
        child: &Entry,
        flipped: &str,
        catalogue: &Catalogue,
    ) -> Outcome<String> {
        let told = child.shape.keys.iter().map(|key| format!("c.{}", quoted(key))).collect::<Vec<_>>().join(", ");
        let whole = child.shape.keys.iter().map(|key| format!("c.{} IS NOT NULL", quoted(key)));
        let whole = whole.collect::<Vec<_>>().join(" AND ");
        let table = quoted(&child.shape.name);
        Ok(match &self.by_key {
            // Its parent may not stand any more.
            Some(columns) => {
                // As a foreign key compares: by the collation of the parent's key.
                let keys = &find(catalogue, &self.parent)?.shape.keys;
                let mut refers = Vec::new();
                for (at, (here, there)) in columns.iter().zip(keys).enumerate() {
                    let (_, collation, ..) =
                        connection.column_metadata(Some("main"), self.parent.as_str(), there.as_str())?;
                    let collation = collation.map_or("BINARY".into(), |name| name.to_string_lossy());
                    refers.push(format!("c.{} = f.k{} COLLATE {}", quoted(here), at + 1, quoted(&collation)));
                }
                let refers = refers.join(" AND ");
                format!("SELECT {told} FROM {flipped} f JOIN {table} c ON {refers} WHERE {whole}")
            }
            None => {
                let keys = &find(catalogue, &self.parent)?.shape.keys;
                let same = joined(keys.len(), " AND ", |at| format!("p.{} = f.k{}", quoted(&keys[at]), at + 1));
                let parent = quoted(&self.parent);
                format!(
                    "SELECT {told} FROM {flipped} f JOIN {parent} p ON {same} JOIN {table} c ON {} WHERE {whole}",
                    self.joins
                )
            }
        })
    }
}
