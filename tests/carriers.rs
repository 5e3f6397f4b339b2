//! Relays on real servers: the contract of carriers, and whole syncs.

mod contract;
mod keys;
mod packages;
mod syncing;
