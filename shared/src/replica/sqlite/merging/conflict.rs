//! Writing a conflict down: the table `_packhorse_conflicts`.

use rusqlite::params;

use super::SqliteMerge;
use crate::clock::{Stamp, WallTime};
use crate::id::LinkId;
use crate::replica::Conflict;
use crate::replica::sqlite::fault::Outcome;

impl SqliteMerge<'_> {
    pub(super) fn try_conflict(
        &mut self,
        link: LinkId,
        table: &str,
        conflict: &Conflict<'_>,
        now: WallTime,
    ) -> Outcome<bool> {
        self.enlist([conflict.kept.1.node, conflict.lost.1.node])?;
        let sql = "INSERT OR IGNORE INTO _packhorse_conflicts (link, tbl, record, col, kept, kept_at, kept_by, lost, lost_at, \
                   lost_by, noted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let number = |stamp: Stamp| self.roster.number(stamp.node).map(|number| number as i64);
        let added = self.writer.prepare_cached(sql)?.execute(params![
            link.0,
            table,
            conflict.key.to_string(),
            conflict.column,
            conflict.kept.0,
            conflict.kept.1.reading.0 as i64,
            number(conflict.kept.1),
            conflict.lost.0,
            conflict.lost.1.reading.0 as i64,
            number(conflict.lost.1),
            now.0 as i64,
        ])?;
        Ok(added > 0)
    }
}
