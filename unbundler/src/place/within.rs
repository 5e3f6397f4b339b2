//! What a remote may speak of: the tables, columns and records that it shares (DESIGN section 4).
//!
//! Invariant: a change beyond that alters nothing here; it is noted for the people at this node. A record beyond it is
//! withdrawn from its sender; what its sender wrote into a table or a column beyond it stays there. What a remote sends of its
//! own it holds: a new record that is not in its set is taken, and withdrawn from it.

use std::rc::Rc;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::id::{LinkId, TableId};
use packhorse_shared::replica::{Result, SharedTable, Spoken, TableShape};
use packhorse_shared::value::Key;

use super::Placer;
use crate::merge::{Authority, Past};

/// A record that a link's remote has spoken of.
pub(super) struct SpokenOf {
    link: LinkId,
    table: TableId,
    key: Key,
    spoken: Spoken,
}

impl Placer<'_> {
    /// What a remote's bundle says within what it shares; the rest is refused. None if that is all of it.
    pub(super) fn within(&mut self, bundle: &[TableChanges]) -> Result<Option<Vec<TableChanges>>> {
        if !self.is_from_remote() {
            return Ok(None);
        }
        let (sharing, tables) = (self.sharing()?, self.transaction.tables());
        // A table that is not here is no matter of sets.
        let here = |changes: &TableChanges| TableShape::named(&tables, &changes.table);
        let is_within = |changes: &TableChanges| {
            let shared = |table: &TableShape| sharing.iter().find(|shared| shared.shape.id == table.id);
            here(changes).is_none_or(|table| shared(table).is_some_and(|shared| beyond(shared, changes).is_empty()))
        };
        if bundle.iter().all(is_within) {
            return Ok(None);
        }
        let mut within = Vec::new();
        for changes in bundle {
            match here(changes) {
                None => within.push(changes.clone()),
                Some(table) => match sharing.iter().find(|shared| shared.shape.id == table.id) {
                    Some(shared) => within.push(self.without_columns(shared, changes)?),
                    None => changes.records.iter().try_for_each(|record| self.refuse(table, record, "the table"))?,
                },
            }
        }
        Ok(Some(within))
    }

    /// The changes without fields of columns that are not shared.
    fn without_columns(&mut self, shared: &SharedTable, changes: &TableChanges) -> Result<TableChanges> {
        let (mut within, beyond) = (changes.clone(), beyond(shared, changes));
        for record in &mut within.records {
            let count = record.fields.len();
            record.fields.retain(|field| !beyond.contains(&field.column));
            if record.fields.len() < count {
                self.refuse(&shared.shape, record, "a column that was changed")?;
            }
        }
        Ok(within)
    }

    /// Whether a change is of a record that its sender does not share and has not made: it is refused. One that came in since
    /// that was looked at may be in its set all the same, as two can make a record under one key at two nodes.
    pub(super) fn is_beyond(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        // What came into its set since the backup that we come from is not known here.
        if self.arrival.past == Past::Lost {
            return Ok(false);
        }
        let Some((sharing, at)) = self.shared(table)? else { return Ok(false) };
        let (shared, link) = (&sharing[at], self.arrival.link);
        if self.transaction.belonging(link, shared, &record.key)?.is_some() {
            return Ok(false);
        }
        let standing = self.transaction.find(table, &record.key)?;
        let is_it = |present: &_| self.arrival.is_same_standing(present, record, &table.column_ids());
        if !standing.as_ref().is_some_and(is_it) {
            return Ok(false);
        }
        if self.transaction.is_unjudged(shared, &record.key)? {
            return Ok(false);
        }
        self.refuse(table, record, "the record")?;
        self.transaction.note_spoken_of(link, shared, &record.key, Spoken::Beyond)?;
        Ok(true)
    }

    /// What a remote sends, it holds, unless it says otherwise: noted once it is sure that this stands.
    pub(super) fn has_spoken_of(&mut self, table: &TableShape, of: &TableChanges, record: &RecordChange) {
        if record.dead.is_some() || record.fields.is_empty() || !self.is_from_remote() {
            return;
        }
        let spoken = match of.passage {
            Passage::Limbo => Spoken::Limbo,
            _ if record.whole && self.arrival.past == Past::Known => Spoken::Whole,
            _ => Spoken::InPart,
        };
        let (link, table, key) = (self.arrival.link, table.id, record.key.clone());
        self.spoken.push(SpokenOf { link, table, key, spoken });
    }

    /// What was placed is held after all: that it was spoken of counts when it is placed for good.
    pub(super) fn has_not_spoken_of(&mut self, table: &TableShape, key: &Key) {
        let link = self.arrival.link;
        self.spoken.retain(|said| (said.link, said.table, &said.key) != (link, table.id, key));
    }

    /// Notes what was spoken of and stands.
    pub(super) fn note_all_spoken_of(&mut self) -> Result<()> {
        let (tables, here) = (self.transaction.tables(), self.arrival.link);
        for SpokenOf { link, table, key, spoken } in std::mem::take(&mut self.spoken) {
            let Some(table) = TableShape::with_id(&tables, table) else { continue };
            self.arrival.link = link;
            let noted = self.note_spoken(table, &key, spoken);
            self.arrival.link = here;
            noted?;
        }
        Ok(())
    }

    /// The same of what stands under a key here, which its sender may know by another.
    pub(super) fn note_spoken(&mut self, table: &TableShape, key: &Key, spoken: Spoken) -> Result<()> {
        let Some((sharing, at)) = self.shared(table)? else { return Ok(()) };
        self.transaction.note_spoken_of(self.arrival.link, &sharing[at], key, spoken)
    }

    /// Whoever may have a record may not have heard that it died before it came back under another key: as what that is it is
    /// withdrawn from those who do not share it.
    pub(super) fn note_who_may_have(&mut self, table: &TableShape, had: &Key, has: &Key) -> Result<()> {
        let (here, remotes) = (self.arrival.link, self.transaction.remotes()?);
        for link in remotes {
            self.arrival.link = link;
            let noted = match self.may_have(table, had) {
                Ok(true) => self.note_spoken(table, has, Spoken::InPart),
                other => other.map(drop),
            };
            self.arrival.link = here;
            noted?;
        }
        Ok(())
    }

    /// Whether the sender may know who stands under a key here.
    pub(super) fn may_have(&mut self, table: &TableShape, key: &Key) -> Result<bool> {
        if self.arrival.past == Past::Lost {
            return Ok(true);
        }
        let Some((sharing, at)) = self.shared(table)? else { return Ok(true) };
        Ok(self.transaction.belonging(self.arrival.link, &sharing[at], key)?.is_some())
    }

    /// What the remote that speaks shares, and where in it a table is.
    pub(super) fn shared(&mut self, table: &TableShape) -> Result<Option<(Rc<[SharedTable]>, usize)>> {
        if !self.is_from_remote() {
            return Ok(None);
        }
        let sharing = self.sharing()?;
        let at = sharing.iter().position(|shared| shared.shape.id == table.id);
        Ok(at.map(|at| (sharing, at)))
    }

    pub(super) fn is_from_remote(&self) -> bool {
        self.arrival.link != LinkId::LOCAL && self.arrival.authority() != Authority::Sender
    }

    fn sharing(&mut self) -> Result<Rc<[SharedTable]>> {
        let link = self.arrival.link;
        if let Some(known) = self.sharing.get(&link) {
            return Ok(Rc::clone(known));
        }
        let shared: Rc<[SharedTable]> = self.transaction.sharing(link)?.into();
        self.sharing.insert(link, Rc::clone(&shared));
        Ok(shared)
    }

    fn refuse(&mut self, table: &TableShape, record: &RecordChange, what: &str) -> Result<()> {
        self.placed.refused += 1;
        let text = format!("a change of {} {} was refused: {what} is outside its sender's set", table.name, record.key);
        self.transaction.note(&text, self.now)
    }
}

/// The columns of changes, by their position there, that a remote does not share.
pub(super) fn beyond(shared: &SharedTable, changes: &TableChanges) -> Vec<usize> {
    let is_beyond = |name: &String| shared.shape.position(name).is_some_and(|at| !shared.columns.contains(&at));
    changes.columns.iter().enumerate().filter(|(_, name)| is_beyond(name)).map(|(at, _)| at).collect()
}
