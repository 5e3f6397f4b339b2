//! The bytes of a field's value, and of lists of values.
//!
//! Owns the mapping between SQLite's storage classes and MessagePack. Invariant: a value comes back exactly as it was
//! stored, and has one encoding. Used for bundles and for the values that a database's own metadata keeps.

use super::msgpack::{self, Head};
use crate::value::Value;
use crate::varint;

/// The extension type of text that is not UTF-8.
const RAW_TEXT: i8 = 1;

/// Appends a value. (NaN, which SQLite stores as NULL, is written as that.)
pub fn put(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => msgpack::put_nil(to),
        Value::Integer(number) => msgpack::put_integer(to, *number),
        Value::Real(number) if number.is_nan() => msgpack::put_nil(to),
        Value::Real(number) => msgpack::put_real(to, *number),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => msgpack::put_text(to, text),
            Err(_) => msgpack::put_extension(to, RAW_TEXT, bytes),
        },
        Value::Blob(bytes) => msgpack::put_bytes(to, bytes),
    }
}

/// Takes a value off the front; None if there is none in the form that [`put`] gives it.
pub fn take(from: &mut &[u8]) -> Option<Value> {
    Some(match msgpack::take_head(from)? {
        Head::Nil => Value::Null,
        Head::Integer(number) => Value::Integer(number),
        Head::Real(number) if !number.is_nan() => Value::Real(number),
        Head::Bytes(length) => Value::Blob(msgpack::take_bytes(from, length)?.to_vec()),
        Head::Text(length) => Value::Text(take_text(from, length, true)?),
        Head::Extension(RAW_TEXT, length) => Value::Text(take_text(from, length, false)?),
        _ => return None,
    })
}

fn take_text(from: &mut &[u8], length: usize, utf8: bool) -> Option<Vec<u8>> {
    let bytes = msgpack::take_bytes(from, length)?;
    (std::str::from_utf8(bytes).is_ok() == utf8).then(|| bytes.to_vec())
}

/// Appends a list whose length the reader will know.
pub(super) fn put_list<'a>(to: &mut Vec<u8>, values: impl ExactSizeIterator<Item = &'a Value>) {
    msgpack::put_array(to, values.len());
    values.for_each(|value| put(to, value));
}

/// Takes a list of exactly so many values.
pub(super) fn take_list(from: &mut &[u8], count: usize) -> Option<Vec<Value>> {
    // Every value takes a byte at least, so that a list cannot announce more than there are bytes.
    let fits = msgpack::take_head(from)? == Head::Array(count) && count <= from.len();
    fits.then_some(())?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(take(from)?);
    }
    Some(values)
}

/// Appends one key column of all records: as differences if all are integers, else as a list.
pub(super) fn put_keys<'a>(to: &mut Vec<u8>, values: impl ExactSizeIterator<Item = &'a Value> + Clone) {
    match differences(values.clone()) {
        Some(bytes) => msgpack::put_bytes(to, &bytes),
        None => put_list(to, values),
    }
}

fn differences<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Vec<u8>> {
    let (mut bytes, mut last) = (Vec::new(), 0i64);
    for value in values {
        let Value::Integer(number) = value else { return None };
        varint::put(&mut bytes, varint::zigzag(number.wrapping_sub(last)));
        last = *number;
    }
    Some(bytes)
}

/// Takes one key column of exactly so many records.
pub(super) fn take_keys(from: &mut &[u8], count: usize) -> Option<Vec<Value>> {
    let mut ahead = *from;
    let Head::Bytes(length) = msgpack::take_head(&mut ahead)? else {
        // As a list only what cannot be told in differences.
        return take_list(from, count).filter(|values| !values.iter().all(|value| matches!(value, Value::Integer(_))));
    };
    let mut bytes = msgpack::take_bytes(&mut ahead, length)?;
    *from = ahead;
    (count <= bytes.len()).then_some(())?;
    let (mut values, mut last) = (Vec::with_capacity(count), 0i64);
    for _ in 0..count {
        last = last.wrapping_add(varint::unzigzag(varint::take(&mut bytes)?));
        values.push(Value::Integer(last));
    }
    bytes.is_empty().then_some(values)
}
