//! The file in which a node keeps its keys: an age identity file, whose comments say which keys they are.
//!
//! Owns its form, both ways, strictly: a file that is not exactly that is refused rather than guessed at. `age -d -i` takes
//! it as it is.

use super::{IDENTITY_PREFIX, KeyNumber, NodeKeys};

/// What stands before the number.
const NUMBER: &str = "# number: ";

/// A file that does not hold a node's keys.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("it is not an age identity with the number of the keys before it")]
pub struct KeyFileError;

impl NodeKeys {
    /// The file's content.
    pub fn to_file(&self) -> String {
        let public = self.public();
        format!(
            "# The keys of this installation: whoever has them reads and writes in its name. Never copy them to another node.\n\
             {NUMBER}{}\n# age: {}\n# minisign: {}\n{}\n",
            self.number,
            public.age(),
            public.minisign(),
            self.identity_text(),
        )
    }

    /// Reads the file's content.
    ///
    /// # Errors
    /// [`KeyFileError`] if it is anything else.
    pub fn from_file(text: &str) -> Result<Self, KeyFileError> {
        let number = text.lines().find_map(|line| line.strip_prefix(NUMBER)).ok_or(KeyFileError)?;
        let number = u64::from_str_radix(number, 16).map_err(|_| KeyFileError)?;
        let identity = text.lines().find(|line| !line.starts_with('#')).ok_or(KeyFileError)?;
        let (prefix, secret) = bech32::decode(identity).map_err(|_| KeyFileError)?;
        let secret = secret.try_into().map_err(|_| KeyFileError)?;
        let keys = Self { number: KeyNumber(number), secret };
        // The public halves stand in it, too: a file of two others' parts is not taken.
        if prefix == IDENTITY_PREFIX && keys.to_file() == text { Ok(keys) } else { Err(KeyFileError) }
    }
}
