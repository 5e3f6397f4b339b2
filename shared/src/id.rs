//! Identities and counters, each a type of its own so that none is taken for another.
//!
//! Owns their text forms, which appear in file names, the configuration and JSON. Leaves the making of random ones
//! to the caller's [`crate::seam::Random`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest node name, in bytes.
pub const NODE_NAME_MAX: usize = 32;

/// A node's name: `[a-z0-9-]`, 1 to 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// A name that cannot be a node's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" cannot be a node's name: use 1 to 32 of a-z, 0-9 and -")]
pub struct NodeNameError(String);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;
    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        let fits = (1..=NODE_NAME_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NodeNameError(text.chars().flat_map(char::escape_debug).take(64).collect()))
        }
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;
    fn try_from(text: String) -> Result<Self, NodeNameError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not sixteen hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not an id of 16 hexadecimal digits")]
pub struct HexIdError(String);

fn parse_hex(text: &str) -> Result<u64, HexIdError> {
    let wrong = || HexIdError(text.chars().flat_map(char::escape_debug).take(64).collect());
    if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(wrong());
    }
    u64::from_str_radix(text, 16).map_err(|_| wrong())
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = HexIdError;
            fn from_str(text: &str) -> Result<Self, HexIdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

hex_id!(
    /// The identity of one installation of a node, made at `init` or `restore`: the tie-breaker of its stamps. A
    /// package restored twice gives two of them, a restored backup keeps its own.
    NodeId
);
hex_id!(
    /// The identity of a hub with everything below it; a relay belongs to one network.
    NetworkId
);
hex_id!(
    /// A bundle's random identity: two bundles under one sequence number are told apart by it.
    BundleId
);

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident, $of:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $of);

        impl $name {
            /// The one after this.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// A position in a node's own order of changes. Zero lies before every change.
    Cut,
    u64
);
counter!(
    /// The number of a bundle within its epoch, from 1; 0 stands for "before the first". Never used twice.
    Sequence,
    u64
);
counter!(
    /// A run of sequence numbers over one direction of a link. Epochs only rise.
    Epoch,
    u64
);

/// A link's number in its own node's database, from 1. [`LinkId::LOCAL`] marks what was changed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(pub u32);

impl LinkId {
    /// Not a link: the change was made at this node.
    pub const LOCAL: Self = Self(0);
}

/// A column's number within its table in one database; never used for another column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u32);

impl ColumnId {
    /// Not a column: the making of a record that has no fields (see [`crate::change::EXISTENCE`]).
    pub const EXISTENCE: Self = Self(0);
}

/// A synced table's number in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// A BLAKE3 digest of a whole content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes at hand.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?;
        let found = bytes.len();
        <[u8; 32]>::try_from(bytes.into_vec())
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("a digest has 32 bytes, not {found}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_keep_to_their_alphabet_and_length() {
        for good in ["a", "hq", "shop-7", &"x".repeat(32)] {
            assert_eq!(good.parse::<NodeName>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "Alice", "a b", "a/b", "..", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_ids_have_one_spelling() {
        assert_eq!("00000000000000ff".parse(), Ok(NodeId(255)));
        for bad in ["ff", "00000000000000FF", "+0000000000000ff", "000000000000000000ff"] {
            assert!(bad.parse::<BundleId>().is_err(), "{bad}");
        }
    }
}
