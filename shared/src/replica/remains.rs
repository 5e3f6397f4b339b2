//! What is kept of a record that does not stand in its table: its tombstone, and fields that came without the rest.
//!
//! Owns the packed form in the tombstone tables. Invariant: a record lives when its latest field stamp is later than
//! its deletion; it is placed only when every field's value is known. Pure.

use crate::bundle::values;
use crate::clock::Stamp;
use crate::id::{ColumnId, Cut, LinkId, NodeId};
use crate::marks::{DamagedMarks, Mark, Roster, pack_mark, unpack_mark};
use crate::value::Value;
use crate::varint;

/// A field's value that outlived its record or came before the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct RemainsField {
    /// Which column.
    pub column: ColumnId,
    /// Its last change; None if it never changed since capture began.
    pub mark: Option<Mark>,
    /// Its value.
    pub value: Value,
    /// The record that its value refers to, where that was known when this was kept: the number may be another's by now, or by
    /// the time at which it was written.
    pub meant: Whom,
}

/// Whom a field refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whom {
    /// It has to be told by the time at which it was written, or refers to nobody.
    #[default]
    Unknown,
    /// One without a birth.
    Unborn,
    /// The one of this birth.
    Born(Stamp),
}

impl Whom {
    /// One of which it is known whether it has a birth.
    pub fn known(birth: Option<Stamp>) -> Self {
        birth.map_or(Self::Unborn, Self::Born)
    }

    /// The one of this birth, if there is one.
    pub fn of_birth(birth: Option<Stamp>) -> Self {
        birth.map_or(Self::Unknown, Self::Born)
    }

    /// The birth, if it is known by that.
    pub fn birth(self) -> Option<Stamp> {
        match self {
            Self::Born(birth) => Some(birth),
            Self::Unknown | Self::Unborn => None,
        }
    }
}

impl RemainsField {
    /// One of which is not known by birth whom it refers to.
    pub fn new(column: ColumnId, mark: Option<Mark>, value: Value) -> Self {
        Self { column, mark, value, meant: Whom::Unknown }
    }
}

/// What is left of a record, or has come of it so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remains {
    /// Its deletion, if it was deleted.
    pub dead: Option<Mark>,
    /// The fields whose values are known, by ascending column: of a record that was deleted here or came whole, all; of one
    /// that was evicted or deleted unseen, none.
    pub fields: Vec<RemainsField>,
    /// Whether it was withdrawn: it does not come back by what is known here, only with all that its hub has of it. What is
    /// kept are edits that the hub has not acknowledged.
    pub withdrawn: bool,
}

/// The first byte of the packed form says of a withdrawn record so, beside whether there is a tombstone.
pub(crate) const WITHDRAWN: u8 = 2;
/// The first byte of a field's mark says so where it is known by birth whom the field refers to.
const MEANT: u8 = 2;
/// And so where that one has no birth.
const UNBORN: u8 = 4;

impl Remains {
    /// A tombstone without values.
    pub fn tombstone(dead: Mark) -> Self {
        Self { dead: Some(dead), ..Self::default() }
    }

    /// The latest stamp of any field.
    pub fn latest_field(&self) -> Option<Stamp> {
        self.fields.iter().filter_map(|field| field.mark).map(|mark| mark.stamp).max()
    }

    /// Whether it ought to stand in its table once it is whole, unless it was withdrawn.
    pub fn living(&self) -> bool {
        self.latest_field().is_some_and(|latest| self.dead.is_none_or(|dead| latest > dead.stamp))
    }

