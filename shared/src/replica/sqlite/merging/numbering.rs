//! Giving a record another number within a merge: all of what refers to it follows, or nothing is changed.

use super::SqliteMerge;
use crate::replica::Placement;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::numbers;

impl SqliteMerge<'_> {
    pub(super) fn try_renumber(&self, entry: &Entry, from: i64, to: i64) -> Outcome<Placement> {
        self.writer.execute_batch("SAVEPOINT packhorse_renumber")?;
        for write in numbers::renumbering(self.catalogue, entry) {
            let run = || Ok(self.writer.prepare_cached(&write.sql)?.execute([from, to])?);
            let done = match &write.table {
                Some(table) => self.attempt(table, run)?,
                None => Ok(run()?),
            };
            if let Err(refusal) = done {
                self.writer.execute_batch("ROLLBACK TO packhorse_renumber; RELEASE packhorse_renumber")?;
                return Ok(Placement::Refused(refusal));
            }
        }
        self.writer.execute_batch("RELEASE packhorse_renumber")?;
        Ok(Placement::Placed)
    }
}
