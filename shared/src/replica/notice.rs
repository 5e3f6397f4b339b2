//! Notices: what was done by itself that people at a node ought to know of.

use crate::clock::WallTime;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its number here.
    pub id: i64,
    /// When it was written.
    pub at: WallTime,
    /// What it says.
    pub text: String,
}
