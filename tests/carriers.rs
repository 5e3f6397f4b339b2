//! Relays on real servers: the contract of carriers, and whole syncs.

mod both_ways;
mod breaking;
mod brought;
mod checking;
mod contract;
mod counting;
mod credentials;
mod keys;
mod office;
mod packages;
mod sharing;
mod storm;
mod syncing;
