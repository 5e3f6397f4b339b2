//! Policies: how the hub of all says that tables are merged, as its configuration has it and as a story tells it.

use std::fmt;

use crate::dice::Dice;
use crate::ids::Column;

/// The tables that have policies and rights.
pub const TABLES: [&str; 4] = ["companies", "contacts", "notes", "products"];

/// Whose value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// The later one.
    #[default]
    Latest,
    /// The hub's.
    Hub,
    /// The remote's.
    Remote,
}

/// What changes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Together {
    /// Nothing.
    #[default]
    Nothing,
    /// Two columns.
    Pair,
    /// The record.
    Record,
}

/// What is said of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whose value stands of two that were made without seeing each other.
    pub prefer: Prefer,
    /// What changes together.
    pub together: Together,
    /// Whether a remote may have been silent for too long.
    pub stale: bool,
    /// Whether its counter is one: a number whose values add up.
    pub adds: bool,
}

/// The columns that may be counters, each with its table.
pub const COUNTERS: [(&str, Column); 2] = [("companies", "credit"), ("contacts", "visits")];

/// The column of a table that may be a counter.
pub fn counter(table: &str) -> Option<Column> {
    COUNTERS.iter().find(|(its, _)| *its == table).map(|(_, column)| *column)
}

/// What is said of each of the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies([Policy; 4]);

/// Columns that change together, under a name of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they are called together.
    pub name: Column,
    /// Which they are.
    pub columns: &'static [Column],
}

/// How long a remote may be silent where it may not be silent for too long, in days.
pub const STALE_AFTER: u64 = 10;

const PAIR: Group = Group { name: "name and phone", columns: &["name", "phone"] };

/// The whole record of a table.
fn record(table: &str) -> Group {
    let columns: &[Column] = match table {
        "companies" => &["manager", "name", "phone", "credit"],
        "contacts" => &["company", "badge", "name", "phone", "visits"],
        "notes" => &["contact", "text"],
        _ => &["owner", "name"],
    };
    Group { name: "whole record", columns }
}

impl Policies {
    /// Some, drawn by lot.
    pub fn drawn(dice: &mut Dice) -> Self {
        Self(TABLES.map(|table| Policy::drawn(table, dice)))
    }

    /// The same but for one table. `counts`: whether there are counters.
    pub fn but_one(self, dice: &mut Dice, counts: bool) -> Self {
        let (mut all, at) = (self.0, dice.below(4) as usize);
        all[at] = Policy::drawn(TABLES[at], dice);
        all[at].adds = counts && all[at].may_add(TABLES[at]) && dice.percent(75);
        Self(all)
    }

    /// The same, with counters of which some are none, by dice of their own.
    pub fn counting(self, dice: &mut Dice) -> Self {
        let mut all = self.0;
        for (table, policy) in TABLES.iter().zip(&mut all) {
            policy.adds = dice.percent(75) && policy.may_add(table);
        }
        Self(all)
    }

    /// What is said of a table.
    pub fn of(self, table: &str) -> Policy {
        TABLES.iter().position(|name| *name == table).map_or(Policy::default(), |at| self.0[at])
    }

    /// What changes together in a table.
    pub fn group(self, table: &str) -> Option<Group> {
        match self.of(table).together {
            Together::Nothing => None,
            Together::Pair => Some(PAIR),
            Together::Record => Some(record(table)),
        }
    }

    /// As the configuration has them.
    pub fn text(self) -> String {
        TABLES.iter().map(|table| self.of(table).text(table)).collect()
    }

    /// As a story tells them.
    pub fn read(words: &str) -> Self {
        let of = |table: &str| {
            let found = words.split("; ").find_map(|part| part.strip_prefix(table));
            found.map_or(Policy::default(), Policy::read)
        };
        Self(TABLES.map(of))
    }
}

impl Policy {
    fn drawn(table: &str, dice: &mut Dice) -> Self {
        let prefer = [Prefer::Latest, Prefer::Latest, Prefer::Hub, Prefer::Hub, Prefer::Remote];
        let is_pair = table == "companies" && dice.percent(60);
        let together = if is_pair { Together::Pair } else { Together::Record };
        Self {
            prefer: dice.pick(&prefer).unwrap_or_default(),
            together: if dice.percent(40) { together } else { Together::Nothing },
            stale: dice.percent(35),
            adds: false,
        }
    }

    fn may_add(self, table: &str) -> bool {
        counter(table).is_some() && self.together != Together::Record
    }

    fn text(self, table: &str) -> String {
        if self == Self::default() {
            return String::new();
        }
        let prefer = match self.prefer {
            Prefer::Latest => "",
            Prefer::Hub => "prefer = \"hub\"\n",
            Prefer::Remote => "prefer = \"remote\"\n",
        };
        let together = match self.together {
            Together::Nothing => "",
            Together::Pair => "together = [[\"name\", \"phone\"]]\n",
            Together::Record => "granularity = \"record\"\n",
        };
        let stale = if self.stale { format!("stale_after = \"{STALE_AFTER} days\"\n") } else { String::new() };
        let counter = counter(table).filter(|_| self.adds);
        let adds = counter.map_or(String::new(), |column| format!("add = [\"{column}\"]\n"));
        format!("[table.{table}]\n{prefer}{together}{stale}{adds}")
    }

    fn read(words: &str) -> Self {
        let has = |what: &str| words.split(' ').any(|word| word == what);
        let first = |all: &[(&str, Prefer)]| all.iter().find(|(word, _)| has(word)).map(|(_, prefer)| *prefer);
        Self {
            prefer: first(&[("hub", Prefer::Hub), ("remote", Prefer::Remote)]).unwrap_or_default(),
            together: match (has("pair"), has("record")) {
                (true, _) => Together::Pair,
                (_, true) => Together::Record,
                _ => Together::Nothing,
            },
            stale: has("stale"),
            adds: has("add"),
        }
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = TABLES.iter().zip(self.0).filter(|(_, policy)| *policy != Policy::default());
        let words: Vec<String> = said.map(|(table, policy)| format!("{table}{policy}")).collect();
        f.write_str(&words.join("; "))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.prefer == Prefer::Hub, " hub"),
            (self.prefer == Prefer::Remote, " remote"),
            (self.together == Together::Pair, " pair"),
            (self.together == Together::Record, " record"),
            (self.stale, " stale"),
            (self.adds, " add"),
        ];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| f.write_str(word))
    }
}
