//! When the application wrote last: what renumbering waits for in tables whose numbers it could mistake.
//!
//! Owns the time of the latest captured change, whatever became of it; what a merge writes is not captured. Invariant: that
//! time is never later than now once a harvest has looked, so that neither a clock that was ahead nor a change of which
//! nobody knows the time makes anything wait for ever. Leaves to `unbundler` what has to wait, and for how long.

use rusqlite::{Connection, OptionalExtension};

use super::fault::Outcome;
use super::ranges::has_range;
use super::state;
use crate::clock::WallTime;

/// Later than every time: the application has written, and nobody knows when.
const UNKNOWN: WallTime = WallTime(i64::MAX as u64);

/// Notes the time of the log's row that was harvested last.
pub(super) fn note(connection: &Connection, last_row: i64, now: WallTime) -> Outcome<()> {
    let sql = "SELECT at FROM _packhorse_log WHERE id = ?1";
    let at: Option<Option<i64>> = connection.prepare_cached(sql)?.query_row([last_row], |row| row.get(0)).optional()?;
    let at = at.flatten().and_then(|at| u64::try_from(at).ok()).map_or(now, WallTime);
    let before = state::wrote_last(connection)?.unwrap_or_default();
    state::set_wrote_last(connection, before.max(at).min(now))
}

/// Notes that the application has written unseen.
pub(super) fn note_unseen(connection: &Connection) -> Outcome<()> {
    state::set_wrote_last(connection, UNKNOWN)
}

/// Takes a time that is yet to come for now.
pub(super) fn correct(connection: &Connection, now: WallTime) -> Outcome<()> {
    match state::wrote_last(connection)? {
        Some(at) if at > now => state::set_wrote_last(connection, now),
        _ => Ok(()),
    }
}

/// When it wrote last, if a table has no range of numbers of its own here.
pub(super) fn wrote_without_range(connection: &Connection, table: &str) -> Outcome<Option<WallTime>> {
    match state::wrote_last(connection)? {
        Some(at) if !has_range(connection, table)? => Ok(Some(at)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::id::{NetworkId, NodeId};
    use crate::replica::Identity;

    /// What is noted of rows of these times, harvested one by one at these times.
    fn noted(rows: &[(Option<i64>, u64)]) -> Option<u64> {
        let connection = Connection::open_in_memory().unwrap();
        let identity = Identity { network: NetworkId(1), node: NodeId(2) };
        state::create(&connection, identity, Reading(3)).unwrap();
        connection.execute_batch("CREATE TABLE _packhorse_log (id INTEGER PRIMARY KEY, at INTEGER)").unwrap();
        for (row, (at, now)) in (1..).zip(rows) {
            connection.execute("INSERT INTO _packhorse_log VALUES (?1, ?2)", rusqlite::params![row, at]).unwrap();
            note(&connection, row, WallTime(*now)).unwrap();
        }
        state::wrote_last(&connection).unwrap().map(|at| at.0)
    }

    #[test]
    fn the_latest_change_counts_and_none_is_later_than_now() {
        assert_eq!(noted(&[]), None);
        assert_eq!(noted(&[(Some(5), 9), (Some(7), 20)]), Some(7));
        assert_eq!(noted(&[(Some(7), 9), (Some(5), 20)]), Some(7), "the clock was set back in between");
        assert_eq!(noted(&[(Some(90), 9)]), Some(9), "the clock of whoever wrote is ahead");
        assert_eq!(noted(&[(Some(90), 90), (Some(5), 6)]), Some(6), "the clock was ahead");
        assert_eq!(noted(&[(None, 9)]), Some(9), "a time that nobody knows");
        assert_eq!(noted(&[(Some(-1), 9)]), Some(9));
    }

    #[test]
    fn what_was_written_unseen_counts_from_when_it_was_found() {
        let connection = Connection::open_in_memory().unwrap();
        let identity = Identity { network: NetworkId(1), node: NodeId(2) };
        state::create(&connection, identity, Reading(3)).unwrap();
        correct(&connection, WallTime(5)).unwrap();
        assert_eq!(state::wrote_last(&connection).unwrap(), None);
        note_unseen(&connection).unwrap();
        for now in [6, 8] {
            correct(&connection, WallTime(now)).unwrap();
            assert_eq!(state::wrote_last(&connection).unwrap(), Some(WallTime(6)));
        }
    }
}
