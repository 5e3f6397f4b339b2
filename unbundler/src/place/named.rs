//! Whom a bundle names: by births, and by numbers alone.
//!
//! Owns what that says of who is meant by a number without a birth, and which number those have here that are named by one.
//! Invariant: whoever is named by a birth, or was born after what is said of the number, is not meant. Pure.

use std::collections::BTreeMap;

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::TableId;
use packhorse_shared::replica::TableShape;
use packhorse_shared::value::Key;

use super::identity::{Births, Place, number_of};
use crate::merge::is_before;

/// Whom one names.
#[derive(Debug, Default)]
pub(super) struct Named {
    births: Births,
    /// The earliest stamp of what is said of a number without a birth.
    numbers: BTreeMap<(TableId, i64), Stamp>,
}

impl Named {
    /// Those of a bundle.
    pub fn by(tables: &[TableShape], bundle: &[TableChanges]) -> Self {
        let mut named = Self::default();
        for changes in bundle {
            let Some(table) = TableShape::named(tables, &changes.table) else { continue };
            for record in &changes.records {
                named.births.extend(record.birth.map(|birth| (table.id, birth)));
                let earliest = record.fields.iter().map(|field| field.stamp).chain(record.dead).min();
                let number = number_of(&record.key).filter(|_| record.birth.is_none());
                let Some((number, earliest)) = number.zip(earliest) else { continue };
                let known = named.numbers.entry((table.id, number)).or_insert(earliest);
                *known = earliest.min(*known);
            }
        }
        named
    }

    /// Whether it names a record by this birth.
    pub fn has(&self, table: &TableShape, birth: Stamp) -> bool {
        self.births.contains(&(table.id, birth))
    }

    /// Whether it says anything of one without a birth under this key.
    pub fn has_unborn(&self, table: &TableShape, key: &Key) -> bool {
        number_of(key).is_some_and(|number| self.numbers.contains_key(&(table.id, number)))
    }

    /// Whether a number without a birth, which it mentions, is not that of the record with this birth that has it here.
    pub fn sets_apart(&self, table: &TableShape, number: i64, birth: Stamp) -> bool {
        let said = self.numbers.get(&(table.id, number));
        self.has(table, birth) || said.is_some_and(|said| is_before(*said, birth))
    }
}

/// The numbers here of a bundle's records.
#[derive(Default)]
pub(super) struct Numbers {
    /// Those that are others than their sender's.
    pub changed: BTreeMap<Place, i64>,
    /// By birth: what is in limbo may say by a number of before whom it means.
    pub of_births: BTreeMap<(TableId, Stamp), i64>,
}

impl Numbers {
    /// The number of the record of a birth.
    pub fn of(&self, table: &TableShape, birth: Stamp) -> Option<i64> {
        self.of_births.get(&(table.id, birth)).copied()
    }
}

#[cfg(test)]
mod tests {
    use packhorse_shared::change::{FieldChange, Passage, RecordChange};
    use packhorse_shared::clock::Reading;
    use packhorse_shared::id::NodeId;
    use packhorse_shared::replica::KeyKind;
    use packhorse_shared::value::Value;

    use super::*;

    fn stamp(millis: u64) -> Stamp {
        Stamp { reading: Reading(millis << 16), node: NodeId(1) }
    }

    fn table() -> TableShape {
        TableShape {
            id: TableId(1),
            name: "t".to_owned(),
            keys: vec!["id".to_owned()],
            key_affinities: Vec::new(),
            key_kind: KeyKind::Assigned,
            key_refers_to: vec![None],
            compared: Vec::new(),
            columns: Vec::new(),
            parents: Vec::new(),
            identity: Vec::new(),
            rules: packhorse_shared::replica::Rules::default(),
        }
    }

    fn said(number: i64, birth: Option<Stamp>, at: u64) -> RecordChange {
        let fields = vec![FieldChange { column: 0, value: Value::Null, stamp: stamp(at), refers_to: None }];
        RecordChange { key: Key(vec![Value::Integer(number)]), birth, dead: None, whole: false, fields }
    }

    #[test]
    fn a_number_is_not_that_of_who_is_named_or_was_born_later() {
        let changes = TableChanges {
            table: "T".to_owned(),
            passage: Passage::Within,
            key_columns: vec!["id".to_owned()],
            columns: vec!["a".to_owned()],
            records: vec![said(1, None, 5_000), said(2, Some(stamp(9_000)), 9_500)],
        };
        let (table, named) = (table(), Named::by(&[table()], &[changes]));
        assert!(named.has(&table, stamp(9_000)) && !named.has(&table, stamp(5_000)));
        assert!(named.sets_apart(&table, 1, stamp(9_000)), "it has a birth by which it is named");
        assert!(named.sets_apart(&table, 1, stamp(8_000)), "it was born after what is said of the number");
        assert!(!named.sets_apart(&table, 1, stamp(4_000)), "its birth may have been dropped");
        assert!(!named.sets_apart(&table, 3, stamp(8_000)), "nothing is said of that number");
    }
}
