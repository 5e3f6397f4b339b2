//! Connecting to an FTP server and logging in.
//!
//! Owns the order: TLS before anybody says who he is, where the address wants it; then the account, the binary type, what
//! the server can do, and where the account's folder is. Invariant: after a failure nobody waits on the line any more.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use suppaftp::types::{FileType, Mode};
use suppaftp::{FtpError, RustlsFtpStream};

use super::session::{in_words, said_by};
use super::tls;
use crate::access::Access;
use crate::address::{Place, Scheme, ServerAddress};
use crate::error::TransportError;
use crate::line::{Cut, Line};

/// What FTP servers call somebody without an account, and the password that is polite to give for it.
const ANONYMOUS: (&str, &str) = ("anonymous", "packhorse@");

/// A login that is about to be made.
pub(super) struct Opening<'a> {
    pub(super) shown: &'a str,
    pub(super) address: &'a ServerAddress,
    pub(super) access: &'a Access,
    pub(super) line: &'a Line,
}

/// What it came to.
pub(super) struct Opened {
    pub(super) ftp: RustlsFtpStream,
    /// The relay's folder, absolute.
    pub(super) root: String,
    pub(super) has_mlsd: bool,
}

impl Opening<'_> {
    pub(super) fn run(&self) -> Result<Opened, TransportError> {
        let _waiting = self.line.wait();
        let ServerAddress { host, port, .. } = self.address;
        let socket = self.line.connect(host, *port).map_err(|error| self.unreachable(error))?;
        let mut ftp = self.greet(socket)?;
        self.log_in(&mut ftp)?;
        ftp.transfer_type(FileType::Binary).map_err(|error| self.not_spoken(error))?;
        let features = ftp.feat().unwrap_or_default();
        let has_mlsd = features.keys().any(|key| key.eq_ignore_ascii_case("MLST"));
        let root = match &self.address.place {
            Place::Absolute(path) => path.clone(),
            Place::OfAccount(path) => {
                let home = ftp.pwd().map_err(|error| self.not_spoken(error))?;
                let joined = format!("{}/{path}", home.trim_end_matches('/'));
                if path.is_empty() { home } else { joined }
            }
        };
        self.line.answered();
        Ok(Opened { ftp, root, has_mlsd })
    }

    fn greet(&self, socket: TcpStream) -> Result<RustlsFtpStream, TransportError> {
        let data_line = self.line.clone();
        let ftp = RustlsFtpStream::connect_with_stream(socket).map_err(|error| self.not_spoken(error))?;
        let mut ftp =
            ftp.passive_stream_builder(move |address| data_line.connect_to(address).map_err(FtpError::ConnectionError));
        ftp.set_mode(Mode::ExtendedPassive);
        self.line.answered();
        match self.address.scheme {
            Scheme::Ftps => {
                let connector = tls::connector(self.access).map_err(|error| self.unreachable(error))?;
                ftp.into_secure(connector, &self.address.host).map_err(|error| self.not_trusted(error))
            }
            Scheme::Ftp | Scheme::Sftp => Ok(ftp),
        }
    }

    fn log_in(&self, ftp: &mut RustlsFtpStream) -> Result<(), TransportError> {
        let user = self.access.user.as_deref().unwrap_or(ANONYMOUS.0);
        let password = match &self.access.password {
            Some(password) => password.reveal(),
            None if self.access.user.is_none() => ANONYMOUS.1,
            None => "",
        };
        match ftp.login(user, password) {
            Ok(()) => {
                self.line.answered();
                Ok(())
            }
            Err(FtpError::UnexpectedResponse(said)) => Err(TransportError::LoginRefused {
                relay: self.shown.to_owned(),
                user: user.to_owned(),
                said: said_by(&said),
            }),
            Err(error) => Err(self.not_spoken(error)),
        }
    }

    fn unreachable(&self, source: io::Error) -> TransportError {
        if self.line.cut() == Some(Cut::Ended) {
            return TransportError::BudgetOver;
        }
        TransportError::Unreachable { relay: self.shown.to_owned(), source: Arc::new(source) }
    }

    fn not_spoken(&self, error: FtpError) -> TransportError {
        self.unreachable(in_words(error))
    }

    fn not_trusted(&self, error: FtpError) -> TransportError {
        match error {
            FtpError::UnexpectedResponse(said) => {
                self.unreachable(io::Error::other(format!("the server does not speak TLS: {}", said_by(&said))))
            }
            error => self.unreachable(in_words(error)),
        }
    }
}
