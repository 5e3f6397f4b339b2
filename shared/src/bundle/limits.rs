//! What a reader accepts at most, and a writer therefore writes.
//!
//! Owns the numbers. Invariant: every length that comes from a file is compared with one of them before anything is
//! allocated for it.

use super::{BundleError, Counts, Kind};
use crate::change::TableChanges;

/// The largest manifest, in bytes.
pub const MANIFEST_MAX: u64 = 1 << 20;

/// The most names of columns in all members of a bundle.
pub const NAMES_MAX: u64 = 1 << 20;

/// The longest member name, in bytes: what a tar header holds without extensions.
pub const MEMBER_NAME_MAX: usize = 100;

/// The most columns of one table, keys and others each: what SQLite can be built for.
pub const COLUMNS_MAX: u64 = 32_767;

/// The largest zstd window of the frame of members, as a power of two: twice what any level up to 19 takes.
pub(super) const WINDOW_LOG_MAX: u32 = 24;

/// The largest zstd window of the manifest's frame: enough for [`MANIFEST_MAX`].
pub(super) const MANIFEST_WINDOW_LOG_MAX: u32 = 21;

/// What a package's file or a bundle's is longer than its members by, at most, for each of them: a tar header, padding, and
/// what they take in the manifest.
const PER_MEMBER: u64 = 2 * 1024;

/// What one reading accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many members may follow the manifest.
    pub members: u64,
    /// How long one member may be.
    pub member: u64,
    /// How long all members may be together.
    pub total: u64,
    /// How long a member may be that is read into memory.
    pub memory: u64,
    /// How many records it may speak of.
    pub records: u64,
    /// How many fields of them may take a new value.
    pub fields: u64,
}

impl Limits {
    /// Those of a kind of container.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Bundle => Self::BUNDLE,
            Kind::Package => Self::PACKAGE,
        }
    }

    /// For a bundle with so many bytes of content, records and fields: everything is read into memory.
    pub const fn bundle(content: u64, records: u64, fields: u64) -> Self {
        Self { members: 10_000, member: content, total: content, memory: content, records, fields }
    }

    /// For a bundle, where no configuration says otherwise: far more than a portion of changes, since whatever comes into a set
    /// at once is one.
    pub const BUNDLE: Self = Self::bundle(256 << 20, 1 << 20, 1 << 22);

    /// For a bundle that is written: what its receiver accepts is the receiver's to say, and a sender that is stopped by its own
    /// limits never gets on.
    pub const WRITTEN: Self = Self::bundle(256 << 20, u64::MAX, u64::MAX);

    /// For a remote database package: the database is streamed to a file.
    pub const PACKAGE: Self = Self {
        members: 10_000,
        member: 1 << 40,
        total: 1 << 40,
        memory: 256 << 20,
        records: u64::MAX,
        fields: u64::MAX,
    };

    /// How long the file can be at most, if nothing in it can be compressed.
    pub const fn file(&self) -> u64 {
        let compressed = self.total.saturating_add(self.total / 64);
        compressed.saturating_add(self.members * PER_MEMBER).saturating_add(2 * MANIFEST_MAX)
    }

    /// Checks what a bundle says that is in it.
    pub(super) fn check(&self, counts: Counts) -> Result<(), BundleError> {
        let Counts { records, fields, deletes } = counts;
        for (what, found, limit) in [("records", records.max(deletes), self.records), ("fields", fields, self.fields)] {
            if found > limit {
                return Err(BundleError::NotAccepted { what: format!("number of {what}"), limit });
            }
        }
        Ok(())
    }
}

/// How much of what may be read has not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Records.
    pub records: u64,
    /// Fields.
    pub fields: u64,
    /// Values in keys.
    pub key_values: u64,
    /// Names of columns.
    pub names: u64,
}

impl Room {
    /// For what this node has written itself: no more than the bytes make of it.
    pub const OURS: Self = Self { records: u64::MAX, fields: u64::MAX, key_values: u64::MAX, names: u64::MAX };

    /// What a bundle has by its own word, which [`super::Manifest::check`] has found not to be too much; of what it does not tell,
    /// as much as is accepted.
    pub fn of(counts: Counts, limits: &Limits) -> Self {
        Self { records: counts.records, fields: counts.fields, key_values: limits.fields, names: NAMES_MAX }
    }

    /// What is left once these changes were read.
    pub fn without(self, changes: &TableChanges) -> Self {
        let TableChanges { key_columns, columns, records, .. } = changes;
        let (records, width) = (records.len() as u64, key_columns.len() as u64);
        Self {
            records: self.records.saturating_sub(records),
            fields: self.fields.saturating_sub(changes.field_count()),
            key_values: self.key_values.saturating_sub(records.saturating_mul(width)),
            names: self.names.saturating_sub(width + columns.len() as u64),
        }
    }
}
