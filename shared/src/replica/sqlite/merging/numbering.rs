//! Giving a record another number within a merge: all of what refers to it follows, or nothing is changed.

use super::SqliteMerge;
use crate::replica::Placement;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::numbers;
use crate::value::{Key, Value};

/// Done, or refused in these words.
type Refusable = std::result::Result<(), String>;

impl SqliteMerge<'_> {
    pub(super) fn try_renumber(&self, entry: &Entry, from: i64, to: i64) -> Outcome<Placement> {
        self.whole(|| self.write_all(numbers::renumbering(self.catalogue, entry), from, to))
    }

    pub(super) fn try_absorb(&self, entry: &Entry, from: i64, into: i64) -> Outcome<Placement> {
        self.whole(|| {
            let referring = self.write_all(numbers::referring(self.catalogue, entry), from, into)?;
            if referring.is_err() {
                return Ok(referring);
            }
            let key = Key(vec![Value::Integer(from)]);
            entry.metadata.drop_marks(self.writer, &key)?;
            let delete = || Ok(self.writer.prepare_cached(&entry.sql.delete)?.execute([from])?);
            Ok(self.attempt(&entry.shape, delete)?.map(|_| ()))
        })
    }

    /// Does all of it, or nothing if any of it is refused.
    fn whole(&self, work: impl FnOnce() -> Outcome<Refusable>) -> Outcome<Placement> {
        self.writer.execute_batch("SAVEPOINT packhorse_number")?;
        let done = work()?;
        if let Err(refusal) = done {
            self.writer.execute_batch("ROLLBACK TO packhorse_number; RELEASE packhorse_number")?;
            return Ok(Placement::Refused(refusal));
        }
        self.writer.execute_batch("RELEASE packhorse_number")?;
        Ok(Placement::Placed)
    }

    fn write_all(&self, writes: Vec<numbers::Write>, from: i64, to: i64) -> Outcome<Refusable> {
        for write in writes {
            let run = || Ok(self.writer.prepare_cached(&write.sql)?.execute([from, to])?);
            let done = match &write.table {
                Some(table) => self.attempt(table, run)?,
                None => Ok(run()?),
            };
            if let Err(refusal) = done {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }
}
