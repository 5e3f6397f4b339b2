//! `[access."HOST"]`: how a relay's server is logged in to.
//!
//! Like what a node does unattended it is the node's own: no bundle carries it. No password stands in it: it says where
//! one is to be had.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::section::{filled_path, filled_text};
use super::unattended::{HookCommand, some_command};

/// The highest version of TLS that is spoken with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum TlsLimit {
    /// What nearly every FTP server does well.
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// The newest.
    #[serde(rename = "1.3")]
    V13,
}

/// `[access."HOST"]`, or `[access."HOST:PORT"]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// The account, where the relay's address names none.
    #[serde(deserialize_with = "some_text")]
    pub user: Option<String>,
    /// An SSH private key.
    #[serde(deserialize_with = "some_path")]
    pub key: Option<PathBuf>,
    /// Whether the SSH agent is asked; if nothing is said, where one runs.
    pub agent: Option<bool>,
    /// A file that holds the account's password, or the key's passphrase; only its owner may read it.
    #[serde(deserialize_with = "some_path")]
    pub password_file: Option<PathBuf>,
    /// A command that prints it.
    #[serde(deserialize_with = "some_command")]
    pub password_command: Option<HookCommand>,
    /// A file of known SSH hosts, instead of the user's own.
    #[serde(deserialize_with = "some_path")]
    pub known_hosts: Option<PathBuf>,
    /// A file of certificates (PEM) that an FTPS server's may be signed by, instead of the system's.
    #[serde(deserialize_with = "some_path")]
    pub ca: Option<PathBuf>,
    /// The one certificate that an FTPS server may show: its SHA-256 digest in hex digits.
    #[serde(deserialize_with = "some_digest")]
    pub certificate: Option<[u8; 32]>,
    /// The highest version of TLS.
    pub tls: TlsLimit,
}

fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    filled_text(from).map(Some)
}

fn some_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    filled_path(from).map(Some)
}

/// With or without colons, as programs print it.
fn some_digest<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = filled_text(from)?;
    let digits: Vec<u32> = text
        .trim_start_matches("sha256:")
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()
        .unwrap_or_default();
    let bytes: Vec<u8> =
        digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair.first()? * 16 + pair.last()?).ok()).collect();
    let digest = (digits.len() == 64).then(|| <[u8; 32]>::try_from(bytes).ok()).flatten();
    digest.map(Some).ok_or_else(|| serde::de::Error::custom("it is no SHA-256 digest: 64 hex digits"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn parse(section: &str) -> Result<AccessConfig, String> {
        let text = format!("[node]\nname = \"hq\"\ndatabase = \"../crm.db\"\n[access.\"h:21\"]\n{section}");
        let config = Config::parse(Path::new("packhorse.toml"), &text).map_err(|error| error.to_string())?;
        Ok(config.access.get("h:21").cloned().unwrap_or_default())
    }

    #[test]
    fn what_is_written_is_read() {
        let digest = "ab:".repeat(31) + "AB";
        let access = parse(&format!(
            "user = \"u\"\nkey = \"k\"\nagent = false\npassword_file = \"p\"\npassword_command = [\"pass\", \"x\"]\n\
             known_hosts = \"h\"\nca = \"c\"\ncertificate = \"{digest}\"\ntls = \"1.3\""
        ))
        .unwrap();
        assert_eq!((access.user.as_deref(), access.agent, access.tls), (Some("u"), Some(false), TlsLimit::V13));
        assert_eq!(access.certificate, Some([0xab; 32]));
        assert_eq!(access.password_command, Some(HookCommand::Program(vec!["pass".to_owned(), "x".to_owned()])));
        assert_eq!(parse("").unwrap(), AccessConfig::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for section in ["password = \"x\"", "key = \"\"", "certificate = \"ab\"", "tls = \"1.1\"", "user = \" \""] {
            assert!(parse(section).is_err(), "{section}");
        }
    }
}
