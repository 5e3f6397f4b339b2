//! What is remembered of a record beside its values: the stamp, cut and origin of each field's last change.
//!
//! Owns the packed form that the metadata tables hold (DESIGN section 3): one base mark for all fields and exceptions
//! for those that changed since. Invariant: a field without a mark of its own has the base mark; one without either
//! has not changed since capture began, and every stamp is later than its. Pure.

use std::collections::BTreeMap;

use crate::clock::{Reading, Stamp};
use crate::id::{ColumnId, Cut, LinkId, NodeId};
use crate::varint;

/// A field's or a record's last change: when and where it was made, where it stands in this node's own order, and by
/// which link it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When and by whom.
    pub stamp: Stamp,
    /// Its place in this node's order of changes.
    pub cut: Cut,
    /// The link that brought it, or [`LinkId::LOCAL`].
    pub via: LinkId,
}

/// The marks of one living record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    base: Option<Mark>,
    fields: Vec<(ColumnId, Mark)>,
}

impl Marks {
    /// The marks of a record all of whose fields took their value at once.
    pub fn of_all(mark: Mark) -> Self {
        Self { base: Some(mark), fields: Vec::new() }
    }

    /// The mark of a field, if it has changed since capture began.
    pub fn get(&self, column: ColumnId) -> Option<Mark> {
        match self.fields.binary_search_by_key(&column, |field| field.0) {
            Ok(at) => self.fields.get(at).map(|field| field.1),
            Err(_) => self.base,
        }
    }

    /// Notes a field's new mark.
    pub fn set(&mut self, column: ColumnId, mark: Mark) {
        match self.fields.binary_search_by_key(&column, |field| field.0) {
            Ok(at) => self.fields[at].1 = mark,
            Err(at) => self.fields.insert(at, (column, mark)),
        }
    }

    /// Makes one mark that all the given columns share the base, which keeps the packed form short.
    pub fn fold(&mut self, columns: &[ColumnId]) {
        let mut marks = columns.iter().map(|&column| self.get(column));
        let Some(Some(first)) = marks.next() else { return };
        if marks.all(|mark| mark == Some(first)) {
            self.base = Some(first);
            self.fields.retain(|field| !columns.contains(&field.0));
        }
    }

    /// The mark that a field has beside that of all, if it has one.
    pub fn own(&self, column: ColumnId) -> Option<Mark> {
        let at = self.fields.binary_search_by_key(&column, |field| field.0).ok()?;
        self.fields.get(at).map(|field| field.1)
    }

    /// Forgets the marks of some columns of a table with all of these.
    pub fn forget(&mut self, dropped: &[ColumnId], all: &[ColumnId]) {
        let kept = all.iter().filter(|column| !dropped.contains(column));
        let kept: Vec<(ColumnId, Mark)> = kept.filter_map(|column| Some((*column, self.get(*column)?))).collect();
        let others = self.fields.iter().filter(|field| !all.contains(&field.0)).copied();
        let mut fields: Vec<(ColumnId, Mark)> = others.chain(kept).collect();
        fields.sort_unstable_by_key(|field| field.0);
        *self = Self { base: None, fields };
    }

    /// Changes every mark in place: what moves a whole record in this node's order.
    pub fn for_each(&mut self, mut change: impl FnMut(&mut Mark)) {
        self.base.iter_mut().for_each(&mut change);
        self.fields.iter_mut().for_each(|field| change(&mut field.1));
    }

    /// The mark of every field without one of its own.
    pub fn base(&self) -> Option<Mark> {
        self.base
    }

    fn all(&self) -> impl Iterator<Item = Mark> {
        self.base.into_iter().chain(self.fields.iter().map(|field| field.1))
    }

    /// The nodes whose stamps these are, with repetitions.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.all().map(|mark| mark.stamp.node)
    }

    /// The links by which they came, with repetitions.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.all().map(|mark| mark.via)
    }

    /// The latest stamp of any field.
    pub fn latest_stamp(&self) -> Option<Stamp> {
        self.all().map(|mark| mark.stamp).max()
    }

    /// The latest cut of any field; zero if none has a mark.
    pub fn latest_cut(&self) -> Cut {
        self.all().map(|mark| mark.cut).max().unwrap_or_default()
    }
}

/// The nodes whose stamps a database holds, each under a short number, so that a packed stamp costs nine bytes.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    nodes: Vec<NodeId>,
    numbers: BTreeMap<NodeId, u64>,
}

impl Roster {
    /// A roster whose numbers, from 0, stand for these nodes.
    pub fn new(nodes: Vec<NodeId>) -> Self {
        let numbers = nodes.iter().copied().zip(0..).collect();
        Self { nodes, numbers }
    }

    /// The node under a number.
    pub fn node(&self, number: u64) -> Option<NodeId> {
        usize::try_from(number).ok().and_then(|at| self.nodes.get(at)).copied()
    }

    /// A node's number, if it has one.
    pub fn number(&self, node: NodeId) -> Option<u64> {
        self.numbers.get(&node).copied()
    }

