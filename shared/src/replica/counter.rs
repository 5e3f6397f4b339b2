//! Counters: columns whose values merge by adding differences (DESIGN section 6).
//!
//! Owns what is remembered of one counter of one record, its packed form, and what adding comes to. Invariant: a difference is
//! remembered for as long as there may be a peer that does not know of it, so that what such a peer says and what it does not
//! know add up to what the counter is to be. Pure. Leaves to `unbundler` what a peer knows.

use crate::bundle::values;
use crate::clock::{Reading, Stamp};
use crate::id::{Cut, LinkId, NodeId};
use crate::marks::DamagedMarks;
use crate::seam::{Saboteur, is_at_work};
use crate::value::Value;
use crate::varint;

/// By how much a counter has changed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its place in this node's order of changes.
    pub cut: Cut,
    /// The link that brought it, or [`LinkId::LOCAL`].
    pub via: LinkId,
    /// By how much.
    pub by: Value,
    /// The stamp of the value that it came with; zero if it was made here.
    pub said: Stamp,
}

/// What is remembered of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its value, as it was seen last.
    pub value: Value,
    /// Where in this node's order of changes it began to be counted, and by which link that came: who has not seen that says
    /// nothing to which anything could be added.
    pub since: (Cut, LinkId),
    /// By how much it has changed, in the order of cuts.
    pub differences: Vec<Difference>,
}

/// Up to where differences need not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Every peer knows of what lies up to here.
    pub known: Cut,
    /// No peer can know of a part of what lies after this.
    pub told: Cut,
}

impl Counter {
    /// One that is counted from this value on.
    pub fn new(value: Value, since: (Cut, LinkId)) -> Self {
        Self { value, since, differences: Vec::new() }
    }

    /// Takes account of a new value. What was no number, or is none now, differs by nothing that could be added, and is counted
    /// anew.
    pub fn take(&mut self, value: Value, (cut, via): (Cut, LinkId), bounds: Bounds) {
        if self.value == value {
            return;
        }
        let by = minus(&value, &self.value);
        self.value = value;
        self.differences.retain(|known| known.cut > bounds.known);
        match by {
            None => (self.since, self.differences) = ((cut, via), Vec::new()),
            Some(by) if is_zero(&by) || is_at_work(Saboteur::ForgetDifferences) => {}
            Some(by) => self.add(Difference { cut, via, by, said: Stamp::ZERO }, bounds),
        }
    }

    fn add(&mut self, new: Difference, bounds: Bounds) {
        let last = self.differences.last_mut().filter(|last| last.via == new.via && last.cut > bounds.told);
        match last.and_then(|last| Some((plus(&last.by, &new.by)?, last))) {
            Some((by, last)) => (last.by, last.cut) = (by, new.cut),
            None => self.differences.push(new),
        }
    }

    /// Notes under which stamp what changed it just now had come.
    pub fn was_said(&mut self, (cut, via): (Cut, LinkId), said: Stamp) {
        let now = self.differences.last_mut().filter(|last| (last.cut, last.via) == (cut, via));
        now.into_iter().for_each(|last| last.said = last.said.max(said));
    }

    /// Moves what was made here by a harvest that was cut short to where the harvest that is done instead puts it.
    pub fn move_unpublished(&mut self, published: Cut, cut: Cut) {
        let unpublished = self.differences.iter_mut().filter(|it| it.cut > published);
        unpublished.for_each(|it| it.cut = cut);
        if self.since.0 > published {
            self.since.0 = cut;
        }
    }

    /// What some value is once those of the differences are added to it that are not known to whoever said it; nothing inside if
    /// there are none, which is not the same as some that come to nothing. None if that has not seen from where on they are
    /// counted, or if the sum is no number that SQLite keeps as it is.
    pub fn added_to(&self, value: &Value, has_seen: impl Fn(Cut, LinkId) -> bool) -> Option<Option<Value>> {
        let (cut, via) = self.since;
        has_seen(cut, via).then_some(())?;
        let twice = is_at_work(Saboteur::CountTwice);
        let mut unknown = self.differences.iter().filter(|it| !has_seen(it.cut, it.via) || twice).peekable();
        if unknown.peek().is_none() {
            return Some(None);
        }
        unknown.try_fold(value.clone(), |sum, it| plus(&sum, &it.by)).map(Some)
    }

