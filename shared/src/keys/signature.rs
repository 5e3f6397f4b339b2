//! The signature of a manifest, in minisign's form.
//!
//! Owns who may have signed, and that the trusted comment, which is signed too, is the expected one. Leaves the cryptography
//! and the text to the minisign crate: `minisign -V` checks what is made here.

use std::io::Cursor;

use blake2::{Blake2b, Digest, digest::consts::U32};
use data_encoding::BASE64;
use minisign::{PublicKey, SecretKey, SignatureBox};

use super::{ALGORITHM, KeyNumber, NodeKeys, PublicKeys};

/// No signature is longer, in bytes.
pub const SIGNATURE_MAX: u64 = 1024;

/// How long one of Ed25519 is, in bytes.
const SIGNATURE_LENGTH: usize = 64;

/// What nobody checks: it only tells a person what the file is.
const UNTRUSTED: &str = "signature of a Packhorse manifest";

/// Why a signature is not accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    /// It cannot be made; the cause is the program's.
    #[error("it cannot be signed: {0}")]
    Unmade(String),
    /// It is not a signature.
    #[error("its signature is not one of minisign")]
    Malformed,
    /// Another key made it than any that may.
    #[error("it is signed with the key {0}, which is not its sender's")]
    Stranger(KeyNumber),
    /// It is not of this manifest, or not of this key.
    #[error("its signature is not right: somebody has changed it, or made it in its sender's name")]
    Wrong,
    /// It is another bundle's.
    #[error("its signature was made for {found}, and it says that it is {expected}")]
    OtherBundle {
        /// What the signature says.
        found: String,
        /// What it should say.
        expected: String,
    },
}

impl NodeKeys {
    /// Signs a message; the trusted comment is signed with it.
    ///
    /// # Errors
    /// [`SignatureError::Unmade`].
    pub fn sign(&self, message: &[u8], trusted: &str) -> Result<String, SignatureError> {
        let unmade = |error: minisign::PError| SignatureError::Unmade(error.to_string());
        let secret = SecretKey::from_bytes(&self.minisign_bytes()).map_err(unmade)?;
        let signed = minisign::sign(None, &secret, Cursor::new(message), Some(trusted), Some(UNTRUSTED));
        Ok(signed.map_err(unmade)?.into_string())
    }

    /// The secret key in minisign's form, without a password: algorithm, no key derivation and its empty parameters, the
    /// number, seed and public key, and a checksum of these.
    fn minisign_bytes(&self) -> Vec<u8> {
        let key = self.signing_key();
        let number = self.number.0.to_le_bytes();
        let pair = key.to_keypair_bytes();
        let mut checksum = Blake2b::<U32>::new();
        checksum.update([&ALGORITHM[..], &number, &pair].concat());
        let parameters = [0; 32 + 8 + 8];
        [&ALGORITHM[..], &[0, 0], b"B2", &parameters, &number, &pair, &checksum.finalize()].concat()
    }
}

/// A signature, not checked yet.
pub struct Signature(SignatureBox);

impl Signature {
    /// Reads one.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let text = str::from_utf8(bytes).map_err(|_| SignatureError::Malformed)?;
        let read = SignatureBox::from_string(text).map_err(|_| SignatureError::Malformed)?;
        // The crate takes a second signature of any length, and panics over a short one; and lines that follow.
        let second = text.lines().nth(3).and_then(|line| BASE64.decode(line.as_bytes()).ok());
        let is_whole = second.is_some_and(|second| second.len() == SIGNATURE_LENGTH) && read.to_string() == text;
        if is_whole { Ok(Self(read)) } else { Err(SignatureError::Malformed) }
    }

    /// The number of the key that it says it was made with.
    pub fn signer(&self) -> KeyNumber {
        let number = self.0.keynum().try_into().unwrap_or_default();
        KeyNumber(u64::from_le_bytes(number))
    }

    /// Checks that these keys made it, for this message.
    ///
    /// # Errors
    /// [`SignatureError::Stranger`] or [`SignatureError::Wrong`].
    pub fn verify(&self, message: &[u8], by: &PublicKeys) -> Result<(), SignatureError> {
        if self.signer() != by.number {
            return Err(SignatureError::Stranger(self.signer()));
        }
        let key = PublicKey::from_bytes(&by.minisign_bytes()).map_err(|_| SignatureError::Wrong)?;
        let verified = minisign::verify(&key, &self.0, Cursor::new(message), true, false, false);
        verified.map_err(|_| SignatureError::Wrong)
    }

    /// Checks what it was made for, once it is verified.
    ///
    /// # Errors
    /// [`SignatureError::OtherBundle`].
    pub fn must_be_for(&self, expected: &str) -> Result<(), SignatureError> {
        let found = self.0.trusted_comment().map_err(|_| SignatureError::Malformed)?;
        match found == expected {
            true => Ok(()),
            false => Err(SignatureError::OtherBundle { found, expected: expected.to_owned() }),
        }
    }
}
