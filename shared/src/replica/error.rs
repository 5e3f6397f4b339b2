//! What can go wrong between Packhorse and a database, in words for the person who meets it.

use std::path::PathBuf;

/// An error of a replica.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// There is no such file.
    #[error("there is no database at {path}: check the path")]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// There is a folder.
    #[error("{path} is a folder: name the database file in it")]
    Folder {
        /// Where.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{path} is not an SQLite database (or it is encrypted, and cannot be synced): check the path")]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// Another program holds the write lock.
    #[error("the database {path} is locked by another program: close what holds it, or try again later")]
    Locked {
        /// Which database.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("the database {path} cannot be written ({why}): check the permissions of the file and its folder")]
    ReadOnly {
        /// Which database.
        path: PathBuf,
        /// SQLite's words.
        why: String,
    },
    /// The disk is full.
    #[error("the disk with the database {path} is full: make room and run the command again")]
    DiskFull {
        /// Which database.
        path: PathBuf,
    },
    /// SQLite finds it damaged.
    #[error("the database {path} is damaged: run `PRAGMA integrity_check` on it and restore it from a backup")]
    Corrupt {
        /// Which database.
        path: PathBuf,
    },
    /// The disk failed in some other way.
    #[error(
        "the disk with the database {path} failed ({why}): check that it has room and can be written, and run the \
             command again"
    )]
    Disk {
        /// Which database.
        path: PathBuf,
        /// SQLite's words.
        why: String,
    },
    /// It was prepared already.
    #[error("the database {path} takes part in a Packhorse network already: use the home that was made for it")]
    AlreadyPrepared {
        /// Which database.
        path: PathBuf,
    },
    /// It was not prepared.
    #[error("the database {path} has not been prepared: run `packhorse init` (main database) or `packhorse restore`")]
    NotPrepared {
        /// Which database.
        path: PathBuf,
    },
    /// Its metadata was written by a later version.
    #[error(
        "the database {path} was prepared by a later version of Packhorse (format {found}, this one knows \
             {known}): update Packhorse here"
    )]
    NewerFormat {
        /// Which database.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The latest format known.
        known: i64,
    },
    /// A table that was asked for cannot be synced or is not there.
    #[error("table \"{table}\" cannot be synced: {why}")]
    Table {
        /// Which table.
        table: String,
        /// Why.
        why: String,
    },
    /// A table that was to be left out is not there.
    #[error("table \"{table}\" cannot be left out: {why}")]
    NotLeftOut {
        /// Which table.
        table: String,
        /// Why.
        why: String,
    },
    /// Every table that could be synced was to be left out.
    #[error("nothing of the database {path} is left to sync: leave out fewer tables")]
    NothingLeft {
        /// Which database.
        path: PathBuf,
    },
    /// A configured reference does not fit the database.
    #[error(
        "the reference of column \"{column}\" under [table.{table}] in packhorse.toml cannot be followed: {why}; correct \
             that line or take it out"
    )]
    Reference {
        /// The table that has it.
        table: String,
        /// The column.
        column: String,
        /// Why.
        why: String,
    },
    /// No table can be synced.
    #[error("the database {path} has no table that can be synced: create tables with a primary key first")]
    NoTables {
        /// Which database.
        path: PathBuf,
    },
    /// A record that has marks vanished from its table although capture on it is in place.
    #[error(
        "a record of table \"{table}\" vanished without being captured, as when it is deleted with triggers switched \
             off: run `packhorse bundle`, which counts it as deleted"
    )]
    Vanished {
        /// Which table.
        table: String,
    },
    /// Packhorse's own tables hold what it cannot have written.
    #[error("the metadata in {path} is damaged ({what}): restore the database and its home from a backup")]
    Damaged {
        /// Which database.
        path: PathBuf,
        /// What was met.
        what: String,
    },
    /// The configuration names columns as a table's identity that cannot be one.
    #[error(
        "identity of table \"{table}\": {why}; set [table.{table}] identity to the columns of one of its UNIQUE keys"
    )]
    Identity {
        /// The table.
        table: String,
        /// What stands against it.
        why: String,
    },
    /// What is to be said of how a table is merged does not fit the database.
    #[error("[table.{table}]: {why}; `packhorse help merge` tells what can be said there")]
    Policy {
        /// The table.
        table: String,
        /// What stands against it.
        why: String,
    },
    /// What a set lets its remotes do to a table's records does not fit the database.
    #[error("rights to table \"{table}\": {why}; mend them in the set's section for the table")]
    Rights {
        /// The table.
        table: String,
        /// What stands against it.
        why: String,
    },
    /// A sync set does not fit the database.
    #[error("table \"{table}\" of the sync set: {why}; `packhorse set lint` tells more")]
    Set {
        /// The table.
        table: String,
        /// What stands against it.
        why: String,
    },
    /// A link to this peer is there already.
    #[error("there is already a link to \"{peer}\"")]
    LinkExists {
        /// The peer.
        peer: String,
    },
    /// Other programs write so steadily that no moment without unharvested changes was found.
    #[error("other programs write to {path} without a pause: try again when they are less busy")]
    Busy {
        /// Which database.
        path: PathBuf,
    },
    /// Anything else that SQLite says.
    #[error("the database {path} refused to {doing}")]
    Sqlite {
        /// Which database.
        path: PathBuf,
        /// What was tried, as a verb.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}
