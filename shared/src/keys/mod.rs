//! A node's keys: what opens the bundles that are sealed to it, and what signs its own.
//!
//! Owns how they come about: one secret of 32 bytes is the age identity that opens, the seed of the minisign key that signs,
//! and what the secrets of a hub's remotes are derived from. So a hub that was put back to an older copy knows the keys of
//! packages that it does not remember having made: a derived key can only come from the hub itself, and one with a later
//! number is later. Invariants: a number is never given to two secrets under one name; secrets are shown by nothing but
//! [`NodeKeys::to_file`]. Leaves the files' forms to [`signature`] and [`envelope`], and where keys are kept to [`crate::home`]
//! and [`crate::replica`].

pub mod envelope;
mod file;
mod passphrase;
pub mod signature;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use age::x25519::{Identity, Recipient};
use bech32::{Bech32, Hrp};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

pub use file::KeyFileError;
pub use passphrase::Passphrase;

use crate::clock::WallTime;
use crate::id::NodeName;

/// What the signing seed is derived for.
const SIGNING: &str = "packhorse 2026-11-27 signing key of a node";

/// What a remote's secret is derived for.
const REMOTE: &str = "packhorse 2026-11-27 secret of a remote";

/// What a public minisign key begins with: the algorithm, Ed25519.
const ALGORITHM: [u8; 2] = *b"Ed";

/// What the text of age's secret keys begins with.
const IDENTITY_PREFIX: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// Which of the keys that a name has had: the milliseconds at which they were made, raised so that a later one is greater.
/// It is also the key id of minisign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyNumber(pub u64);

impl KeyNumber {
    /// The number of keys that are made now, after these.
    #[must_use]
    pub fn next(self, now: WallTime) -> Self {
        Self(now.0.max(self.0.saturating_add(1)))
    }
}

impl fmt::Display for KeyNumber {
    /// As minisign shows a key id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// A node's own keys.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKeys {
    number: KeyNumber,
    secret: [u8; 32],
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKeys({})", self.number)
    }
}

impl NodeKeys {
    /// New keys, from the system's randomness.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn generate(number: KeyNumber) -> std::io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
        Ok(Self { number, secret })
    }

    /// From their secret, as a package holds it.
    pub fn from_secret(number: KeyNumber, secret: [u8; 32]) -> Self {
        Self { number, secret }
    }

    /// The secret, for the package that brings it to the remote.
    pub fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// The keys of a remote of ours: always the same for the same name and number.
    pub fn of_remote(&self, name: &NodeName, number: KeyNumber) -> Self {
        let mut material = blake3::Hasher::new_derive_key(REMOTE);
        material.update(&self.secret).update(&number.0.to_be_bytes()).update(name.as_str().as_bytes());
        Self { number, secret: *material.finalize().as_bytes() }
    }

    /// Which they are.
    pub fn number(&self) -> KeyNumber {
        self.number
    }

    /// What others may know of them.
    pub fn public(&self) -> PublicKeys {
        let signs = self.signing_key().verifying_key().to_bytes();
        // Without a recipient nothing could be sealed, which would be told then.
        let seals = self.identity().map(|identity| identity.to_public().to_string()).unwrap_or_default();
        PublicKeys { number: self.number, seals, signs }
    }

    fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&blake3::derive_key(SIGNING, &self.secret))
    }

    /// As age writes it. Only a text that is too long cannot be encoded, and this never is.
    fn identity_text(&self) -> String {
        bech32::encode::<Bech32>(IDENTITY_PREFIX, &self.secret).unwrap_or_default().to_uppercase()
    }

    /// None only if age did not understand its own form of a secret key.
    fn identity(&self) -> Option<Identity> {
        self.identity_text().parse().ok()
    }
}

/// What others know of a node's keys: to whom they seal, and whose signature they look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKeys {
    number: KeyNumber,
    seals: String,
    signs: [u8; 32],
}

/// A text that is not the public keys of a node.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it is not an age recipient and a minisign public key, with a space between them")]
pub struct PublicKeysError;

impl PublicKeys {
    /// Which they are.
    pub fn number(&self) -> KeyNumber {
        self.number
    }

    /// As age takes it for a recipient.
    pub fn age(&self) -> &str {
        &self.seals
    }

    /// As minisign takes it for a public key.
    pub fn minisign(&self) -> String {
        BASE64.encode(&self.minisign_bytes())
    }

    fn minisign_bytes(&self) -> Vec<u8> {
        [&ALGORITHM[..], &self.number.0.to_le_bytes(), &self.signs].concat()
    }

    fn recipient(&self) -> Option<Recipient> {
        self.seals.parse().ok()
    }
}

impl fmt::Display for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seals, self.minisign())
    }
}

impl FromStr for PublicKeys {
    type Err = PublicKeysError;

    fn from_str(text: &str) -> Result<Self, PublicKeysError> {
        let (seals, minisign) = text.split_once(' ').ok_or(PublicKeysError)?;
        let _: Recipient = seals.parse().map_err(|_| PublicKeysError)?;
        let bytes = BASE64.decode(minisign.as_bytes()).map_err(|_| PublicKeysError)?;
        let rest = bytes.strip_prefix(&ALGORITHM).ok_or(PublicKeysError)?;
        let (number, signs) = rest.split_first_chunk::<8>().ok_or(PublicKeysError)?;
        let signs = signs.try_into().map_err(|_| PublicKeysError)?;
        Ok(Self { number: KeyNumber(u64::from_le_bytes(*number)), seals: seals.to_owned(), signs })
    }
}

impl TryFrom<String> for PublicKeys {
    type Error = PublicKeysError;
    fn try_from(text: String) -> Result<Self, PublicKeysError> {
        text.parse()
    }
}

impl From<PublicKeys> for String {
    fn from(keys: PublicKeys) -> Self {
        keys.to_string()
    }
}
