//! Rights: what a remote with the set `sales` may do to the records that it shares, as the configuration has it and as a story
//! tells it.

use std::fmt;

use crate::dice::Dice;
use crate::ids::Column;
use crate::policies::TABLES;

/// Whose records a right extends to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Right {
    /// All.
    #[default]
    Any,
    /// Its own, and those that are assigned to its user.
    Own,
    /// Those that are assigned to its user.
    Assigned,
    /// None.
    None,
}

const NAMES: [(Right, &str); 4] =
    [(Right::Any, "any"), (Right::Own, "own"), (Right::Assigned, "assigned"), (Right::None, "none")];

/// The rights to one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRights {
    /// Which records may be deleted.
    pub deletes: Right,
    /// Which may be made and changed.
    pub writes: Right,
    /// A column that may only be read.
    pub read_only: Option<Column>,
}

/// The rights to each of the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights([TableRights; 4]);

/// The column that names whose a record of a table is.
pub fn owner_column(table: &str) -> Option<Column> {
    match table {
        "companies" => Some("manager"),
        "products" => Some("owner"),
        _ => None,
    }
}

/// A column of a table whose records are made without it.
fn readable(table: &str) -> Option<Column> {
    match table {
        "companies" => Some("phone"),
        "contacts" => Some("phone"),
        _ => None,
    }
}

impl Rights {
    /// Some, drawn by lot.
    pub fn drawn(dice: &mut Dice) -> Self {
        Self(TABLES.map(|table| TableRights {
            deletes: drawn(table, dice),
            writes: drawn(table, dice),
            read_only: readable(table).filter(|_| dice.percent(40)),
        }))
    }

    /// Those to a table.
    pub fn of(self, table: &str) -> TableRights {
        TABLES.iter().position(|name| *name == table).map_or(TableRights::default(), |at| self.0[at])
    }

    /// Those to a table as the configuration has them.
    pub fn text(self, table: &str) -> String {
        let TableRights { deletes, writes, read_only } = self.of(table);
        let one = |what: &str, right: Right| match right {
            Right::Any => String::new(),
            right => format!("{what} = \"{right}\"\n"),
        };
        let owner = owner_column(table).filter(|_| (deletes, writes) != (Right::Any, Right::Any));
        let owner = owner.map_or(String::new(), |column| format!("owner_column = \"{column}\"\n"));
        let read_only = read_only.map_or(String::new(), |column| format!("read_only = [\"{column}\"]\n"));
        format!("{}{}{owner}{read_only}", one("deletes", deletes), one("writes", writes))
    }

    /// As a story tells them.
    pub fn read(words: &str) -> Self {
        let of = |table: &str| {
            let said = words.split("; ").find_map(|part| part.strip_prefix(table)).unwrap_or_default();
            let right = |what: &str| {
                let name = said.split(' ').find_map(|word| word.strip_prefix(what)).unwrap_or_default();
                NAMES.iter().find(|(_, known)| *known == name).map_or(Right::Any, |(right, _)| *right)
            };
            let read_only = readable(table).filter(|column| said.ends_with(&format!(" reads {column}")));
            TableRights { deletes: right("deletes="), writes: right("writes="), read_only }
        };
        Self(TABLES.map(of))
    }
}

fn drawn(table: &str, dice: &mut Dice) -> Right {
    let some = if owner_column(table).is_some() {
        &[Right::Own, Right::Assigned, Right::None][..]
    } else {
        &[Right::Own, Right::None]
    };
    if dice.percent(40) { dice.pick(some).unwrap_or_default() } else { Right::Any }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(right, _)| right == self).map_or("any", |(_, name)| name))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = TABLES.iter().zip(self.0).filter(|(_, rights)| *rights != TableRights::default());
        let words: Vec<String> = said.map(|(table, rights)| format!("{table}{rights}")).collect();
        f.write_str(&words.join("; "))
    }
}

impl fmt::Display for TableRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, right) in [("deletes", self.deletes), ("writes", self.writes)] {
            if right != Right::Any {
                write!(f, " {what}={right}")?;
            }
        }
        self.read_only.map_or(Ok(()), |column| write!(f, " reads {column}"))
    }
}
