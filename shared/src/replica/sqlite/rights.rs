//! What each remote may do to the records that it shares: the table `_packhorse_rights`.
//!
//! Owns its layout. What the configuration says lies in the database, so that a merge finds it in its own transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior, params};

use super::SqliteReplica;
use super::fault::{Fault, Outcome};
use crate::id::{LinkId, TableId};
use crate::replica::{ReplicaError, Result, TableShape};
use crate::set::Rights;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_rights (link INTEGER NOT NULL, tbl TEXT NOT NULL COLLATE NOCASE, \
                     rights BLOB NOT NULL, PRIMARY KEY (link, tbl)) WITHOUT ROWID";

impl SqliteReplica {
    /// Lets a link's remote do that and no more, from now on, by table; of others it may do everything that it shares.
    pub fn set_rights(&mut self, link: LinkId, wanted: &BTreeMap<String, Rights>) -> Result<()> {
        for (table, rights) in wanted {
            check(TableShape::named(self.catalogue.shapes(), table), table, rights)?;
        }
        self.try_set_rights(link, wanted).map_err(|fault| fault.at(&self.path, "take over what its configuration says"))
    }

    fn try_set_rights(&mut self, link: LinkId, wanted: &BTreeMap<String, Rights>) -> Outcome<()> {
        if load(&self.writer, link)? == *wanted {
            return Ok(());
        }
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLE)?;
        transaction.execute("DELETE FROM _packhorse_rights WHERE link = ?1", [link.0])?;
        for (table, rights) in wanted {
            let bytes = rmp_serde::to_vec_named(rights)
                .map_err(|error| Fault::Damaged(format!("rights to its table {table} cannot be written: {error}")))?;
            let sql = "INSERT INTO _packhorse_rights (link, tbl, rights) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![link.0, table, bytes])?;
        }
        Ok(transaction.commit()?)
    }
}

fn check(shape: Option<&TableShape>, table: &str, rights: &Rights) -> Result<()> {
    let refused = |why: String| Err(ReplicaError::Rights { table: table.to_owned(), why });
    let Some(shape) = shape else { return Ok(()) };
    let is_there =
        |name: &String| shape.position(name).is_some() || shape.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    let told = &rights.table;
    if let Some(column) = told.owner_column.iter().find(|name| !is_there(name)) {
        return refused(format!("`owner_column` names \"{column}\", which is no column of it"));
    }
    if let Some(column) = told.read_only.iter().find(|name| shape.position(name).is_none()) {
        return refused(format!("`read_only` names \"{column}\", which is no column beside its key"));
    }
    Ok(())
}

/// What a link's remote may do, by table.
fn load(connection: &Connection, link: LinkId) -> Outcome<BTreeMap<String, Rights>> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_rights'";
    if !connection.prepare_cached(there)?.exists([])? {
        return Ok(BTreeMap::new());
    }
    let mut statement = connection.prepare_cached("SELECT tbl, rights FROM _packhorse_rights WHERE link = ?1")?;
    let rows = statement.query_map([link.0], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut all = BTreeMap::new();
    for row in rows {
        let (table, bytes): (String, Vec<u8>) = row?;
        let damaged = |_| Fault::Damaged(format!("rights to its table {table} cannot be read"));
        let rights = rmp_serde::from_slice(&bytes).map_err(damaged)?;
        all.insert(table, rights);
    }
    Ok(all)
}

/// The same by the tables of this database.
pub(super) fn of_link(
    connection: &Connection,
    shapes: &[TableShape],
    link: LinkId,
) -> Outcome<BTreeMap<TableId, Rights>> {
    let all = load(connection, link)?.into_iter();
    Ok(all.filter_map(|(table, rights)| Some((TableShape::named(shapes, &table)?.id, rights))).collect())
}

/// Forgets what a link's remote may do.
pub(super) fn forget(connection: &Connection, link: LinkId) -> Outcome<()> {
    connection.execute_batch(TABLE)?;
    connection.execute("DELETE FROM _packhorse_rights WHERE link = ?1", [link.0])?;
    Ok(())
}
