//! Who gives a table's numbers, what could go wrong with them, and what would help, in words.

use packhorse_shared::config::Span;
use packhorse_shared::replica::{Numbers, OwnNumbers, WhyNoRange};
use serde::Serialize;

use crate::report::result;

/// What matters to the numbers of all tables.
pub struct Circumstances {
    /// Whether this node makes packages: it is the root, or has remotes.
    pub packs: bool,
    /// How long the application must have been quiet for a record to get another number.
    pub quiet: Span,
}

/// A table's numbers; fields are only ever added.
#[derive(Serialize)]
pub struct NumbersTold {
    /// Who gives each record the one that it has for good: `this-node` or `hub`.
    given_by: &'static str,
    /// Where those start that this node gives until the hub does; null where they start nowhere in particular.
    own_from: Option<i64>,
    /// Whether no number of a record made here can be another record's at the hub.
    guaranteed: bool,
    /// Whether the table has AUTOINCREMENT here.
    autoincrement: bool,
    /// Where a remote's own start, if a package is made now.
    remotes_from: Option<i64>,
    /// Why there is no such start.
    reason: Option<String>,
    /// What can go wrong.
    risk: Option<String>,
    /// What would help.
    advice: Option<String>,
}

impl NumbersTold {
    /// Of a table of this name.
    pub fn of(numbers: Numbers, table: &str, about: &Circumstances) -> Self {
        let mut told = Self::without_risk(&numbers, about);
        if let OwnNumbers::Shared { why } = numbers.own {
            told.guaranteed = false;
            told.reason = Some(why.unwrap_or_else(|| "its range is lost and cannot be given again".to_owned()));
            told.risk = Some(risk_here(about.quiet));
            told.advice = Some(
                "close the application while numbers change, or raise renumber_quiet in packhorse.toml; \
                 `packhorse status --tables` at the hub tells what would give the table numbers of its own"
                    .to_owned(),
            );
        } else if let (Err(why), true) = (numbers.remotes, about.packs) {
            told.reason = Some(format!("a remote has no numbers of its own: {why}"));
            told.risk = Some(RISK_THERE.to_owned());
            told.advice = Some(cure(&why, table));
        }
        told
    }

    fn without_risk(numbers: &Numbers, about: &Circumstances) -> Self {
        let (given_by, own_from) = match numbers.own {
            OwnNumbers::ForGood => ("this-node", None),
            OwnNumbers::Ranged { from } => ("hub", Some(from)),
            OwnNumbers::Shared { .. } => ("hub", None),
        };
        Self {
            given_by,
            own_from,
            guaranteed: true,
            autoincrement: numbers.autoincrement,
            remotes_from: numbers.remotes.as_ref().ok().copied().filter(|_| about.packs),
            reason: None,
            risk: None,
            advice: None,
        }
    }

    /// Tells people of them.
    pub fn tell(&self) {
        result(&format!("    numbers    {}", self.words()));
        let lines = [("reason", &self.reason), ("risk", &self.risk), ("next step", &self.advice)];
        for (what, words) in lines {
            words.iter().for_each(|words| result(&format!("    {what:<9}  {words}")));
        }
    }

    fn words(&self) -> String {
        let own = match (self.given_by, self.own_from) {
            ("this-node", _) => "this node gives them for good".to_owned(),
            (_, Some(from)) => {
                format!("the hub gives them for good; until then this node's own, from {from} on by AUTOINCREMENT")
            }
            (_, None) => {
                "the hub gives them for good; until then this node's own, which may be the hub's too".to_owned()
            }
        };
        let remotes = self.remotes_from.map(|from| format!("; a remote's own start at {from}"));
        format!("{own}{}", remotes.unwrap_or_default())
    }
}

const RISK_THERE: &str = "at a remote a number that the application has read can come to mean another record: numbers change \
                          there once it has written nothing for renumber_quiet (10 min, if packhorse.toml there says nothing \
                          else)";

fn risk_here(quiet: Span) -> String {
    let risk = "a number that the application has read can come to mean another record";
    match quiet.as_millis() {
        0 => format!("{risk}: numbers change whenever the hub says so (renumber_quiet = \"{quiet}\")"),
        _ => format!("{risk}: numbers change once it has written nothing for {quiet} (renumber_quiet)"),
    }
}

/// What would give a table's records numbers of their own at remotes.
fn cure(why: &WhyNoRange, table: &str) -> String {
    let pack = "then make the remotes' packages anew";
    match why {
        WhyNoRange::AsIs => format!("take keys = \"as-is\" out of [table.{table}] in packhorse.toml, {pack}"),
        WhyNoRange::TooDeep | WhyNoRange::NoneHere => {
            "let this node's remotes be remotes of a node nearer to the main database".to_owned()
        }
        WhyNoRange::ForeignKey { parent } => {
            format!("let {parent} be a table of this database with a primary key, so that both records have its number")
        }
        WhyNoRange::WithoutRowid | WhyNoRange::Descending | WhyNoRange::Declared { .. } => {
            format!("declare the key INTEGER PRIMARY KEY AUTOINCREMENT in a table with rowids, {pack}")
        }
        WhyNoRange::Reached { .. } => {
            "keep renumber_quiet at remotes longer than anybody keeps a record on the screen".to_owned()
        }
        WhyNoRange::Statement => {
            format!("give the table AUTOINCREMENT here, in a CREATE TABLE statement of plain form, {pack}")
        }
    }
}
