//! The bytes of lists of stamps and of lists of positions.
//!
//! Owns how a table's stamps share what they have in common: times as differences over the whole table, counters only
//! where there are any, nodes as runs of short numbers. Invariant: number 0 is the bundle's sender, so that a bundle
//! of its own changes names no node.

use std::collections::BTreeMap;

use super::msgpack::{self, Head};
use crate::clock::{Reading, Stamp};
use crate::id::NodeId;
use crate::varint;

/// Writes the stamps of one table.
pub struct StampWriter {
    numbers: BTreeMap<NodeId, u64>,
    last: u64,
}

impl StampWriter {
    /// Numbers the nodes of these stamps: the sender 0, the others from 1 by ascending id.
    pub fn new(sender: NodeId, stamps: impl Iterator<Item = Stamp>) -> Self {
        let others: std::collections::BTreeSet<_> = stamps.map(|stamp| stamp.node).filter(|id| *id != sender).collect();
        let mut numbers: BTreeMap<_, _> = others.into_iter().zip(1..).collect();
        numbers.insert(sender, 0);
        Self { numbers, last: 0 }
    }

    /// Appends the nodes other than the sender.
    pub fn put_nodes(&self, to: &mut Vec<u8>) {
        let others = self.numbers.iter().filter(|(_, number)| **number != 0);
        let bytes: Vec<u8> = others.flat_map(|(id, _)| id.0.to_be_bytes()).collect();
        msgpack::put_bytes(to, &bytes);
    }

    /// Appends stamps whose number the reader will know; their nodes are among those numbered.
    pub fn put(&mut self, to: &mut Vec<u8>, stamps: &[Stamp]) {
        msgpack::put_array(to, 3);
        let times = self.times(stamps);
        msgpack::put_bytes(to, &times);
        put_unless_zero(to, stamps.iter().any(|stamp| stamp.reading.counter() != 0), || counters(stamps));
        let numbers: Vec<u64> =
            stamps.iter().map(|stamp| self.numbers.get(&stamp.node).copied().unwrap_or_default()).collect();
        put_unless_zero(to, numbers.iter().any(|number| *number != 0), || runs(&numbers));
    }

    fn times(&mut self, stamps: &[Stamp]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * stamps.len());
        for stamp in stamps {
            let time = stamp.reading.time().0;
            varint::put(&mut bytes, varint::zigzag(time.wrapping_sub(self.last).cast_signed()));
            self.last = time;
        }
        bytes
    }
}

fn put_unless_zero(to: &mut Vec<u8>, any: bool, bytes: impl FnOnce() -> Vec<u8>) {
    if any { msgpack::put_bytes(to, &bytes()) } else { msgpack::put_nil(to) }
}

fn counters(stamps: &[Stamp]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(stamps.len());
    stamps.iter().for_each(|stamp| varint::put(&mut bytes, stamp.reading.counter().into()));
    bytes
}

fn runs(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in numbers.chunk_by(|a, b| a == b) {
        varint::put(&mut bytes, run.first().copied().unwrap_or_default());
        varint::put(&mut bytes, run.len() as u64);
    }
    bytes
}

/// Reads the stamps of one table.
pub struct StampReader {
    /// By number, and whether any stamp has had it.
    nodes: Vec<(NodeId, bool)>,
    last: u64,
}

impl StampReader {
    /// Takes the nodes: other than the sender, ascending.
    pub fn take_nodes(from: &mut &[u8], sender: NodeId) -> Option<Self> {
        let bytes = take_bytes(from)?;
        let (ids, rest) = bytes.as_chunks::<8>();
        let others: Vec<NodeId> = ids.iter().map(|id| NodeId(u64::from_be_bytes(*id))).collect();
        let right = rest.is_empty() && others.is_sorted_by(|a, b| a < b) && !others.contains(&sender);
        let unused = others.into_iter().map(|node| (node, false));
        right.then(|| Self { nodes: std::iter::once((sender, true)).chain(unused).collect(), last: 0 })
    }

    /// Whether every node that was named has had a stamp.
    pub fn has_used_all(&self) -> bool {
        self.nodes.iter().all(|(_, used)| *used)
    }

