//! What can go wrong while bundles are made.

use std::path::PathBuf;

use packhorse_shared::bundle::BundleError;
use packhorse_shared::bundle::columns::ColumnsError;
use packhorse_shared::replica::ReplicaError;
use packhorse_shared::spool::SpoolError;

/// An error of the bundler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundlerError {
    /// The database.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Changes that the format cannot hold.
    #[error("the changes of table \"{table}\" cannot be packed")]
    Columns {
        /// Which table.
        table: String,
        /// Why.
        source: ColumnsError,
    },
    /// A bundle or package could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BundleError,
    },
    /// A file of ours could not be written or moved.
    #[error("cannot {doing} {path}")]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A package is asked for in a place that is taken.
    #[error("{path} is there already: remove it or choose another name")]
    Taken {
        /// Where.
        path: PathBuf,
    },
}
