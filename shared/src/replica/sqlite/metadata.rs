//! The metadata of records: a table of marks and one of remains beside each synced table.
//!
//! Owns their layout. A record that has not changed since capture began has a row in neither. A living record's row
//! bears the table's own key; what is left of an absent one is kept by key and birth, since a number can be given
//! again (DESIGN section 6), and with it the keys that bear it (see `bearing`).

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::fault::Outcome;
use super::names::{PREFIX, joined, key_names, marks_table, quoted, remains_table};
use super::schema::Candidate;
use super::values::{bind_from, key_at};
use crate::clock::Stamp;
use crate::id::Cut;
use crate::marks::{Marks, Roster, pack_stamp, unpack_stamp};
use crate::replica::{Buried, KeyKind, Present, Remains};
use crate::value::Key;

/// What is left of withdrawn records (see [`crate::replica::Remains::pack`]), as the index says it.
const IS_WITHDRAWN: &str = "substr(remains, 1, 1) >= x'02'";

/// Makes the metadata tables of a synced table. `rowid_key`: the key is a rowid, which saves a byte or three a record.
pub(super) fn create(connection: &Connection, table: &Candidate) -> Outcome<()> {
    let (keys, rowid_key, kind, table) = (table.keys.len(), table.rowid_key, table.key_kind, table.name.as_str());
    let (marks, remains, names) = (marks_table(table), remains_table(table), key_names(keys));
    let (columns, without_rowid) = if rowid_key {
        ("k1 INTEGER PRIMARY KEY, birth BLOB, marks BLOB NOT NULL, cut INTEGER NOT NULL".to_owned(), "")
    } else {
        let columns = format!("{names}, birth BLOB, marks BLOB NOT NULL, cut INTEGER NOT NULL, PRIMARY KEY ({names})");
        (columns, " WITHOUT ROWID")
    };
    connection.execute_batch(&format!(
        "CREATE TABLE {marks} ({columns}){without_rowid};
         CREATE INDEX {} ON {marks} (cut);
         CREATE TABLE {remains} ({names}, birth BLOB NOT NULL, remains BLOB NOT NULL, cut INTEGER NOT NULL,
             PRIMARY KEY ({names}, birth)) WITHOUT ROWID;
         CREATE INDEX {} ON {remains} (cut);
         CREATE INDEX {} ON {remains} (cut) WHERE {IS_WITHDRAWN};",
        quoted(&format!("{PREFIX}mc_{table}")),
        quoted(&format!("{PREFIX}tc_{table}")),
        quoted(&format!("{PREFIX}tw_{table}")),
    ))?;
    if kind == KeyKind::Assigned {
        connection.execute_batch(&format!(
            "CREATE INDEX {} ON {marks} (birth) WHERE birth > x'';
             CREATE INDEX {} ON {remains} (birth) WHERE birth > x'';",
            quoted(&format!("{PREFIX}mb_{table}")),
            quoted(&format!("{PREFIX}tb_{table}")),
        ))?;
    }
    Ok(())
}

/// The statements on one table's metadata, as text that the connection's statement cache knows again.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    keys: usize,
    find_marks: String,
    put_marks: String,
    drop_marks: String,
    find_all_remains: String,
    put_remains: String,
    drop_remains: String,
    born: [String; 2],
    marks_by_cut: String,
    remains_by_cut: String,
    changed_keys: [String; 2],
    forget_withdrawn: String,
    all_keys: String,
}

