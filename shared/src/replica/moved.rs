//! What a record is known by, and where it is if that has changed.

use std::collections::BTreeMap;

use crate::clock::Stamp;
use crate::id::TableId;
use crate::value::Key;

/// What a record is known by in a table with assigned keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Residence {
    /// Its number.
    pub key: Key,
    /// Its birth, as in [`super::ChangedRecord::birth`].
    pub birth: Option<Stamp>,
}

/// Where records are now that are known under another birth: made apart and one with another, or back after their number
/// had been given to another. A birth is one record's, under whatever number it is known; who has none is known by the number.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    now: BTreeMap<(TableId, Residence), Residence>,
    by_birth: BTreeMap<(TableId, Stamp), Residence>,
    /// What they are known by now, with what each was known by.
    before: BTreeMap<(TableId, Residence), Vec<Residence>>,
}

impl Moves {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    /// Notes where a record is now. What was known to be it goes along.
    pub fn note(&mut self, table: TableId, from: Residence, to: Residence) {
        self.move_on(table, &from, &to);
        self.put(table, from, to);
    }

    /// What is known to be a record goes along when that itself is known by something else from now on.
    pub fn move_on(&mut self, table: TableId, from: &Residence, to: &Residence) {
        for earlier in self.before.remove(&(table, from.clone())).unwrap_or_default() {
            self.put(table, earlier, to.clone());
        }
    }

    fn put(&mut self, table: TableId, from: Residence, to: Residence) {
        self.by_birth.extend(from.birth.map(|birth| ((table, birth), to.clone())));
        self.before.entry((table, to.clone())).or_default().push(from.clone());
        self.now.insert((table, from), to);
    }

    /// Where a record is now, if that has changed.
    pub fn of(&self, table: TableId, from: &Residence) -> Option<&Residence> {
        let by_birth = || self.by_birth.get(&(table, from.birth?));
        self.now.get(&(table, from.clone())).or_else(by_birth)
    }

    /// Whether anything else is known to be the record.
    pub fn lead_to(&self, table: TableId, to: &Residence) -> bool {
        self.before.contains_key(&(table, to.clone()))
    }

    /// What else a record was known by.
    pub fn known_as(&self, table: TableId, to: &Residence) -> &[Residence] {
        self.before.get(&(table, to.clone())).map_or(&[], Vec::as_slice)
    }

    /// Who had a number and left it, with where each is now.
    pub fn left(&self, table: TableId, key: &Key) -> impl Iterator<Item = (&Residence, &Residence)> {
        let first = (table, Residence { key: key.clone(), birth: None });
        let of_key = self.now.range(first..).take_while(move |((of, from), _)| *of == table && from.key == *key);
        of_key.map(|((_, from), to)| (from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::id::NodeId;
    use crate::value::Value;

    const TABLE: TableId = TableId(1);

    fn at(number: i64, birth: u64) -> Residence {
        let stamp = Stamp { reading: Reading(birth), node: NodeId(1) };
        Residence { key: Key(vec![Value::Integer(number)]), birth: (birth > 0).then_some(stamp) }
    }

    #[test]
    fn who_has_moved_twice_is_found_where_it_is_now() {
        let mut moves = Moves::default();
        moves.note(TABLE, at(1, 5), at(2, 6));
        moves.note(TABLE, at(2, 6), at(3, 7));
        moves.move_on(TABLE, &at(3, 7), &at(4, 7));
        assert_eq!((moves.of(TABLE, &at(1, 5)), moves.of(TABLE, &at(2, 6))), (Some(&at(4, 7)), Some(&at(4, 7))));
        assert!(moves.lead_to(TABLE, &at(4, 7)) && !moves.lead_to(TABLE, &at(3, 7)));
        assert_eq!(moves.of(TableId(2), &at(1, 5)), None);
        // Its own birth is the same under any number.
        assert_eq!(moves.known_as(TABLE, &at(4, 7)), [at(1, 5), at(2, 6)]);
    }

    #[test]
    fn a_birth_is_the_same_records_under_any_number_and_a_number_alone_is_only_its_own() {
        let mut moves = Moves::default();
        moves.note(TABLE, at(1, 5), at(2, 6));
        moves.note(TABLE, at(1, 0), at(3, 7));
        assert_eq!(moves.of(TABLE, &at(9, 5)), Some(&at(2, 6)));
        assert_eq!((moves.of(TABLE, &at(1, 0)), moves.of(TABLE, &at(9, 0))), (Some(&at(3, 7)), None));
        let left: Vec<_> = moves.left(TABLE, &at(1, 0).key).map(|(_, to)| to.clone()).collect();
        assert_eq!(left, [at(3, 7), at(2, 6)]);
    }
}
