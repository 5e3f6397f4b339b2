//! What a column makes of the values that are written to it.
//!
//! Owns SQLite's rule of affinity (<https://sqlite.org/datatype3.html#determination_of_column_affinity>). Two databases whose
//! columns have other types hold other values although the same was written to both: '007' is 7 in a column of numbers. So it
//! is asked before a value is placed whether it stays what it is. Pure.

use super::number::number_text;
use crate::value::Value;

/// A column's affinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Every value stays as it came.
    #[default]
    Any,
    /// Numbers become texts.
    Text,
    /// Texts that are numbers become numbers.
    Number,
    /// The same, and numbers become ones with a fraction, which cannot tell all large ones apart.
    Real,
}

impl Affinity {
    /// Of a declared type, in a STRICT table or another.
    pub fn of(declared: &str, strict: bool) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        if strict && declared == "ANY" || !strict && declared.is_empty() {
            Self::Any
        } else if has(&["INT"]) {
            Self::Number
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if has(&["BLOB"]) {
            Self::Any
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Number
        }
    }

    /// Whether a value stays what it is. A number that stays the same number does, whatever its storage class.
    pub fn keeps(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::Integer(_) | Value::Real(_)) => false,
            (Self::Number | Self::Real, Value::Text(text)) => number_text(text).is_none(),
            (Self::Real, Value::Integer(number)) => i128::from(*number) == (*number as f64) as i128,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use rusqlite::types::Value as Stored;

    use super::*;

    const TYPES: [&str; 16] = [
        "",
        "INTEGER",
        "int",
        "BIGINT",
        "VARCHAR(9)",
        "TEXT",
        "CLOB",
        "BLOB",
        "REAL",
        "FLOAT",
        "DOUBLE",
        "NUMERIC",
        "DECIMAL(9,2)",
        "BOOLEAN",
        "DATE",
        "CHARINT",
    ];

    /// SQLite is asked for each type and value.
    #[test]
    fn a_value_is_said_to_stay_if_and_only_if_sqlite_leaves_it() {
        let connection = Connection::open_in_memory().unwrap();
        let texts =
            ["", "x", "7", "007", " 7 ", "7.5", "1e3", "1e", "0x10", "inf", "nan", "+7", "--7", ".5", "5.", "7 7"];
        let texts = texts.map(|text| Value::Text(text.into()));
        let large = [Value::Integer((1 << 53) + 1), Value::Integer(1 << 53), Value::Integer(i64::MAX)];
        let others = [Value::Null, Value::Integer(7), Value::Real(7.5), Value::Real(7.0), Value::Blob(b"7".to_vec())];
        for declared in TYPES {
            connection.execute_batch(&format!("CREATE TABLE t (v {declared})")).unwrap();
            for value in texts.iter().chain(&large).chain(&others) {
                let bound = match value {
                    Value::Null => Stored::Null,
                    Value::Integer(number) => Stored::Integer(*number),
                    Value::Real(number) => Stored::Real(*number),
                    Value::Text(text) => Stored::Text(String::from_utf8(text.clone()).unwrap()),
                    Value::Blob(bytes) => Stored::Blob(bytes.clone()),
                };
                let sql =
                    "INSERT INTO t VALUES (?1) RETURNING v IS ?1 AND (typeof(v) = 'text') = (typeof(?1) = 'text')";
                let stays: bool = connection.query_row(sql, [bound], |row| row.get(0)).unwrap();
                assert_eq!(Affinity::of(declared, false).keeps(value), stays, "{value} in a column of {declared:?}");
            }
            connection.execute_batch("DROP TABLE t").unwrap();
        }
    }

    #[test]
    fn in_a_strict_table_any_is_any() {
        assert_eq!(Affinity::of("ANY", true), Affinity::Any);
        assert_eq!(Affinity::of("any", false), Affinity::Number);
        assert_eq!(Affinity::of("TEXT", true), Affinity::Text);
    }
}