    /// The packed form of the differences: cut, link, value and stamp of each, to the end.
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for it in &self.differences {
            varint::put(&mut bytes, it.cut.0);
            varint::put(&mut bytes, u64::from(it.via.0));
            values::put(&mut bytes, &it.by);
            varint::put(&mut bytes, it.said.reading.0);
            varint::put(&mut bytes, it.said.node.0);
        }
        bytes
    }

    /// Reads the packed form.
    pub fn unpack((value, since): (Value, (Cut, LinkId)), mut from: &[u8]) -> Result<Self, DamagedMarks> {
        let mut differences = Vec::new();
        while !from.is_empty() {
            differences.push(take_difference(&mut from).ok_or(DamagedMarks)?);
        }
        Ok(Self { value, since, differences })
    }
}

fn take_difference(from: &mut &[u8]) -> Option<Difference> {
    let cut = Cut(varint::take(from)?);
    let via = LinkId(u32::try_from(varint::take(from)?).ok()?);
    let by = values::take(from).filter(is_number)?;
    let (reading, node) = (Reading(varint::take(from)?), NodeId(varint::take(from)?));
    Some(Difference { cut, via, by, said: Stamp { reading, node } })
}

/// Whether a value can be added to.
pub fn is_number(value: &Value) -> bool {
    match value {
        Value::Integer(_) => true,
        Value::Real(number) => number.is_finite(),
        Value::Null | Value::Text(_) | Value::Blob(_) => false,
    }
}

/// Whether two values are the same number, whatever their storage class.
pub fn is_same_number(one: &Value, other: &Value) -> bool {
    minus(one, other).is_some_and(|difference| is_zero(&difference))
}

fn is_zero(number: &Value) -> bool {
    matches!(number, Value::Integer(0)) || matches!(number, Value::Real(number) if *number == 0.0)
}

fn plus(one: &Value, other: &Value) -> Option<Value> {
    combined(one, other, i64::checked_add, |one, other| one + other)
}

fn minus(one: &Value, other: &Value) -> Option<Value> {
    combined(one, other, i64::checked_sub, |one, other| one - other)
}

