//! What need not be remembered of memberships once every peer knows: that members died, and most of what links made exceptions
//! of.
//!
//! Invariants: since when a record is a member stays known, so that one which comes from a backup is told that it came in; and
//! so does that one left, or strayed to a peer, since it may stay there for longer than anybody is told (as long as a record
//! that was made there refers to it), and what is edited of it meanwhile is to be taken.

use rusqlite::{Connection, TransactionBehavior, params};

use super::rows::{Exception, State, exceptions_table, members_table};
use crate::id::{Cut, LinkId};
use crate::link::Role;
use crate::replica::SharedRows;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::joined;

/// Forgets what lies up to a cut that everybody has acknowledged.
pub(in super::super) fn prune(writer: &mut Connection, catalogue: &Catalogue, upto: Cut) -> Outcome<()> {
    let owners = |sql: &str| -> Outcome<Vec<u32>> {
        let mut statement = writer.prepare_cached(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    };
    let memberships = owners("SELECT id FROM _packhorse_memberships")?;
    let links = owners("SELECT link FROM _packhorse_sharing")?;
    for entry in catalogue.entries().iter().filter(|entry| entry.has_members) {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for link in &links {
            let shared = super::sharing(&transaction, catalogue, LinkId(*link), Role::Remote)?;
            let shared = shared.into_iter().find(|shared| shared.shape.id == entry.shape.id);
            exceptions(&transaction, entry, *link, upto, shared.map(|shared| shared.rows))?;
        }
        let sql = format!(
            "DELETE FROM {} WHERE owner = ?1 AND cut > 0 AND cut <= ?2 AND kind = {}",
            members_table(&entry.shape.name),
            State::Died.kind()
        );
        for membership in &memberships {
            transaction.prepare_cached(&sql)?.execute(params![membership, upto.0 as i64])?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// What a link's peer lacked it has had since then. In a table that is shared whole no membership could tell since when, so
/// that it stays.
fn exceptions(connection: &Connection, entry: &Entry, link: u32, upto: Cut, rows: Option<SharedRows>) -> Outcome<()> {
    let (members, exceptions) = (members_table(&entry.shape.name), exceptions_table(&entry.shape.name));
    let same = joined(entry.shape.keys.len(), " AND ", |at| format!("x.k{0} = {members}.k{0}", at + 1));
    let lacks = Exception::Lacks.kind();
    let raise = format!(
        "UPDATE {members} SET cut = max({members}.cut, x.cut) FROM {exceptions} x \
         WHERE x.owner = ?1 AND x.cut <= ?2 AND x.kind = {lacks} AND {same} \
         AND {members}.owner = (SELECT membership FROM _packhorse_sharing WHERE link = ?1)"
    );
    connection.prepare_cached(&raise)?.execute(params![link, upto.0 as i64])?;
    let stray = Exception::Stray.kind();
    let kept = if rows == Some(SharedRows::All) { format!("{stray}, {lacks}") } else { stray.to_string() };
    let drop = format!("DELETE FROM {exceptions} WHERE owner = ?1 AND cut <= ?2 AND kind NOT IN ({kept})");
    connection.prepare_cached(&drop)?.execute(params![link, upto.0 as i64])?;
    Ok(())
}
