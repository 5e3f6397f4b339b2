//! The sections of `packhorse.toml`, with their defaults and limits.
//!
//! Owns which keys a section has. Invariant: a section that deserialises is in range, and its error points at the
//! key, because the check runs where the value is read. Leaves lines and file names to the parent module.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::access::AccessConfig;
use super::quantity::{ByteCount, Span};
use super::references::references;
use crate::id::NodeName;
use crate::replica::{Granularity, Policy, Prefer, Refers};
use crate::set::{Param, Right, Rows, Scope, SetTable, TableRights};

/// `[node]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's own name.
    pub name: NodeName,
    /// The database file, relative to the home folder.
    #[serde(deserialize_with = "filled_path")]
    pub database: PathBuf,
    /// The relays, tried in order; none where bundles are carried by hand.
    #[serde(default, deserialize_with = "one_or_many")]
    pub relay: Vec<String>,
    /// Whether incoming bundles are taken; if not, they are left on the relay.
    #[serde(default = "yes")]
    pub accept: bool,
    /// Whether the link to this node's hub is sealed.
    #[serde(default = "yes")]
    pub sealed: bool,
}

fn yes() -> bool {
    true
}

/// `[bundle]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleConfig {
    /// Pending changes of this size, before compression, are sealed.
    #[serde(deserialize_with = "not_zero")]
    pub seal_at: ByteCount,
    /// Changes that have waited for this long are sealed.
    #[serde(deserialize_with = "not_zero")]
    pub seal_after: Span,
    /// The most that one bundle may hold.
    #[serde(deserialize_with = "not_zero")]
    pub bundle_max: ByteCount,
    /// Bundles that nobody fetched for this long may be superseded by a fresh run.
    #[serde(deserialize_with = "not_zero")]
    pub supersede_after: Span,
}

impl Default for BundleConfig {
    fn default() -> Self {
        Self {
            seal_at: ByteCount::kib(256),
            seal_after: Span::minutes(15),
            bundle_max: ByteCount::kib(256),
            supersede_after: Span::hours(24),
        }
    }
}

/// `[merge]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeConfig {
    /// What is older than this may be forgotten.
    #[serde(deserialize_with = "not_zero")]
    pub expire_after: Span,
    /// The pause between two steps of applying, in which the application gets at its database; zero is allowed.
    #[serde(deserialize_with = "quantity")]
    pub apply_pause: Span,
    /// For how long the application must have written nothing before a record gets another number in a table whose new
    /// numbers do not start far above the hub's; zero is allowed.
    #[serde(deserialize_with = "quantity")]
    pub renumber_quiet: Span,
    /// For how long a remote may have been silent for its changes to count against the hub's; none: for ever.
    #[serde(deserialize_with = "some_not_zero")]
    pub stale_after: Option<Span>,
    /// Whether a remote's bundle that deletes a great deal waits for a person's word.
    pub brake: bool,
}

impl Default for MergeConfig {
    fn default() -> Self {
        Self {
            expire_after: Span::years(1),
            apply_pause: Span::from_millis(100),
            renumber_quiet: Span::minutes(10),
            stale_after: None,
            brake: true,
        }
    }
}

/// `[table.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TablePolicy {
    /// Whose value stands where two were made without seeing each other.
    pub prefer: Prefer,
    /// What of a record is merged as one.
    pub granularity: Granularity,
    /// Groups of columns that change together.
    #[serde(deserialize_with = "groups")]
    pub together: Vec<Vec<String>>,
    /// Counters: columns whose values merge by adding differences.
    #[serde(deserialize_with = "once_each")]
    pub add: Vec<String>,
    /// What people know a record by: an SQL expression over its row.
    #[serde(deserialize_with = "some_filled_text")]
    pub title: Option<String>,
    /// For how long a remote may have been silent for its changes to count against the hub's; none: as in `[merge]`.
    #[serde(deserialize_with = "some_not_zero")]
    pub stale_after: Option<Span>,
    /// Which numbers new records get at remotes.
    pub keys: Keys,
    /// The columns of a unique key by which records made apart are one, whatever their numbers; none: what the schema says.
    pub identity: Vec<String>,
    /// By column, whose numbers it holds without a declared foreign key.
    #[serde(deserialize_with = "references")]
    pub references: BTreeMap<String, Refers>,
}

