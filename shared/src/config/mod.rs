//! A node's configuration, `packhorse.toml`: its meaning, its defaults and what is refused.
//!
//! Owns the file's form. Invariants: a [`Config`] in hand is complete (defaults filled in) and every value is in
//! range; a file that is not is refused with line and key, and unknown keys are refused too, because a mistyped one
//! would silently keep its default. Leaves to others: whether sets and expressions fit the database, what a relay's
//! URL means, and whether a set that a remote names exists ([`Config::set`] tells).

mod access;
pub mod brought;
mod edit;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
#[cfg(test)]
mod fuzzing_tests;
mod initial;
mod limits;
mod quantity;
mod references;
mod section;
#[cfg(test)]
mod tests;
mod unattended;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

pub use access::{AccessConfig, TlsLimit};
pub use edit::{
    EditError, add_remote, add_set_tables, edit_file, remove_remote, remove_set, remove_set_table, set_accept,
    set_relay,
};
pub use error::ConfigError;
pub(crate) use error::{line_of, one_line};
pub use initial::{InitialConfig, InitialConfigError};
pub use limits::LimitsConfig;
pub use quantity::{ByteCount, QuantityError, Span};
pub use section::{BundleConfig, Keys, MergeConfig, NodeConfig, RemoteConfig, TablePolicy};
pub use unattended::{HookCommand, HooksConfig, Level, LogConfig, LogFormat, Part, Rotate, WatchConfig};

use crate::id::NodeName;
use crate::set::{Scope, TableRights};
use section::SetSection;

/// The name of the set that is there without being written.
pub const EVERYTHING: &str = "everything";

/// A whole configuration, defaults filled in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this node is and where its database and relays are.
    pub node: NodeConfig,
    /// When bundles are sealed and how large they may be.
    #[serde(default)]
    pub bundle: BundleConfig,
    /// The unattended service's rhythm.
    #[serde(default)]
    pub watch: WatchConfig,
    /// What the unattended service tells, and where.
    #[serde(default)]
    pub log: LogConfig,
    /// Commands of the user's own that run at certain moments.
    #[serde(default)]
    pub hooks: HooksConfig,
    /// How relays' servers are logged in to, by `HOST` or `HOST:PORT`.
    #[serde(default)]
    pub access: BTreeMap<String, AccessConfig>,
    /// How much of what comes from others is accepted.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How changes are merged.
    #[serde(default)]
    pub merge: MergeConfig,
    /// Policies by table; at the hub.
    #[serde(default, rename = "table")]
    pub tables: BTreeMap<String, TablePolicy>,
    #[serde(default, rename = "set")]
    sets: BTreeMap<String, SetSection>,
    /// The nodes whose hub this one is.
    #[serde(default, rename = "remote")]
    pub remotes: BTreeMap<NodeName, RemoteConfig>,
}

impl Config {
    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &read_text(path)?)
    }

    /// Understands the text of a configuration; the path is for messages only.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::damaged(path, text, &error))
    }

    /// The set of this name. The built-in set `everything` gives way to one that the file defines.
    pub fn set(&self, name: &str) -> Option<Scope> {
        match self.sets.get(name) {
            Some(section) => Some(section.scope()),
            None => (name == EVERYTHING).then_some(Scope::Everything),
        }
    }

    /// What a set lets its remotes do to the records of its tables, of those where that is not everything.
    pub fn rights(&self, set: &str) -> BTreeMap<String, TableRights> {
        self.sets.get(set).map(SetSection::rights).unwrap_or_default()
    }

    /// Whether the file defines a set of this name itself.
    pub fn defines_set(&self, name: &str) -> bool {
        self.sets.contains_key(name)
    }

    /// The names of all sets, the built-in one among them, sorted.
    pub fn set_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sets.keys().map(String::as_str).collect();
        if let Err(place) = names.binary_search(&EVERYTHING) {
            names.insert(place, EVERYTHING);
        }
        names
    }

    /// A table's policy; the default one if the file has none for it.
    pub fn policy(&self, table: &str) -> TablePolicy {
        self.tables.get(table).cloned().unwrap_or_default()
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source: io::Error| ConfigError::Unreadable { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes)
        .map_err(|error| ConfigError::not_text(path, error.as_bytes(), error.utf8_error().valid_up_to()))
}
