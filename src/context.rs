//! What every command is run with, beside what was typed for it alone.

use std::path::{Path, PathBuf};

use crate::machine::Machine;

/// Where a command is to work, and on which machine.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The home that was named, if one was.
    pub home: Option<&'a Path>,
    /// The outside world.
    pub machine: Machine,
}

/// The same for who works at one home again and again, as the service's threads do.
#[derive(Clone)]
pub struct Station {
    /// The home, whether or not it was named.
    pub home: PathBuf,
    /// The outside world.
    pub machine: Machine,
}

impl Station {
    /// As a command there would have it.
    pub fn context(&self) -> Context<'_> {
        Context { home: Some(&self.home), machine: self.machine }
    }
}