impl TablePolicy {
    /// Of that, how changes are merged: what travels to the remotes. `merge`: what is said for all tables.
    pub fn of_merging(&self, merge: &MergeConfig) -> Policy {
        let stale_after = self.stale_after.or(merge.stale_after);
        Policy {
            stale_after: stale_after.map(Span::as_millis),
            prefer: self.prefer,
            granularity: self.granularity,
            together: self.together.clone(),
            add: self.add.clone(),
            title: self.title.clone(),
        }
    }
}

/// Which numbers the new records of a table with assigned keys get at a remote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// Those of a range of the remote's own, where that can be done.
    #[default]
    Ranged,
    /// Those that they would get at the hub.
    AsIs,
}

/// `[set.NAME]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetSection {
    #[serde(default, deserialize_with = "set_tables")]
    table: Vec<TableSection>,
}

impl SetSection {
    pub(super) fn scope(&self) -> Scope {
        Scope::Tables(self.table.iter().map(TableSection::table).collect())
    }

    /// What remotes may do to the records of a table, where that is not everything.
    pub(super) fn rights(&self) -> BTreeMap<String, TableRights> {
        let all = self.table.iter().map(|table| (table.name.clone(), table.rights()));
        all.filter(|(_, rights)| !rights.is_open()).collect()
    }
}

/// `[[set.NAME.table]]`: one table of a set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSection {
    #[serde(deserialize_with = "filled_text")]
    name: String,
    #[serde(default, deserialize_with = "some_filled_texts")]
    columns: Option<Vec<String>>,
    #[serde(default, rename = "where", deserialize_with = "some_filled_text")]
    filter: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    follow: Vec<String>,
    #[serde(default)]
    deletes: Right,
    #[serde(default)]
    writes: Right,
    #[serde(default, deserialize_with = "some_filled_text")]
    owner_column: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    read_only: Vec<String>,
}

impl TableSection {
    fn rights(&self) -> TableRights {
        TableRights {
            deletes: self.deletes,
            writes: self.writes,
            owner_column: self.owner_column.clone(),
            read_only: self.read_only.clone(),
        }
    }

    fn table(&self) -> SetTable {
        let rows = match &self.filter {
            Some(filter) => Rows::Where(filter.clone()),
            None if self.follow.is_empty() => Rows::All,
            None => Rows::Follow(self.follow.clone()),
        };
        SetTable { name: self.name.clone(), columns: self.columns.clone(), rows }
    }
}

/// `[remote.NAME]`: a node whose hub this one is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// The name of its sync set.
    #[serde(deserialize_with = "filled_text")]
    pub set: String,
    /// The values of the set's parameters.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// The relays as the remote reaches them, where they differ.
    #[serde(default, deserialize_with = "one_or_many")]
    pub relay: Vec<String>,
    /// Whether the link to it is sealed.
    #[serde(default = "yes")]
    pub sealed: bool,
    /// How it logs in to its relays' servers: what its package brings.
    #[serde(default)]
    pub access: AccessConfig,
}

/// Reads a text or a list of texts, none of them empty.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            filled(text.to_owned()).map(|text| vec![text])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Vec<String>, A::Error> {
            Vec::<String>::deserialize(SeqAccessDeserializer::new(values))?.into_iter().map(filled).collect()
        }
    }

    from.deserialize_any(Texts)
}

pub(super) fn filled<E: Error>(text: String) -> Result<String, E> {
    if text.trim().is_empty() {
        return Err(E::custom("it is empty"));
    }
    if text.contains('\0') {
        return Err(E::custom("it holds a zero byte"));
    }
    Ok(text)
}

