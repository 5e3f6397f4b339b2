//! Changes to a configuration that keep what a person has written: comments, order, spacing.
//!
//! Owns the edits of `packhorse.toml`. Invariants: what an edit returns is a whole, valid configuration in which
//! nothing but the thing named has changed; a value from outside is quoted, never pasted. Leaves to the callers what
//! the change means for the links.

mod sets;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

use super::{Config, ConfigError, RemoteConfig, read_text};
use crate::id::NodeName;
use crate::seam::{Disk, rewrite_durably};
use crate::set::{Param, Scalar};

pub use sets::{add_set_tables, remove_set, remove_set_table};

/// A change to a configuration that cannot be made; the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be used as it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A remote of that name is there.
    #[error("there is a remote \"{0}\" already; choose another name, or remove that one first")]
    Taken(NodeName),
    /// There is no remote of that name.
    #[error("there is no remote \"{0}\" in the configuration; `packhorse remote list` shows those there are")]
    Unknown(NodeName),
    /// There is no set of that name.
    #[error("there is no set \"{0}\" in the configuration; `packhorse set list` shows those there are")]
    UnknownSet(String),
    /// The set has no such table.
    #[error("the set \"{set}\" has no table \"{table}\"; `packhorse set show {set}` shows those that it has")]
    NotInSet {
        /// The set.
        set: String,
        /// The table.
        table: String,
    },
    /// The file is right, but written in a way that the edit does not know.
    #[error("cannot make this change to the configuration for you: {why}; make it in an editor")]
    Form {
        /// What is in the way.
        why: String,
    },
    /// The changed file cannot be written.
    #[error("cannot write the configuration {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Changes a configuration file, durably, and returns what it says afterwards.
pub fn edit_file(
    disk: &dyn Disk,
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, EditError>,
) -> Result<Config, EditError> {
    let text = read_text(path)?;
    Config::parse(path, &text)?;
    let changed = change(&text)?;
    let config = Config::parse(path, &changed)?;
    let unwritable = |source| EditError::Unwritable { path: path.to_owned(), source };
    // A configuration kept elsewhere and linked to stays where it is.
    let target = fs::canonicalize(path).map_err(unwritable)?;
    rewrite_durably(disk, &target, changed.as_bytes()).map_err(unwritable)?;
    Ok(config)
}

/// The configuration's text with one more remote, at its end. Of what its package brings to log in with, it says the two files that
/// `remote add` takes: the password's and the key's.
pub fn add_remote(text: &str, name: &NodeName, remote: &RemoteConfig) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    if document.get("remote").and_then(|all| all.get(name.as_str())).is_some() {
        return Err(EditError::Taken(name.clone()));
    }
    let last = tables_of(&document).into_iter().max().unwrap_or(0);
    let mut table = remote_table(remote)?;
    table.set_position(Some(last.saturating_add(1)));
    // Comments at the end of the file belong before the new table, not into it.
    let before = document.trailing().as_str().unwrap_or_default().to_owned();
    table.decor_mut().set_prefix(spaced(&before, text));
    document.set_trailing("");
    let all = document.entry("remote").or_insert_with(implicit_table);
    let all = all.as_table_mut().ok_or_else(|| form("`remote` is not written as [remote.NAME] tables"))?;
    all.insert(name.as_str(), Item::Table(table));
    checked(document.to_string())
}

/// The configuration's text without this remote. The comment right above it goes with it; one that an empty line
/// keeps apart stays.
pub fn remove_remote(text: &str, name: &NodeName) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let all = document.get_mut("remote").and_then(Item::as_table_like_mut);
    let removed = all.and_then(|all| all.remove(name.as_str())).ok_or_else(|| EditError::Unknown(name.clone()))?;
    if let Item::Table(table) = &removed {
        let prefix = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
        let kept = prefix.get(..last_empty_line(prefix)).unwrap_or_default();
        let after = table.position().and_then(|at| tables_of(&document).into_iter().filter(|p| *p > at).min());
        keep_comments(&mut document, kept, after);
    }
    checked(document.to_string())
}

/// Where the last empty line of a run of comments begins, or 0; lines may end as on Windows.
fn last_empty_line(comments: &str) -> usize {
    let ends = ["\n\n", "\n\r\n"].into_iter().filter_map(|gap| comments.rfind(gap));
    ends.max().map_or(0, |end| end + 1)
}

