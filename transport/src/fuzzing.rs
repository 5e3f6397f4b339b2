//! What holds of the readers of what servers say, whatever they say: for fuzz targets and property tests, which bring the
//! bytes.
//!
//! Owns nothing but the door: each carrier's readers are private to it, and their properties stand beside them.

pub use crate::ftp::fuzzing::{listing, reply};
pub use crate::sftp::fuzzing::answer;
