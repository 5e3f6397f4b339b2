//! What a reader accepts at most, and a writer therefore writes.
//!
//! Owns the numbers. Invariant: every length that comes from a file is compared with one of them before anything is
//! allocated for it.

use super::{BundleError, Counts, Kind};

/// The largest manifest, in bytes.
pub const MANIFEST_MAX: u64 = 1 << 20;

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

    /// For a bundle, where no configuration says otherwise: far more than one is made of, of which each portion of changes
    /// becomes one, and each record fits into one.
    pub const BUNDLE: Self = Self::bundle(256 << 20, 100_000, 1_000_000);

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
                return Err(BundleError::TooLarge { what: format!("number of {what}"), limit });
            }
        }
        Ok(())
    }

    /// How many bytes of changes are put into one bundle at most, however many may be: a sender's count is a rough one.
    pub fn portion(&self) -> u64 {
        /// No field counts for less.
        const FIELD: u64 = 8;
        (self.total / 2).min(self.fields.saturating_mul(FIELD) / 2)
    }
}

/// How much of what may be read has not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Records.
    pub records: u64,
    /// Fields.
    pub fields: u64,
}

impl Room {
    /// For what this node has written itself: no more than the bytes make of it.
    pub const OURS: Self = Self { records: u64::MAX, fields: u64::MAX };

    /// What a bundle has by its own word, which [`super::Manifest::check`] has found not to be too much.
    pub fn of(counts: Counts) -> Self {
        Self { records: counts.records, fields: counts.fields }
    }

    /// What is left once so much was read.
    pub fn without(self, records: u64, fields: u64) -> Self {
        Self { records: self.records.saturating_sub(records), fields: self.fields.saturating_sub(fields) }
    }
}
