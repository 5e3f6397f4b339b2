//! What can go wrong while bundles are applied.

use std::path::PathBuf;

use packhorse_shared::bundle::BundleError;
use packhorse_shared::home::HomeError;
use packhorse_shared::replica::ReplicaError;
use packhorse_shared::spool::SpoolError;

/// An error of the unbundler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnbundlerError {
    /// The database.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The home that is being made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file could not be read or written.
    #[error("cannot {doing} {path}")]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A package that cannot be used.
    #[error("{path} cannot be restored")]
    Package {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BundleError,
    },
    /// A container of another kind.
    #[error("{path} is {found}, not a remote database package: give `restore` the .rdb file that `remote pack` made")]
    NotAPackage {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A passphrase was given, and the package is open: somebody may have put it in the place of another.
    #[error(
        "{path} is not sealed, and a passphrase was given: have the hub make it again with `packhorse remote pack`, or leave the passphrase out if it was made without"
    )]
    NotSealed {
        /// The file.
        path: PathBuf,
    },
    /// The configuration that the package leads to cannot be written.
    #[error("the configuration cannot be made: {why}")]
    Config {
        /// Why.
        why: String,
    },
    /// There is something where the database is to be.
    #[error("{path} is there already: a package is restored into a new database; move it away or choose another path")]
    DatabaseThere {
        /// Where.
        path: PathBuf,
    },
}
