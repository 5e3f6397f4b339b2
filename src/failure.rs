//! How a command ends: the exit status, and the words for a failure.
//!
//! Every error of the crates becomes a [`Failure`] here and nowhere else. Invariant: the first line names what could
//! not be done and to which thing; causes follow, outermost first; a hint says what to do where the error itself does
//! not.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use packhorse_bundler::BundlerError;
use packhorse_shared::bundle::BundleError;
use packhorse_shared::config::{ConfigError, EditError, InitialConfigError};
use packhorse_shared::home::{HomeError, LockError};
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::ReplicaError;
use packhorse_shared::spool::SpoolError;
use packhorse_transport::{Kind, TransportError};
use packhorse_unbundler::UnbundlerError;

/// The exit statuses (README, "Exit status").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
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
            Self::Attention => 3,
            Self::Unreachable => 4,
            Self::OutOfTime => 5,
        }
    }

    /// Of two ends of parts of a command, the one that the whole ends with: a failure before anything else, then what
    /// keeps the data from moving, then what a person has to look at.
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Done => 0,
            Self::Attention => 1,
            Self::OutOfTime => 2,
            Self::Unreachable => 3,
            Self::Usage => 4,
            Self::Failed => 5,
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
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure in these words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that could not be read or written.
    pub fn file(doing: &str, path: &std::path::Path, source: &io::Error) -> Self {
        let mut failure = Self::new(Exit::Failed, format!("cannot {doing} {}", path.display()));
        failure.causes.push(source.to_string());
        failure
    }

    /// Names the link that it happened on.
    pub fn about(mut self, peer: &NodeName) -> Self {
        self.message = format!("{peer}: {}", self.message);
        self
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn of(exit: Exit, error: &dyn Error) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            let said = message.contains(&text) || causes.iter().any(|known| known.contains(&text));
            if !said {
                causes.push(text);
            }
            source = cause.source();
        }
        Self { exit, message, causes, hint: None }
    }

    /// The exit status.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Writes it to standard error. Where that is closed there is nobody to tell.
    pub fn print(&self) {
        let mut lines = format!("error: {}\n", self.message);
        self.causes.iter().for_each(|cause| lines.push_str(&format!("  caused by: {cause}\n")));
        self.hint.iter().for_each(|hint| lines.push_str(&format!("  hint: {hint}\n")));
        let _ = io::stderr().write_all(lines.as_bytes());
    }
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
    ConfigError => Exit::Usage,
    EditError => Exit::Failed,
    InitialConfigError => Exit::Usage,
    SpoolError => Exit::Failed,
    LockError => Exit::Failed,
);

impl From<BundlerError> for Failure {
    fn from(error: BundlerError) -> Self {
        match error {
            BundlerError::Replica(error) => error.into(),
            BundlerError::Taken { .. } => Self::of(Exit::Usage, &error),
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<UnbundlerError> for Failure {
    fn from(error: UnbundlerError) -> Self {
        match error {
            UnbundlerError::Replica(error) => error.into(),
            UnbundlerError::Home(error) => error.into(),
            UnbundlerError::DatabaseThere { .. } | UnbundlerError::NotAPackage { .. } => Self::of(Exit::Usage, &error),
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::of(Exit::Usage, &error)
    }
}

impl From<ReplicaError> for Failure {
    fn from(error: ReplicaError) -> Self {
        let exit = match &error {
            ReplicaError::Table { .. } | ReplicaError::NoTables { .. } | ReplicaError::Missing { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::of(exit, &error)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let exit = match error.kind() {
            Kind::Unreachable => Exit::Unreachable,
            Kind::Stopped => Exit::OutOfTime,
            Kind::Refused | Kind::Failed => Exit::Failed,
        };
        let hint = error.next_step().to_string();
        Self::of(exit, &error).hint(hint)
    }
}
