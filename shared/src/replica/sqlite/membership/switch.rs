//! A link that shares something else from now on: what its peer lacks is owed to it, what it has too much is withdrawn.
//!
//! Owns the exceptions that this makes, spread over cuts so that they can be sent in parts. Leaves tables and columns that are
//! shared no more to the peer, which is told by its configuration.

use rusqlite::Connection;

use super::plan::CHUNK;
use super::rows::{Exception, State, exceptions_table, members_table, shared_keys};
use crate::id::{Cut, LinkId};
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::{joined, key_names, remains_table};
use crate::replica::{SharedRows, SharedTable};

/// What a link shares of a table, before and after.
pub(super) struct Switch<'a> {
    pub connection: &'a Connection,
    pub link: LinkId,
    /// The peer has what was sent up to here.
    pub acked: Cut,
    /// After this cut the exceptions are put.
    pub after: Cut,
}

impl Switch<'_> {
    /// Notes the exceptions in one table; tells the last cut that they take.
    pub fn table(&self, entry: &Entry, before: Option<&SharedTable>, now: Option<&SharedTable>) -> Outcome<Cut> {
        let Some(now) = now else {
            self.clear(entry)?;
            return Ok(self.after);
        };
        let keys = entry.shape.keys.len();
        let shared = selection(entry, now.rows);
        let gained_columns = before.is_some_and(|before| now.columns.iter().any(|at| !before.columns.contains(at)));
        let had = match before {
            Some(before) if !gained_columns => self.received(entry, before.rows),
            _ => format!("SELECT {} WHERE 0", joined(keys, ", ", |_| "NULL".to_owned())),
        };
        let uncertain = self.uncertain(entry);
        let might = before.map_or_else(
            || uncertain.clone(),
            |before| {
                let shared = selection(entry, before.rows);
                format!("{shared} UNION {} UNION {uncertain}", self.untold(entry, before.rows))
            },
        );
        // Who died before the peer shared it is taken off, and nothing is told of what it was.
        let might = format!("{might} UNION {}", self.untold(entry, now.rows));
        let names = key_names(keys);
        self.connection.execute_batch(&format!(
            "CREATE TEMP TABLE _packhorse_lacks AS {shared} EXCEPT SELECT * FROM ({had});
             CREATE TEMP TABLE _packhorse_strays AS SELECT * FROM ({might}) EXCEPT {shared};"
        ))?;
        self.clear(entry)?;
        let mut last = self.after;
        for (from, kind) in [("_packhorse_lacks", Exception::Lacks), ("_packhorse_strays", Exception::Stray)] {
            let exceptions = exceptions_table(&entry.shape.name);
            let sql = format!(
                "INSERT OR REPLACE INTO {exceptions} (owner, {names}, kind, cut) \
                 SELECT ?1, {names}, ?2, ?3 + 1 + (row_number() OVER () - 1) / {CHUNK} FROM temp.{from}"
            );
            let put = self.connection.execute(&sql, [self.link.0.into(), kind.kind(), last.0 as i64])?;
            last = Cut(last.0 + (put as u64).div_ceil(CHUNK as u64));
        }
        self.connection.execute_batch("DROP TABLE temp._packhorse_lacks; DROP TABLE temp._packhorse_strays")?;
        Ok(last)
    }

    /// What the peer has for certain of what was shared.
    fn received(&self, entry: &Entry, rows: SharedRows) -> String {
        let long_since = match rows {
            SharedRows::All => String::new(),
            SharedRows::Members(_) => format!(" AND cut <= {}", self.acked.0),
        };
        format!("SELECT * FROM ({}{long_since}) EXCEPT {}", selection(entry, rows), self.uncertain(entry))
    }

    /// What it may have, since it has not been told that it died or left.
    fn untold(&self, entry: &Entry, rows: SharedRows) -> String {
        let (shape, names) = (&entry.shape, key_names(entry.shape.keys.len()));
        match rows {
            SharedRows::All => {
                let table = remains_table(&shape.name);
                format!("SELECT {names} FROM {table} WHERE cut > {}", self.acked.0)
            }
            SharedRows::Members(of) => {
                let (table, member) = (members_table(&shape.name), State::Member.kind());
                let of = format!("owner = {} AND kind <> {member}", of.0);
                format!("SELECT {names} FROM {table} WHERE {of} AND cut > {}", self.acked.0)
            }
        }
    }

    /// What it may have or not: exceptions that it has not acknowledged.
    fn uncertain(&self, entry: &Entry) -> String {
        let (table, names) = (exceptions_table(&entry.shape.name), key_names(entry.shape.keys.len()));
        format!("SELECT {names} FROM {table} WHERE owner = {} AND cut > {}", self.link.0, self.acked.0)
    }

    fn clear(&self, entry: &Entry) -> Outcome<()> {
        let sql = format!("DELETE FROM {} WHERE owner = ?1", exceptions_table(&entry.shape.name));
        self.connection.execute(&sql, [self.link.0])?;
        Ok(())
    }
}

/// The keys of the records that are shared.
fn selection(entry: &Entry, rows: SharedRows) -> String {
    shared_keys(&entry.shape, rows, &members_table(&entry.shape.name))
}