    /// The links by which anything in it came, with repetitions.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.fields.iter().filter_map(|field| field.mark).chain(self.dead).map(|mark| mark.via)
    }

    /// The nodes of every stamp in it, with repetitions: also of those that it only refers to.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let marks = self.fields.iter().filter_map(|field| field.mark).chain(self.dead).map(|mark| mark.stamp);
        marks.chain(self.fields.iter().filter_map(|field| field.meant.birth())).map(|stamp| stamp.node)
    }

    /// The latest cut of anything in it.
    pub fn latest_cut(&self) -> Cut {
        let fields = self.fields.iter().filter_map(|field| field.mark);
        fields.chain(self.dead).map(|mark| mark.cut).max().unwrap_or_default()
    }

    /// A field, if it is known.
    pub fn get(&self, column: ColumnId) -> Option<&RemainsField> {
        self.fields.binary_search_by_key(&column, |field| field.column).ok().and_then(|at| self.fields.get(at))
    }

    /// Notes a field.
    pub fn set(&mut self, field: RemainsField) {
        match self.fields.binary_search_by_key(&field.column, |known| known.column) {
            Ok(at) => self.fields[at] = field,
            Err(at) => self.fields.insert(at, field),
        }
    }

    /// The packed form: for the tombstone and for each field's mark a byte that says whether it is there (the first one also
    /// whether the record was withdrawn, the others whether a birth follows or the field is known to refer to one without); fields as (column, mark, value, birth that is
    /// meant, as a mark) to the end.
    pub fn pack(&self, roster: &Roster) -> Result<Vec<u8>, DamagedMarks> {
        let mut bytes = Vec::new();
        pack_optional(&mut bytes, self.dead, roster)?;
        if let Some(first) = bytes.first_mut().filter(|_| self.withdrawn) {
            *first |= WITHDRAWN;
        }
        for field in &self.fields {
            varint::put(&mut bytes, u64::from(field.column.0));
            let flag = bytes.len();
            pack_optional(&mut bytes, field.mark, roster)?;
            values::put(&mut bytes, &field.value);
            let meant = match field.meant {
                Whom::Unknown => 0,
                Whom::Unborn => UNBORN,
                Whom::Born(_) => MEANT,
            };
            bytes.get_mut(flag).into_iter().for_each(|flag| *flag |= meant);
            if let Some(stamp) = field.meant.birth() {
                pack_mark(&mut bytes, Mark { stamp, cut: Cut(0), via: LinkId::LOCAL }, roster)?;
            }
        }
        Ok(bytes)
    }

    /// Reads the packed form.
    pub fn unpack(mut from: &[u8], roster: &Roster) -> Result<Self, DamagedMarks> {
        let (&first, _) = from.split_first().ok_or(DamagedMarks)?;
        let withdrawn = first & WITHDRAWN != 0;
        let dead = unpack_optional(&mut from, WITHDRAWN, roster)?;
        let mut fields: Vec<RemainsField> = Vec::new();
        while !from.is_empty() {
            let column = varint::take(&mut from).and_then(|id| u32::try_from(id).ok()).map(ColumnId);
            let column = column.filter(|&column| fields.last().is_none_or(|last| last.column < column));
            let column = column.ok_or(DamagedMarks)?;
            let flag = from.first().copied().unwrap_or_default();
            let mark = unpack_optional(&mut from, MEANT | UNBORN, roster)?;
            let value = values::take(&mut from).ok_or(DamagedMarks)?;
            let meant = match flag & (MEANT | UNBORN) {
                0 => Whom::Unknown,
                UNBORN => Whom::Unborn,
                _ => Whom::Born(unpack_mark(&mut from, roster)?.stamp),
            };
            fields.push(RemainsField { column, mark, value, meant });
        }
        Ok(Self { dead, fields, withdrawn })
    }
}

fn pack_optional(to: &mut Vec<u8>, mark: Option<Mark>, roster: &Roster) -> Result<(), DamagedMarks> {
    to.push(u8::from(mark.is_some()));
    mark.map_or(Ok(()), |mark| pack_mark(to, mark, roster))
}

