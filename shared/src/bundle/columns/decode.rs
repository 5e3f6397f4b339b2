//! Reading the changes of one table.

use super::{ColumnsError, PARTS, check};
use crate::bundle::limits::{COLUMNS_MAX, Room};
use crate::bundle::msgpack::{self, Head};
use crate::bundle::stamps::{StampReader, take_positions};
use crate::bundle::values;
use crate::change::{FieldChange, Passage, RecordChange, TableChanges};
use crate::clock::Stamp;
use crate::id::NodeId;
use crate::value::Key;

type Part<T> = Result<T, &'static str>;

/// Reads a table's changes from a bundle that `sender` sealed. `passage`: what the member's name says of them; `room`: how
/// much there may be of them, which no memory is taken beyond.
///
/// # Errors
/// [`ColumnsError::Damaged`] for whatever [`super::encode`] could not have written, and for more than there is room for.
pub fn decode(passage: Passage, bytes: &[u8], sender: NodeId, room: Room) -> Result<TableChanges, ColumnsError> {
    take_table(bytes, sender, room)
        .and_then(|changes| told_as(passage, changes, sender))
        .and_then(|changes| check(&changes).map(|()| changes))
        .map_err(|reason| ColumnsError::Damaged { reason })
}

/// What has come in has no death; in its place stands since when it is shared.
fn told_as(passage: Passage, mut changes: TableChanges, sender: NodeId) -> Part<TableChanges> {
    changes.passage = passage;
    match &mut changes.passage {
        Passage::Within => {}
        Passage::Entered { since } => {
            let told: Option<Vec<Stamp>> = changes.records.iter_mut().map(|record| record.dead.take()).collect();
            let told = told.ok_or("it is not said since when a record is shared")?;
            if told.iter().any(|stamp| stamp.node != sender) {
                return Err("another than the sender says since when a record is shared");
            }
            *since = told.iter().map(|stamp| stamp.reading).max().unwrap_or_default();
            if !changes.records.iter().all(|record| record.whole) {
                return Err("a record that is shared from now on is not whole");
            }
        }
        Passage::Withdrawn => {
            if changes.records.iter().any(|record| record.dead.is_some() || record.whole) {
                return Err("a record that is shared no more is said to be whole or dead");
            }
            if !tells_of_keys_only(&changes) {
                return Err("of a record that is shared no more other fields are told than those of its key");
            }
        }
        Passage::Limbo => {
            if changes.records.iter().any(|record| record.dead.is_some()) {
                return Err("a record that its sender has not is said to be dead");
            }
        }
        Passage::Overruled => {
            if changes.records.iter().any(|record| record.dead.is_some() || record.whole) {
                return Err("a record of which something was overruled is said to be whole or dead");
            }
        }
        Passage::Refused => {
            if changes.records.iter().any(|record| record.whole) {
                return Err("a record of which something was refused is said to be whole");
            }
        }
    }
    Ok(changes)
}

/// What a key column's name says is which records its numbers are.
fn tells_of_keys_only(changes: &TableChanges) -> bool {
    let TableChanges { key_columns, columns, records, .. } = changes;
    let is_key = |field: &FieldChange| columns.get(field.column).is_some_and(|name| key_columns.contains(name));
    records.iter().flat_map(|record| &record.fields).all(is_key)
}

fn take_table(mut bytes: &[u8], sender: NodeId, room: Room) -> Part<TableChanges> {
    let from = &mut bytes;
    if msgpack::take_head(from) != Some(Head::Array(PARTS)) {
        return Err("they have another number of parts");
    }
    let table = take_text(from).ok_or("the table's name is wrong")?;
    let key_columns = take_names(from, room.names).ok_or("the key columns are wrong")?;
    let mut stamps = StampReader::take_nodes(from, sender).ok_or("the nodes are wrong")?;
    let mut records = take_keys(from, key_columns.len(), room)?;
    for (position, birth) in take_some(from, &mut stamps, records.len()).ok_or("the births are wrong")? {
        records.get_mut(position).into_iter().for_each(|record| record.birth = Some(birth));
    }
    for (position, dead) in take_some(from, &mut stamps, records.len()).ok_or("the deletions are wrong")? {
        records.get_mut(position).into_iter().for_each(|record| record.dead = Some(dead));
    }
    for position in take_positions(from, records.len()).ok_or("the list of whole records is wrong")? {
        records.get_mut(position).into_iter().for_each(|record| record.whole = true);
    }
    let names = room.names.saturating_sub(key_columns.len() as u64);
    let columns = take_columns(from, &mut stamps, &mut records, Room { names, ..room })?;
    if !stamps.has_used_all() {
        return Err("a node is named that has no stamp");
    }
    if from.is_empty() {
        Ok(TableChanges { table, passage: Passage::Within, key_columns, columns, records })
    } else {
        Err("more bytes follow")
    }
}

