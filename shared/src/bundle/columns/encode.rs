//! Writing the changes of one table.

use super::{ColumnsError, PARTS, check, stamps_of};
use crate::bundle::msgpack;
use crate::bundle::stamps::{StampWriter, put_positions};
use crate::bundle::values;
use crate::change::{FieldChange, Passage, RecordChange, TableChanges};
use crate::clock::Stamp;
use crate::id::NodeId;

/// The bytes of a table's changes, in a bundle that `sender` seals. Columns in which nothing changes cost their name:
/// a caller lists those that occur.
///
/// # Errors
/// [`ColumnsError::Unfit`] if the records are not strictly ascending by key and birth, a record's fields not by
/// column, or anything is out of range.
pub fn encode(changes: &TableChanges, sender: NodeId) -> Result<Vec<u8>, ColumnsError> {
    check(changes).map_err(|reason| ColumnsError::Unfit { table: changes.table.clone(), reason })?;
    let records = &changes.records;
    let entered = match changes.passage {
        Passage::Entered { since } => Some(Stamp { reading: since, node: sender }),
        Passage::Within | Passage::Withdrawn | Passage::Limbo | Passage::Overruled | Passage::Refused => None,
    };
    let mut stamps =
        StampWriter::new(sender, records.iter().flat_map(|record| stamps_of(record, entered.or(record.dead))));
    let mut to = Vec::new();
    msgpack::put_array(&mut to, PARTS);
    msgpack::put_text(&mut to, &changes.table);
    put_names(&mut to, &changes.key_columns);
    stamps.put_nodes(&mut to);
    msgpack::put_integer(&mut to, records.len() as i64);
    put_keys(&mut to, changes);
    put_some(&mut to, &mut stamps, records.iter().map(|record| record.birth));
    put_some(&mut to, &mut stamps, records.iter().map(|record| entered.or(record.dead)));
    put_positions(&mut to, &positions(records, |record| record.whole), records.len());
    put_columns(&mut to, &mut stamps, changes);
    Ok(to)
}

fn put_names(to: &mut Vec<u8>, names: &[String]) {
    msgpack::put_array(to, names.len());
    names.iter().for_each(|name| msgpack::put_text(to, name));
}

fn put_keys(to: &mut Vec<u8>, changes: &TableChanges) {
    const MISSING: &crate::value::Value = &crate::value::Value::Null;
    msgpack::put_array(to, changes.key_columns.len());
    for column in 0..changes.key_columns.len() {
        values::put_keys(to, changes.records.iter().map(|record| record.key.0.get(column).unwrap_or(MISSING)));
    }
}

fn positions(records: &[RecordChange], holds: impl Fn(&RecordChange) -> bool) -> Vec<usize> {
    records.iter().enumerate().filter(|(_, record)| holds(record)).map(|(position, _)| position).collect()
}

/// Stamps that only some of a list have: nil for none, else the positions of those and the stamps.
fn put_some(to: &mut Vec<u8>, stamps: &mut StampWriter, list: impl ExactSizeIterator<Item = Option<Stamp>>) {
    let among = list.len();
    let (positions, some): (Vec<_>, Vec<_>) =
        list.enumerate().filter_map(|(position, stamp)| Some((position, stamp?))).unzip();
    if some.is_empty() {
        return msgpack::put_nil(to);
    }
    msgpack::put_array(to, 2);
    put_positions(to, &positions, among);
    stamps.put(to, &some);
}

fn put_columns(to: &mut Vec<u8>, stamps: &mut StampWriter, changes: &TableChanges) {
    let mut by_column: Vec<Vec<(usize, &FieldChange)>> = vec![Vec::new(); changes.columns.len()];
    for (position, record) in changes.records.iter().enumerate() {
        for field in &record.fields {
            by_column.get_mut(field.column).into_iter().for_each(|fields| fields.push((position, field)));
        }
    }
    msgpack::put_array(to, by_column.len());
    for (name, fields) in changes.columns.iter().zip(&by_column) {
        put_column(to, stamps, name, fields, changes.records.len());
    }
}

fn put_column(to: &mut Vec<u8>, stamps: &mut StampWriter, name: &str, fields: &[(usize, &FieldChange)], among: usize) {
    if fields.is_empty() {
        return msgpack::put_text(to, name);
    }
    let refers = fields.iter().any(|(_, field)| field.refers_to.is_some());
    msgpack::put_array(to, if refers { 5 } else { 4 });
    msgpack::put_text(to, name);
    put_positions(to, &fields.iter().map(|(position, _)| *position).collect::<Vec<_>>(), among);
    values::put_list(to, fields.iter().map(|(_, field)| &field.value));
    stamps.put(to, &fields.iter().map(|(_, field)| field.stamp).collect::<Vec<_>>());
    if refers {
        put_some(to, stamps, fields.iter().map(|(_, field)| field.refers_to));
    }
}
