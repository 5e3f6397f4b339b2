//! Remotes that are silent for long, and remotes that are removed.

mod expiry;
mod removal;
