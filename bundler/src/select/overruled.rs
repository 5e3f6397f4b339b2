//! What was overruled here by values that its makers had not seen, as the other end is told it: whoever loses a value hears of
//! it, at whichever end it was lost.
//!
//! Owns of which records that is told: those that the peer has now, in columns that it shares.

use packhorse_shared::change::{FieldChange, Passage, RecordChange};
use packhorse_shared::replica::{Belonging, Matter, Overruled, Result};
use packhorse_shared::value::Key;

use super::selector::{Chosen, Selector};

impl Selector<'_> {
    /// Chooses what the peer is to be told of since the cut that it has.
    pub(super) fn add_overruled(&mut self) -> Result<()> {
        let mut records: Vec<(Matter, RecordChange)> = Vec::new();
        for one in self.snapshot.overruled(self.owed.link, self.table, self.owed.floor)? {
            // Of what the hub has refused the remote hears also if nothing is left of it.
            if one.matter == Matter::Conflict && !self.is_at_peer(&one.key)? {
                continue;
            }
            let (key, birth, matter, stamp) = (one.key.clone(), one.birth, one.matter, one.lost.stamp);
            if records.last().is_none_or(|(of, last)| (*of, &last.key) != (matter, &key)) {
                records.push((matter, RecordChange { key, birth, dead: None, whole: false, fields: Vec::new() }));
            }
            let field = self.overruled_field(one)?;
            let Some((_, record)) = records.last_mut() else { continue };
            match field {
                Some(field) => record.fields.push(field),
                None => record.dead = Some(stamp),
            }
        }
        let passage = |matter| if matter == Matter::Refusal { Passage::Refused } else { Passage::Overruled };
        let chosen = |(matter, change)| Chosen { cut: self.owed.since, passage: passage(matter), change };
        self.chosen.extend(records.into_iter().map(chosen));
        Ok(())
    }

    fn is_at_peer(&self, key: &Key) -> Result<bool> {
        let belonging = self.snapshot.belonging(self.owed.link, self.table, key)?;
        Ok(matches!(belonging, Some(Belonging::Since(_))) && self.snapshot.stands(&self.table.shape, key)?)
    }

    fn overruled_field(&self, one: Overruled) -> Result<Option<FieldChange>> {
        let Some(column) = one.column else { return Ok(None) };
        let (value, stamp) = (one.lost.value, one.lost.stamp);
        // Which table another column named then is not kept: such a reference is told as the number that it was.
        let refers_to = self.referred_birth(column, &value, Some(stamp), &|_| Ok(None))?;
        Ok(Some(FieldChange { column, value, stamp, refers_to }))
    }
}
