//! How changes of a table's records are merged: the table `_packhorse_policies`.
//!
//! Owns what the hub's configuration says, or what this node's hub told it, and what that comes to here: names become columns
//! of this database, of which a remote's groups hold those that it shares. Invariant: a policy in the hub's table fits its
//! database; one that a remote was told may name what it does not have, which is passed over.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params, params_from_iter};

use super::SqliteReplica;
use super::catalogue::Catalogue;
use super::fault::{Fault, Outcome};
use super::membership::lint::title_fault;
use super::names::{joined, quoted};
use super::schema;
use crate::config::Span;
use crate::id::ColumnId;
use crate::replica::{Affinity, Granularity, Parent, Policy, ReplicaError, Result, Rules, TableShape, Terms};
use crate::seam::{Saboteur, is_at_work};
use crate::value::Key;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_policies (tbl TEXT PRIMARY KEY COLLATE NOCASE, \
                     policy BLOB NOT NULL) WITHOUT ROWID";

/// Policies, by table.
pub(super) type Policies = BTreeMap<String, Policy>;

impl SqliteReplica {
    /// Takes over what the configuration says of how tables are merged. What does not fit the database is refused.
    pub fn set_policies(&mut self, wanted: &Policies) -> Result<()> {
        self.try_set_policies(wanted).map_err(|fault| fault.at(&self.path, "take over what its configuration says"))
    }

    fn try_set_policies(&mut self, wanted: &Policies) -> Outcome<()> {
        if *wanted == load(&self.writer)? {
            return Ok(());
        }
        for (table, policy) in wanted {
            check(&self.writer, &self.catalogue, table, policy)?;
        }
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        store(&transaction, wanted)?;
        transaction.commit()?;
        let (found, _) = schema::candidates(&self.writer)?;
        self.catalogue = Catalogue::load(&self.writer, &found)?;
        self.count_what_is_to_be_counted()
    }
}

impl SqliteReplica {
    /// What people know a record by, if its table says that and the record stands. An expression that fails on the row says
    /// nothing: a list is not to fail by one name.
    pub fn title(&self, table: &TableShape, key: &Key) -> Result<Option<String>> {
        let Some(title) = &table.rules.title else { return Ok(None) };
        let is_key = joined(table.keys.len(), " AND ", |at| format!("{} = ?{}", quoted(&table.keys[at]), at + 1));
        let sql = format!("SELECT CAST(({title}\n) AS TEXT) FROM main.{} WHERE {is_key}", quoted(&table.name));
        let read = || -> Outcome<Option<String>> {
            let mut statement = self.reader.prepare_cached(&sql)?;
            let title = statement.query_row(params_from_iter(&key.0), |row| row.get::<_, Option<String>>(0));
            Ok(title.optional().unwrap_or_default().flatten())
        };
        read().map_err(self.fault("be read"))
    }
}

/// Those that are stored.
pub(super) fn load(connection: &Connection) -> Outcome<Policies> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_policies'";
    if !connection.prepare_cached(there)?.exists([])? {
        return Ok(Policies::new());
    }
    let mut statement = connection.prepare("SELECT tbl, policy FROM _packhorse_policies")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let damaged = |table: &str| Fault::Damaged(format!("the policy of its table {table} cannot be read"));
    let mut all = Policies::new();
    for row in rows {
        let (table, bytes): (String, Vec<u8>) = row?;
        let policy = rmp_serde::from_slice(&bytes).map_err(|_| damaged(&table))?;
        all.insert(table, policy);
    }
    Ok(all)
}

/// Stores them in place of those before.
pub(super) fn store(connection: &Connection, policies: &Policies) -> Outcome<()> {
    connection.execute_batch(TABLE)?;
    connection.execute("DELETE FROM _packhorse_policies", [])?;
    for (table, policy) in policies {
        let bytes = rmp_serde::to_vec_named(policy)
            .map_err(|error| Fault::Damaged(format!("the policy of its table {table} cannot be written: {error}")))?;
        let sql = "INSERT INTO _packhorse_policies (tbl, policy) VALUES (?1, ?2)";
        connection.execute(sql, params![table, bytes])?;
    }
    Ok(())
}

