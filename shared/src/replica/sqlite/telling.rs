//! What there is to tell people of an open database's tables.

use rusqlite::Connection;

use super::SqliteReplica;
use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::ranges::{has_range, start_of_remotes, why_not};
use super::references::{self, Origin};
use super::regain::statement_with;
use super::schema::{candidates, leave_out_unwritable};
use super::silence::{Effect, Effects};
use super::state;
use crate::link::Role;
use crate::replica::{
    About, KeyKind, LeftOut, Numbers, OwnNumbers, ReferenceAbout, RefersTo, Result, SaidBy, TableAbout, TableShape,
    TriggerAbout, TriggerRule, WhyLeftOut, WhyNoRange,
};

impl SqliteReplica {
    /// Everything there is to tell of the tables. `as_is`: those whose numbers the configuration wants left as they are at
    /// remotes.
    pub fn about(&self, as_is: &[String]) -> Result<About> {
        self.try_about(as_is).map_err(self.fault("be read"))
    }

    fn try_about(&self, as_is: &[String]) -> Outcome<About> {
        let teller = Teller {
            connection: &self.reader,
            has_hub: state::links(&self.reader)?.iter().any(|link| link.state.role() == Role::Hub),
            from: state::numbers_from(&self.reader)?,
            remotes: start_of_remotes(&self.reader)?,
            as_is,
        };
        let tables = self.catalogue.entries().iter().map(|entry| self.table(&teller, entry)).collect::<Outcome<_>>()?;
        Ok(About { tables, left_out: left_out(&self.reader, &self.catalogue)? })
    }

    fn table(&self, teller: &Teller<'_>, entry: &Entry) -> Outcome<TableAbout> {
        let shape = &entry.shape;
        let numbers = (shape.key_kind == KeyKind::Assigned).then(|| teller.numbers(shape)).transpose()?;
        Ok(TableAbout {
            shape: shape.clone(),
            numbers,
            references: teller.references(shape)?,
            triggers: teller.triggers(shape, self.loud.effects.get(&shape.id).unwrap_or(&Effects::new()))?,
        })
    }
}

/// The tables that are not synced, and why.
pub(super) fn left_out(connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<LeftOut>> {
    let (mut found, mut left_out) = candidates(connection)?;
    found.retain(|candidate| catalogue.named(&candidate.name).is_none());
    let writable = leave_out_unwritable(connection, found, &mut left_out);
    left_out.extend(writable.into_iter().map(|table| LeftOut { table: table.name, why: WhyLeftOut::NotChosen }));
    left_out.sort_by(|one, other| one.table.cmp(&other.table));
    Ok(left_out)
}

struct Teller<'a> {
    connection: &'a Connection,
    has_hub: bool,
    from: Option<i64>,
    remotes: std::result::Result<i64, WhyNoRange>,
    as_is: &'a [String],
}

impl Teller<'_> {
    fn numbers(&self, shape: &TableShape) -> Outcome<Numbers> {
        let (table, statement) = (&shape.name, statement_with(self.connection, &shape.name)?);
        let autoincrement = statement.as_ref().is_some_and(|(stands, wanted)| stands == wanted);
        let own = match self.from {
            _ if !self.has_hub => OwnNumbers::ForGood,
            Some(from) if has_range(self.connection, table)? => OwnNumbers::Ranged { from: from.saturating_add(1) },
            _ => OwnNumbers::Shared { why: state::why_numbers_as_is(self.connection, table)?.filter(|why| why != "1") },
        };
        let is_as_is = self.as_is.iter().any(|name| name.eq_ignore_ascii_case(table));
        let remotes = match &self.remotes {
            _ if is_as_is => Err(WhyNoRange::AsIs),
            Err(why) => Err(why.clone()),
            Ok(start) => match why_not(self.connection, "main", shape, *start)? {
                Some(why) => Err(why),
                None if statement.is_none() => Err(WhyNoRange::Statement),
                None => Ok(start.saturating_add(1)),
            },
        };
        Ok(Numbers { own, autoincrement, remotes })
    }

    fn references(&self, shape: &TableShape) -> Outcome<Vec<ReferenceAbout>> {
        let declared = shape.parents.iter().map(|parent| ReferenceAbout {
            columns: parent.columns.iter().map(|(here, _)| here.clone()).collect(),
            to: RefersTo::Table(parent.table.clone()),
            said_by: SaidBy::ForeignKey,
        });
        let mut all: Vec<ReferenceAbout> = declared.collect();
        let keys = shape.keys.iter().zip(&shape.key_refers_to).map(|(key, to)| (key, to.as_ref(), None));
        let columns =
            shape.columns.iter().map(|column| (&column.name, column.refers_to.as_ref(), column.pair.as_ref()));
        for (column, table, pair) in keys.chain(columns).filter(|(column, _, _)| !shape.declares(column)) {
            let to = match (table, pair) {
                (Some(table), _) if *table == shape.name && shape.keys.contains(column) => continue,
                (Some(table), _) => RefersTo::Table(table.clone()),
                (None, Some(pair)) => {
                    RefersTo::ByType { column: pair.name.clone(), tables: pair.tables.iter().cloned().collect() }
                }
                (None, None) => continue,
            };
            let said_by = match references::origin(self.connection, &shape.name, column)? {
                Origin::Configuration => SaidBy::Configuration,
                Origin::Package => SaidBy::Package,
            };
            all.push(ReferenceAbout { columns: vec![column.clone()], to, said_by });
        }
        Ok(all)
    }

    /// The triggers on a table, and those that they set off in their turn.
    fn triggers(&self, shape: &TableShape, effects: &Effects) -> Outcome<Vec<TriggerAbout>> {
        let sql = "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' \
                   AND name NOT LIKE '\\_packhorse\\_%' ESCAPE '\\' ORDER BY name";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let all: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
        let off = effects.iter().find_map(|(name, effect)| Some((name, effect.deletes.first()?)));
        let effect_of =
            |name: &str| effects.iter().find(|known| known.0.eq_ignore_ascii_case(name)).map(|known| known.1);
        let concerned = all.into_iter().filter_map(|(name, table)| {
            let effect = effect_of(&name);
            let is_on = table.eq_ignore_ascii_case(&shape.name);
            let rule = match off {
                Some((because_of, deletes)) => {
                    TriggerRule::Off { because_of: because_of.clone(), deletes: deletes.clone() }
                }
                None => effect.map_or(TriggerRule::Runs, rule),
            };
            (is_on || effect.is_some()).then_some(TriggerAbout { name, table, rule })
        });
        Ok(concerned.collect())
    }
}

fn rule(effect: &Effect) -> TriggerRule {
    let writes = effect.ignored.clone();
    match (writes.is_empty(), effect.writes_elsewhere) {
        (true, _) => TriggerRule::Runs,
        (false, true) => TriggerRule::InPart { writes },
        (false, false) => TriggerRule::LeftOut { writes },
    }
}
