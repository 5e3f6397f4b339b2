//! Writing a conflict down: the table `_packhorse_conflicts`.

use rusqlite::params;

use super::SqliteMerge;
use crate::clock::{Stamp, WallTime};
use crate::id::LinkId;
use crate::replica::sqlite::conflicts::{is_refusal, packed};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::metadata::pack_birth;
use crate::replica::{Conflict, Found, Matter, Result, Side};

impl SqliteMerge<'_> {
    pub(super) fn refusal(&self, table: &str, word: Stamp) -> Result<bool> {
        self.said(is_refusal(self.writer, table, word, &self.roster))
    }

    pub(super) fn put_conflict(
        &mut self,
        link: LinkId,
        table: &str,
        conflict: &Conflict<'_>,
        now: WallTime,
    ) -> Result<bool> {
        let put = self.try_conflict(link, table, conflict, now);
        self.said(put)
    }

    fn try_conflict(&mut self, link: LinkId, table: &str, conflict: &Conflict<'_>, now: WallTime) -> Outcome<bool> {
        let Conflict { kept, lost, stands_as, .. } = conflict;
        self.enlist([kept.1.node, lost.1.node, stands_as.node])?;
        self.enlist(conflict.birth.map(|birth| birth.node))?;
        // What was met as a conflict before the hub's word on it came is told as a refusal all the same.
        let sql = "INSERT INTO _packhorse_conflicts (link, tbl, record, birth, col, kept, kept_at, kept_by, lost, \
                   lost_at, lost_by, stands_at, stands_by, theirs, noted, cut, refusal) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
                   ON CONFLICT (tbl, record, col, lost_at, lost_by) DO UPDATE SET refusal = 1, cut = excluded.cut \
                   WHERE excluded.refusal AND NOT _packhorse_conflicts.refusal";
        let number = |stamp: Stamp| self.roster.number(stamp.node).map(|number| number as i64);
        let added = self.writer.prepare_cached(sql)?.execute(params![
            link.0,
            table,
            packed(conflict.key),
            pack_birth(conflict.birth, &self.roster)?,
            conflict.column,
            kept.0,
            kept.1.reading.0 as i64,
            number(kept.1),
            lost.0,
            lost.1.reading.0 as i64,
            number(lost.1),
            stands_as.reading.0 as i64,
            number(*stands_as),
            conflict.stands == Side::Theirs,
            now.0 as i64,
            (conflict.found == Found::Here).then_some(self.progress.cut.next().0 as i64),
            conflict.matter == Matter::Refusal,
        ])?;
        if added == 0 && conflict.found == Found::There && conflict.stands == Side::Theirs {
            self.stands_by_word(table, conflict)?;
        }
        Ok(added > 0)
    }

    /// What both ends have found is decided by the word of the other one, which stands here: that is no change in sight of it.
    fn stands_by_word(&self, table: &str, conflict: &Conflict<'_>) -> Outcome<()> {
        let Conflict { kept, lost, stands_as, .. } = conflict;
        let number = |stamp: Stamp| self.roster.number(stamp.node).map(|number| number as i64);
        let sql = "UPDATE _packhorse_conflicts SET stands_at = ?1, stands_by = ?2 WHERE tbl = ?3 AND record = ?4 AND col = ?5 \
                   AND lost_at = ?6 AND lost_by = ?7 AND kept IS ?8";
        self.writer.prepare_cached(sql)?.execute(params![
            stands_as.reading.0 as i64,
            number(*stands_as),
            table,
            packed(conflict.key),
            conflict.column,
            lost.1.reading.0 as i64,
            number(lost.1),
            kept.0,
        ])?;
        Ok(())
    }
}
