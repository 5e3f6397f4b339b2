//! Relays on real servers: the contract of carriers, and whole syncs.

mod checking;
mod contract;
mod keys;
mod packages;
mod syncing;
