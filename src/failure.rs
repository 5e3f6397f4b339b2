//! How a command ends: the exit status, and the words for a failure.
//!
//! Every error of the crates becomes a [`Failure`] here and nowhere else. Invariant: the first line names what could
//! not be done and to which thing; causes follow, outermost first; a hint says what to do where the error itself does
//! not.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use packhorse_bundler::BundlerError;
use packhorse_shared::bundle::BundleError;
use packhorse_shared::calls::CallsError;
use packhorse_shared::config::{ConfigError, EditError, InitialConfigError, Part};
use packhorse_shared::home::{HomeError, LockError};
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_shared::replica::ReplicaError;
use packhorse_shared::replica::sqlite::without_values;
use packhorse_shared::spool::SpoolError;
use packhorse_transport::{Kind, TransportError};
use packhorse_unbundler::UnbundlerError;

use crate::journal::{self, Event};
use crate::streams;
use crate::wording::brief;

/// The exit statuses (README, "Exit status").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Done, but something is held until the application is quiet: nobody need do anything.
    Resting,
    /// Done, but something is held, quarantined or newly in conflict.
    Attention,
    /// No relay could be reached.
    Unreachable,
    /// The time budget is over with work left.
    OutOfTime,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Resting | Self::Attention => 3,
            Self::Unreachable => 4,
            Self::OutOfTime => 5,
        }
    }

    /// Of two ends of parts of a command, the one that the whole ends with: a failure before anything else, then what
    /// keeps the data from moving, then what a person has to look at.
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Done => 0,
            Self::Resting => 1,
            Self::Attention => 2,
            Self::OutOfTime => 3,
            Self::Unreachable => 4,
            Self::Usage => 5,
            Self::Failed => 6,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    /// Lines below it: what was given, and what caused it.
    details: Vec<String>,
    hint: Option<String>,
    more: Vec<Failure>,
}

impl Failure {
    /// A failure in these words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new(), hint: None, more: Vec::new() }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that could not be read or written.
    pub fn file(doing: &str, path: &std::path::Path, source: &io::Error) -> Self {
        let mut failure = Self::new(Exit::Failed, format!("cannot {doing} {}", path.display()));
        failure.details.push(caused_by(&source.to_string()));
        failure.hint = way_out(source).map(str::to_owned);
        failure
    }

