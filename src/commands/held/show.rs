//! `packhorse held show`.

use clap::Args;
use packhorse_shared::clock::WallTime;
use packhorse_shared::replica::{Held, Replica, TableShape};

use super::NUMBERED;
use super::told::{Shown, name, named_fields, record};
use super::why;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{json, result};
use crate::wording::{brief_value, span, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse held show 12            the record, its new values, why it is held and what would help
  packhorse held show --json 12";

/// How many characters of a value are shown on a line.
const SHOWN_MAX: usize = 200;

/// Show everything about one held change, with its values
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Its number, as `packhorse held list` shows it
    id: String,

    /// Print JSON: one object, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let mut all = node.replica.all_held()?;
        let at = NUMBERED.choose(&all, |held| held.id, &self.id)?;
        let (held, people) = (all.swap_remove(at), People::of(&mut node)?);
        let in_the_way = node.replica.in_the_way(&held)?;
        let tables = node.replica.tables();
        let refers_to = |column: &str| refers_to(tables, &held.change.table, column);
        if self.json {
            json(&Shown::of(&held, &people, in_the_way.as_ref(), refers_to));
        } else {
            tell(&held, &people, node.world.clock.now(), refers_to);
            if let Some(key) = in_the_way {
                result(&format!("  in the way  {} {key}", held.change.table));
            }
            result(&format!("  next step   {}", why::next_step(&held)));
        }
        Ok(Exit::Done)
    }
}

/// The table that a column refers to by a declared foreign key.
fn refers_to(tables: &[TableShape], table: &str, column: &str) -> Option<String> {
    let table = tables.iter().find(|known| known.name.eq_ignore_ascii_case(table))?;
    let is_it = |columns: &[(String, String)]| columns.iter().any(|(here, _)| here.eq_ignore_ascii_case(column));
    table.parents.iter().find(|parent| is_it(&parent.columns)).map(|parent| parent.table.clone())
}

fn tell(held: &Held, people: &People, now: WallTime, refers_to: impl Fn(&str) -> Option<String>) {
    let ago = span(now.0.saturating_sub(held.since.0));
    let from = people.brought(held.link).unwrap_or_else(|| "a node that is linked no more".to_owned());
    result(&format!("{}  {}", held.id, name(held)));
    result(&format!("  from        {from}"));
    result(&format!("  since       {} ({ago} ago)", timestamp(held.since).unwrap_or_default()));
    if let Some(record) = record(held) {
        let keys = held.change.key_columns.iter().zip(&record.key.0);
        keys.for_each(|(column, value)| result(&format!("  key         {column} = {}", brief_value(value, SHOWN_MAX))));
        result(&format!(
            "  born        {}",
            record.birth.map_or_else(|| "not known".to_owned(), |at| people.when_and_who(at))
        ));
        record.dead.iter().for_each(|at| result(&format!("  deleted     {}", people.when_and_who(*at))));
    }
    for (column, field) in named_fields(held) {
        let parent = refers_to(column)
            .map(|table| format!(", refers to {table} {}", brief_value(&field.value, SHOWN_MAX)))
            .unwrap_or_default();
        let (value, by) = (brief_value(&field.value, SHOWN_MAX), people.when_and_who(field.stamp));
        result(&format!("  field       {column} = {value}{parent} ({by})"));
    }
    result(&format!("  reason      {}", why::reason(held)));
}
