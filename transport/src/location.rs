//! Relay addresses.
//!
//! Owns what a text in the configuration or on the command line means: a folder (a plain path or a file URL), or a
//! folder on a server. Invariant: a password in an address is never shown. Leaves relative paths as they are; what they
//! are relative to is the caller's to decide.

use std::fmt;
use std::path::{Path, PathBuf};

use packhorse_shared::id::NodeName;

use crate::address::{Scheme, ServerAddress};
use crate::error::TransportError;
use crate::name::FileName;
use crate::percent;

/// A relay's address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location {
    text: String,
    target: Target,
}

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A folder of this machine, or a share that is mounted.
    Folder(PathBuf),
    /// A folder on a server.
    Server(ServerAddress),
}

/// The longest address, in bytes: no system opens a longer path.
const ADDRESS_MAX: usize = 4096;

impl Location {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, TransportError> {
        let bad = |reason| TransportError::BadLocation { text: without_password(text), reason };
        match text {
            "" => return Err(bad("it is empty")),
            _ if text.contains('\0') => return Err(bad("it contains a NUL")),
            _ if text.len() > ADDRESS_MAX => return Err(bad("it is longer than any path can be")),
            _ => {}
        }
        let target = match text.split_once("://") {
            None => Target::Folder(PathBuf::from(text)),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
                Target::Folder(file_path(rest).map_err(bad)?)
            }
            Some((scheme, rest)) => {
                let scheme =
                    Scheme::named(scheme).ok_or_else(|| bad("its scheme is none of file, ftp, ftps and sftp"))?;
                Target::Server(ServerAddress::parse(scheme, rest).map_err(bad)?)
            }
        };
        Ok(Self { text: text.to_owned(), target })
    }

    /// What it names.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The folder, if it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        match &self.target {
            Target::Folder(path) => Some(path),
            Target::Server(_) => None,
        }
    }

    /// The address of a remote's own folder on the relay whose root this is.
    pub fn of_remote(&self, remote: &NodeName) -> Self {
        let text = format!("{}/{remote}", self.text.trim_end_matches('/'));
        let target = match &self.target {
            Target::Folder(path) => Target::Folder(path.join(remote.as_str())),
            Target::Server(address) => Target::Server(address.below(remote.as_str())),
        };
        Self { text, target }
    }

    /// The folder and the name of the file on a server that this address names; None if it names no such file.
    pub fn file(&self) -> Option<(Self, FileName)> {
        let (folder, name) = match &self.target {
            Target::Folder(_) => return None,
            Target::Server(_) => self.text.rsplit_once('/')?,
        };
        let name = percent::decoded(name).ok()?.parse().ok()?;
        // What ends within `scheme://host` has no file.
        let folder = Self::parse(&format!("{folder}/")).ok()?;
        Some((folder, name))
    }

    /// The address as it was written, password and all: for storing, never for showing.
    pub fn as_written(&self) -> &str {
        &self.text
    }
}

/// Shows the address without any password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.text))
    }
}

/// As [`fmt::Display`]: the text holds the password.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        // A file's path has no account, and may well have an @.
        if scheme.eq_ignore_ascii_case("file") {
            return None;
        }
        // The last @ of all: a password may contain one itself, and a / that should have been escaped.
        let (account, host) = rest.rsplit_once('@')?;
        let (user, _password) = account.split_once(':')?;
        Some(format!("{scheme}://{user}@{host}"))
    };
    hidden().unwrap_or_else(|| text.to_owned())
}

