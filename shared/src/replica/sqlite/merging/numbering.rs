//! Giving a record another number within a merge: all of what refers to it follows, or nothing is changed.

use rusqlite::params;

use super::SqliteMerge;
use crate::replica::Placement;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::conflicts;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::membership::belonging;
use crate::replica::sqlite::metadata::pack_birth;
use crate::replica::sqlite::numbers;
use crate::value::{Key, Value};

/// Done, or refused in these words.
type Refusable = std::result::Result<(), String>;

impl SqliteMerge<'_> {
    pub(super) fn try_renumber(&self, entry: &Entry, from: i64, to: i64) -> Outcome<Placement> {
        let birth = self.stored_birth(entry, from)?;
        let [old, new] = [from, to].map(|number| Key(vec![Value::Integer(number)]));
        let of_another = match entry.has_members {
            true => belonging::of_who_had_it(self.writer, entry, &self.roster, &old)?,
            false => Vec::new(),
        };
        self.whole(|| {
            let done = self.write_all(numbers::renumbering(self.catalogue, entry), (from, &birth), (to, &birth))?;
            for (of, (state, cut)) in &of_another {
                entry.members.drop_member(self.writer, *of, &new)?;
                entry.members.put(self.writer, *of, &old, *state, *cut)?;
            }
            conflicts::move_number(self.writer, &entry.shape.name, from, to)?;
            Ok(done)
        })
    }

    pub(super) fn try_absorb(&self, entry: &Entry, from: i64, into: i64) -> Outcome<Placement> {
        let births = (self.stored_birth(entry, from)?, self.stored_birth(entry, into)?);
        self.whole(|| {
            let writes = numbers::referring(self.catalogue, entry);
            let referring = self.write_all(writes, (from, &births.0), (into, &births.1))?;
            if referring.is_err() {
                return Ok(referring);
            }
            let key = Key(vec![Value::Integer(from)]);
            entry.metadata.drop_marks(self.writer, &key)?;
            entry.drop_counters(self.writer, &key)?;
            conflicts::move_number(self.writer, &entry.shape.name, from, into)?;
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

    /// The birth of the record under a number, as it is stored with what is left of a record.
    fn stored_birth(&self, entry: &Entry, number: i64) -> Outcome<Vec<u8>> {
        let birth = entry.metadata.birth(self.writer, &Key(vec![Value::Integer(number)]), &self.roster)?;
        Ok(pack_birth(birth, &self.roster)?.unwrap_or_default())
    }

    fn write_all(
        &self,
        writes: Vec<numbers::Write>,
        (from, before): (i64, &[u8]),
        (to, after): (i64, &[u8]),
    ) -> Outcome<Refusable> {
        for write in writes {
            let run = |sql: &str| {
                let mut statement = self.writer.prepare_cached(sql)?;
                let all = params![from, to, before, after];
                let takes = statement.parameter_count().min(all.len());
                Ok(statement.execute(&all[..takes])?)
            };
            let done = match &write {
                numbers::Write::Synced(table, sql) => self.attempt(table, || run(sql))?.map(|_| ()),
                numbers::Write::Ours(sql) => Ok(run(sql).map(|_| ())?),
                numbers::Write::Bystander(bystander) => Ok(bystander.follow(self.writer, from, to)?),
            };
            if let Err(refusal) = done {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }
}
