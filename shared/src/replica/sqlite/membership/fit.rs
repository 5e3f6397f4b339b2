//! Whether a set still fits the database: the application's migrations take tables and columns away that sets speak of.
//!
//! Invariant: a condition that compiles here reads columns alone. Elsewhere text in double quotes that names no column is taken
//! for text, as old schemas want it; a condition whose column has gone would be false of every row, and withdraw them all.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, ffi};

use super::load;
use super::plan::{By, Plan, unfit};
use crate::id::{Cut, LinkId};
use crate::replica::sqlite::catalogue::Catalogue;
use crate::replica::sqlite::fault::{Fault, Outcome};
use crate::replica::{MembershipId, ReplicaError};
use crate::set::BoundSet;

/// How SQLite refuses a statement that means nothing.
const REFUSED: ffi::Error = ffi::Error { code: ErrorCode::Unknown, extended_code: ffi::SQLITE_ERROR };

/// Compiles a set, with the conditions in it.
pub(super) fn fitting<'c>(connection: &Connection, set: &BoundSet, catalogue: &'c Catalogue) -> Outcome<Plan<'c>> {
    let plan = Plan::of(set, catalogue)?;
    let accepted = connection.db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    let compiled = conditions(connection, &plan);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, accepted)?;
    compiled.map(|()| plan)
}

fn conditions(connection: &Connection, plan: &Plan<'_>) -> Outcome<()> {
    let chosen = plan.groups.iter().flatten();
    for chosen in chosen.filter(|chosen| matches!(chosen.by, By::Condition { .. })) {
        // The first step notices what another connection has done to the schema; no record has a key of NULL.
        let test = connection.prepare(&chosen.test());
        match test.and_then(|mut test| test.raw_query().next().map(drop)) {
            Err(Error::SqlInputError { msg: why, .. } | Error::SqliteFailure(REFUSED, Some(why))) => {
                return Err(unfit(&chosen.entry.shape.name, in_brief(&why)).into());
            }
            compiled => compiled?,
        }
    }
    Ok(())
}

/// What SQLite says, without what it advises itself.
pub(super) fn in_brief(message: &str) -> &str {
    message.split_once(" - should this be").map_or(message, |(brief, _)| brief)
}

/// The set of a membership compiled; None if it does not fit any more.
pub(super) fn fitting_still<'c>(
    connection: &Connection,
    of: MembershipId,
    catalogue: &'c Catalogue,
) -> Outcome<Option<Plan<'c>>> {
    match fitting(connection, &load(connection, of)?, catalogue) {
        Err(Fault::Said(ReplicaError::Set { .. })) => Ok(None),
        plan => plan.map(Some),
    }
}

/// Fails where what a link shares could not be judged up to a cut: nobody knows what its peer may have.
pub(in super::super) fn must_be_judged(
    connection: &Connection,
    catalogue: &Catalogue,
    link: LinkId,
    upto: Cut,
) -> Outcome<()> {
    let Some(membership) = super::of_link(connection, link)? else { return Ok(()) };
    must_be(connection, catalogue, membership, upto)
}

/// The same of a membership.
pub(in super::super) fn must_be(
    connection: &Connection,
    catalogue: &Catalogue,
    of: MembershipId,
    upto: Cut,
) -> Outcome<()> {
    let sql = "SELECT 1 FROM _packhorse_memberships WHERE id = ?1 AND evaluated_to < ?2";
    if !connection.prepare_cached(sql)?.exists([of.0, upto.0 as i64])? {
        return Ok(());
    }
    fitting(connection, &load(connection, of)?, catalogue).map(drop)
}
