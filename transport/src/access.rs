//! How a server is logged in to, and by what it is known to be the right one.
//!
//! Owns the plain values; where they come from (a configuration, the environment, a command) is the caller's, by
//! [`Keyring`]. Invariant: secrets are [`Secret`]s, so that no message and no log can hold one by accident.

use std::path::PathBuf;

use crate::address::{Secret, ServerAddress};
use crate::ending::Ending;
use crate::error::TransportError;

/// What is needed to log in to one server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The account. Without one FTP logs in as `anonymous`.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// An SSH private key file, tried before the password.
    pub key: Option<PathBuf>,
    /// What opens the key file.
    pub passphrase: Option<Secret>,
    /// Whether the SSH agent is asked, before key file and password.
    pub agent: bool,
    /// Files of known SSH hosts, in OpenSSH's form.
    pub known_hosts: Vec<PathBuf>,
    /// By what an FTPS server's certificate is known.
    pub trust: Trust,
    /// The highest version of TLS that is spoken.
    pub tls: TlsVersion,
}

/// By what an FTPS server's certificate is known.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A chain to one of these root certificates (DER), and the host's name.
    Roots(Vec<Vec<u8>>),
    /// Exactly the certificate with this SHA-256 digest.
    Pinned([u8; 32]),
}

/// The highest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2: vsftpd's usual settings lose uploads over 1.3, whose session tickets can be used only once.
    #[default]
    Tls12,
    /// 1.3.
    Tls13,
}

/// Knows how each server is logged in to. Asked once for each connection.
pub trait Keyring: Send + Sync {
    /// What is needed to log in there, or why it cannot be had.
    fn access(&self, server: &ServerAddress, ending: &Ending) -> Result<Access, TransportError>;
}

/// The keyring of who needs none: of servers it knows nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

impl Keyring for NoKeys {
    fn access(&self, server: &ServerAddress, _ending: &Ending) -> Result<Access, TransportError> {
        let what = "nothing is known of how to log in".to_owned();
        Err(TransportError::NoCredentials { relay: server.host_port(), what })
    }
}