impl Metadata {
    /// The statements for a table with this many key columns.
    pub fn of(table: &str, keys: usize) -> Self {
        let (marks, remains, names) = (marks_table(table), remains_table(table), key_names(keys));
        let is_key = joined(keys, " AND ", |at| format!("k{0} = ?{0}", at + 1));
        let holes = joined(keys, ", ", |at| format!("?{}", at + 1));
        let same_key = joined(keys, " AND ", |at| format!("r.k{0} = m.k{0}", at + 1));
        let (a, b, c) = (keys + 1, keys + 2, keys + 3);
        Self {
            keys,
            find_marks: format!("SELECT birth, marks FROM {marks} WHERE {is_key}"),
            put_marks: format!(
                "INSERT INTO {marks} ({names}, birth, marks, cut) VALUES ({holes}, ?{a}, ?{b}, ?{c}) \
                 ON CONFLICT ({names}) DO UPDATE SET birth = excluded.birth, marks = excluded.marks, cut = excluded.cut"
            ),
            drop_marks: format!("DELETE FROM {marks} WHERE {is_key}"),
            find_all_remains: format!("SELECT birth, remains, cut FROM {remains} WHERE {is_key}"),
            put_remains: format!(
                "INSERT INTO {remains} ({names}, birth, remains, cut) VALUES ({holes}, ?{a}, ?{b}, ?{c}) \
                 ON CONFLICT ({names}, birth) DO UPDATE SET remains = excluded.remains, cut = excluded.cut"
            ),
            drop_remains: format!("DELETE FROM {remains} WHERE {is_key} AND birth = ?{a}"),
            born: [&marks, &remains].map(|metadata| {
                // As the indexes say it: an empty birth, or none, is nobody's.
                format!("SELECT k1 FROM {metadata} WHERE birth = ?1 AND birth > x''")
            }),
            all_keys: format!("SELECT {names} FROM {marks}"),
            forget_withdrawn: format!("DELETE FROM {remains} WHERE {IS_WITHDRAWN} AND cut <= ?1"),
            changed_keys: [&marks, &remains]
                .map(|table| format!("SELECT {names} FROM {table} WHERE cut > ?1 AND cut <= ?2")),
            marks_by_cut: format!(
                "SELECT {names}, birth, marks, cut FROM {marks} m WHERE cut > ?1 AND cut <= ?2 AND NOT EXISTS \
                 (SELECT 1 FROM {remains} r WHERE {same_key}) ORDER BY cut"
            ),
            remains_by_cut: format!(
                "SELECT {names}, birth, remains, cut FROM {remains} WHERE cut > ?1 AND cut <= ?2 ORDER BY cut"
            ),
        }
    }

    /// The marks and birth of a living record, if it changed since capture began.
    pub fn marks(&self, connection: &Connection, key: &Key, roster: &Roster) -> Outcome<Option<Present>> {
        let mut statement = connection.prepare_cached(&self.find_marks)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let birth = unpack_birth(row.get_ref(0)?.as_blob_or_null().map_err(rusqlite::Error::from)?, roster)?;
        let marks = Marks::unpack(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, roster)?;
        Ok(Some(Present { birth, marks }))
    }