fn file_path(rest: &str) -> Result<PathBuf, &'static str> {
    let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("a file URL names no other machine: mount its share and write file:///path");
    }
    let decoded = percent::decoded(path)?;
    let on_a_drive =
        cfg!(windows) && matches!(decoded.as_bytes(), [b'/', drive, b':', ..] if drive.is_ascii_alphabetic());
    Ok(PathBuf::from(decoded.get(usize::from(on_a_drive)..).unwrap_or(&decoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> PathBuf {
        Location::parse(text).unwrap().folder().unwrap().to_owned()
    }

    #[test]
    #[cfg(not(windows))]
    fn paths_and_file_urls_are_folders() {
        for text in ["/srv/relay", "file:///srv/relay", "FILE://localhost/srv/relay", "file:///srv/rel%61y"] {
            assert_eq!(folder(text), Path::new("/srv/relay"), "{text}");
        }
        assert_eq!(folder("file:///srv/K%C3%B6ln%20%231"), Path::new("/srv/Köln #1"));
        assert_eq!(folder("relay"), Path::new("relay"));
        assert_eq!(folder(r"C:\relay"), Path::new(r"C:\relay"));
        assert_eq!(folder("/srv/50%"), Path::new("/srv/50%"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            &"x".repeat(5_000),
            "file://server/share",
            "file:///a%2",
            "file:///a%zz",
            "file:///%ff",
            "file:///%00",
            "http://x/",
        ] {
            assert!(matches!(Location::parse(text), Err(TransportError::BadLocation { .. })), "{text}");
        }
    }

    #[test]
    fn what_looks_like_an_account_in_a_files_path_is_shown() {
        for text in ["file:///srv/a:b@c", "FILE:///srv/a:b@c", "/srv/a:b@c"] {
            assert_eq!(Location::parse(text).expect("a folder").to_string(), text);
        }
    }

    #[test]
    fn a_password_that_should_have_been_escaped_is_not_shown_either() {
        for text in ["sftp://u:geh/eim@h/x", "sftp://u:12/eim@h/x", "ftp://u:g@eh/eim@h", "stfp://u:geheim@h"] {
            let refused = Location::parse(text).expect_err("it is no address");
            assert!(!refused.to_string().contains("eim"), "{refused}");
        }
    }

    #[test]
    fn servers_are_no_folders_and_their_password_is_not_shown() {
        for (scheme, text) in
            [(Scheme::Ftp, "ftp://h/r"), (Scheme::Ftps, "FTPS://h/r"), (Scheme::Sftp, "sftp://u:s@cret@h:22/r")]
        {
            let location = Location::parse(text).unwrap();
            assert!(location.folder().is_none());
            assert!(matches!(location.target(), Target::Server(address) if address.scheme == scheme), "{location}");
            assert!(!format!("{location:?}").contains("cret"), "{location:?}");
        }
        assert_eq!(Location::parse("sftp://u:s@cret@h:22/r").unwrap().to_string(), "sftp://u@h:22/r");
        assert!(!Location::parse("http://u:secret@h/").unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn a_file_on_a_server_is_its_folder_and_its_name() {
        for (text, folder, name) in [
            ("ftp://h/packages/alice.rdb", "ftp://h/packages/", "alice.rdb"),
            ("sftp://u@h:2022/alice.rdb", "sftp://u@h:2022/", "alice.rdb"),
            ("ftps://h/~/a/b%2erdb", "ftps://h/~/a/", "b.rdb"),
        ] {
            let (found, file) = Location::parse(text).unwrap().file().unwrap();
            assert_eq!((found, file.as_str()), (Location::parse(folder).unwrap(), name), "{text}");
        }
        for text in ["ftp://h", "ftp://alice.rdb", "ftp://h/", "ftp://h/packages/", "ftp://h/a%2fb", "/a/b.rdb"] {
            assert!(Location::parse(text).unwrap().file().is_none(), "{text}");
        }
    }

    #[test]
    fn a_remotes_folder_lies_below_the_root() {
        let alice: NodeName = "alice".parse().unwrap();
        let at = Location::parse("file:///srv/relay/").unwrap().of_remote(&alice);
        assert_eq!(at.as_written(), "file:///srv/relay/alice");
        assert_eq!(at, Location::parse("file:///srv/relay/alice").unwrap());
    }
}
