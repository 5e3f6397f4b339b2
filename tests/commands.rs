//! The command line: what it prints where, how it ends, and what it says when it is given something wrong.

mod configs;
mod databases;
mod disks;
mod golden;
mod held;
mod inbox;
mod interrupted;
mod json;
mod ledger;
mod lint;
mod looks;
mod manners;
mod memory;
mod packages;
mod queue;
mod read_only;
mod refusals;
mod relays;
mod remotes;
mod sets;
mod stumbles;
mod tables;
