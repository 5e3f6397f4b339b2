//! What a reader accepts at most, and a writer therefore writes.
//!
//! Owns the numbers. Invariant: every length that comes from a file is compared with one of them before anything is
//! allocated for it.

use super::Kind;

/// The largest manifest, in bytes.
pub const MANIFEST_MAX: u64 = 1 << 20;

/// The longest member name, in bytes: what a tar header holds without extensions.
pub const MEMBER_NAME_MAX: usize = 100;

/// The most records of one table in one member.
pub const RECORDS_MAX: u64 = 1 << 20;

/// The most field changes of one table in one member.
pub const FIELDS_MAX: u64 = 1 << 22;

/// The most columns of one table, keys and others each: what SQLite can be built for.
pub const COLUMNS_MAX: u64 = 32_767;

/// The largest zstd window of the frame of members, as a power of two.
pub(super) const WINDOW_LOG_MAX: u32 = 27;

/// The largest zstd window of the manifest's frame: enough for [`MANIFEST_MAX`].
pub(super) const MANIFEST_WINDOW_LOG_MAX: u32 = 21;

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
}

impl Limits {
    /// Those of a kind of container.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Bundle => Self::BUNDLE,
            Kind::Package => Self::PACKAGE,
        }
    }

    /// For a bundle: everything is read into memory.
    pub const BUNDLE: Self = Self { members: 10_000, member: 256 << 20, total: 256 << 20, memory: 256 << 20 };

    /// For a remote database package: the database is streamed to a file.
    pub const PACKAGE: Self = Self { members: 10_000, member: 1 << 40, total: 1 << 40, memory: 256 << 20 };
}
