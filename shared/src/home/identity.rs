//! Who a node is: the small file `identity` in its home.
//!
//! Owns the file's form. Invariant: it is written once, when the home is made, and never changed; a file that is not
//! exactly an identity is refused rather than guessed at, because a node that takes a wrong one for its own makes
//! changes in another's name. Leaves the making of ids to the caller's randomness.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::{fs, io};

use serde::{Deserialize, Deserializer, de::Error};

use super::HomeError;
use crate::config::{line_of, one_line};
use crate::id::{NetworkId, NodeId, NodeName};
use crate::seam::FileRefused;

/// A node's identity. The database holds the same ids, so that a home cannot speak for another database; the
/// configuration holds the same name, which its peers know the node by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The network it belongs to.
    #[serde(deserialize_with = "from_text")]
    pub network: NetworkId,
    /// The installation itself.
    #[serde(deserialize_with = "from_text")]
    pub node: NodeId,
    /// The name.
    pub name: NodeName,
}

/// As text, because a TOML integer has a sign and these ids use all 64 bits.
fn from_text<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

impl Identity {
    pub(super) fn text(&self) -> String {
        format!(
            "# Made once for this installation. Never change it, and never copy it to another node.\n\
             network = \"{}\"\nnode = \"{}\"\nname = \"{}\"\n",
            self.network, self.node, self.name
        )
    }

    pub(super) fn load(path: &Path) -> Result<Self, HomeError> {
        let damaged = |line, why| HomeError::IdentityDamaged { path: path.to_owned(), line, why };
        let bytes = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => HomeError::IdentityMissing(path.to_owned()),
            _ => FileRefused::at("read the identity", path)(source),
        })?;
        let text = str::from_utf8(&bytes).map_err(|error| {
            damaged(line_of(&bytes, error.valid_up_to()), "it holds bytes that are not UTF-8 text".to_owned())
        })?;
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            damaged(line_of(&bytes, start), one_line(error.message()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(content: &[u8]) -> Result<Identity, HomeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        fs::write(&path, content).unwrap();
        Identity::load(&path)
    }

    #[test]
    fn an_identity_survives_being_written_and_read() {
        for (network, node) in [(0, 1), (u64::MAX, i64::MAX as u64 + 1)] {
            let identity = Identity { network: NetworkId(network), node: NodeId(node), name: "hq".parse().unwrap() };
            assert_eq!(load(identity.text().as_bytes()).unwrap(), identity);
        }
    }

    #[test]
    fn what_is_not_exactly_an_identity_is_refused_with_its_line() {
        let good = Identity { network: NetworkId(1), node: NodeId(2), name: "hq".parse().unwrap() }.text();
        for (bad, at) in [
            (String::new(), 1),
            (good.replace("network", "netwerk"), 2),
            (good.replace("0000000000000002", "2"), 3),
            (good.replace("\"0000000000000002\"", "2"), 3),
            (format!("{good}more = 1\n"), 5),
            (format!("{good}node = \"0000000000000002\"\n"), 5),
            (good.chars().take(good.len() - 4).collect(), 4),
        ] {
            let found = load(bad.as_bytes());
            assert!(matches!(found, Err(HomeError::IdentityDamaged { line, .. }) if line == at), "{bad}: {found:?}");
        }
        assert!(matches!(load(b"\n\xff"), Err(HomeError::IdentityDamaged { line: 2, .. })));
    }
}