fn take_text(from: &mut &[u8]) -> Option<String> {
    let Head::Text(length) = msgpack::take_head(from)? else { return None };
    String::from_utf8(msgpack::take_bytes(from, length)?.to_vec()).ok()
}

fn take_array(from: &mut &[u8], most: u64) -> Option<usize> {
    let Head::Array(count) = msgpack::take_head(from)? else { return None };
    (count as u64 <= most && count <= from.len()).then_some(count)
}

fn take_names(from: &mut &[u8], most: u64) -> Option<Vec<String>> {
    let count = take_array(from, COLUMNS_MAX.min(most)).filter(|count| *count > 0)?;
    (0..count).map(|_| take_text(from)).collect()
}

fn take_count(from: &mut &[u8]) -> Option<usize> {
    let Head::Integer(count) = msgpack::take_head(from)? else { return None };
    usize::try_from(count).ok()
}

/// The records with their keys and nothing else yet.
fn take_keys(from: &mut &[u8], width: usize, room: Room) -> Part<Vec<RecordChange>> {
    const WRONG: &str = "the keys are wrong";
    let count = take_count(from).ok_or("the number of records is wrong")?;
    if count as u64 > room.records {
        return Err("there are too many records");
    }
    if (count as u64).saturating_mul(width as u64) > room.key_values {
        return Err("there are too many key values");
    }
    // Every key value takes a byte at least.
    let fits = count.checked_mul(width).is_some_and(|values| values <= from.len());
    if !fits || msgpack::take_head(from) != Some(Head::Array(width)) {
        return Err(WRONG);
    }
    let empty = || RecordChange {
        key: Key(Vec::with_capacity(width)),
        birth: None,
        dead: None,
        whole: false,
        fields: Vec::new(),
    };
    let mut records: Vec<RecordChange> = std::iter::repeat_with(empty).take(count).collect();
    for _ in 0..width {
        let column = values::take_keys(from, count).ok_or(WRONG)?;
        records.iter_mut().zip(column).for_each(|(record, value)| record.key.0.push(value));
    }
    Ok(records)
}

/// Stamps that only some of a list have, with their positions.
fn take_some(from: &mut &[u8], stamps: &mut StampReader, among: usize) -> Option<Vec<(usize, Stamp)>> {
    match msgpack::take_head(from)? {
        Head::Nil => Some(Vec::new()),
        Head::Array(2) => {
            let positions = take_positions(from, among).filter(|positions| !positions.is_empty())?;
            let some = stamps.take(from, positions.len())?;
            Some(positions.into_iter().zip(some).collect())
        }
        _ => None,
    }
}

/// The columns' names, their fields added to the records.
fn take_columns(
    from: &mut &[u8],
    stamps: &mut StampReader,
    records: &mut [RecordChange],
    room: Room,
) -> Part<Vec<String>> {
    let count = take_array(from, COLUMNS_MAX.min(room.names)).ok_or("the columns are wrong")?;
    let mut names = Vec::new();
    let mut fields = 0u64;
    for column in 0..count {
        let (name, changes) = take_column(from, stamps, records.len(), column).ok_or("a column is wrong")?;
        fields += changes.len() as u64;
        if fields > room.fields {
            return Err("there are too many fields");
        }
        names.push(name);
        for (position, change) in changes {
            if let Some(record) = records.get_mut(position) {
                record.fields.push(change);
            }
        }
    }
    Ok(names)
}

type Column = (String, Vec<(usize, FieldChange)>);

fn take_column(from: &mut &[u8], stamps: &mut StampReader, among: usize, column: usize) -> Option<Column> {
    let mut ahead = *from;
    let refers = match msgpack::take_head(&mut ahead)? {
        Head::Text(_) => return Some((take_text(from)?, Vec::new())),
        Head::Array(4) => false,
        Head::Array(5) => true,
        _ => return None,
    };
    *from = ahead;
    let name = take_text(from)?;
    let positions = take_positions(from, among).filter(|positions| !positions.is_empty())?;
    let values = values::take_list(from, positions.len())?;
    let made = stamps.take(from, positions.len())?;
    let change = |(value, stamp)| FieldChange { column, value, stamp, refers_to: None };
    let changes = values.into_iter().zip(made).map(change);
    let mut fields: Vec<(usize, FieldChange)> = positions.into_iter().zip(changes).collect();
    if refers {
        let births = take_some(from, stamps, fields.len()).filter(|births| !births.is_empty())?;
        for (position, birth) in births {
            fields.get_mut(position).into_iter().for_each(|(_, field)| field.refers_to = Some(birth));
        }
    }
    Some((name, fields))
}
