//! Many links that are shown the same records: what they share, and how a record stands to each.
//!
//! Invariant: a record stands to all who share the same in the same way, but for the links that make an exception of it; these
//! are named apart. Leaves the look-up to the database.

use std::collections::{BTreeMap, BTreeSet};

use super::{Belonging, ChangedRecord, Life, Result, SharedRows};
use crate::clock::Stamp;
use crate::id::{Cut, LinkId};
use crate::value::{Key, Value};

/// Links, with which of a table's records each shares.
#[derive(Clone, Debug)]
pub struct Audience {
    links: BTreeMap<LinkId, SharedRows>,
    rows: BTreeSet<SharedRows>,
}

impl Audience {
    /// These links.
    pub fn of(links: impl IntoIterator<Item = (LinkId, SharedRows)>) -> Self {
        let links: BTreeMap<LinkId, SharedRows> = links.into_iter().collect();
        Self { rows: links.values().copied().collect(), links }
    }

    /// The links.
    pub fn links(&self) -> &BTreeMap<LinkId, SharedRows> {
        &self.links
    }

    /// What they share, each once.
    pub fn rows(&self) -> &BTreeSet<SharedRows> {
        &self.rows
    }
}

/// How a record stands to an audience. To whom it is not shown it does not stand at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// To those who share the same and make no exception of it.
    pub shared: Vec<(SharedRows, Belonging)>,
    /// To the links that make one.
    pub apart: Vec<(LinkId, Option<Belonging>)>,
}

impl Standings {
    /// How it stands to one link, which shares this.
    pub fn of(&self, link: LinkId, rows: SharedRows) -> Option<Belonging> {
        match self.apart.iter().find(|(apart, _)| *apart == link) {
            Some((_, belonging)) => *belonging,
            None => self.to_sharers(rows),
        }
    }

    /// How it stands to those who share this and make no exception of it.
    pub fn to_sharers(&self, rows: SharedRows) -> Option<Belonging> {
        self.shared.iter().find(|(shared, _)| *shared == rows).map(|(_, belonging)| *belonging)
    }

    /// The same, shown only to those to whom it stands so.
    #[must_use]
    pub fn only(mut self, is_meant: impl Fn(Belonging) -> bool) -> Self {
        self.shared.retain(|(_, belonging)| is_meant(*belonging));
        self.apart
            .iter_mut()
            .for_each(|(_, belonging)| *belonging = belonging.filter(|belonging| is_meant(*belonging)));
        self
    }

    /// Whether it is shown to anybody.
    pub fn is_shown(&self) -> bool {
        !self.shared.is_empty() || self.apart.iter().any(|(_, belonging)| belonging.is_some())
    }
}

/// A record as it stands to one of an audience.
pub struct Seen<'a> {
    /// The record.
    pub record: &'a dyn ChangedRecord,
    /// How it stands.
    pub belonging: Belonging,
}

impl ChangedRecord for Seen<'_> {
    fn key(&self) -> &Key {
        self.record.key()
    }

    fn birth(&self) -> Option<Stamp> {
        self.record.birth()
    }

    fn cut(&self) -> Cut {
        self.record.cut().max(self.belonging.cut())
    }

    fn belonging(&self) -> Belonging {
        self.belonging
    }

    fn life(&self) -> Life<'_> {
        self.record.life()
    }

    fn value(&self, column: usize) -> Result<Value> {
        self.record.value(column)
    }
}
