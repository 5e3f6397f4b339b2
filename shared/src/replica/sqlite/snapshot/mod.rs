//! A consistent view of the data and its marks.
//!
//! Leaves to `shared` which records a link shares, and how they stand to it.

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params_from_iter};

use super::bearing;
use super::catalogue::{Catalogue, Entry};
use super::conflicts;
use super::fault::{Fault, Outcome};
use super::membership;
use super::membership::belonging::{belonging, member, standing};
use super::metadata::unpack_birth;
use super::moves;
use super::state::{self, Progress};
use super::sweeping;
use super::terms;
use super::values::owned;
use crate::clock::{Reading, Stamp};
use crate::horizon::Horizon;
use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::link::Sweep;
use crate::marks::{Marks, Roster};
use crate::replica::{
    Audience, Belonging, Buried, ChangedRecord, KeyKind, Life, Overruled, Remains, Residence, Result, SharedRows,
    SharedTable, ShowSwept, ShowToMany, Snapshot, TableShape,
};
use crate::value::{Key, Value};
use shared::Look;

/// A read transaction on the reading connection, ended when this is dropped.
pub(super) struct SqliteSnapshot<'a> {
    reader: &'a Connection,
    path: PathBuf,
    catalogue: &'a Catalogue,
    roster: Roster,
    progress: Progress,
    horizon: Horizon,
    births: Horizon,
}

impl<'a> SqliteSnapshot<'a> {
    /// Takes over a read transaction that has begun.
    pub fn begun(reader: &'a Connection, path: &Path, catalogue: &'a Catalogue) -> Result<Self> {
        let load = || {
            let (roster, progress) = (state::roster(reader)?, Progress::load(reader)?);
            let (horizon, births) = (state::horizon(reader)?, state::births(reader)?);
            Ok(Self { reader, path: path.to_owned(), catalogue, roster, progress, horizon, births })
        };
        match load() {
            Ok(begun) => Ok(begun),
            Err(fault) => {
                end(reader);
                Err(Fault::at(fault, path, "be read"))
            }
        }
    }

