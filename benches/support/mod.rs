//! What the benches stand on: options, measuring, databases and the contacts workload.

#![allow(dead_code)]

pub mod contacts;
pub mod fleet;
pub mod harvest;
pub mod measure;
pub mod options;
