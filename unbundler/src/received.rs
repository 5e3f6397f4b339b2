//! What a run through the inbox came to.

use packhorse_shared::id::NodeName;

use crate::place::Placed;
use crate::retry::Occasion;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The bundles that were applied, and what was placed.
    pub applied: Vec<(String, Placed)>,
    /// Those that had been applied before, or were overtaken.
    pub old: Vec<String>,
    /// Those that wait for one that has not come.
    pub waiting: Vec<String>,
    /// What went into quarantine, and why.
    pub quarantined: Vec<(String, String)>,
    /// Those that wait for a person's word, and why.
    pub unapproved: Vec<(String, String)>,
    /// What was left where it is, and why.
    pub left_alone: Vec<(String, String)>,
    /// Tables that a hub shares and this database does not have.
    pub lacking: Vec<(NodeName, String)>,
    /// What had been held, and was placed although nothing came.
    pub rested: Rested,
}

/// What became of held changes although nothing came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rested {
    /// Why they were tried.
    pub occasion: Occasion,
    /// How many were placed.
    pub placed: u64,
    /// Fields over which there is a conflict.
    pub conflicts: u64,
}