/// Integers stay integers; what has no room among them is nothing to be added, as a real would not be exact.
fn combined(
    one: &Value,
    other: &Value,
    integers: fn(i64, i64) -> Option<i64>,
    reals: fn(f64, f64) -> f64,
) -> Option<Value> {
    let real = |value: &Value| match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        Value::Null | Value::Text(_) | Value::Blob(_) => None,
    };
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => integers(*one, *other).map(Value::Integer),
        _ => Some(Value::Real(reals(real(one)?, real(other)?))).filter(is_number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId(3);
    const START: (Cut, LinkId) = (Cut(0), LinkId::LOCAL);
    /// Nobody knows of anything, and every cut may be the end of a bundle.
    const APART: Bounds = Bounds { known: Cut(0), told: Cut(u64::MAX) };

    fn counter(values: &[(i64, u64, LinkId)]) -> Counter {
        let mut counter = Counter::new(Value::Integer(10), START);
        for (value, cut, via) in values {
            counter.take(Value::Integer(*value), (Cut(*cut), *via), APART);
        }
        counter
    }

    fn sum(counter: &Counter, value: i64, seen: u64) -> Option<Option<Value>> {
        counter.added_to(&Value::Integer(value), |cut, via| via == LINK || cut <= Cut(seen))
    }

    #[test]
    fn what_a_sender_does_not_know_is_added_to_what_it_says() {
        let counter = counter(&[(7, 1, LinkId::LOCAL), (5, 2, LINK), (6, 3, LinkId(4))]);
        assert_eq!(sum(&counter, 8, 0), Some(Some(Value::Integer(6))));
        assert_eq!(sum(&counter, 5, 1), Some(Some(Value::Integer(6))));
        assert_eq!(sum(&counter, 5, 3), Some(None));
    }

    #[test]
    fn nothing_is_added_to_what_was_said_by_who_has_not_seen_from_where_on_it_is_counted() {
        let mut counter = counter(&[(7, 1, LinkId::LOCAL)]);
        counter.since = (Cut(1), LinkId(4));
        assert_eq!((sum(&counter, 8, 0), sum(&counter, 8, 1)), (None, Some(None)));
        counter.since = (Cut(1), LINK);
        assert_eq!(sum(&counter, 8, 0), Some(Some(Value::Integer(5))));
    }

    #[test]
    fn what_is_no_number_or_has_no_room_is_not_added() {
        let mut counter = counter(&[(7, 1, LinkId::LOCAL)]);
        for value in [Value::Null, Value::Text(b"8".to_vec()), Value::Blob(vec![8]), Value::Integer(i64::MIN)] {
            assert_eq!(counter.added_to(&value, |cut, _| cut == Cut(0)), None, "{value}");
        }
        assert_eq!(counter.added_to(&Value::Real(0.5), |cut, _| cut == Cut(0)), Some(Some(Value::Real(-2.5))));
        counter.take(Value::Null, (Cut(2), LinkId::LOCAL), APART);
        assert_eq!(counter, Counter::new(Value::Null, (Cut(2), LinkId::LOCAL)));
        counter.take(Value::Integer(4), (Cut(3), LinkId::LOCAL), APART);
        assert_eq!(counter, Counter::new(Value::Integer(4), (Cut(3), LinkId::LOCAL)));
        counter.take(Value::Real(f64::INFINITY), (Cut(4), LinkId::LOCAL), APART);
        assert!(counter.differences.is_empty());
    }

    #[test]
    fn the_same_number_in_another_storage_class_is_no_difference() {
        let mut counter = counter(&[]);
        counter.take(Value::Real(10.0), (Cut(1), LinkId::LOCAL), APART);
        assert!(counter.differences.is_empty() && counter.value == Value::Real(10.0));
        assert!(is_same_number(&Value::Integer(2), &Value::Real(2.0)));
        assert!(!is_same_number(&Value::Null, &Value::Null));
    }

    #[test]
    fn what_all_know_is_forgotten_and_what_nobody_knows_a_part_of_is_one() {
        let mut counter = counter(&[(9, 1, LinkId::LOCAL), (8, 2, LINK), (7, 3, LinkId::LOCAL)]);
        let bounds = Bounds { known: Cut(1), told: Cut(2) };
        counter.take(Value::Integer(4), (Cut(5), LinkId::LOCAL), bounds);
        let left: Vec<_> = counter.differences.iter().map(|it| (it.cut, it.by.clone())).collect();
        assert_eq!(left, [(Cut(2), Value::Integer(-1)), (Cut(5), Value::Integer(-4))]);
        counter.take(Value::Integer(3), (Cut(6), LINK), bounds);
        counter.take(Value::Integer(2), (Cut(7), LINK), Bounds { told: Cut(6), ..bounds });
        assert_eq!(counter.differences.len(), 4);
    }

    #[test]
    fn packed_it_comes_back_and_damage_is_an_error() {
        let mut counter = counter(&[(7, 1, LinkId::LOCAL), (5, 2, LINK)]);
        let stamp = |reading| Stamp { reading: Reading(reading), node: NodeId(u64::MAX) };
        counter.was_said((Cut(2), LINK), stamp(1 << 50));
        counter.was_said((Cut(1), LINK), stamp(1 << 51));
        assert_eq!(counter.differences.iter().map(|it| it.said).collect::<Vec<_>>(), [Stamp::ZERO, stamp(1 << 50)]);
        let bytes = counter.pack();
        assert_eq!(Counter::unpack((counter.value.clone(), START), &bytes), Ok(counter.clone()));
        for length in 0..bytes.len() {
            let cut = Counter::unpack((counter.value.clone(), START), &bytes[..length]);
            assert!(cut.is_err() || cut != Ok(counter.clone()), "{length}");
        }
        assert_eq!(Counter::unpack((Value::Null, START), &[1, 0, 0xc0, 0, 0]), Err(DamagedMarks));
    }

    #[test]
    fn a_harvest_that_is_done_again_puts_what_the_first_one_counted_where_its_marks_are() {
        let mut counter = counter(&[(7, 4, LinkId::LOCAL), (5, 6, LinkId::LOCAL)]);
        counter.move_unpublished(Cut(4), Cut(9));
        assert_eq!(counter.differences.iter().map(|it| it.cut.0).collect::<Vec<_>>(), [4, 9]);
    }
}
