//! MessagePack maps with named keys: the manifest, and the members that are one map.
//!
//! Owns what holds of all of them: there is one map and nothing after it, its keys are text, each stands there once, and
//! nothing in it nests deeper than `DEPTH_MAX`. Leaves to whoever reads which keys there are, and what they mean.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Cursor;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// How deep values may nest.
const DEPTH_MAX: usize = 32;

/// No reason says more, in characters.
const REASON_MAX: usize = 300;

/// What a value at the front says, whatever follows it; and how many bytes it takes.
pub fn first<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, u64), String> {
    let mut from = rmp_serde::Deserializer::new(Cursor::new(bytes));
    from.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut from).map_err(|error| shown(&error.to_string()))?;
    Ok((value, from.position()))
}

/// What the one map says.
///
/// # Errors
/// Why not, in one line.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, String> {
    let (Keys, end) = first(bytes)?;
    if end != bytes.len() as u64 {
        return Err("more bytes follow it".to_owned());
    }
    first(bytes).map(|(value, _)| value)
}

/// The reader's words, in which content may be quoted, as one line that a terminal can show.
fn shown(reason: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_debug().collect() } else { vec![c] };
    reason.chars().flat_map(shown).take(REASON_MAX).collect()
}

/// A map of which the keys are as they must be. What is made by serde would take a list for a map, and numbers for keys.
struct Keys;

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("it has the key {key:?} twice")));
            }
            seen.insert(key);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::read;

    #[derive(Debug, PartialEq, Deserialize)]
    struct One {
        a: u8,
    }

    #[test]
    fn one_map_with_names_is_read_and_nothing_else() {
        assert_eq!(read(&[0x81, 0xa1, b'a', 7]), Ok(One { a: 7 }));
        assert_eq!(read(&[0x82, 0xa1, b'b', 0xc0, 0xa1, b'a', 7]), Ok(One { a: 7 }), "others are passed over");
        let deep = [&[0x82, 0xa1, b'a', 7, 0xa1, b'b'][..], &[0x91; 40], &[0xc0]].concat();
        for (bytes, why) in [
            (&[0x91, 7][..], "a list"),
            (&[0x81, 0, 7], "a number for a key"),
            (&[0x81, 0xa1, b'a', 7, 0xc0], "more bytes"),
            (&[0x82, 0xa1, b'a', 7, 0xa1, b'a', 7], "twice"),
            (&[0x83, 0xa1, b'a', 7, 0xa1, b'b', 7, 0xa1, b'b', 7], "twice, and unknown"),
            (&deep, "too deep"),
            (&[], "nothing"),
        ] {
            assert!(read::<One>(bytes).is_err(), "{why}");
        }
        let quoted = read::<One>(b"\x82\xa2\x1b[\x07\xa2\x1b[\x07").unwrap_err();
        assert!(!quoted.chars().any(char::is_control), "{quoted:?}");
    }
}
