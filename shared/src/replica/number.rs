//! Which number a value means that refers to a record, and how another number is written in its place.
//!
//! Owns the affinity of references. SQLite compares a foreign key as its parent's column does: the text '1' refers to the
//! record 1, and so does 1.0. Invariant: what SQLite takes for a reference to a number is one here, and keeps its storage
//! class when that number changes. A reference that nobody has declared means integers alone. Leaves the same rule in SQL to
//! [`super::sqlite`].

use super::TableShape;
use crate::value::Value;

/// What SQLite passes over before and after a number in a text.
const SPACES: [u8; 6] = [b' ', b'\t', b'\n', 0x0b, 0x0c, b'\r'];

impl TableShape {
    /// The number that a value of a column, which may be one of the key, means as a reference.
    pub fn number_in(&self, column: &str, value: &Value) -> Option<i64> {
        match value {
            Value::Integer(number) => Some(*number),
            other if self.compares(column) => compared(other),
            _ => None,
        }
    }

    /// Whether a column's values refer to numbers as SQLite compares them.
    pub fn compares(&self, column: &str) -> bool {
        self.compared.iter().any(|known| known.eq_ignore_ascii_case(column))
    }
}

impl Value {
    /// The same reference to another number: of the storage class that this one has.
    pub fn renumbered(&self, number: i64) -> Self {
        match self {
            Self::Text(_) => Self::Text(number.to_string().into_bytes()),
            Self::Real(_) => Self::Real(number as f64),
            _ => Self::Integer(number),
        }
    }
}

/// The integer that a value becomes under INTEGER affinity.
fn compared(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Real(number) => exactly(*number),
        Value::Text(text) => in_text(text),
        Value::Null | Value::Blob(_) => None,
    }
}

fn exactly(number: f64) -> Option<i64> {
    let integer = number as i64;
    (integer as f64 == number && integer > i64::MIN && integer < i64::MAX).then_some(integer)
}

fn in_text(text: &[u8]) -> Option<i64> {
    let text = number_text(text)?;
    let number = || text.parse().ok().and_then(exactly);
    text.parse().ok().or_else(number)
}

/// What SQLite takes for a number in a text.
pub(super) fn number_text(text: &[u8]) -> Option<&str> {
    let start = text.iter().position(|byte| !SPACES.contains(byte))?;
    let end = text.iter().rposition(|byte| !SPACES.contains(byte))?;
    let text = str::from_utf8(text.get(start..=end)?).ok()?;
    // What else Rust takes for a number ("inf") is none to SQLite.
    let has_its_letters = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    (has_its_letters && text.parse::<f64>().is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    /// SQLite's own answers, as its shell gives them.
    #[test]
    fn what_sqlite_takes_for_a_number_is_one() {
        let one = ["1", "01", " 1", "1\n ", "+1", "1.0", "1.", "1e0", "10e-1", "0.1E1"].map(text);
        for value in one.into_iter().chain([Value::Integer(1), Value::Real(1.0)]) {
            assert_eq!(compared(&value), Some(1), "{value}");
        }
        let none = ["", " ", "x", "1x", "1 1", "0x1", "1e", ".", "--1", "inf", "1.5", "\u{a0}1", "1_0"].map(text);
        let others = [Value::Null, Value::Blob(b"1".to_vec()), Value::Real(1.5), Value::Real(f64::INFINITY)];
        for value in none.into_iter().chain(others) {
            assert_eq!(compared(&value), None, "{value}");
        }
        assert_eq!(compared(&text("-9223372036854775808")), Some(i64::MIN));
        assert_eq!(compared(&text("9223372036854775807")), Some(i64::MAX));
        assert_eq!(compared(&text("9223372036854775808")), None);
        assert_eq!(compared(&text("-0")), Some(0));
    }

    #[test]
    fn a_number_is_written_in_the_class_of_the_one_before() {
        assert_eq!(text(" 01").renumbered(-7), text("-7"));
        assert_eq!(Value::Real(1.0).renumbered(7), Value::Real(7.0));
        assert_eq!(Value::Integer(1).renumbered(7), Value::Integer(7));
    }
}
