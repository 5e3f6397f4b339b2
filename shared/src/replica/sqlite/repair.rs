//! Capture that no longer fits the schema, noticed whenever a database is opened.
//!
//! A column added, an index made or dropped: the triggers are made anew and nothing is lost, because the old ones
//! logged every row that they saw. A table rebuilt by a migration has lost its triggers: what happened since nobody
//! knows, and that is said.

use rusqlite::{Connection, TransactionBehavior};

use super::capture::{CaptureState, capture_state, ensure_log, install};
use super::catalogue::Catalogue;
use super::fault::{Fault, Outcome};
use super::prepare::number_columns;
use super::schema::{Candidate, candidates};
use crate::replica::ReplicaError;

/// Loads the catalogue, renewing outdated capture first.
pub(super) fn renew_capture(writer: &mut Connection) -> Outcome<Catalogue> {
    let (found, _) = candidates(writer)?;
    let catalogue = Catalogue::load(writer, &found)?;
    let outdated = outdated(writer, &found, &catalogue)?;
    if outdated.is_empty() {
        return Ok(catalogue);
    }
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in outdated {
        let shape = catalogue.shapes().iter().find(|shape| shape.name == table.name);
        let id = shape.map(|shape| shape.id).ok_or_else(|| Fault::Damaged("a synced table has no number".into()))?;
        let columns = number_columns(&transaction, table, id)?;
        ensure_log(&transaction, table.keys.len(), table.columns.len())?;
        install(&transaction, table, id, &columns)?;
    }
    transaction.commit()?;
    Catalogue::load(writer, &found)
}

fn outdated<'a>(connection: &Connection, found: &'a [Candidate], catalogue: &Catalogue) -> Outcome<Vec<&'a Candidate>> {
    let mut outdated = Vec::new();
    for shape in catalogue.shapes().iter() {
        let Some(table) = found.iter().find(|table| table.name == shape.name) else { continue };
        match capture_state(connection, table)? {
            CaptureState::Intact => {}
            CaptureState::Outdated => outdated.push(table),
            CaptureState::Lost => return Err(ReplicaError::CaptureLost { table: table.name.clone() }.into()),
        }
    }
    Ok(outdated)
}
