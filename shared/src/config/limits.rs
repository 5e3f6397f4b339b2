//! `[limits]`: how much of what comes from others is accepted.
//!
//! Like access to relays it is the node's own: no bundle carries it. No memory is taken for what is beyond.

use serde::Deserialize;

use super::quantity::ByteCount;
use super::section::{count_not_zero, not_zero};
use crate::bundle::Limits;

/// `[limits]`: the most that one bundle may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Its content, unpacked.
    #[serde(deserialize_with = "not_zero")]
    pub content: ByteCount,
    /// Records.
    #[serde(deserialize_with = "count_not_zero")]
    pub records: u64,
    /// Fields of them with new values.
    #[serde(deserialize_with = "count_not_zero")]
    pub fields: u64,
}

impl LimitsConfig {
    /// As a reader takes them.
    pub fn of_bundles(&self) -> Limits {
        Limits::bundle(self.content.get(), self.records, self.fields)
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let Limits { total, records, fields, .. } = Limits::BUNDLE;
        Self { content: ByteCount::bytes(total), records, fields }
    }
}