    /// The same with another exit status.
    pub fn ends(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Says first which links it stopped.
    pub fn about(mut self, links: &str) -> Self {
        self.message = format!("{links}: {}", self.message);
        self
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if there is something better than it says already.
    fn or_hint(self, hint: Option<&str>) -> Self {
        if let Some(hint) = hint { self.hint(hint) } else { self }
    }

    /// Shows what was given, with the place in it that is meant.
    pub fn excerpt(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// The first of what failed, with the others; what is the same is told once.
    pub fn all(outcomes: impl IntoIterator<Item = Result<(), Self>>) -> Result<(), Self> {
        let mut failures = outcomes.into_iter().filter_map(Result::err);
        let Some(mut first) = failures.next() else { return Ok(()) };
        for other in failures {
            let is_known = |known: &Self| (&known.message, &known.details) == (&other.message, &other.details);
            if !is_known(&first) && !first.more.iter().any(is_known) {
                first.more.push(other);
            }
        }
        Err(first)
    }

    /// Adds another one that stands against the same thing.
    pub fn and(mut self, other: Self) -> Self {
        self.more.push(other);
        self
    }

    fn of(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = words_of(cause);
            let said = message.contains(&text) || causes.iter().any(|known| known.contains(&text));
            if !said && !says_nothing(cause, &text) {
                causes.push(text);
            }
            source = cause.source();
        }
        let details = causes.iter().map(|cause| caused_by(cause)).collect();
        Self { details, hint: way_out(error).map(str::to_owned), ..Self::new(exit, message) }
    }

    /// What it says, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The exit status.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it: to the person who waits for a command, or as one line of the service's log.
    pub fn tell(&self, part: Part) {
        if !journal::speaks_in_log() {
            return self.print();
        }
        Event::new(part, self.in_one_line()).error().tell_standing();
        self.more.iter().for_each(|other| other.tell(part));
    }

    fn in_one_line(&self) -> String {
        let details = self.details.iter().map(String::as_str);
        let hint = self.hint.iter().map(String::as_str);
        std::iter::once(self.message.as_str()).chain(details).chain(hint).collect::<Vec<_>>().join("; ")
    }

    /// Writes it to standard error.
    pub fn print(&self) {
        let mut lines = format!("error: {}\n", brief(&self.message));
        self.details.iter().for_each(|line| lines.push_str(&format!("  {}\n", brief(line))));
        self.hint.iter().for_each(|hint| lines.push_str(&format!("  hint: {}\n", brief(hint))));
        streams::err(&lines);
        self.more.iter().for_each(Self::print);
    }
}

/// What a cause says: all of it to a person, without anybody's data in the log.
fn words_of(cause: &(dyn Error + 'static)) -> String {
    let discreet = if journal::speaks_in_log() { without_values(cause) } else { None };
    discreet.unwrap_or_else(|| cause.to_string())
}

/// Words of which the cause below says the same and more, or which only the database's makers know.
fn says_nothing(cause: &(dyn Error + 'static), text: &str) -> bool {
    matches!(cause.downcast_ref(), Some(BundleError::Io(_))) || text.starts_with("Error code ")
}

fn caused_by(cause: &str) -> String {
    format!("caused by: {cause}")
}

macro_rules! failed {
    ($($error:ty => $exit:expr),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of($exit, &error)
            }
        })*
    };
}

failed!(
    BundleError => Exit::Failed,
    EditError => Exit::Failed,
    InitialConfigError => Exit::Usage,
    SpoolError => Exit::Failed,
    LockError => Exit::Failed,
    CallsError => Exit::Failed,
);

/// What helps against a file system's refusal, which by itself only says what is in the way.
fn way_out(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = error;
    let refusal = loop {
        match cause.downcast_ref::<io::Error>() {
            Some(refusal) => break refusal,
            None => cause = cause.source()?,
        }
    };
    Some(match refusal.kind() {
        io::ErrorKind::NotFound => "check the path: a part of it is not there",
        io::ErrorKind::NotADirectory => "check the path: a file stands where it needs a folder",
        io::ErrorKind::IsADirectory => "a folder stands there: name a file, not a folder, or move it away",
        io::ErrorKind::AlreadyExists => "something else has that name: move it away, or choose another",
        io::ErrorKind::InvalidFilename => "choose a shorter path",
        io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
        io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written to, or have that one made writable",
        io::ErrorKind::CrossesDevices => {
            "the folders of a home must lie on one file system: see that none is a mount of its own"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there and run the command again: nothing is lost"
        }
        _ => "see to that and run the command again: nothing is lost",
    })
}

/// A disk that fails or is full is not what the person who wrote the configuration did wrong.
fn exit_of_config(error: &ConfigError) -> Exit {
    let ConfigError::Unreadable { source, .. } = error else { return Exit::Usage };
    match source.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::PermissionDenied => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn exit_of_home(error: &HomeError) -> Exit {
    if matches!(error, HomeError::Failed(_) | HomeError::Lock(_)) { Exit::Failed } else { Exit::Usage }
}

fn exit_of_replica(error: &ReplicaError) -> Exit {
    match error {
        ReplicaError::Table { .. }
        | ReplicaError::NotLeftOut { .. }
        | ReplicaError::NothingLeft { .. }
        | ReplicaError::Reference { .. }
        | ReplicaError::NoTables { .. }
        | ReplicaError::Missing { .. }
        | ReplicaError::Folder { .. }
        | ReplicaError::NotADatabase { .. }
        | ReplicaError::AlreadyPrepared { .. }
        | ReplicaError::NotPrepared { .. }
        | ReplicaError::Identity { .. }
        | ReplicaError::Policy { .. }
        | ReplicaError::Rights { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(exit_of_config(&error), &error)
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::of(exit_of_home(&error), &error)
    }
}

impl From<ReplicaError> for Failure {
    fn from(error: ReplicaError) -> Self {
        Self::of(exit_of_replica(&error), &error).or_hint(way_out_of_replica(&error))
    }
}

/// What SQLite says by itself tells nobody what to do.
fn way_out_of_replica(error: &ReplicaError) -> Option<&'static str> {
    matches!(error, ReplicaError::Sqlite { .. }).then_some(
        "see to that and run the command again; `PRAGMA integrity_check` tells whether the database is sound",
    )
}

impl From<BundlerError> for Failure {
    fn from(error: BundlerError) -> Self {
        let exit = match &error {
            BundlerError::Replica(error) => exit_of_replica(error),
            BundlerError::Taken { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let hint = if let BundlerError::Replica(error) = &error { way_out_of_replica(error) } else { None };
        Self::of(exit, &error).or_hint(hint)
    }
}

impl From<UnbundlerError> for Failure {
    fn from(error: UnbundlerError) -> Self {
        let exit = match &error {
            UnbundlerError::Replica(error) => exit_of_replica(error),
            UnbundlerError::Home(error) => exit_of_home(error),
            UnbundlerError::NotAPackage { .. }
            | UnbundlerError::NotSealed { .. }
            | UnbundlerError::DatabaseThere { .. }
            | UnbundlerError::Config { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let hint = match &error {
            UnbundlerError::Package { source, .. } => way_out_of_package(source),
            UnbundlerError::Replica(error) => way_out_of_replica(error),
            _ => None,
        };
        Self::of(exit, &error).or_hint(hint)
    }
}

fn way_out_of_package(error: &BundleError) -> Option<&'static str> {
    match error {
        BundleError::Envelope(EnvelopeError::WrongPassphrase) => {
            Some("give the passphrase that its hub printed or was given")
        }
        BundleError::Io(_) => None,
        BundleError::NotABundle => Some("give `restore` the .rdb file that `packhorse remote pack` made"),
        BundleError::NewerFormat { .. } => Some("update Packhorse here"),
        _ => Some("copy the package here once more, or have the hub make it again with `packhorse remote pack`"),
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let exit = match error.kind() {
            // A share that is not ours may be another one, mounted in its place.
            _ if matches!(error, TransportError::OtherNetwork { .. }) => Exit::Unreachable,
            Kind::Unreachable => Exit::Unreachable,
            Kind::Stopped => Exit::OutOfTime,
            Kind::Refused => Exit::Usage,
            Kind::Failed => Exit::Failed,
        };
        let hint = if has_its_place(&error) { MOVE_AWAY.to_owned() } else { error.next_step() };
        Self::of(exit, &error).hint(hint)
    }
}

const MOVE_AWAY: &str = "something else has its place on the relay: move that away; the next run tries again";

/// Whether a file stands at a relay where a folder is to be, or the other way round.
fn has_its_place(error: &TransportError) -> bool {
    let TransportError::Failed { source, .. } = error else { return false };
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory};
    matches!(source.kind(), AlreadyExists | IsADirectory | NotADirectory)
}
