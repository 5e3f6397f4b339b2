//! The bundle file: a tar archive in zstd frames with a manifest, and the bytes of its members.
//!
//! Owns the format that `FORMAT.md` states, both ways. Invariants: what is written for one content is always the same
//! bytes; what is read is what the manifest promised, byte for byte, or an error, and no content from outside can
//! panic or take more memory than the [`Limits`] allow. Knows nothing of databases, links' rules or folders: those
//! belong to [`crate::replica`], [`crate::link`] and [`crate::spool`].
//!
//! * [`name`]: a bundle's file name;
//! * [`limits`]: what a reader accepts at most;
//! * [`manifest`]: what a bundle says about itself;
//! * [`container`] writes the file, [`read`] reads it;
//! * [`package`]: the members of a remote database package;
//! * [`columns`]: the changes of one table, of [`values`] and `stamps`, framed by `msgpack`;
//! * `map`: what holds of every map with named keys.

pub mod columns;
pub mod container;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
#[cfg(test)]
mod fuzzing_tests;
pub mod limits;
pub mod manifest;
#[cfg(test)]
mod manifest_tests;
pub(crate) mod map;
mod msgpack;
pub mod name;
mod opening;
#[cfg(test)]
mod opening_tests;
pub mod package;
pub mod read;
mod stamps;
mod tape;
#[cfg(test)]
mod tests;
pub mod values;

use std::io;

pub use container::{BundleWriter, Sealing, Written};
pub use limits::{Limits, Room};
pub use manifest::{Addressee, Counts, FORMAT, Kind, Manifest, MemberEntry};
pub use name::{BundleName, BundleNameError, ShortDigest};
pub use opening::{Opening, Provenance};
pub use read::BundleReader;

use crate::keys::envelope::EnvelopeError;
use crate::keys::signature::SignatureError;

/// The member that tells a remote what it shares, as [`crate::replica::Terms`].
pub const CONFIG: &str = "config";

/// Why a bundle cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file begins with something else.
    #[error("it is neither a bundle nor a package")]
    NotABundle,
    /// The file, or an archive in it, ends before what it promised.
    #[error("it is cut short")]
    Truncated,
    /// A part does not have the content that was sealed.
    #[error("its {member} is damaged")]
    Damaged {
        /// Which part: a member's name, or "seal".
        member: String,
    },
    /// A length or count is beyond what is accepted.
    #[error("its {what} is beyond the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The most that is accepted, in bytes or pieces.
        limit: u64,
    },
    /// It holds more than this node is configured to accept.
    #[error("its {what} is beyond the limit of {limit}")]
    NotAccepted {
        /// What there is too much of.
        what: String,
        /// The most that is accepted, in bytes or pieces.
        limit: u64,
    },
    /// A later version of the program made it.
    #[error("it has format {found}, and this version reads formats up to {known}")]
    NewerFormat {
        /// The format that it has.
        found: u32,
        /// The latest that is known here.
        known: u32,
    },
    /// Something else stands where one thing must.
    #[error("it has {found} where {expected} belongs")]
    Unexpected {
        /// What had to be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The manifest is whole but does not say what a manifest must.
    #[error("its manifest cannot be used: {reason}")]
    Manifest {
        /// What is wrong with it.
        reason: String,
    },
    /// A member that must be understood is not.
    #[error("its member {member} is not known to this version and is not optional")]
    UnknownMember {
        /// Its name.
        member: String,
    },
    /// A file that was being packed changed meanwhile.
    #[error("the file for its member {member} changed while it was packed")]
    Changed {
        /// The member.
        member: String,
    },
    /// Its envelope cannot be opened.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// It is not sealed, and must be.
    #[error("it is not sealed, as everything from its sender is")]
    NotSealed,
    /// Nobody signed it, and its sender would have.
    #[error("it is not signed, as everything from its sender is")]
    NotSigned,
    /// It was not signed by whom it must be.
    #[error(transparent)]
    Signature(SignatureError),
    /// The file itself could not be read or written.
    #[error("it could not be read or written")]
    Io(#[source] io::Error),
}

impl From<EnvelopeError> for BundleError {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Io(error) => Self::Io(error),
            other => Self::Envelope(other),
        }
    }
}
