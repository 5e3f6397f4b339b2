//! By how much an edit has changed a record's counters.
//!
//! Invariant: what is noted was in the table when the log was read, and lies at the cut of the record's marks: a peer has the
//! one if it has the other. Done again after a kill it comes to the same.

use rusqlite::Connection;

use super::super::catalogue::Entry;
use super::super::counters;
use super::super::fault::Outcome;
use super::read::Work;
use super::stamper::Stamper;
use crate::id::LinkId;
use crate::replica::{Bounds, Counter};

/// Notes the values that a record's counters have now. `is_another`: who stood under its key before has died. `bounds`: those
/// of this transaction, once they were looked at.
pub(super) fn note(
    connection: &Connection,
    (entry, work): (&Entry, &Work),
    is_another: bool,
    (stamper, bounds): (&Stamper, &mut Option<Bounds>),
) -> Outcome<()> {
    let (key, values) = (&work.key, &work.counted);
    let bounds = match *bounds {
        Some(bounds) => bounds,
        None => *bounds.insert(counters::bounds(connection)?),
    };
    if is_another || values.is_empty() {
        entry.drop_counters(connection, key)?;
    }
    let known = entry.counters_of(connection, key)?;
    let now = (stamper.cut, LinkId::LOCAL);
    for (column, value) in values {
        let mut counter = known.get(column).cloned().unwrap_or_else(|| Counter::new(value.clone(), now));
        counter.move_unpublished(stamper.published, stamper.cut);
        counter.take(value.clone(), now, bounds);
        if known.get(column) != Some(&counter) {
            entry.put_counter(connection, key, *column, &counter)?;
        }
    }
    Ok(())
}
