//! The words, formats and database access that the parts of Packhorse share.
//!
//! Three layers, each using only what stands above it:
//!
//! * pure values and rules: [`id`], [`clock`], [`horizon`], [`value`], [`marks`], [`change`], [`set`],
//!   [`link`];
//! * files: [`bundle`] (the container and its codecs), [`config`], [`home`], [`spool`] and its books, the
//!   [`ledger`], and [`calls`], all through the seams in [`seam`] where durability matters;
//! * the database as a participant: [`replica`].
//!
//! This crate never prints, exits or reads the environment, and nothing that comes from outside can panic it.

#[cfg(test)]
mod bending;
pub mod bundle;
pub mod calls;
pub mod change;
pub mod clock;
pub mod config;
pub mod home;
pub mod horizon;
pub mod id;
pub mod keys;
pub mod ledger;
pub mod link;
pub mod marks;
pub mod replica;
pub mod seam;
pub mod set;
pub mod spool;
mod sql_text;
pub mod trust;
pub mod value;
mod varint;
