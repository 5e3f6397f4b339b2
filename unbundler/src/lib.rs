//! Verifies, orders, merges and applies bundles.
//!
//! The inbox is read in the order of each sender's sequence numbers ([`receive`]); a bundle that builds on what was
//! applied is opened and merged field by field ([`merge`], pure), its outcome is placed in the tables ([`place`]) and
//! the link's state is stored in the same transaction, which is what makes applying it twice harmless; a large one is applied
//! in several transactions ([`slices`]). What everybody has is then forgotten ([`forget`]). What could not be placed is tried
//! again with every bundle, or when asked for ([`retry`]); or a person decides on it ([`by_hand`]). That something has come can
//! be noticed at once ([`watch`]).

mod arriving;
pub mod brake;
pub mod by_hand;
mod error;
pub mod forget;
pub mod intake;
pub mod merge;
pub mod place;
pub mod receive;
mod received;
pub mod resolve;
pub mod restore;
pub mod retry;
pub mod slices;
mod stuck;
pub mod told;
pub mod watch;

pub use error::UnbundlerError;
