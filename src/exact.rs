//! Values and stamps as JSON has them, exactly.

use packhorse_shared::clock::Stamp;
use packhorse_shared::value::Value;
use serde_json::json;

use crate::wording::timestamp;

/// A stamp: its time to the millisecond, its counter and its node.
pub fn stamp(stamp: Stamp) -> String {
    let time = timestamp(stamp.reading.time()).unwrap_or_default();
    let millis = stamp.reading.time().0 % 1000;
    format!("{}.{millis:03}Z+{}@{}", time.trim_end_matches('Z'), stamp.reading.counter(), stamp.node)
}

/// A value; what JSON cannot hold exactly is given as an object that says so.
pub fn value(value: &Value) -> serde_json::Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) if number.unsigned_abs() < 1 << 53 => json!(number),
        Value::Integer(number) => json!({ "integer": number.to_string() }),
        Value::Real(number) if number.is_finite() => json!(number),
        Value::Real(number) => json!({ "real": number.to_string() }),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "text_hex": hex(bytes) }),
        },
        Value::Blob(bytes) => json!({ "blob_hex": hex(bytes) }),
    }
}