/// The configuration's text with these relays, tried in order; none of them removes the key.
pub fn set_relay(text: &str, relays: &[String]) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let node = document.get_mut("node").and_then(Item::as_table_like_mut);
    let node = node.ok_or_else(|| form("there is no [node] section"))?;
    match (texts(relays), node.get_mut("relay").and_then(Item::as_value_mut)) {
        (Some(mut value), Some(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        (Some(value), None) => {
            node.insert("relay", Item::Value(value));
        }
        (None, _) => {
            node.remove("relay");
        }
    }
    checked(document.to_string())
}

/// The configuration's text by which incoming bundles are taken, or left on the relay. That they are is the default, and
/// is not written.
pub fn set_accept(text: &str, accept: bool) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let node = document.get_mut("node").and_then(Item::as_table_like_mut);
    let node = node.ok_or_else(|| form("there is no [node] section"))?;
    match (accept, node.get_mut("accept").and_then(Item::as_value_mut)) {
        (true, _) => drop(node.remove("accept")),
        (false, Some(old)) => {
            let decor = old.decor().clone();
            *old = Value::from(false);
            *old.decor_mut() = decor;
        }
        (false, None) => drop(node.insert("accept", Item::Value(Value::from(false)))),
    }
    checked(document.to_string())
}

/// One text for one, a list for several, nothing for none.
pub(super) fn texts(all: &[String]) -> Option<Value> {
    match all {
        [] => None,
        [one] => Some(Value::from(one.as_str())),
        several => Some(Value::Array(several.iter().map(String::as_str).collect())),
    }
}

fn remote_table(remote: &RemoteConfig) -> Result<Table, EditError> {
    let mut table = Table::new();
    table.insert("set", Item::Value(Value::from(remote.set.as_str())));
    if !remote.params.is_empty() {
        let params: InlineTable =
            remote.params.iter().map(|(name, param)| (name.as_str(), param_value(param))).collect();
        table.insert("params", Item::Value(Value::InlineTable(params)));
    }
    if let Some(relay) = texts(&remote.relay) {
        table.insert("relay", Item::Value(relay));
    }
    if !remote.sealed {
        table.insert("sealed", Item::Value(Value::from(false)));
    }
    let paths = [("password_file", &remote.access.password_file), ("key", &remote.access.key)];
    let mut access = Table::new();
    for (name, path) in paths.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
        let text = path.to_str().ok_or_else(|| form(&format!("the path {} is not UTF-8 text", path.display())))?;
        access.insert(name, Item::Value(Value::from(text)));
    }
    if !access.is_empty() {
        table.insert("access", Item::Table(access));
    }
    Ok(table)
}

fn param_value(param: &Param) -> Value {
    let scalar = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => Value::from(text.as_str()),
        Scalar::Integer(number) => Value::from(*number),
    };
    match param {
        Param::One(one) => scalar(one),
        Param::Many(many) => Value::Array(many.iter().map(scalar).collect::<Array>()),
    }
}

pub(super) fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// What stands before a new table at the end of the file: the comments there, and an empty line.
fn spaced(before: &str, text: &str) -> String {
    let open_line = if before.is_empty() { false } else { !before.ends_with('\n') };
    let newline = if open_line { "\n" } else { "" };
    let gap = if text.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    format!("{before}{newline}{gap}")
}

/// The places in the file of all tables with a header.
fn tables_of(document: &DocumentMut) -> Vec<isize> {
    fn collect(table: &dyn TableLike, into: &mut Vec<isize>) {
        for (_, item) in table.iter() {
            for table in tables_in(item) {
                into.extend(table.position());
                collect(table, into);
            }
        }
    }
    let mut all = Vec::new();
    collect(document.as_table(), &mut all);
    all
}

fn tables_in(item: &Item) -> Vec<&Table> {
    match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(tables) => tables.iter().collect(),
        _ => Vec::new(),
    }
}

/// Puts comments before the table at a place, or at the end of the file.
fn keep_comments(document: &mut DocumentMut, kept: &str, before: Option<isize>) {
    if kept.trim().is_empty() {
        return;
    }
    let joined = |old: Option<&RawString>| format!("{kept}{}", old.and_then(RawString::as_str).unwrap_or_default());
    match before.and_then(|place| table_at(document.as_table_mut(), place)) {
        Some(table) => {
            let prefix = joined(table.decor().prefix());
            table.decor_mut().set_prefix(prefix);
        }
        None => {
            let trailing = joined(Some(document.trailing()));
            document.set_trailing(trailing);
        }
    }
}

fn table_at(table: &mut Table, place: isize) -> Option<&mut Table> {
    if table.position() == Some(place) {
        return Some(table);
    }
    table.iter_mut().find_map(|(_, item)| match item {
        Item::Table(table) => table_at(table, place),
        Item::ArrayOfTables(tables) => tables.iter_mut().find_map(|table| table_at(table, place)),
        _ => None,
    })
}

fn parsed(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| form(error.message()))
}

/// The last word on an edit: what it made must be a configuration.
fn checked(text: String) -> Result<String, EditError> {
    toml::from_str::<Config>(&text).map(|_| text).map_err(|error| form(error.message()))
}

fn form(why: &str) -> EditError {
    EditError::Form { why: super::one_line(why) }
}
