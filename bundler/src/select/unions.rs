//! Unions: the words by which nodes are told that two records are one.

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::id::ColumnId;
use packhorse_shared::replica::{ChangedRecord, Life, Result};

use super::selector::Selector;

impl Selector<'_> {
    /// The words by which the nodes that know a record as another are told that it is one with this: the existence of theirs
    /// is that of ours.
    pub(super) fn unions(&self, record: &dyn ChangedRecord) -> Result<Vec<RecordChange>> {
        let Life::Present(marks) = record.life() else { return Ok(Vec::new()) };
        let told = marks.own(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
        if told.is_none_or(|told| told.via == self.owed.link) {
            return Ok(Vec::new());
        }
        let mut words = Vec::new();
        for (from, to) in self.snapshot.united(&self.table.shape, record.key())? {
            // What is here in spite of that speaks for itself. One who had no birth is not the one who has the number since then.
            let here = self.snapshot.birth_of(&self.table.shape.name, &from.key, None)?;
            let stamp = from.birth.or(here).filter(|_| here != from.birth);
            let (Some(stamp), Some(value)) = (stamp, to.key.0.into_iter().next()) else { continue };
            let fields = vec![FieldChange { value, refers_to: to.birth, ..self.existence_of(stamp) }];
            words.push(RecordChange { key: from.key, birth: from.birth, dead: None, whole: false, fields });
        }
        Ok(words)
    }
}
