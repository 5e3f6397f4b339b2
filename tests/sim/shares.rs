//! What every node shares with its hub: as the configuration says it, and as the simulation works it out for itself from
//! what is seen at the hub.

use std::collections::BTreeSet;

use crate::application::{Picture, Record};
use crate::ids::Uid;
use crate::policies::TABLES;
use crate::rights::Rights;

/// What a node shares with its hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Everything.
    Everything,
    /// The companies of a user, and what hangs on them.
    Sales(&'static str),
}

/// The terms of the set `sales`, which may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Whether companies that nobody manages are everybody's.
    pub free: bool,
    /// Whether the phones of contacts are left out.
    pub bare: bool,
    /// What a remote may do.
    pub rights: Rights,
}

/// The table and the column that bare terms leave out.
pub const LEFT_OUT: (&str, &str) = ("contacts", "phone");

impl Terms {
    /// As a story tells them, but for the rights.
    pub fn told(self) -> String {
        format!("Terms {{ free: {}, bare: {} }}", self.free, self.bare)
    }

    fn condition(self) -> &'static str {
        if self.free { "(manager = :user OR manager IS NULL)" } else { "manager = :user" }
    }

    /// The set as a configuration has it.
    pub fn text(self) -> String {
        let columns =
            if self.bare { "columns = [\"uid\", \"company\", \"badge\", \"name\", \"visits\"]\n" } else { "" };
        let [companies, contacts, notes, products] = TABLES.map(|table| self.rights.text(table));
        format!(
            "[[set.sales.table]]\nname = \"companies\"\nwhere = \"{}\"\n{companies}\
             [[set.sales.table]]\nname = \"contacts\"\nfollow = \"company\"\n{columns}{contacts}\
             [[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n{notes}\
             [[set.sales.table]]\nname = \"products\"\nwhere = \"owner = :user OR owner IS NULL\"\n{products}",
            self.condition()
        )
    }
}

impl Share {
    /// The words of `remote add`.
    pub fn words(self) -> Vec<String> {
        match self {
            Self::Everything => vec!["--unsealed".to_owned()],
            Self::Sales(user) => {
                ["--unsealed", "--set", "sales", "--param", &format!("user={user}")].map(str::to_owned).to_vec()
            }
        }
    }

    /// What a configuration says of a remote with this share.
    pub fn text(self, name: &str) -> String {
        match self {
            Self::Everything => format!("[remote.{name}]\nset = \"everything\"\nsealed = false\n"),
            Self::Sales(user) => {
                format!("[remote.{name}]\nset = \"sales\"\nparams = {{ user = \"{user}\" }}\nsealed = false\n")
            }
        }
    }

    /// The records that are shared of what the hub has.
    pub fn of(self, hub: &Picture, terms: Terms) -> BTreeSet<Uid> {
        let Self::Sales(user) = self else { return hub.keys().cloned().collect() };
        let mut members = BTreeSet::new();
        // Parents stand before those that follow them.
        for table in ["companies", "contacts", "notes", "products"] {
            for (uid, record) in hub.iter().filter(|(_, record)| record.table == table) {
                if belongs(record, user, terms, &members) {
                    members.insert(uid.clone());
                }
            }
        }
        members
    }
}

fn belongs(record: &Record, user: &str, terms: Terms, members: &BTreeSet<Uid>) -> bool {
    let cell = |column: &str| record.cells.get(column).cloned().flatten();
    let follows = |column: &str| cell(column).is_some_and(|parent| members.contains(&Uid(parent)));
    match record.table {
        "companies" => cell("manager").map_or(terms.free, |manager| manager == user),
        "contacts" => follows("company"),
        "notes" => follows("contact"),
        "products" => cell("owner").is_none_or(|owner| owner == user),
        _ => false,
    }
}
