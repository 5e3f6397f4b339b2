//! What a selection says beside changes: which records are one, and who has a key now.

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::ColumnId;
use packhorse_shared::link::{Extent, Role};
use packhorse_shared::replica::{Belonging, ChangedRecord, KeyKind, Life, Result};
use packhorse_shared::value::{Key, Value};

use super::selector::Selector;

impl Selector<'_> {
    /// The words by which the nodes that know a record as another are told that it is one with this: the existence of theirs
    /// is that of ours. Who asks for everything is told whether or not the mark of it was dropped: a hub may have lost what it
    /// decided, and a remote what it heard of that. A remote may not have heard it when that one is gone (`is_told`: of which it
    /// hears), and would know nobody of whom that is said.
    pub(super) fn unions(&self, record: &dyn ChangedRecord, is_told: bool) -> Result<Vec<RecordChange>> {
        let is_owed = match record.life() {
            Life::Present(marks) => {
                let told = marks.own(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
                self.owed.extent == Extent::Everything || told.is_some_and(|told| told.via != self.owed.link)
            }
            Life::Absent(_) => is_told && self.owed.peer == Role::Remote,
        };
        if !is_owed {
            return Ok(Vec::new());
        }
        let mut words = Vec::new();
        for (from, to) in self.snapshot.united(&self.table.shape, record.key())? {
            // What is here in spite of that speaks for itself. One who had no birth is not the one who has the number since then.
            let here = self.snapshot.birth_of(&self.table.shape.name, &from.key, None)?;
            let is_nobodys = here.is_none() && !self.snapshot.stands(&self.table.shape, &from.key)?;
            let since = match here {
                Some(_) if self.may_have(&from.key)? => here,
                None if !is_nobodys => None,
                _ => to.birth,
            };
            let stamp = since.or(from.birth).filter(|_| here != from.birth || is_nobodys);
            let (Some(stamp), Some(value)) = (stamp, to.key.0.into_iter().next()) else { continue };
            let fields = vec![FieldChange { value, refers_to: to.birth, ..self.existence_of(stamp) }];
            words.push(RecordChange { key: from.key, birth: from.birth, dead: None, whole: false, fields });
        }
        Ok(words)
    }

    /// Whether the peer may have who stands under a key: that one is shared, or was.
    fn may_have(&self, key: &Key) -> Result<bool> {
        let belonging = self.snapshot.belonging(self.owed.link, self.table, key)?;
        Ok(matches!(belonging, Some(Belonging::Since(_) | Belonging::LeftAt(_))))
    }

    /// Who else has the key of one without a birth of which something is told that is left: who stands under it, or lives at the
    /// hub and was taken off here. Each is named by its birth, lest whoever knows that one takes it for the other, since the birth
    /// may have been dropped here.
    pub(super) fn namesakes(&self, record: &dyn ChangedRecord) -> Result<Vec<RecordChange>> {
        let Life::Absent(remains) = record.life() else { return Ok(Vec::new()) };
        let mut marks = remains.fields.iter().filter_map(|field| field.mark).chain(remains.dead);
        let is_told = marks.any(|mark| self.owed.includes(mark));
        if !is_told || record.birth().is_some() {
            return Ok(Vec::new());
        }
        let (shape, key) = (&self.table.shape, record.key());
        let left = self.snapshot.left_under(shape, key)?.into_iter();
        let mut births: Vec<_> = left.filter(|left| left.remains.dead.is_none()).map(|left| left.birth).collect();
        if self.snapshot.stands(shape, key)? {
            births.push(self.birth_now(key)?);
        }
        let may_be_dropped = |birth: &Stamp| self.snapshot.births().covers(*birth);
        let births = births.into_iter().flatten().filter(may_be_dropped);
        Ok(births.map(|birth| self.name(key, birth)).collect())
    }

    /// The word that names a record by its birth.
    fn name(&self, key: &Key, birth: Stamp) -> RecordChange {
        let fields = vec![self.existence_of(birth)];
        RecordChange { key: key.clone(), birth: Some(birth), dead: None, whole: false, fields }
    }

    /// The birth of what stands under a key: of the youngest whose number it bears, if it is no number itself.
    fn birth_now(&self, key: &Key) -> Result<Option<Stamp>> {
        if self.table.shape.key_kind == KeyKind::Assigned {
            return self.snapshot.birth_of(&self.table.shape.name, key, None);
        }
        let mut youngest = None;
        for (parent, number) in self.table.shape.numbers_borne(key) {
            youngest = youngest.max(self.snapshot.birth_of(parent, &Key(vec![Value::Integer(number)]), None)?);
        }
        Ok(youngest)
    }

    /// Whether a change says no more than that its record has its number.
    pub(super) fn is_name(&self, record: &RecordChange) -> bool {
        let says_existence = |field: &FieldChange| field.column == self.table.shape.columns.len();
        record.dead.is_none() && !record.whole && record.fields.iter().all(says_existence)
    }

    pub(super) fn is_union(&self, record: &RecordChange) -> bool {
        let is_word =
            |field: &FieldChange| field.column == self.table.shape.columns.len() && field.value != Value::Null;
        record.fields.iter().any(is_word)
    }
}
