//! The members of a remote database package beside the manifest.
//!
//! A package is a container of kind [`super::Kind::Package`] with two members: the remote's database, and where its link
//! begins. The sender in the manifest is the hub, the receiver the remote.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::clock::Reading;
use crate::id::Epoch;
use crate::keys::{KeyNumber, NodeKeys, PublicKeys};

/// The member that is the remote's database.
pub const DATABASE: &str = "database";

/// The member that says where the link begins.
pub const LINK: &str = "link";

/// Where a remote's link begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStart {
    /// The hub's epoch, whose start the package is.
    pub epoch: Epoch,
    /// The hub's clock: nothing in the package is stamped later.
    pub clock: Reading,
    /// Everything made up to here on the hub's side is in the package.
    #[serde(default)]
    pub complete_to: Reading,
    /// The relays as the remote reaches them, in the order in which they are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
    /// The remote's keys, and its hub's.
    pub keys: KeysStart,
}

/// The keys that a remote begins with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysStart {
    /// Which they are.
    pub number: KeyNumber,
    /// Their secret.
    #[serde(rename = "key", with = "serde_bytes")]
    pub secret: [u8; 32],
    /// What the remote knows of its hub's.
    pub hub: PublicKeys,
    /// Whether the link is sealed with them.
    pub sealed: bool,
}

impl fmt::Debug for KeysStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeysStart({}, {}, sealed: {})", self.number, self.hub, self.sealed)
    }
}

impl KeysStart {
    /// The remote's keys.
    pub fn own(&self) -> NodeKeys {
        NodeKeys::from_secret(self.number, self.secret)
    }
}

impl LinkStart {
    /// The member's content.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] if it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        rmp_serde::to_vec_named(self).map_err(|error| BundleError::Manifest { reason: error.to_string() })
    }

    /// Reads the member.
    ///
    /// # Errors
    /// [`BundleError::Damaged`] if it says something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        rmp_serde::from_slice(bytes).map_err(|_| BundleError::Damaged { member: LINK.to_owned() })
    }
}
