//! `packhorse conflicts resolve`.

use clap::{ArgGroup, Args, ValueEnum};
use packhorse_shared::replica::{Noted, Replica, Side};
use packhorse_shared::value::Value;
use packhorse_unbundler::resolve::{Resolved, decided_with, edit};

use super::NUMBERED;
use super::told::{name, title};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::result;
use crate::wording::brief_value;

const EXAMPLES: &str = "\
Examples:
  packhorse conflicts resolve 3 --keep theirs       the value of the other end, whichever stands
  packhorse conflicts resolve 3 --value '555 010'   another one

That is a new edit of the field, made here and now: it travels to everybody who shares the record, and settles
the conflict there too. Columns that change together (`together`, `granularity`) are decided together.";

/// How many characters of a value are shown.
const SHOWN_MAX: usize = 200;

/// Decide what a field that was changed at both ends is to be
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("decision").required(true).args(["keep", "value", "null"]))]
pub struct Resolve {
    /// Its number, as `packhorse conflicts list` shows it
    id: String,

    /// Whose value it is to be
    #[arg(long)]
    keep: Option<Keep>,

    /// The value that it is to be
    #[arg(long, value_name = "TEXT")]
    value: Option<String>,

    /// It is to be NULL
    #[arg(long)]
    null: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Keep {
    /// The value of this node's end.
    Ours,
    /// The value of the other end.
    Theirs,
}

impl Resolve {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "conflicts resolve")?;
        node.replica.harvest(node.world.clock.now())?;
        let all = node.replica.all_conflicts()?;
        let one = &all[NUMBERED.choose(&all, |noted| noted.id, &self.id)?];
        let decided = decided_with(node.replica.tables(), &all, one);
        let values: Vec<(&str, Value)> =
            decided.iter().filter_map(|noted| Some((noted.column.as_str(), self.value_for(noted, one)?))).collect();
        let name = name(one, title(&node.replica, one)?.as_deref());
        match edit(&mut node.replica, &one.table, &one.key, &values, node.world.clock.now())? {
            Resolved::Done => {
                for (column, value) in &values {
                    result(&format!("{name}: {column} is {} from now on", brief_value(value, SHOWN_MAX)));
                }
                Ok(Exit::Done)
            }
            Resolved::Gone => {
                let message = format!("{name} does not stand any more: there is nothing to decide");
                let hint = format!("`packhorse trace {} {}` tells what became of it", one.table, one.key);
                Err(Failure::new(Exit::Failed, message).hint(hint))
            }
            Resolved::Refused(words) => {
                let failure = Failure::new(Exit::Failed, format!("the table does not take that for {name}: {words}"));
                Err(failure.hint("give another value with --value, or change the record with the application"))
            }
        }
    }

    /// What a conflict's field is to be. A value that is typed is for the one that was named.
    fn value_for(&self, noted: &Noted, one: &Noted) -> Option<Value> {
        match (self.keep, &self.value) {
            (Some(Keep::Ours), _) => Some(noted.version(Side::Ours).value.clone()),
            (Some(Keep::Theirs), _) => Some(noted.version(Side::Theirs).value.clone()),
            (None, _) if noted.id != one.id => None,
            (None, Some(text)) => Some(Value::Text(text.clone().into_bytes())),
            (None, None) => Some(Value::Null),
        }
    }
}