    /// Gives a node the next number; true if it is new and the caller must store it.
    pub fn enlist(&mut self, node: NodeId) -> bool {
        let new = self.number(node).is_none();
        if new {
            self.numbers.insert(node, self.nodes.len() as u64);
            self.nodes.push(node);
        }
        new
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Packed marks that cannot be read: the metadata was damaged or altered.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the packed marks of a record are damaged")]
pub struct DamagedMarks;

/// Packs a stamp: the reading's eight bytes, highest first, then the node's number.
///
/// A node that the roster lacks cannot be packed; enlist it first.
pub fn pack_stamp(to: &mut Vec<u8>, stamp: Stamp, roster: &Roster) -> Result<(), DamagedMarks> {
    to.extend_from_slice(&stamp.reading.0.to_be_bytes());
    varint::put(to, roster.number(stamp.node).ok_or(DamagedMarks)?);
    Ok(())
}

/// Takes a packed stamp off the front.
pub fn unpack_stamp(from: &mut &[u8], roster: &Roster) -> Result<Stamp, DamagedMarks> {
    let (reading, rest) = from.split_first_chunk::<8>().ok_or(DamagedMarks)?;
    *from = rest;
    let reading = Reading(u64::from_be_bytes(*reading));
    let node = varint::take(from).and_then(|number| roster.node(number)).ok_or(DamagedMarks)?;
    Ok(Stamp { reading, node })
}

/// Packs a mark: stamp, cut, link.
pub fn pack_mark(to: &mut Vec<u8>, mark: Mark, roster: &Roster) -> Result<(), DamagedMarks> {
    pack_stamp(to, mark.stamp, roster)?;
    varint::put(to, mark.cut.0);
    varint::put(to, u64::from(mark.via.0));
    Ok(())
}

/// Takes a packed mark off the front.
pub fn unpack_mark(from: &mut &[u8], roster: &Roster) -> Result<Mark, DamagedMarks> {
    let stamp = unpack_stamp(from, roster)?;
    let cut = Cut(varint::take(from).ok_or(DamagedMarks)?);
    let via = varint::take(from).and_then(|via| u32::try_from(via).ok()).map(LinkId).ok_or(DamagedMarks)?;
    Ok(Mark { stamp, cut, via })
}

impl Marks {
    /// The packed form: a byte that says whether there is a base, the base, then (column, mark) to the end.
    pub fn pack(&self, roster: &Roster) -> Result<Vec<u8>, DamagedMarks> {
        let mut bytes = Vec::with_capacity(16 + 16 * self.fields.len());
        bytes.push(u8::from(self.base.is_some()));
        if let Some(base) = self.base {
            pack_mark(&mut bytes, base, roster)?;
        }
        for (column, mark) in &self.fields {
            varint::put(&mut bytes, u64::from(column.0));
            pack_mark(&mut bytes, *mark, roster)?;
        }
        Ok(bytes)
    }

    /// Reads the packed form.
    pub fn unpack(mut from: &[u8], roster: &Roster) -> Result<Self, DamagedMarks> {
        let (&flag, rest) = from.split_first().ok_or(DamagedMarks)?;
        from = rest;
        let base = match flag {
            0 => None,
            1 => Some(unpack_mark(&mut from, roster)?),
            _ => return Err(DamagedMarks),
        };
        let mut fields: Vec<(ColumnId, Mark)> = Vec::new();
        while !from.is_empty() {
            let column = varint::take(&mut from).and_then(|id| u32::try_from(id).ok()).map(ColumnId);
            let column = column.filter(|&column| fields.last().is_none_or(|last| last.0 < column));
            fields.push((column.ok_or(DamagedMarks)?, unpack_mark(&mut from, roster)?));
        }
        Ok(Self { base, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(reading: u64, cut: u64) -> Mark {
        Mark { stamp: Stamp { reading: Reading(reading), node: NodeId(9) }, cut: Cut(cut), via: LinkId(2) }
    }

    fn roster() -> Roster {
        Roster::new(vec![NodeId(4), NodeId(9)])
    }

    #[test]
    fn packed_marks_come_back_and_stay_short() {
        let mut marks = Marks::default();
        marks.set(ColumnId(3), mark(1 << 56, 70_000));
        let bytes = marks.pack(&roster()).unwrap();
        assert!(bytes.len() <= 16, "{} bytes", bytes.len());
        assert_eq!(Marks::unpack(&bytes, &roster()), Ok(marks));
    }

    #[test]
    fn a_field_without_its_own_mark_has_the_base() {
        let mut marks = Marks::of_all(mark(1, 1));
        marks.set(ColumnId(1), mark(2, 2));
        assert_eq!(marks.get(ColumnId(0)), Some(mark(1, 1)));
        assert_eq!(marks.get(ColumnId(1)), Some(mark(2, 2)));
        assert_eq!(marks.latest_cut(), Cut(2));
    }

    #[test]
    fn marks_that_all_agree_fold_into_the_base() {
        let columns = [ColumnId(0), ColumnId(5)];
        let mut marks = Marks::default();
        marks.set(ColumnId(0), mark(2, 2));
        marks.fold(&columns);
        assert_eq!(marks.base(), None);
        marks.set(ColumnId(5), mark(2, 2));
        marks.fold(&columns);
        assert_eq!(marks, Marks::of_all(mark(2, 2)));
    }

    #[test]
    fn damage_is_an_error_wherever_it_falls() {
        let mut marks = Marks::of_all(mark(5, 5));
        marks.set(ColumnId(1), mark(6, 6));
        let bytes = marks.pack(&roster()).unwrap();
        for length in 0..bytes.len() {
            let cut = Marks::unpack(&bytes[..length], &roster());
            assert!(cut.is_err() || cut != Ok(marks.clone()), "{length}");
        }
        assert_eq!(Marks::unpack(&bytes, &Roster::default()), Err(DamagedMarks));
    }
}
