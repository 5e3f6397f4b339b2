//! Approvals: bundles that wait for a person's word.

use crate::clock::WallTime;
use crate::id::LinkId;

/// A bundle that waits, or waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its file's name.
    pub bundle: String,
    /// The link that brought it.
    pub link: LinkId,
    /// Why it waits.
    pub why: String,
    /// Since when.
    pub since: WallTime,
    /// What was decided, if anything was.
    pub word: Option<Word>,
}

/// What a person decides of a bundle that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is applied as it is.
    Approved,
    /// It is applied but for its deletions, which are undone at its sender.
    Refused,
}