    /// Shows a table's records before all cuts after a key; the place reached if `show` had enough.
    fn sweep_table(
        &self,
        entry: &Entry,
        shared: SharedRows,
        after: Option<&Key>,
        show: &mut dyn FnMut(&dyn ChangedRecord) -> Result<ControlFlow<()>>,
    ) -> Outcome<Option<Sweep>> {
        let mut statement = self.reader.prepare_cached(sweeping::sql(entry, after))?;
        let mut rows = sweeping::rows(&mut statement, after)?;
        while let Some(row) = rows.next()? {
            let place = sweeping::after(&entry.shape, &entry.metadata.key(row)?)?;
            let packed = row.get_ref(entry.shape.keys.len() + 1)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let marks = packed.map(|packed| Marks::unpack(packed, &self.roster)).transpose()?.unwrap_or_default();
            let member = member(self.reader, entry, shared, &entry.metadata.key(row)?)?;
            let Some(belonging @ Belonging::Since(_)) = standing(member, None) else { continue };
            if show(&self.record(entry, row, Said::Present(marks), belonging, 2)?)?.is_break() {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn try_sweep(&self, tables: &[SharedTable], from: &Sweep, show: &mut ShowSwept<'_>) -> Outcome<Sweep> {
        let Some((first, mut after)) = sweeping::resume(tables, from)? else { return Ok(Sweep::Done) };
        for (at, table) in tables.iter().enumerate().skip(first) {
            let key = after.take();
            let Some(entry) = self.catalogue.entry(&table.shape) else { continue };
            let reached = self.sweep_table(entry, table.rows, key.as_ref(), &mut |record| show(at, record))?;
            if let Some(reached) = reached {
                return Ok(reached);
            }
        }
        Ok(Sweep::Done)
    }

    fn is_standing(&self, entry: &Entry, key: &Key) -> Outcome<bool> {
        Ok(self.reader.prepare_cached(&entry.sql.exists)?.exists(params_from_iter(&key.0))?)
    }

    fn try_boundary(&self, link: LinkId, tables: &[SharedTable], since: Cut, records: u64) -> Outcome<Cut> {
        let mut counts: BTreeMap<Cut, u64> = BTreeMap::new();
        for table in tables {
            let Some(entry) = self.catalogue.entry(&table.shape) else { continue };
            for sql in &entry.sql.counts {
                self.count_until(sql, &[since.0 as i64], records, &mut counts)?;
            }
            let [members, exceptions] = entry.members.counts();
            if let SharedRows::Members(of) = table.rows {
                self.count_until(members, &[since.0 as i64, of.0], records, &mut counts)?;
            }
            if self.excepts(link, entry)? {
                self.count_until(exceptions, &[since.0 as i64, link.0.into()], records, &mut counts)?;
            }
        }
        let (mut total, mut boundary) = (0, None);
        for (cut, count) in counts {
            total += count;
            if total > records && boundary.is_some() {
                return Ok(boundary.unwrap_or(cut));
            }
            boundary = Some(cut);
        }
        let more = total > records;
        Ok(boundary.filter(|_| more).unwrap_or(self.progress.cut))
    }

    /// Counts as far as it takes to see that there are more than `records`.
    fn count_until(&self, sql: &str, after: &[i64], records: u64, counts: &mut BTreeMap<Cut, u64>) -> Outcome<()> {
        let mut statement = self.reader.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(after))?;
        let mut total = 0;
        while let Some(row) = rows.next()? {
            let (cut, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            *counts.entry(Cut(cut as u64)).or_default() += count as u64;
            total += count as u64;
            if total > records {
                break;
            }
        }
        Ok(())
    }

    /// The record of a row: its key, its birth, and its values after so many columns that follow the key.
    fn record<'r>(
        &'r self,
        entry: &Entry,
        row: &'r Row<'r>,
        said: Said,
        belonging: Belonging,
        between: usize,
    ) -> Outcome<Record<'r>> {
        let keys = entry.shape.keys.len();
        let birth = row.get_ref(keys)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        let (key, mut birth) = (entry.metadata.key(row)?, unpack_birth(birth, &self.roster)?);
        if matches!(said, Said::Present(_)) && entry.shape.bears_numbers() {
            birth = bearing::now(self.reader, self.catalogue, &entry.shape, &key, &self.roster)?;
        }
        let values = Values::InRow { row, first: keys + between };
        Ok(Record { key, birth, said, belonging, values, path: &self.path })
    }
}

fn blob<'a>(row: &'a Row<'_>, at: usize) -> Outcome<&'a [u8]> {
    Ok(row.get_ref(at)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// A read transaction that cannot be ended is ended with its connection; there is nothing that it could lose.
fn end(reader: &Connection) {
    let _ = reader.execute_batch("ROLLBACK");
}

impl Drop for SqliteSnapshot<'_> {
    fn drop(&mut self) {
        end(self.reader);
    }
}

impl Snapshot for SqliteSnapshot<'_> {
    fn cut(&self) -> Cut {
        self.progress.cut
    }

    fn clock(&self) -> Reading {
        self.progress.clock.latest()
    }

    fn changed_for(
        &self,
        audience: &Audience,
        table: &TableShape,
        since: Cut,
        upto: Cut,
        show: &mut ShowToMany<'_>,
    ) -> Result<()> {
        let Some(entry) = self.catalogue.entry(table) else { return Ok(()) };
        let mut work = || {
            let look = Look { entry, audience, apart: self.apart(audience, entry)?, range: [since, upto] };
            self.try_changed_for(&look, show)
        };
        work().map_err(|fault: Fault| fault.at(&self.path, "be read"))
    }

    fn must_be_judged(&self, link: LinkId) -> Result<()> {
        let judged = membership::fit::must_be_judged(self.reader, self.catalogue, link, self.progress.cut);
        judged.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn boundary(&self, link: LinkId, tables: &[SharedTable], since: Cut, records: u64) -> Result<Cut> {
        self.try_boundary(link, tables, since, records).map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn horizon(&self) -> Horizon {
        self.horizon
    }

    fn births(&self) -> Horizon {
        self.births
    }

    fn sweep(&self, tables: &[SharedTable], from: &Sweep, show: &mut ShowSwept<'_>) -> Result<Sweep> {
        self.try_sweep(tables, from, show).map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn birth_of(&self, table: &str, key: &Key, at: Option<Stamp>) -> Result<Option<Stamp>> {
        let entry = self.catalogue.entries().iter().find(|entry| entry.shape.name == table);
        let Some(entry) = entry else { return Ok(None) };
        let birth = bearing::birth_of(self.reader, entry, key, at, &self.roster);
        birth.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn given_birth(&self, table: &str, key: &Key) -> Result<Option<Stamp>> {
        let entry = self.catalogue.entries().iter().find(|entry| entry.shape.name == table);
        let Some(entry) = entry.filter(|entry| entry.shape.key_kind == KeyKind::Assigned) else { return Ok(None) };
        let birth = moves::born(self.reader, entry, key, &self.roster);
        birth.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn stands(&self, table: &TableShape, key: &Key) -> Result<bool> {
        let stands = self.catalogue.entry(table).map_or(Ok(false), |entry| self.is_standing(entry, key));
        stands.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn belonging(&self, link: LinkId, table: &SharedTable, key: &Key) -> Result<Option<Belonging>> {
        let Some(entry) = self.catalogue.entry(&table.shape) else { return Ok(None) };
        let link = entry.has_members.then_some(link);
        let belonging = belonging(self.reader, entry, table.rows, link, key);
        belonging.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn left_under(&self, table: &TableShape, key: &Key) -> Result<Vec<Buried>> {
        let Some(entry) = self.catalogue.entry(table) else { return Ok(Vec::new()) };
        let left = entry.metadata.all_remains(self.reader, key, &self.roster);
        left.map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn judged_at(&self, cut: Cut) -> Result<Reading> {
        membership::judged_at(self.reader, cut, self.clock()).map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn terms_owed(&self, link: LinkId, since: Option<Cut>) -> Result<Option<(Vec<u8>, Cut)>> {
        terms::owed(self.reader, link, since).map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn untold(&self) -> Result<BTreeSet<(TableId, ColumnId)>> {
        membership::gained::untold(self.reader).map_err(|fault| fault.at(&self.path, "be read"))
    }

    fn overruled(&self, link: LinkId, table: &SharedTable, since: Cut) -> Result<Vec<Overruled>> {
        conflicts::overruled(self.reader, link, table, since, &self.roster).map_err(|it| it.at(&self.path, "be read"))
    }

    fn united(&self, table: &TableShape, key: &Key) -> Result<Vec<(Residence, Residence)>> {
        let [Value::Integer(number)] = key.0.as_slice() else { return Ok(Vec::new()) };
        let united = moves::united(self.reader, table.id, *number, &self.roster);
        united.map_err(|fault| fault.at(&self.path, "be read"))
    }
}

enum Said {
    Present(Marks),
    Absent(Remains),
}

/// Where a record's values are.
enum Values<'a> {
    InRow { row: &'a Row<'a>, first: usize },
    Read(Vec<Value>),
}

struct Record<'a> {
    key: Key,
    birth: Option<Stamp>,
    said: Said,
    belonging: Belonging,
    values: Values<'a>,
    path: &'a Path,
}

impl ChangedRecord for Record<'_> {
    fn key(&self) -> &Key {
        &self.key
    }

    fn birth(&self) -> Option<Stamp> {
        self.birth
    }

    fn cut(&self) -> Cut {
        let own = match &self.said {
            Said::Present(marks) => marks.latest_cut(),
            Said::Absent(remains) => remains.latest_cut(),
        };
        own.max(self.belonging.cut())
    }

    fn belonging(&self) -> Belonging {
        self.belonging
    }

    fn life(&self) -> Life<'_> {
        match &self.said {
            Said::Present(marks) => Life::Present(marks),
            Said::Absent(remains) => Life::Absent(remains),
        }
    }

    fn value(&self, column: usize) -> Result<Value> {
        match &self.values {
            Values::InRow { row, first } => {
                let value = row.get_ref(first + column).map(owned);
                value.map_err(|error| Fault::from(error).at(self.path, "be read"))
            }
            Values::Read(values) => Ok(values.get(column).cloned().unwrap_or(Value::Null)),
        }
    }
}
