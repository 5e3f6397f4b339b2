//! Names that people give, to nodes and sets.
//!
//! Invariant: a name that is given can be typed again wherever a name stands: none begins like an option.

use packhorse_shared::id::NodeName;

/// The longest name of a set, in characters.
const SET_NAME_MAX: usize = 64;

/// A new node's name.
pub fn node(text: &str) -> Result<NodeName, String> {
    let name: NodeName = text.parse().map_err(|error| format!("{error}"))?;
    if text.starts_with('-') { Err("a name that begins with - reads like an option".to_owned()) } else { Ok(name) }
}

/// A new set's name.
pub fn set(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let length = text.chars().count();
    match (1..=SET_NAME_MAX).contains(&length) && text.chars().all(is_plain) && !text.starts_with('-') {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("a set's name is 1 to {SET_NAME_MAX} letters, digits, - _ and ., and does not begin with -"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_given_can_be_typed_again() {
        assert_eq!(node("ship-7").map(String::from), Ok("ship-7".to_owned()));
        assert!(node("-7").is_err() && node("Ship").is_err());
        for good in ["sales", "Süd_2.a-b", &"x".repeat(64)] {
            assert_eq!(set(good), Ok(good.to_owned()));
        }
        for bad in ["", "-x", "a b", "a/b", &"x".repeat(65)] {
            assert!(set(bad).is_err(), "{bad}");
        }
    }
}
