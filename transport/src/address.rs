//! Addresses of servers: `ftp://`, `ftps://` and `sftp://USER@HOST:PORT/PATH`.
//!
//! Owns what such a URL means: the path is absolute on the server, unless it begins with `/~/`, which is the folder that
//! the account lands in. Invariant: a password is shown nowhere, also not by `{:?}`. Leaves who logs in with what to
//! [`crate::access`].

use std::fmt;

use crate::percent;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// FTP, in the clear.
    Ftp,
    /// FTP that becomes TLS by `AUTH TLS`.
    Ftps,
    /// SSH's file transfer protocol.
    Sftp,
}

impl Scheme {
    /// As it stands in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftps => "ftps",
            Self::Sftp => "sftp",
        }
    }

    /// The port where such servers listen.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ftp | Self::Ftps => 21,
            Self::Sftp => 22,
        }
    }

    pub(crate) fn named(text: &str) -> Option<Self> {
        [Self::Ftp, Self::Ftps, Self::Sftp].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.name()))
    }
}

/// What must not be shown: a password or a passphrase.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text: for the server that it is for, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where on a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// From the server's root.
    Absolute(String),
    /// From the folder that the account lands in; empty for that folder.
    OfAccount(String),
}

/// A folder on a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// What it speaks.
    pub scheme: Scheme,
    /// The account, if the address names one.
    pub user: Option<String>,
    /// A password in the address: it is allowed, and stands in the configuration for everybody to read.
    pub password: Option<Secret>,
    /// A name or a number of a host; of IPv6 without brackets.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// The folder.
    pub place: Place,
}

impl ServerAddress {
    /// Reads what follows the scheme and `://`.
    pub(crate) fn parse(scheme: Scheme, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // It may be the end of a password that has a / in it.
        if path.contains('@') {
            return Err("an @ in a path is written %40, and a / in an account or its password %2F");
        }
        // The last @: a password may contain one itself.
        let (account, host) = match authority.rsplit_once('@') {
            Some((account, host)) => (Some(account), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host, scheme)?;
        let (user, password) = match account.map(|account| account.split_once(':').unwrap_or((account, ""))) {
            Some((user, password)) => (Some(plain(user)?), Some(plain(password)?).filter(|text| !text.is_empty())),
            None => (None, None),
        };
        let user = user.filter(|user| !user.is_empty());
        Ok(Self { scheme, user, password: password.map(Secret), host, port, place: place(&plain(path)?)? })
    }

    /// The same server, one folder deeper.
    pub(crate) fn below(&self, folder: &str) -> Self {
        let deeper = |path: &str| match path.trim_end_matches('/') {
            "" => folder.to_owned(),
            path => format!("{path}/{folder}"),
        };
        let place = match &self.place {
            Place::Absolute(path) => Place::Absolute(format!("/{}", deeper(path).trim_start_matches('/'))),
            Place::OfAccount(path) => Place::OfAccount(deeper(path)),
        };
        Self { place, ..self.clone() }
    }

    /// `HOST`, or `HOST:PORT` where the port is not the usual one.
    pub fn host_port(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

/// Decoded, and fit for a line of a protocol.
fn plain(text: &str) -> Result<String, &'static str> {
    let decoded = percent::decoded(text)?;
    if decoded.chars().any(char::is_control) { Err("it contains a control character") } else { Ok(decoded) }
}

fn host_and_port(text: &str, scheme: Scheme) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']').ok_or("its [ is not closed")) {
        Some(bracketed) => {
            let (host, rest) = bracketed?;
            (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")).ok_or("its port is no number")?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(fits) {
        return Err("it names no host");
    }
    match port {
        "" => Ok((host.to_ascii_lowercase(), scheme.default_port())),
        port => match port.parse().ok().filter(|port| *port > 0) {
            Some(port) => Ok((host.to_ascii_lowercase(), port)),
            None => Err("its port is no number from 1 to 65535"),
        },
    }
}

fn place(path: &str) -> Result<Place, &'static str> {
    if path.split('/').any(|part| part == "..") {
        return Err("its path goes upwards by ..");
    }
    let trimmed = path.trim_end_matches('/');
    Ok(match trimmed.strip_prefix("/~") {
        Some("") => Place::OfAccount(String::new()),
        Some(rest) if rest.starts_with('/') => Place::OfAccount(rest.trim_start_matches('/').to_owned()),
        _ if trimmed.is_empty() => Place::Absolute("/".to_owned()),
        _ => Place::Absolute(trimmed.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sftp(rest: &str) -> Result<ServerAddress, &'static str> {
        ServerAddress::parse(Scheme::Sftp, rest)
    }

    #[test]
    fn an_address_says_who_where_and_which_folder() {
        let address = sftp("alice:p%40ss@Relay.example:2022/srv/relay/").unwrap();
        assert_eq!(address.user.as_deref(), Some("alice"));
        assert_eq!(address.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert_eq!(address.host_port(), "relay.example:2022");
        assert_eq!(address.place, Place::Absolute("/srv/relay".to_owned()));
        assert_eq!(sftp("[::1]:22/x").unwrap().host_port(), "[::1]");
        assert_eq!(ServerAddress::parse(Scheme::Ftp, "h").unwrap().place, Place::Absolute("/".to_owned()));
        for (text, place) in [("h/~", ""), ("h/~/", ""), ("h/~/relay/x", "relay/x")] {
            assert_eq!(sftp(text).unwrap().place, Place::OfAccount(place.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_folder_below_is_one_deeper() {
        let place = |text: &str| sftp(text).unwrap().below("alice").place;
        assert_eq!(place("h/srv/"), Place::Absolute("/srv/alice".to_owned()));
        assert_eq!(place("h"), Place::Absolute("/alice".to_owned()));
        assert_eq!(place("h/~"), Place::OfAccount("alice".to_owned()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "/x", "h:0/", "h:70000/", "h:x/", "[::1/", "[::1]x/", "a b/", "-oProxy=x/", "h/../x", "h/a%0d"]
        {
            assert!(sftp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert!(!format!("{:?}", sftp("a:geheim@h/").unwrap()).contains("geheim"));
    }
}
