//! Capture that no longer fits the schema, noticed whenever a database is opened.
//!
//! A column added, an index made or dropped: the triggers are made anew and nothing is lost, because the old ones
//! logged every row that they saw. A table rebuilt by a migration has lost its triggers, and what was written to it
//! since went unseen. Every record of it then counts as changed at the time when capture was last known good: what was
//! changed elsewhere later still wins, what was changed elsewhere earlier and not seen here is listed as a conflict.

use rusqlite::{Connection, TransactionBehavior};

use super::capture::{CaptureState, Op, WORD_BITS, capture_state, ensure_log, install, mask_names, mask_words};
use super::catalogue::{Catalogue, is_exactly};
use super::fault::Outcome;
use super::names::{joined, key_names, literal, marks_table, quoted, quoted_list};
use super::prepare::number_columns;
use super::quiet;
use super::schema::{Candidate, candidates};
use super::state::{self, Progress};
use crate::id::{Cut, TableId};
use crate::replica::KeyKind;

/// Loads the catalogue, renewing capture that does not fit first.
pub(super) fn renew_capture(writer: &mut Connection) -> Outcome<Catalogue> {
    let (found, _) = candidates(writer)?;
    let catalogue = Catalogue::load(writer, &found)?;
    if misfits(writer, &found, &catalogue)?.is_empty() {
        return Ok(catalogue);
    }
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Under the lock once more: two commands may have noticed at the same time.
    for misfit in misfits(&transaction, &found, &catalogue)? {
        let columns = number_columns(&transaction, misfit.table, misfit.id)?;
        ensure_log(&transaction, misfit.table.keys.len(), misfit.table.columns.len())?;
        install(&transaction, misfit.table, misfit.id, &columns)?;
        if misfit.state == CaptureState::Lost {
            quiet::note_unseen(&transaction)?;
            log_everything(&transaction, misfit.table, columns.len())?;
        }
    }
    // What is held may have waited for a column that is here now.
    state::set_tried(&transaction, Cut(0))?;
    transaction.commit()?;
    Catalogue::load(writer, &found)
}

struct Misfit<'a> {
    table: &'a Candidate,
    id: TableId,
    state: CaptureState,
}

fn misfits<'a>(connection: &Connection, found: &'a [Candidate], catalogue: &Catalogue) -> Outcome<Vec<Misfit<'a>>> {
    let mut misfits = Vec::new();
    for shape in catalogue.shapes().iter() {
        let Some(table) = found.iter().find(|table| table.name == shape.name) else { continue };
        let state = capture_state(connection, table)?;
        if state != CaptureState::Intact {
            misfits.push(Misfit { table, id: shape.id, state });
        }
    }
    Ok(misfits)
}

/// Logs every record as updated in every field, and every record that had marks and is gone as deleted, at the time of
/// the latest harvest. (A record that never changed and was deleted unseen leaves nothing to know it by.)
fn log_everything(connection: &Connection, table: &Candidate, columns: usize) -> Outcome<()> {
    let at = Progress::load(connection)?.clock.latest().time().0;
    let capture: i64 = connection.query_row("SELECT max(id) FROM _packhorse_captures", [], |row| row.get(0))?;
    let (name, keys) = (quoted(&table.name), key_names(table.keys.len()));
    let own = quoted_list(table.keys.iter().map(String::as_str));
    let words = mask_names(mask_words(columns)).join(", ");
    let masks = (0..mask_words(columns)).map(|_| full_mask().to_string()).collect::<Vec<_>>().join(", ");
    // A record that has only a key is said to be there by its making.
    let op = if columns == 0 && table.key_kind == KeyKind::Natural { Op::Insert } else { Op::Update }.letter();
    connection.execute_batch(&format!(
        "INSERT INTO _packhorse_log (tbl, {keys}, op, {words}, at) SELECT {capture}, {own}, '{op}', {masks}, {at} FROM {name};
         INSERT INTO _packhorse_notices (at, text) VALUES ({at}, {said});",
        said = literal(&format!("capture on table {} was gone, as after a migration; all of it is sent again", table.name)),
    ))?;
    log_vanished(connection, &table.name, &table.keys)?;
    tracing::warn!(table = table.name, "capture was gone, as after a migration; all of the table is sent again");
    Ok(())
}

/// Logs as deleted every record of a synced table that has marks and stands no more: deleted unseen, by a program that
/// had triggers switched off, or while capture was gone.
pub(super) fn log_vanished(connection: &Connection, table: &str, key: &[String]) -> Outcome<()> {
    let at = Progress::load(connection)?.clock.latest().time().0;
    let capture =
        "SELECT max(c.id) FROM _packhorse_captures c JOIN _packhorse_tables t ON t.id = c.tbl WHERE t.name = ?1";
    let capture: i64 = connection.query_row(capture, [table], |row| row.get(0))?;
    let (name, keys, marks) = (quoted(table), key_names(key.len()), marks_table(table));
    let gone =
        joined(key.len(), " AND ", |at| is_exactly(&format!("t.{}", quoted(&key[at])), &format!("m.k{}", at + 1)));
    connection.execute_batch(&format!(
        "INSERT INTO _packhorse_log (tbl, {keys}, op, at) SELECT {capture}, {keys}, 'D', {at} FROM {marks} m \
         WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE {gone})"
    ))?;
    Ok(())
}

/// A mask in which every column changed.
fn full_mask() -> i64 {
    (1 << WORD_BITS) - 1
}
