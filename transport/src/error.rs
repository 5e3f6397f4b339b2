//! What can go wrong between a node and a relay.
//!
//! Owns the one error type of this crate. Every error names the relay and the file, keeps its cause as a source
//! instead of pasting it in, and knows what kind of trouble it is, whether trying again may help, and what to do
//! next. Leaves printing and exit codes to the command line. No password is ever part of an error: relays are named
//! as [`crate::Location`] shows them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packhorse_shared::id::NetworkId;

/// A failure of a relay, of a transfer, or of this node's own disk during one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nothing answers there.
    #[error("the relay {relay} cannot be reached")]
    Unreachable {
        /// The relay, as it is shown.
        relay: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Something answers, but it bears no marker.
    #[error("the relay {relay} has no packhorse.relay: the share is not mounted, or it is not ours")]
    NotARelay {
        /// The relay, as it is shown.
        relay: String,
    },
    /// Something answers, but the folder is not there.
    #[error("there is no folder {relay}")]
    NoFolder {
        /// The folder, as it is shown.
        relay: String,
    },
    /// The folder does not hold the file.
    #[error("there is no {file} in {relay}")]
    NoFile {
        /// The folder, as it is shown.
        relay: String,
        /// The file's name.
        file: String,
    },
    /// The marker cannot be read any more, and nothing else there shows whose the relay is.
    #[error("the packhorse.relay of {relay} is damaged, and no mailboxes of ours lie beside it")]
    DamagedMarker {
        /// The relay, as it is shown.
        relay: String,
    },
    /// The marker is intact and names another network.
    #[error("the relay {relay} belongs to network {found}, not to ours, {ours}")]
    OtherNetwork {
        /// The relay, as it is shown.
        relay: String,
        /// The network that the marker names.
        found: NetworkId,
        /// The network of this node.
        ours: NetworkId,
    },
    /// The server does not let this account in.
    #[error("the relay {relay} does not let \"{user}\" in: {said}")]
    LoginRefused {
        /// The relay, as it is shown.
        relay: String,
        /// The account.
        user: String,
        /// Why, in the server's words or ours.
        said: String,
    },
    /// What logging in needs cannot be had.
    #[error("for the relay {relay}, {what}")]
    NoCredentials {
        /// The relay, as it is shown.
        relay: String,
        /// What cannot be had, and why.
        what: String,
    },
    /// Nothing says that the SSH server is the right one.
    #[error("the relay {relay} is not known: it shows the key {fingerprint}")]
    HostUnknown {
        /// The relay, as it is shown.
        relay: String,
        /// Of its key.
        fingerprint: String,
        /// The command that makes that key known.
        accept: String,
    },
    /// The SSH server shows a key that is marked as one that is not to be trusted any more.
    #[error("the relay {relay} shows a key of {host} that is revoked: {fingerprint}")]
    HostRevoked {
        /// The relay, as it is shown.
        relay: String,
        /// The server.
        host: String,
        /// Of the key that it shows.
        fingerprint: String,
    },
    /// The SSH server shows another key than the one by which it is known.
    #[error("the relay {relay} shows another key than {host} is known by: {fingerprint}")]
    HostChanged {
        /// The relay, as it is shown.
        relay: String,
        /// The server.
        host: String,
        /// Of the key that it shows.
        fingerprint: String,
    },
    /// Text that is no relay's address.
    #[error("\"{text}\" is not a relay's address: {reason}")]
    BadLocation {
        /// The text, without any password.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The name is taken on the relay by other content.
    #[error("on the relay {relay}, {file} is there already with other content")]
    NameTaken {
        /// The relay, as it is shown.
        relay: String,
        /// The mailbox and the file.
        file: String,
    },
    /// A call to the relay failed.
    #[error("on the relay {relay}, could not {doing} {what}")]
    Failed {
        /// The relay, as it is shown.
        relay: String,
        /// The step that failed, as a verb.
        doing: &'static str,
        /// The file, mailbox or marker.
        what: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A transfer ended without an error and yet short (or long) of the file's size.
    #[error("{file} from or to the relay {relay} has {found} bytes instead of {expected}")]
    WrongSize {
        /// The relay, as it is shown.
        relay: String,
        /// The file.
        file: String,
        /// The size announced.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// This node's own disk failed.
    #[error("could not {doing} {path}")]
    Local {
        /// The step that failed, as a verb.
        doing: &'static str,
        /// The local file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The run's time is up. Not a failure: what is partly moved is resumed by the next run.
    #[error("the time budget is over")]
    BudgetOver,
}

/// What a failure means for the run, and for the exit code that the command line makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The relay is not there, or not as ours.
    Unreachable,
    /// The configuration names something that cannot be used.
    Refused,
    /// The relay answered and something failed.
    Failed,
    /// The time budget is over.
    Stopped,
}

impl TransportError {
    /// A local file call's failure.
    pub(crate) fn local(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Local { doing, path: path.to_owned(), source: Arc::new(source) }
    }

    /// What the failure means for the run.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } | Self::NotARelay { .. } | Self::DamagedMarker { .. } => Kind::Unreachable,
            Self::LoginRefused { .. } | Self::HostUnknown { .. } | Self::HostChanged { .. } => Kind::Unreachable,
            Self::NoFolder { .. } | Self::HostRevoked { .. } => Kind::Unreachable,
            Self::OtherNetwork { .. } | Self::NoCredentials { .. } | Self::BadLocation { .. } => Kind::Refused,
            Self::NoFile { .. }
            | Self::NameTaken { .. }
            | Self::Failed { .. }
            | Self::WrongSize { .. }
            | Self::Local { .. } => Kind::Failed,
            Self::BudgetOver => Kind::Stopped,
        }
    }

    /// Whether nothing was heard any more of the other side.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if source.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the same run may try once more with a fresh connection. A folder that is not there will not come
    /// while we sleep; a line that broke may.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => {
                !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
            Self::Failed { .. } | Self::WrongSize { .. } | Self::Local { .. } => true,
            Self::NotARelay { .. }
            | Self::NoFolder { .. }
            | Self::NoFile { .. }
            | Self::DamagedMarker { .. }
            | Self::OtherNetwork { .. }
            | Self::LoginRefused { .. }
            | Self::NoCredentials { .. }
            | Self::HostUnknown { .. }
            | Self::HostChanged { .. }
            | Self::HostRevoked { .. }
            | Self::BadLocation { .. }
            | Self::NameTaken { .. }
            | Self::BudgetOver => false,
        }
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> String {
        let step = match self {
            Self::HostUnknown { accept, .. } => {
                return format!("compare it with what the people who run it say; if it is the same: {accept}");
            }
            Self::HostRevoked { .. } => "ask who runs it for a new key; somebody else may have the old one",
            Self::Unreachable { .. } => "mount or connect the relay; the next run carries what waits",
            Self::NotARelay { .. } => {
                "mount the share, or correct `relay`; to use a new folder, copy packhorse.relay from the old relay into it"
            }
            Self::NoFolder { .. } => "make that folder, or correct the address",
            Self::NoFile { .. } => {
                "correct the name; at the hub, `packhorse remote pack NAME --deliver URL` puts it there"
            }
            Self::DamagedMarker { .. } => "if this folder is your relay, remove the damaged packhorse.relay there",
            Self::OtherNetwork { .. } => "give each network a relay folder of its own, and correct `relay`",
            Self::LoginRefused { .. } => {
                "correct the account, its key or its password, in the section [access] of packhorse.toml"
            }
            Self::NoCredentials { .. } => "correct the section [access] of packhorse.toml",
            Self::HostChanged { .. } => {
                "ask who runs it: if the key was changed on purpose, take the old one out of the file of known hosts"
            }
            Self::BadLocation { .. } => "write `relay` as a path, as file:///path, or as sftp://USER@HOST/path",
            Self::NameTaken { .. } => "wait: the receiver clears it away; or remove that file from the relay",
            Self::Failed { .. } => "check space and permissions on the relay; the next run tries again",
            Self::WrongSize { .. } => "nothing: the next run resumes it",
            Self::Local { .. } => "check space and permissions of this node's home folder",
            Self::BudgetOver => "run `packhorse transfer` again, with more time",
        };
        step.to_owned()
    }
}
