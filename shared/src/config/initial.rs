//! The text of a new node's configuration.
//!
//! Owns what `init` and `restore` write: the `[node]` section, and everything else as a comment that shows the
//! default. Invariants: the text parses to the same as [node] alone; names and addresses are quoted by the TOML
//! writer, never pasted. Leaves the writing of the file to [`crate::home`].

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TomlError, Value};

use super::brought;
use super::edit::{self, texts};
use crate::bundle::package::AccessStart;
use crate::id::NodeName;

/// What a new configuration says.
#[derive(Clone, Copy, Debug)]
pub struct InitialConfig<'a> {
    /// The node's name.
    pub name: &'a NodeName,
    /// The database, relative to the home folder.
    pub database: &'a Path,
    /// The relays, tried in order.
    pub relay: &'a [String],
    /// Whether the link to its hub is sealed, if it has one.
    pub sealed: bool,
    /// Whether the node has a hub: its line is not always there, which changes a default.
    pub is_remote: bool,
    /// How relays' servers are logged in to, where a package has brought that: by files in the home's folder for it.
    pub access: &'a [AccessStart],
}

/// A new configuration that cannot be put in words.
#[derive(Debug, thiserror::Error)]
pub enum InitialConfigError {
    /// TOML is text, and the path is not.
    #[error("the path {} is not UTF-8 text, which a configuration needs; give the database another name", .0.display())]
    NotText(PathBuf),
    /// The template itself is wrong, which a test rules out.
    #[error("the template of the configuration is damaged: {0}")]
    Template(#[from] TomlError),
    /// The values given make no configuration.
    #[error("no configuration can be made of these values: {0}")]
    Values(String),
}

impl InitialConfig<'_> {
    /// The text of the file.
    pub fn text(&self) -> Result<String, InitialConfigError> {
        let database = self.database.to_str().ok_or_else(|| InitialConfigError::NotText(self.database.to_owned()))?;
        let every = if self.is_remote { REMOTE_TRANSFER } else { HUB_TRANSFER };
        let mut document: DocumentMut = TEMPLATE.replace(TRANSFER_PLACE, every).parse()?;
        if let Some(node) = document.get_mut("node").and_then(Item::as_table_like_mut) {
            node.insert("name", Item::Value(Value::from(self.name.as_str())));
            node.insert("database", Item::Value(Value::from(database)));
            if let Some(relay) = texts(self.relay) {
                node.insert("relay", Item::Value(relay));
            }
            if !self.sealed {
                node.insert("sealed", Item::Value(Value::from(false)));
            }
        }
        for (at, start) in self.access.iter().enumerate() {
            let all = document.entry("access").or_insert_with(edit::implicit_table);
            if let Some(all) = all.as_table_mut() {
                all.insert(&start.server, Item::Table(access_table(at, start)));
            }
        }
        let text = document.to_string();
        match toml::from_str::<super::Config>(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(InitialConfigError::Values(super::one_line(error.message()))),
        }
    }
}

fn access_table(at: usize, start: &AccessStart) -> Table {
    let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let values = [
        ("user", start.user.clone()),
        ("certificate", start.certificate.map(hex)),
        ("tls", start.newest_tls.then(|| "1.3".to_owned())),
    ];
    let values = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let files =
        brought::files(at, start).into_iter().map(|file| (file.key, format!("{}/{}", brought::FOLDER, file.name)));
    values.chain(files).map(|(name, value)| (name, Item::Value(Value::from(value)))).collect()
}

const TRANSFER_PLACE: &str = "{transfer_every}";
const HUB_TRANSFER: &str = "\"2 min\"             # a remote's default: \"15 min\"";
const REMOTE_TRANSFER: &str = "\"15 min\"            # a hub's default: \"2 min\"";

const TEMPLATE: &str = r#"# The configuration of a Packhorse node. Only [node] is needed; a line behind a # shows the default.
# Paths are relative to the folder of this file.

[node]
name = ""
database = ""
# relay = "file:///srv/relay"        # or ftp://, ftps://, sftp://user@host:port/path; or a list, tried in order
# accept = true                      # false: what comes is left where it lies (`packhorse accept off`)
# sealed = true                      # false: bundles to and from this node's hub are neither encrypted nor signed

[bundle]
# seal_at = "256 KiB"                # pending changes, before compression
# seal_after = "15 min"
# bundle_max = "256 KiB"
# supersede_after = "24 h"

# The most that a bundle from another node may bring: what says that it holds more is left where it is, and told.
[limits]
# content = "256 MiB"                # unpacked: a record's values must fit, and those of as many as are sent at once
# records = 1048576
# fields = 4194304

[watch]
# apply_every = "2 min"
# transfer_every = {transfer_every}

# What `packhorse watch` tells, and where: standard error, if no file is named.
[log]
# file = "log/packhorse.log"
# format = "text"                    # or "json"
# level = "info"                     # or "error", "warn", "debug", "trace"
# levels = { transfer = "debug" }    # of single parts: bundle, transfer, apply, watch
# rotate = "daily"                   # a new file: or "hourly", "weekly", "never"
# keep = 14                          # so many files

# Commands of your own: a line for the shell, or a list of a program and its arguments.
[hooks]
# before_sync = "./export.sh"        # before a `sync`, and before a transfer by the clock of `watch`
# after_apply = ["notify-send", "new data"]
# time_limit = "1 min"

[merge]
# expire_after = "1 year"
# apply_pause = "100 ms"
# renumber_quiet = "10 min"          # a remote's numbers that the hub's may meet change once nothing was written for so long

# brake = true                       # what deletes a great deal, or is dated a day ahead, waits for `packhorse approve`
# stale_after = "15 days"            # a remote silent for longer loses where the hub has changed a field too; off by default

# Policies, at the hub; they travel to the remotes (`packhorse help merge`).
# [table.contacts]
# prefer = "latest"                  # or "hub", "remote": whose value stands if neither end had seen the other's
# granularity = "field"              # or "record": the later edit of any field brings the whole record
# together = [["street", "postcode", "city"]]  # columns that change together: an address is never mixed from two
# add = ["stock"]                    # counters: what several ends add to a number, or take from it, adds up
# stale_after = "15 days"            # as in [merge], for this table
# title = "first_name || ' ' || last_name"     # what people know a record by, in lists of conflicts and the like
# identity = ["email"]               # records made apart with the same value are one (a unique key that is not the number)
# keys = "ranged"                    # "as-is": new numbers at a remote do not start far above the hub's
# references = { author_id = "people" }  # whose numbers a column holds that no foreign key declares
# [table.notes.references]
# object_id = { type = "object_type", tables = { person = "people", company = "companies" } }

# A sync set: what a remote shares; `packhorse set add` writes it. The set "everything" is there without being written.
# [set.sales]
# [[set.sales.table]]
# name = "companies"
# where = "account_manager = :user"
# [[set.sales.table]]
# name = "contacts"
# follow = "company_id"              # the parent's membership decides; several: any of the parents suffices

# The remotes of this hub; `packhorse remote add` writes them.
# [remote.alice]
# set = "sales"
# params = { user = "alice" }
"#;
