//! Policies: how changes of a table's records are merged where the defaults will not do (DESIGN section 6).
//!
//! Owns their form, in the configuration as in what a hub tells its remotes, and what they come to in one database. They are
//! the hub's to say: a remote goes by what it was told. Leaves to `unbundler` what becomes of a change by them.

use serde::{Deserialize, Serialize};

use crate::config::Span;
use crate::id::ColumnId;
use crate::seam::{Saboteur, is_at_work};

/// What is said of a table's records, by the names of its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whose value stands where two were made without seeing each other.
    pub prefer: Prefer,
    /// Whether the columns of a record change together.
    pub granularity: Granularity,
    /// Groups of columns that change together.
    pub together: Vec<Vec<String>>,
    /// Counters: columns whose values merge by adding differences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// What people know a record by: an SQL expression over its row.
    pub title: Option<String>,
    /// For how many milliseconds a remote may have been silent for its changes to count against the hub's.
    pub stale_after: Option<u64>,
}

/// Which of two values that were made without seeing each other stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The one with the later stamp.
    #[default]
    Latest,
    /// The hub's.
    Hub,
    /// The remote's.
    Remote,
}

/// What of a record is merged as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// Each field, or each group of columns.
    #[default]
    Field,
    /// The record.
    Record,
}

/// What a policy comes to in one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// As in [`Policy::prefer`].
    pub prefer: Prefer,
    /// The groups of columns that share one stamp. No column is in two.
    pub together: Vec<Vec<ColumnId>>,
    /// The counters, in order. None of them is in a group.
    pub add: Vec<ColumnId>,
    /// As in [`Policy::title`].
    pub title: Option<String>,
    /// As in [`Policy::stale_after`].
    pub stale_after: Option<Span>,
}

impl Rules {
    /// Whether anything but stamps may decide which value stands.
    pub fn decide(&self) -> bool {
        self.prefer != Prefer::Latest || self.stale_after.is_some()
    }

    /// A column and those that change together with it.
    pub fn changing_with(&self, column: ColumnId) -> impl Iterator<Item = ColumnId> {
        [column].into_iter().chain(self.together_with(column).iter().copied())
    }

    /// The columns that change together with this one; none if it changes alone.
    pub fn together_with(&self, column: ColumnId) -> &[ColumnId] {
        let split = is_at_work(Saboteur::SplitGroups);
        self.together.iter().find(|group| group.contains(&column) && !split).map_or(&[], Vec::as_slice)
    }
}
