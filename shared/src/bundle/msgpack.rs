//! The MessagePack framing of the columns and values.
//!
//! Owns what of MessagePack is used (nil, booleans, signed 64-bit integers, 64-bit floats, str, bin, array, ext) and
//! that every length and integer has its shortest form. Reading takes from the front of a slice, allocates nothing,
//! and answers None for anything else.

use rmp::Marker;
use rmp::encode as write;

/// One object's beginning; the bytes or elements that it announces follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head {
    /// Nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Integer(i64),
    /// A float.
    Real(f64),
    /// So many bytes of UTF-8.
    Text(usize),
    /// So many bytes.
    Bytes(usize),
    /// So many objects.
    Array(usize),
    /// So many bytes of an application's own type.
    Extension(i8, usize),
}

/// Takes so many bytes off the front.
pub fn take_bytes<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// Takes an object's beginning off the front.
pub fn take_head(from: &mut &[u8]) -> Option<Head> {
    let marker = Marker::from_u8(take_unsigned(from, 1)? as u8);
    Some(match marker {
        Marker::Null => Head::Nil,
        Marker::True => Head::Bool(true),
        Marker::False => Head::Bool(false),
        Marker::FixPos(number) => Head::Integer(number.into()),
        Marker::FixNeg(number) => Head::Integer(number.into()),
        Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => Head::Integer(take_positive(from, marker)?),
        Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => Head::Integer(take_negative(from, marker)?),
        Marker::F64 => Head::Real(f64::from_bits(take_unsigned(from, 8)?)),
        Marker::FixStr(length) => Head::Text(length.into()),
        Marker::Str8 => Head::Text(take_length(from, 1, 32)?),
        Marker::Str16 => Head::Text(take_length(from, 2, 1 << 8)?),
        Marker::Str32 => Head::Text(take_length(from, 4, 1 << 16)?),
        Marker::Bin8 => Head::Bytes(take_length(from, 1, 0)?),
        Marker::Bin16 => Head::Bytes(take_length(from, 2, 1 << 8)?),
        Marker::Bin32 => Head::Bytes(take_length(from, 4, 1 << 16)?),
        Marker::FixArray(length) => Head::Array(length.into()),
        Marker::Array16 => Head::Array(take_length(from, 2, 16)?),
        Marker::Array32 => Head::Array(take_length(from, 4, 1 << 16)?),
        _ => return take_extension(from, marker),
    })
}

fn take_extension(from: &mut &[u8], marker: Marker) -> Option<Head> {
    let length = match marker {
        Marker::FixExt1 => 1,
        Marker::FixExt2 => 2,
        Marker::FixExt4 => 4,
        Marker::FixExt8 => 8,
        Marker::FixExt16 => 16,
        Marker::Ext8 => take_length(from, 1, 0).filter(|length| ![1, 2, 4, 8, 16].contains(length))?,
        Marker::Ext16 => take_length(from, 2, 1 << 8)?,
        Marker::Ext32 => take_length(from, 4, 1 << 16)?,
        _ => return None,
    };
    let kind = take_unsigned(from, 1)? as u8;
    Some(Head::Extension(kind.cast_signed(), length))
}

fn take_unsigned(from: &mut &[u8], width: usize) -> Option<u64> {
    Some(take_bytes(from, width)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// A length that no shorter form could have held.
fn take_length(from: &mut &[u8], width: usize, least: u64) -> Option<usize> {
    take_unsigned(from, width).filter(|length| *length >= least).and_then(|length| length.try_into().ok())
}

fn take_positive(from: &mut &[u8], marker: Marker) -> Option<i64> {
    let (width, least) = match marker {
        Marker::U8 => (1, 1 << 7),
        Marker::U16 => (2, 1 << 8),
        Marker::U32 => (4, 1 << 16),
        _ => (8, 1 << 32),
    };
    i64::try_from(take_unsigned(from, width)?).ok().filter(|number| *number >= least)
}

fn take_negative(from: &mut &[u8], marker: Marker) -> Option<i64> {
    let (width, above) = match marker {
        Marker::I8 => (1, -32),
        Marker::I16 => (2, i64::from(i8::MIN)),
        Marker::I32 => (4, i64::from(i16::MIN)),
        _ => (8, i64::from(i32::MIN)),
    };
    let unused = 64 - 8 * width as u32;
    let number = (take_unsigned(from, width)? << unused).cast_signed() >> unused;
    (number < above).then_some(number)
}

// Writing to memory cannot fail, and no content here reaches the 4 GiB at which a length would not fit.

fn length(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Appends nil.
pub fn put_nil(to: &mut Vec<u8>) {
    let _ = write::write_nil(to);
}

/// Appends a truth value.
pub fn put_bool(to: &mut Vec<u8>, value: bool) {
    let _ = write::write_bool(to, value);
}

/// Appends an integer.
pub fn put_integer(to: &mut Vec<u8>, number: i64) {
    let _ = write::write_sint(to, number);
}

/// Appends a float, bit by bit.
pub fn put_real(to: &mut Vec<u8>, number: f64) {
    let _ = write::write_f64(to, number);
}

/// Appends text.
pub fn put_text(to: &mut Vec<u8>, text: &str) {
    let _ = write::write_str(to, text);
}

/// Appends bytes.
pub fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    let _ = write::write_bin(to, bytes);
}

/// Appends bytes of an application's own type.
pub fn put_extension(to: &mut Vec<u8>, kind: i8, bytes: &[u8]) {
    let _ = write::write_ext_meta(to, length(bytes.len()), kind);
    to.extend_from_slice(bytes);
}

/// Appends the head of an array; its elements are to follow.
pub fn put_array(to: &mut Vec<u8>, count: usize) {
    let _ = write::write_array_len(to, length(count));
}
