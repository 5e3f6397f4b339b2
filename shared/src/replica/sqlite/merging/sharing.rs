//! What a link shares, within a merge: records that are withdrawn here, and those that a peer speaks of.

use super::SqliteMerge;
use crate::clock::Stamp;
use crate::id::LinkId;
use crate::link::Role;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::membership::{self, belonging};
use crate::replica::sqlite::{state, terms};
use crate::replica::{Belonging, Placement, Remains, SharedRows, SharedTable, Spoken, StoredLink, TableShape, Terms};
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
            let deleted = self.place(table, || self.put(&entry.sql.delete, &[], Some(key), None))?;
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
    pub(super) fn remotes(&self) -> Outcome<Vec<StoredLink>> {
        Ok(state::links(self.writer)?.into_iter().filter(|link| link.state.role() == Role::Remote).collect())
    }

    pub(super) fn try_forget_withdrawn(&self) -> Outcome<()> {
        let answered = state::links(self.writer)?.into_iter().map(|link| link.state.answered());
        let upto = answered.min().unwrap_or_default();
        self.catalogue.entries().iter().try_for_each(|entry| entry.metadata.forget_withdrawn(self.writer, upto))
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
