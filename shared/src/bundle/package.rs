//! The members of a remote database package beside the manifest.
//!
//! A package is a container of kind [`super::Kind::Package`] with two members: the remote's database, and where its link
//! begins. The sender in the manifest is the hub, the receiver the remote.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BundleError, map};
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
    /// How the relays' servers are logged in to, as far as its hub has anything to say of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessStart>,
}

/// How a relay's server is logged in to, and by what it is known to be the right one: all that is brought is data, and nothing
/// that would be run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessStart {
    /// The server, as `HOST:PORT`.
    pub server: String,
    /// The account, where the relay's address names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// An SSH private key file's content.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub key: Option<Vec<u8>>,
    /// What opens that key; without one, the account's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The lines of a file of known SSH hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// Certificates (PEM) that an FTPS server's may be signed by.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub ca: Option<Vec<u8>>,
    /// The SHA-256 digest of the one certificate that an FTPS server may show.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub certificate: Option<[u8; 32]>,
    /// Whether the newest version of TLS is spoken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_tls: bool,
}

impl fmt::Debug for AccessStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessStart({})", self.server)
    }
}

impl AccessStart {
    /// Of a server of which there is nothing to say.
    pub fn of(server: String) -> Self {
        let (user, key, secret, known_hosts, ca, certificate) = (None, None, None, None, None, None);
        Self { server, user, key, secret, known_hosts, ca, certificate, newest_tls: false }
    }

    /// Takes over what is said elsewhere of the same server, and not here.
    pub fn absorb(&mut self, other: Self) {
        self.user = self.user.take().or(other.user);
        self.key = self.key.take().or(other.key);
        self.secret = self.secret.take().or(other.secret);
        self.known_hosts = self.known_hosts.take().or(other.known_hosts);
        self.ca = self.ca.take().or(other.ca);
        self.certificate = self.certificate.or(other.certificate);
        self.newest_tls |= other.newest_tls;
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::of(self.server.clone())
    }
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
        map::read(bytes).map_err(|_| BundleError::Damaged { member: LINK.to_owned() })
    }
}
