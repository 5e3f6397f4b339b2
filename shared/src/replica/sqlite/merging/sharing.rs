//! What a link shares, within a merge: records that are withdrawn here, and those that a peer speaks of.

use std::collections::BTreeMap;

use super::SqliteMerge;
use crate::clock::Stamp;
use crate::id::{Cut, LinkId};
use crate::link::{Link, Role};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::holding;
use crate::replica::sqlite::membership::rows::{Exception, State};
use crate::replica::sqlite::membership::{self, belonging};
use crate::replica::sqlite::{state, terms};
use crate::replica::{
    Belonging, Heard, Placement, Remains, SharedRows, SharedTable, Spoken, StoredLink, TableShape, Terms, ToldOf,
};
use crate::value::Key;

impl SqliteMerge<'_> {
    pub(super) fn try_take_off(
        &mut self,
        table: &TableShape,
        key: &Key,
        birth: Option<Stamp>,
        limbo: &Remains,
    ) -> Outcome<Placement> {
        let entry = self.entry(table)?;
        if self.stands(entry, key)? {
            // What was counted and is in limbo is added to what the record comes back with.
            let deleted = match limbo.fields.is_empty() {
                true => self.try_delete(table, key)?,
                false => self.place(table, || self.put(&entry.sql.delete, &[], Some(key), None))?,
            };
            if let Placement::Refused(_) = deleted {
                return Ok(deleted);
            }
        }
        self.try_bury(entry, key, birth, limbo)?;
        if limbo.fields.is_empty() && limbo.dead.is_none() {
            entry.metadata.drop_remains(self.writer, key, birth, &self.roster)?;
        }
        Ok(Placement::Placed)
    }

    pub(super) fn try_has_part(&self, table: &TableShape) -> Outcome<bool> {
        let terms = terms::told(self.writer)?;
        let mut shared = terms.tables.iter().flatten();
        Ok(shared.any(|shared| shared.part && shared.table.eq_ignore_ascii_case(&table.name)))
    }

    /// The links of this node's remotes.
    pub(super) fn try_remotes(&self) -> Outcome<Vec<StoredLink>> {
        Ok(state::links(self.writer)?.into_iter().filter(|link| link.state.role() == Role::Remote).collect())
    }

    pub(super) fn try_heard(&self) -> Outcome<BTreeMap<LinkId, Heard>> {
        let heard = |link: &Link| Heard { cut: link.answered(), awaits_answer: link.awaits_answer() };
        Ok(state::links(self.writer)?.iter().map(|link| (link.id, heard(&link.state))).collect())
    }

    pub(super) fn try_forget_withdrawn(&self) -> Outcome<()> {
        let answered = state::links(self.writer)?.into_iter().map(|link| link.state.answered());
        let upto = answered.min().unwrap_or_default();
        let held = holding::held(self.writer, self.node)?;
        for entry in self.catalogue.entries() {
            let waiting = held.iter().filter(|held| held.change.table.eq_ignore_ascii_case(&entry.shape.name));
            let waiting: Vec<&Key> = waiting.flat_map(|held| &held.change.records).map(|record| &record.key).collect();
            entry.metadata.forget_withdrawn(self.writer, upto, &waiting, &self.roster)?;
        }
        Ok(())
    }

    pub(super) fn try_sharing(&self, link: LinkId) -> Outcome<Vec<SharedTable>> {
        let links = state::links(self.writer)?;
        let link = links.iter().find(|known| known.id == link);
        let Some(link) = link else { return Ok(Vec::new()) };
        let mut shared = membership::sharing(self.writer, self.catalogue, link.id, link.state.role())?;
        if let Some(before) = terms::still_held_by(self.writer, link.id, link.state.answered())? {
            self.add_what_is_held(&mut shared, &before);
        }
        Ok(shared)
    }

    /// A remote that has not heard of new terms goes by the old ones.
    fn add_what_is_held(&self, shared: &mut Vec<SharedTable>, before: &Terms) {
        for shape in self.catalogue.shapes().iter() {
            let Some(columns) = before.columns_of(shape) else { continue };
            match shared.iter_mut().find(|known| known.shape.id == shape.id) {
                Some(known) => {
                    known.columns.extend(columns);
                    known.columns.sort_unstable();
                    known.columns.dedup();
                }
                None => shared.push(SharedTable { shape: shape.clone(), columns, rows: SharedRows::All }),
            }
        }
    }

    pub(super) fn try_belonging(&self, link: LinkId, table: &SharedTable, key: &Key) -> Outcome<Option<Belonging>> {
        let entry = self.entry(&table.shape)?;
        let link = entry.has_members.then_some(link);
        belonging::belonging(self.writer, entry, table.rows, link, key)
    }

    pub(super) fn try_is_unjudged(&self, table: &SharedTable, key: &Key) -> Outcome<bool> {
        belonging::is_unjudged(self.writer, self.entry(&table.shape)?, table.rows, &self.roster, key)
    }

    pub(super) fn try_told_of(
        &self,
        (link, seen): (LinkId, Cut),
        table: &SharedTable,
        key: &Key,
        withdrawn: Option<Cut>,
    ) -> Outcome<ToldOf> {
        let told = |of: &dyn Fn(&Link) -> Cut| -> Outcome<ToldOf> {
            let links = state::links(self.writer)?;
            let told = links.iter().find(|known| known.id == link).map_or(seen, |known| of(&known.state));
            Ok(ToldOf::exactly(told.min(seen)))
        };
        if let Some(at) = withdrawn {
            return told(&|link| link.told_before_leaving(at));
        }
        let entry = self.entry(&table.shape)?;
        if !entry.has_members {
            return Ok(ToldOf::exactly(seen));
        }
        let exception = entry.members.exception(self.writer, link, key)?;
        let member = belonging::member(self.writer, entry, table.rows, key)?;
        match (member, belonging::standing(member, exception)) {
            (Some((State::Left, at)), _) => told(&|link| link.told_before_leaving(at)),
            // What its peer said of it after it had died is answered by taking it off there.
            (Some((State::Died, _)), Some(Belonging::LeftAt(at))) => told(&|link| link.told_before_leaving(at)),
            (_, Some(Belonging::Since(since))) if since > seen => told(&|link| link.told_before_coming_back(seen)),
            // Its peer has made it, and was told nothing of it.
            (None, Some(_)) if matches!(exception, Some((Exception::Holds, _))) => Ok(ToldOf::exactly(Cut(0))),
            // Or it was told before its set became another.
            (None, Some(_)) => Ok(ToldOf { surely: Cut(0), maybe: seen }),
            _ => Ok(ToldOf::exactly(seen)),
        }
    }

    pub(super) fn try_is_new_to(&self, (link, seen): (LinkId, Cut), table: &SharedTable, key: &Key) -> Outcome<bool> {
        let entry = self.entry(&table.shape)?;
        if !entry.has_members {
            return Ok(false);
        }
        let exception = entry.members.exception(self.writer, link, key)?;
        let member = belonging::member(self.writer, entry, table.rows, key)?;
        Ok(match (member, belonging::standing(member, exception)) {
            (_, Some(Belonging::Since(since))) => since > seen,
            // It had taken off what it was told of.
            (Some(_), Some(Belonging::LeftAt(at))) => at <= seen,
            (None, standing) => standing.is_some(),
            (Some(_), _) => false,
        })
    }

    pub(super) fn try_note_spoken_of(
        &self,
        link: LinkId,
        table: &SharedTable,
        key: &Key,
        spoken: Spoken,
    ) -> Outcome<()> {
        let entry = self.entry(&table.shape)?;
        if !entry.has_members {
            return Ok(());
        }
        let spoken = (spoken, self.progress.cut.next());
        belonging::note_spoken_of((self.writer, &self.roster), entry, table.rows, link, key, spoken)
    }
}
