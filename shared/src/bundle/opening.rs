//! What a reader opens a file with, and whom it believes.
//!
//! Owns the rule that nothing is taken that is less than what it must be: where signers are named, a file that is not sealed or
//! not signed is refused, whatever it says of itself. Leaves the cryptography to [`crate::keys`].

use std::io::{BufRead, BufReader};

use super::BundleError;
use crate::keys::signature::{Signature, SignatureError};
use crate::keys::{KeyNumber, NodeKeys, Passphrase, PublicKeys, envelope};

/// What a reader has to open a file with, and whom it believes.
#[derive(Clone, Copy, Default)]
pub struct Opening<'k> {
    /// This node's keys; without them nothing that is sealed can be opened.
    pub keys: Option<&'k NodeKeys>,
    /// The passphrase, for a package that is sealed with one.
    pub passphrase: Option<&'k Passphrase>,
    /// Knows the keys of who may have sent it, by their number. If it is given, the file must be sealed, and signed by one of
    /// them.
    pub signers: Option<&'k dyn Fn(KeyNumber) -> Option<PublicKeys>>,
}

/// How a file came, and whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Whether it was sealed.
    pub is_sealed: bool,
    /// With which keys it says that it was signed; proven only if signers were asked for.
    pub signer: Option<KeyNumber>,
}

impl<'k> Opening<'k> {
    /// Opens what is sealed to these keys, and judges nothing: to look into files.
    pub fn with(keys: Option<&'k NodeKeys>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Whether it must be sealed and signed.
    pub(super) fn is_strict(&self) -> bool {
        self.signers.is_some()
    }

    /// The archive in it, and whether it was sealed.
    pub(super) fn unsealed<'r>(
        &self,
        mut reader: impl BufRead + 'r,
    ) -> Result<(bool, Box<dyn BufRead + 'r>), BundleError> {
        let is_sealed = envelope::is_one(reader.fill_buf().map_err(BundleError::Io)?);
        if !is_sealed {
            return if self.is_strict() { Err(BundleError::NotSealed) } else { Ok((false, Box::new(reader))) };
        }
        let opened = envelope::open(self.keys, self.passphrase, reader).map_err(BundleError::from)?;
        Ok((true, Box::new(BufReader::with_capacity(super::read::CHUNK, opened))))
    }

    /// Who signed the manifest, checked if it must be.
    pub(super) fn signer(
        &self,
        manifest: &[u8],
        signature: Option<&Signature>,
    ) -> Result<Option<KeyNumber>, BundleError> {
        let Some(known) = self.signers else { return Ok(signature.map(Signature::signer)) };
        let signature = signature.ok_or(BundleError::NotSigned)?;
        let number = signature.signer();
        let keys = known(number).ok_or(SignatureError::Stranger(number)).map_err(BundleError::Signature)?;
        signature.verify(manifest, &keys).map_err(BundleError::Signature)?;
        Ok(Some(number))
    }
}