    /// Stores a living record's marks.
    pub fn put_marks(&self, connection: &Connection, key: &Key, present: &Present, roster: &Roster) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.put_marks)?;
        let after = bind_from(&mut statement, 1, &key.0)?;
        statement.raw_bind_parameter(after, pack_birth(present.birth, roster)?)?;
        statement.raw_bind_parameter(after + 1, present.marks.pack(roster)?)?;
        statement.raw_bind_parameter(after + 2, present.marks.latest_cut().0 as i64)?;
        statement.raw_execute()?;
        Ok(())
    }

    /// Forgets a record's marks: it stands no more.
    pub fn drop_marks(&self, connection: &Connection, key: &Key) -> Outcome<()> {
        connection.prepare_cached(&self.drop_marks)?.execute(params_from_iter(&key.0))?;
        Ok(())
    }

    /// Where the last record under this key was buried, if one was.
    pub fn last_burial(&self, connection: &Connection, key: &Key) -> Outcome<Option<Cut>> {
        let mut statement = connection.prepare_cached(&self.find_all_remains)?;
        let cuts = statement.query_map(params_from_iter(&key.0), |row| row.get::<_, i64>(2))?;
        let last = cuts.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().max();
        Ok(last.map(|cut| Cut(cut as u64)))
    }

    /// Stores what is left of a record.
    pub fn put_remains(
        &self,
        connection: &Connection,
        key: &Key,
        birth: Option<Stamp>,
        remains: &Remains,
        roster: &Roster,
    ) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.put_remains)?;
        let after = bind_from(&mut statement, 1, &key.0)?;
        statement.raw_bind_parameter(after, pack_birth(birth, roster)?.unwrap_or_default())?;
        statement.raw_bind_parameter(after + 1, remains.pack(roster)?)?;
        statement.raw_bind_parameter(after + 2, remains.latest_cut().0 as i64)?;
        statement.raw_execute()?;
        Ok(())
    }

    /// Forgets what was left of a record.
    pub fn drop_remains(
        &self,
        connection: &Connection,
        key: &Key,
        birth: Option<Stamp>,
        roster: &Roster,
    ) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.drop_remains)?;
        let after = bind_from(&mut statement, 1, &key.0)?;
        statement.raw_bind_parameter(after, pack_birth(birth, roster)?.unwrap_or_default())?;
        statement.raw_execute()?;
        Ok(())
    }

    /// Every birth and what is left of it, of the records that stood under a key.
    pub fn all_remains(&self, connection: &Connection, key: &Key, roster: &Roster) -> Outcome<Vec<Buried>> {
        let mut statement = connection.prepare_cached(&self.find_all_remains)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let birth = unpack_birth(Some(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?), roster)?;
            let remains = Remains::unpack(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, roster)?;
            all.push(Buried { birth, remains });
        }
        Ok(all)
    }

    /// Forgets the remains under a key and a birth as it is stored.
    pub fn drop_stored_remains(&self, connection: &Connection, key: &Key, birth: &[u8]) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.drop_remains)?;
        let after = bind_from(&mut statement, 1, &key.0)?;
        statement.raw_bind_parameter(after, birth)?;
        statement.raw_execute()?;
        Ok(())
    }

    /// The statement that goes through the marks between two cuts, in order: key, birth, marks, cut. Without those of
    /// keys under which something is buried.
    pub fn marks_by_cut(&self) -> &str {
        &self.marks_by_cut
    }

    /// The same for remains: key, birth, remains, cut.
    pub fn remains_by_cut(&self) -> &str {
        &self.remains_by_cut
    }

    /// The statement that finds the keys of all records with marks.
    pub fn all_keys(&self) -> &str {
        &self.all_keys
    }

    /// Whether any record has changed since a cut.
    pub fn has_changed(&self, connection: &Connection, since: Cut) -> Outcome<bool> {
        for sql in &self.changed_keys {
            if connection.prepare_cached(sql)?.exists([since.0 as i64, i64::MAX])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets what is left of withdrawn records whose edits lie up to a cut. `waiting`: the keys of those that are to come
    /// back and cannot yet. What was edited before they went is later than what their hub said before it heard of that.
    pub fn forget_withdrawn(
        &self,
        connection: &Connection,
        upto: Cut,
        waiting: &[&Key],
        roster: &Roster,
    ) -> Outcome<()> {
        let mut kept = Vec::new();
        for key in waiting {
            let left = self.all_remains(connection, key, roster)?.into_iter();
            kept.extend(left.filter(|left| left.remains.withdrawn).map(|left| (key, left)));
        }
        connection.prepare_cached(&self.forget_withdrawn)?.execute([upto.0 as i64])?;
        kept.iter().try_for_each(|(key, left)| self.put_remains(connection, key, left.birth, &left.remains, roster))
    }

    /// The statements that find the keys of what changed between two cuts.
    pub fn changed_keys(&self) -> &[String; 2] {
        &self.changed_keys
    }

    /// The key at the front of a row of ours.
    pub fn key(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Key> {
        key_at(row, 0, self.keys)
    }

    /// The number of the record with a birth, in a table with assigned keys.
    pub fn number_of(&self, connection: &Connection, birth: Stamp, roster: &Roster) -> Outcome<Option<i64>> {
        if roster.number(birth.node).is_none() {
            return Ok(None);
        }
        let packed = pack_birth(Some(birth), roster)?;
        for sql in &self.born {
            let mut statement = connection.prepare_cached(sql)?;
            if let Some(number) = statement.query_row([&packed], |row| row.get(0)).optional()? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The birth of the record under a key.
    pub fn birth(&self, connection: &Connection, key: &Key, roster: &Roster) -> Outcome<Option<Stamp>> {
        let mut statement = connection.prepare_cached(&self.find_marks)?;
        let birth: Option<Option<Vec<u8>>> =
            statement.query_row(params_from_iter(&key.0), |row| row.get(0)).optional()?;
        Ok(unpack_birth(birth.flatten().as_deref(), roster)?)
    }
}

/// The stored form of a birth: NULL (or empty, where it is part of a key) for a record older than capture.
pub(super) fn pack_birth(birth: Option<Stamp>, roster: &Roster) -> Outcome<Option<Vec<u8>>> {
    let Some(stamp) = birth else { return Ok(None) };
    let mut bytes = Vec::with_capacity(10);
    pack_stamp(&mut bytes, stamp, roster)?;
    Ok(Some(bytes))
}

/// Reads a stored birth.
pub(super) fn unpack_birth(bytes: Option<&[u8]>, roster: &Roster) -> Result<Option<Stamp>, crate::marks::DamagedMarks> {
    match bytes {
        None | Some([]) => Ok(None),
        Some(mut bytes) => unpack_stamp(&mut bytes, roster).map(Some),
    }
}
