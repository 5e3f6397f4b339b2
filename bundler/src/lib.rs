//! Selects what each link is owed, packs and seals it; makes remote database packages.
//!
//! In the order in which a change goes through: [`select`] chooses from a snapshot what a link is owed, [`pack`] makes
//! members and a manifest of it, [`seal`] makes a file of them and puts it into the outbox, in place of older ones that
//! nobody fetched. [`package`] makes the file from which a new remote starts.

mod error;
pub mod pack;
pub mod package;
pub mod seal;
pub mod select;
mod supersede;

pub use error::BundlerError;