/// Takes a mark that may be there; these bits of the byte that says so mean something else.
fn unpack_optional(from: &mut &[u8], other: u8, roster: &Roster) -> Result<Option<Mark>, DamagedMarks> {
    let (&flag, rest) = from.split_first().ok_or(DamagedMarks)?;
    *from = rest;
    match flag & !other {
        0 => Ok(None),
        1 => unpack_mark(from, roster).map(Some),
        _ => Err(DamagedMarks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;

    fn mark(reading: u64) -> Mark {
        by(reading, 1)
    }

    fn by(reading: u64, node: u64) -> Mark {
        Mark { stamp: Stamp { reading: Reading(reading), node: NodeId(node) }, cut: Cut(reading), via: LinkId::LOCAL }
    }

    fn field(column: u32, reading: u64) -> RemainsField {
        RemainsField::new(ColumnId(column), Some(mark(reading)), Value::Integer(7))
    }

    #[test]
    fn an_edit_later_than_the_deletion_lives() {
        let mut remains = Remains::tombstone(mark(5));
        assert!(!remains.living());
        remains.set(field(0, 4));
        assert!(!remains.living());
        remains.set(field(1, 6));
        assert!(remains.living());
        assert_eq!(remains.latest_cut(), Cut(6));
    }

    #[test]
    fn packed_remains_come_back_and_damage_is_an_error() {
        let roster = Roster::new(vec![NodeId(1)]);
        let mut remains = Remains::tombstone(mark(5));
        remains.set(RemainsField { meant: Whom::Born(mark(4).stamp), ..field(2, 6) });
        remains.set(RemainsField { meant: Whom::Unborn, ..field(4, 6) });
        remains.set(RemainsField::new(ColumnId(0), None, Value::Text(vec![0xff])));
        remains.set(RemainsField {
            meant: Whom::Born(mark(3).stamp),
            ..RemainsField::new(ColumnId(3), None, Value::Null)
        });
        remains.withdrawn = true;
        let bytes = remains.pack(&roster).unwrap();
        assert_eq!(Remains::unpack(&bytes, &roster), Ok(remains.clone()));
        for length in 0..bytes.len() {
            assert_ne!(Remains::unpack(&bytes[..length], &roster), Ok(remains.clone()));
        }
    }

    /// Every kind of field, the readings and cuts of which are at their limits too.
    fn every_kind_of_field() -> Vec<RemainsField> {
        let marks = [None, Some(by(0, 2)), Some(by(u64::MAX, u64::MAX))];
        let whom = [Whom::Unknown, Whom::Unborn, Whom::Born(by(0, 0).stamp), Whom::Born(by(u64::MAX, 3).stamp)];
        let of = |mark| whom.map(|meant| (mark, meant));
        let value = |column| if column % 2 == 0 { Value::Null } else { Value::Integer(i64::MIN) };
        let kinds = marks.into_iter().flat_map(of).zip((0..=u32::MAX).step_by(0x1000_0001));
        kinds
            .map(|((mark, meant), column)| RemainsField {
                meant,
                ..RemainsField::new(ColumnId(column), mark, value(column))
            })
            .collect()
    }

    #[test]
    fn remains_of_every_kind_are_packed_with_the_nodes_that_they_name_and_with_no_fewer() {
        let fields = every_kind_of_field();
        for (dead, withdrawn) in [(None, false), (None, true), (Some(by(9, 4)), false), (Some(by(9, 4)), true)] {
            for fields in fields.iter().map(|field| vec![field.clone()]).chain([fields.clone(), Vec::new()]) {
                let remains = Remains { dead, fields, withdrawn };
                let named: Vec<NodeId> = remains.nodes().collect();
                let roster = Roster::new(named.clone());
                let bytes = remains.pack(&roster).unwrap();
                assert_eq!(Remains::unpack(&bytes, &roster), Ok(remains.clone()));
                for without in named {
                    let others = remains.nodes().filter(|node| *node != without).collect();
                    assert_eq!(remains.pack(&Roster::new(others)), Err(DamagedMarks), "{remains:?}");
                }
            }
        }
    }
}