pub(super) fn filled_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    filled(String::deserialize(from)?)
}

pub(super) fn filled_path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let text = filled_text(from)?;
    match Path::new(&text).file_name() {
        Some(_) => Ok(PathBuf::from(text)),
        None => Err(Error::custom(format!("\"{text}\" names a folder, not a file"))),
    }
}

fn some_filled_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    filled_text(from).map(Some)
}

/// An empty list is refused: whether it means no column or all of them is anybody's guess.
fn some_filled_texts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let texts: Vec<String> = Vec::<String>::deserialize(from)?.into_iter().map(filled).collect::<Result<_, _>>()?;
    if texts.is_empty() { Err(Error::custom("the list is empty; leave it out to mean all")) } else { Ok(Some(texts)) }
}

/// A group of one would say nothing, and a column in two groups would join them.
fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<String>>, D::Error> {
    let groups = Vec::<Vec<String>>::deserialize(from)?;
    match groups.iter().find(|group| group.len() < 2) {
        Some(_) => Err(Error::custom("a group has two columns or more")),
        None => listed_once(groups.iter().flatten()).map(|()| groups),
    }
}

fn once_each<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let columns = Vec::<String>::deserialize(from)?;
    listed_once(&columns).map(|()| columns)
}

/// The database does not tell names apart by case either.
fn listed_once<'c, E: Error>(columns: impl IntoIterator<Item = &'c String>) -> Result<(), E> {
    let mut seen = BTreeSet::new();
    match columns.into_iter().find(|column| !seen.insert(column.to_ascii_lowercase())) {
        Some(twice) => Err(E::custom(format!("the column \"{twice}\" is listed twice"))),
        None => Ok(()),
    }
}

/// A table twice would leave open which of its entries chooses the rows.
fn set_tables<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TableSection>, D::Error> {
    let tables = Vec::<TableSection>::deserialize(from)?;
    let mut seen = BTreeSet::new();
    for table in &tables {
        // The database does not tell names apart by case either.
        if !seen.insert(table.name.to_ascii_lowercase()) {
            return Err(Error::custom(format!("the table \"{}\" is listed twice", table.name)));
        }
        if table.filter.is_some() && !table.follow.is_empty() {
            let why = format!("the table \"{}\" has both \"where\" and \"follow\"; keep one of them", table.name);
            return Err(Error::custom(why));
        }
    }
    Ok(tables)
}

/// A quantity, which may be none.
fn quantity<'de, T: Quantity, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_str(QuantityVisitor::<T>(PhantomData))
}

/// A quantity of which none makes no sense.
pub(super) fn not_zero<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Quantity,
    D: Deserializer<'de>,
{
    let quantity: T = quantity(from)?;
    if quantity.is_zero() { Err(Error::custom("it must be more than zero")) } else { Ok(quantity) }
}

/// The same of a plain number, which no TOML integer is too large for.
pub(super) fn count_not_zero<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        0 => Err(Error::custom("it must be more than zero")),
        count => Ok(count),
    }
}

pub(super) fn some_not_zero<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
    not_zero(from).map(Some)
}

pub(super) trait Quantity: std::str::FromStr<Err = super::QuantityError> {
    const EXPECTED: &'static str;
    fn is_zero(&self) -> bool;
}

impl Quantity for ByteCount {
    const EXPECTED: &'static str = "a size in quotes, like \"256 KiB\"";
    fn is_zero(&self) -> bool {
        self.get() == 0
    }
}

impl Quantity for Span {
    const EXPECTED: &'static str = "a length of time in quotes, like \"15 min\"";
    fn is_zero(&self) -> bool {
        self.as_millis() == 0
    }
}

/// Reads a quantity and says, if it is a bare number, how one is written.
struct QuantityVisitor<T>(PhantomData<T>);

impl<T: Quantity> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
