//! What is wrong with a configuration, and where: file, line and key in one sentence.
//!
//! Owns the error and the search for the key that a place in the text belongs to. Invariant: the sentence is one
//! line, whatever the file holds. Leaves reading and deciding to the parent module.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Item, Key, Table, TableLike};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was read and something in it is not right.
    #[error("{} is damaged at line {line}{}: {why}; mend that line and try again", path.display(), named(key.as_deref()))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key concerned, as `section.key`, where it can be told.
        key: Option<String>,
        /// What is wrong with it.
        why: String,
    },
}

fn named(key: Option<&str>) -> String {
    key.map(|key| format!(", key {key}")).unwrap_or_default()
}

impl ConfigError {
    /// The error of a text that is not TOML or not a configuration.
    pub(super) fn damaged(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        Self::Damaged {
            path: path.to_owned(),
            line: line_of(text.as_bytes(), start),
            key: key_at(text, start),
            why: plain(&one_line(error.message())),
        }
    }

    /// The error of bytes that are no text at all.
    pub(super) fn not_text(path: &Path, bytes: &[u8], valid_up_to: usize) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            line: line_of(bytes, valid_up_to),
            key: None,
            why: "it holds bytes that are not UTF-8 text (save it as UTF-8)".to_owned(),
        }
    }
}

/// The number, from 1, of the line in which a byte lies.
pub(crate) fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// A parser's message, which can have several lines, as one without control characters.
pub(crate) fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split(|c: char| c.is_control()).map(str::trim).filter(|w| !w.is_empty()).collect();
    words.join("; ")
}

/// The parser's words in plain ones.
fn plain(message: &str) -> String {
    let words = [
        ("unknown field", "there is no key"),
        ("missing field", "it lacks the key"),
        ("unknown variant", "there is no value"),
        ("duplicate key", "it is there twice"),
        ("invalid type: map", "it is a section"),
        ("invalid type: sequence", "it is a list"),
        ("invalid type: integer", "it is the number"),
        ("invalid type: floating point", "it is the number"),
        ("invalid type: string", "it is the text"),
        ("invalid type: boolean", "it is"),
        ("invalid type: ", "it is "),
        ("expected a sequence", "expected a list, as in [\"a\", \"b\"] or under [[section]]"),
        ("expected a map", "expected a section"),
    ];
    let told = words.iter().fold(message.to_owned(), |told, (theirs, ours)| told.replace(theirs, ours));
    match told.split_once("expected struct ") {
        None => told,
        // The structure's name is ours alone.
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_alphanumeric());
            format!("{before}expected a section{rest}")
        }
    }
}

fn key_at(text: &str, at: usize) -> Option<String> {
    match toml_edit::Document::parse(text) {
        Ok(document) => key_in_document(document.as_table(), at),
        Err(_) => key_before_equals(text, at),
    }
}

/// Without a document there is still the line: what stands before its equals sign, or its header.
fn key_before_equals(text: &str, at: usize) -> Option<String> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let key = line.split_once('=').map_or(line, |(key, _)| key).trim().trim_matches(['[', ']']).trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.\"' ".contains(c);
    (!key.is_empty() && key.len() <= 200 && key.chars().all(plain)).then(|| key.to_owned())
}

fn key_in_document(root: &Table, at: usize) -> Option<String> {
    let mut path = Vec::new();
    descend(root, at, &mut path);
    (!path.is_empty()).then(|| one_line(&path.join(".")))
}

/// Follows the entries around a place as deep as they go. Two tables under one key have no common span, so a table
/// that is only implied by its children's headers is tried by looking into it.
fn descend(table: &dyn TableLike, at: usize, path: &mut Vec<String>) -> bool {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        let key = table.key(name).and_then(Key::span);
        let inside = inside_item(item, at, path);
        if inside || holds(key, at) || holds(item.span(), at) {
            return true;
        }
        path.pop();
    }
    false
}

fn inside_item(item: &Item, at: usize, path: &mut Vec<String>) -> bool {
    match item {
        Item::ArrayOfTables(tables) => tables.iter().any(|table| descend(table, at, path)),
        other => other.as_table_like().is_some_and(|table| descend(table, at, path)),
    }
}

fn holds(span: Option<Range<usize>>, at: usize) -> bool {
    span.is_some_and(|span| span.contains(&at))
}
