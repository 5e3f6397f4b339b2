//! Errors inside this implementation, before it is known what was being done to which file.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ErrorCode;

use super::names::is_ours;
use crate::marks::DamagedMarks;
use crate::replica::ReplicaError;

/// What a step inside can fail with.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// Our own tables hold what we cannot have written.
    Damaged(String),
    /// The disk failed outside of SQLite.
    Disk(std::io::Error),
    /// Already in words.
    Said(ReplicaError),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<DamagedMarks> for Fault {
    fn from(error: DamagedMarks) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<ReplicaError> for Fault {
    fn from(error: ReplicaError) -> Self {
        Self::Said(error)
    }
}

impl Fault {
    /// Puts the fault into words: which file, and what was tried.
    pub(super) fn at(self, path: &Path, doing: &'static str) -> ReplicaError {
        let path = path.to_owned();
        let source = match self {
            Self::Said(error) => return error,
            Self::Damaged(what) => return ReplicaError::Damaged { path, what },
            Self::Disk(error) if error.kind() == ErrorKind::StorageFull => return ReplicaError::DiskFull { path },
            Self::Disk(error) => return ReplicaError::Disk { path, why: error.to_string() },
            Self::Sqlite(source) => source,
        };
        if let Some(what) = lost_of_ours(&source) {
            return ReplicaError::Damaged { path, what };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ReplicaError::Locked { path },
            Some(ErrorCode::NotADatabase) => ReplicaError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => ReplicaError::Corrupt { path },
            Some(ErrorCode::SystemIoFailure) => ReplicaError::Disk { path, why: source.to_string() },
            Some(ErrorCode::DiskFull) => ReplicaError::DiskFull { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                ReplicaError::ReadOnly { path, why: source.to_string() }
            }
            _ => ReplicaError::Sqlite { path, doing, source },
        }
    }
}

/// A table of ours that somebody has dropped, in SQLite's words.
fn lost_of_ours(error: &rusqlite::Error) -> Option<String> {
    let words = match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        _ => return None,
    };
    let table = words.strip_prefix("no such table: ")?;
    is_ours(table.strip_prefix("main.").unwrap_or(table)).then(|| words.clone())
}