fn check(connection: &Connection, catalogue: &Catalogue, table: &str, policy: &Policy) -> Outcome<()> {
    let refused = |why: String| Fault::Said(ReplicaError::Policy { table: table.to_owned(), why });
    let entry = catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(table));
    let entry = entry.ok_or_else(|| refused("no such table is synced".to_owned()))?;
    let is_unknown = |column: &&String| entry.shape.position(column).is_none();
    if let Some(column) = policy.together.iter().flatten().find(is_unknown) {
        return Err(refused(format!("`together` names \"{column}\", which is no column beside its key")));
    }
    if let Some(why) = why_together(policy) {
        return Err(refused(why));
    }
    for column in &policy.add {
        if let Some(why) = why_no_counter(&entry.shape, column) {
            return Err(refused(format!("`add` names \"{column}\", {why}")));
        }
    }
    let fault = policy.title.as_deref().map(|title| title_fault(connection, entry, title)).transpose()?.flatten();
    fault.map_or(Ok(()), |why| Err(refused(format!("`title`: {why}"))))
}

/// Why the counters of a policy do not change alone, if they do not.
fn why_together(policy: &Policy) -> Option<String> {
    let first = policy.add.first()?;
    if policy.granularity == Granularity::Record {
        return Some(format!(
            "`add` names \"{first}\", and by its `granularity` the columns of a record change together"
        ));
    }
    let in_group = |counter: &&String| policy.together.iter().flatten().any(|name| name.eq_ignore_ascii_case(counter));
    let counter = policy.add.iter().find(in_group)?;
    Some(format!("`add` names \"{counter}\", which changes together with others (`together`)"))
}

/// Why a column can be no counter, if it cannot; that it changes alone is looked at elsewhere.
fn why_no_counter(shape: &TableShape, column: &str) -> Option<&'static str> {
    let Some(column) = shape.position(column).and_then(|at| shape.columns.get(at)) else {
        return Some("which is no column beside its key");
    };
    let is_in_parent = |parent: &Parent| parent.columns.iter().any(|(here, _)| *here == column.name);
    let refers = column.refers_to.is_some() || column.pair.is_some() || shape.parents.iter().any(is_in_parent);
    if !matches!(column.affinity, Affinity::Number | Affinity::Real) {
        Some("whose type is no number: differences are added in columns of INTEGER, REAL or NUMERIC")
    } else if refers || shape.names_another(column.id) {
        Some("which says what the record refers to")
    } else if shape.identity.contains(&column.id) {
        Some("by which its records are known")
    } else {
        None
    }
}

/// What a table's policy comes to. `told`: what this node shares with its hub.
pub(super) fn rules(policies: &Policies, shape: &TableShape, told: &Terms) -> Rules {
    let found = policies.iter().find(|(table, _)| table.eq_ignore_ascii_case(&shape.name));
    let Some((_, policy)) = found else { return Rules::default() };
    let shared = told.columns_of(shape).unwrap_or_default();
    let of = |names: &[String]| -> Vec<ColumnId> {
        let places = names.iter().filter_map(|name| shape.position(name)).filter(|at| shared.contains(at));
        places.filter_map(|at| shape.columns.get(at)).map(|column| column.id).collect()
    };
    let is_counter = |id: &ColumnId| {
        let name = shape.columns.iter().find(|column| column.id == *id).map(|column| column.name.as_str());
        name.is_some_and(|name| why_no_counter(shape, name).is_none())
    };
    let together: Vec<Vec<ColumnId>> = match policy.granularity {
        Granularity::Field => policy.together.iter().map(|group| of(group)).collect(),
        Granularity::Record if is_at_work(Saboteur::IgnoreGranularity) => Vec::new(),
        Granularity::Record => vec![shared.iter().filter_map(|at| shape.columns.get(*at)).map(|it| it.id).collect()],
    };
    let together: Vec<_> = together.into_iter().filter(|group| group.len() > 1).collect();
    let changes_alone = |id: &ColumnId| !together.iter().any(|group| group.contains(id));
    let mut add: Vec<ColumnId> = of(&policy.add).into_iter().filter(|id| is_counter(id) && changes_alone(id)).collect();
    add.sort_unstable();
    let stale_after = policy.stale_after.map(Span::from_millis);
    Rules { prefer: policy.prefer, together, add, title: policy.title.clone(), stale_after }
}