    /// Takes exactly so many stamps.
    pub fn take(&mut self, from: &mut &[u8], count: usize) -> Option<Vec<Stamp>> {
        (msgpack::take_head(from)? == Head::Array(3)).then_some(())?;
        let (mut times, counters) = (take_bytes(from)?, take_bytes_or_nil(from)?);
        let mut counters = counters.map(|bytes| Counters { rest: bytes, any: false });
        let mut nodes = Runs { rest: take_bytes_or_nil(from)?, number: None, left: 0, any: false };
        (count <= times.len()).then_some(())?;
        let mut stamps = Vec::with_capacity(count);
        for _ in 0..count {
            let step = varint::unzigzag(varint::take(&mut times)?);
            self.last = self.last.checked_add_signed(step)?;
            let counter = counters.as_mut().map_or(Some(0), Counters::next)?;
            let (node, used) = self.nodes.get_mut(usize::try_from(nodes.next()?).ok()?)?;
            *used = true;
            stamps.push(Stamp { reading: Reading::from_parts(self.last, counter)?, node: *node });
        }
        let all = times.is_empty() && counters.is_none_or(|counters| counters.is_over()) && nodes.is_over();
        all.then_some(stamps)
    }
}

/// Counters, of which one at least is not 0.
struct Counters<'a> {
    rest: &'a [u8],
    any: bool,
}

impl Counters<'_> {
    fn next(&mut self) -> Option<u64> {
        let counter = varint::take(&mut self.rest)?;
        self.any |= counter != 0;
        Some(counter)
    }

    fn is_over(&self) -> bool {
        self.any && self.rest.is_empty()
    }
}

/// Node numbers as pairs of number and length, no number beside itself and one at least not 0; without bytes, all are 0.
struct Runs<'a> {
    rest: Option<&'a [u8]>,
    number: Option<u64>,
    left: u64,
    any: bool,
}

impl Runs<'_> {
    fn next(&mut self) -> Option<u64> {
        let Some(rest) = self.rest.as_mut() else { return Some(0) };
        if self.left == 0 {
            let number = varint::take(rest).filter(|number| self.number != Some(*number))?;
            self.any |= number != 0;
            self.number = Some(number);
            self.left = varint::take(rest).filter(|length| *length > 0)?;
        }
        self.left -= 1;
        self.number
    }

    fn is_over(&self) -> bool {
        self.left == 0 && self.rest.is_none_or(|rest| self.any && rest.is_empty())
    }
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    match msgpack::take_head(from)? {
        Head::Bytes(length) => msgpack::take_bytes(from, length),
        _ => None,
    }
}

fn take_bytes_or_nil<'a>(from: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match msgpack::take_head(from)? {
        Head::Nil => Some(None),
        Head::Bytes(length) => msgpack::take_bytes(from, length).map(Some),
        _ => None,
    }
}

/// Appends ascending positions among so many: nil for none, true for all, else the gaps between them.
pub fn put_positions(to: &mut Vec<u8>, positions: &[usize], among: usize) {
    match positions.len() {
        0 => msgpack::put_nil(to),
        all if all == among => msgpack::put_bool(to, true),
        _ => msgpack::put_bytes(to, &gaps(positions)),
    }
}

fn gaps(positions: &[usize]) -> Vec<u8> {
    let (mut bytes, mut least) = (Vec::new(), 0);
    for position in positions {
        varint::put(&mut bytes, position.saturating_sub(least) as u64);
        least = position + 1;
    }
    bytes
}

/// Takes ascending positions among so many.
pub fn take_positions(from: &mut &[u8], among: usize) -> Option<Vec<usize>> {
    match msgpack::take_head(from)? {
        Head::Nil => Some(Vec::new()),
        Head::Bool(true) if among > 0 => Some((0..among).collect()),
        Head::Bytes(length) => {
            let some = positions_of(msgpack::take_bytes(from, length)?, among)?;
            (!some.is_empty() && some.len() < among).then_some(some)
        }
        _ => None,
    }
}

fn positions_of(mut gaps: &[u8], among: usize) -> Option<Vec<usize>> {
    let (mut positions, mut least) = (Vec::new(), 0usize);
    while !gaps.is_empty() {
        let gap = usize::try_from(varint::take(&mut gaps)?).ok()?;
        let position = least.checked_add(gap).filter(|position| *position < among)?;
        positions.push(position);
        least = position + 1;
    }
    Some(positions)
}
