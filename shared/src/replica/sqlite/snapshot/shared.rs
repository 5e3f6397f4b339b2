//! What a link shares of a table, in a snapshot: which of its records are shown, and how they stand to it.
//!
//! Invariant: a record is shown in the range in which the latest of its changes lies, that of its membership among them; one
//! that never was shared, nor is had by the peer, is not shown at all.

use rusqlite::params_from_iter;

use super::{Record, Said, SqliteSnapshot, Values};
use crate::id::{Cut, LinkId};
use crate::marks::Marks;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::membership::belonging::belonging;
use crate::replica::sqlite::values::owned;
use crate::replica::{Belonging, Remains, SharedRows, Show};
use crate::value::{Key, Value};

/// What a link shares of a table, and of which changes.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub link: LinkId,
    pub entry: &'a Entry,
    pub rows: SharedRows,
    /// After the first cut, up to the second.
    pub range: [Cut; 2],
    /// Whether the link makes exceptions in it.
    pub excepts: bool,
}

impl Part<'_> {
    /// Whether every record that changed is shown, without a question.
    pub fn is_whole(&self) -> bool {
        self.rows == SharedRows::All && !self.excepts
    }

    pub fn holds(&self, cut: Cut) -> bool {
        cut > self.range[0] && cut <= self.range[1]
    }
}

impl SqliteSnapshot<'_> {
    pub(super) fn excepts(&self, link: LinkId, entry: &Entry) -> Outcome<bool> {
        Ok(entry.has_members && entry.members.has_exceptions(self.reader, link)?)
    }

    /// How the record under a key stands to what is shared; None if it never was.
    pub(super) fn belonging(&self, part: &Part<'_>, key: &Key) -> Outcome<Option<Belonging>> {
        let link = part.excepts.then_some(part.link);
        belonging(self.reader, part.entry, part.rows, link, key)
    }

    /// Shows the records whose standing changed and whose own latest change does not lie in the range.
    pub(super) fn moved(&self, part: &Part<'_>, show: &mut Show<'_>) -> Outcome<()> {
        let range = part.range.map(|cut| cut.0 as i64);
        let members = &part.entry.members;
        let mut keys = match part.rows {
            SharedRows::All => Vec::new(),
            SharedRows::Members(of) => members.changed(self.reader, of, range)?,
        };
        if part.excepts {
            keys.extend(members.excepted(self.reader, part.link, range)?);
        }
        keys.sort_unstable();
        keys.dedup();
        keys.iter().try_for_each(|key| self.show_moved(part, key, show))
    }

    fn show_moved(&self, part: &Part<'_>, key: &Key, show: &mut Show<'_>) -> Outcome<()> {
        let Some(belonging) = self.belonging(part, key)?.filter(|belonging| part.holds(belonging.cut())) else {
            return Ok(());
        };
        let stands = self.show_standing(part, key, belonging, show)?;
        // Who left may be another one than has the number now.
        if !stands || matches!(belonging, Belonging::LeftAt(_)) {
            self.show_gone(part, key, belonging, stands, show)?;
        }
        Ok(())
    }

    /// Shows the record that stands under a key; tells whether there is one.
    fn show_standing(&self, part: &Part<'_>, key: &Key, belonging: Belonging, show: &mut Show<'_>) -> Outcome<bool> {
        let entry = part.entry;
        let mut statement = self.reader.prepare_cached(&entry.sql.values)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        let Some(row) = rows.next()?.filter(|_| !matches!(belonging, Belonging::DiedAt(_))) else { return Ok(false) };
        let known = entry.metadata.marks(self.reader, key, &self.roster)?;
        let (birth, marks) = known.map_or((None, Marks::default()), |known| (known.birth, known.marks));
        // What changed itself in the range is shown by that, and what changed after it comes later.
        if part.holds(marks.latest_cut()) || marks.latest_cut() > part.range[1] {
            return Ok(true);
        }
        let count = entry.shape.columns.len();
        let values = (0..count).map(|at| row.get_ref(at).map(owned)).collect::<rusqlite::Result<Vec<Value>>>()?;
        let (key, said, values) = (key.clone(), Said::Present(marks), Values::Read(values));
        show(&Record { key, birth, said, belonging, values, path: &self.path })?;
        Ok(true)
    }

    /// What is left of a record that died while it was shared, or the mere fact that one is shared no more.
    fn show_gone(
        &self,
        part: &Part<'_>,
        key: &Key,
        belonging: Belonging,
        stands: bool,
        show: &mut Show<'_>,
    ) -> Outcome<()> {
        let left = part.entry.metadata.all_remains(self.reader, key, &self.roster)?;
        let mut any = stands;
        for buried in left {
            let cut = buried.remains.latest_cut();
            any = true;
            if part.holds(cut) || cut > part.range[1] || !is_meant(belonging, &buried.remains) {
                continue;
            }
            let said = Said::Absent(buried.remains);
            let record = Record {
                key: key.clone(),
                birth: buried.birth,
                said,
                belonging,
                values: Values::Read(Vec::new()),
                path: &self.path,
            };
            show(&record)?;
        }
        if !any && matches!(belonging, Belonging::LeftAt(_)) {
            let said = Said::Absent(Remains::default());
            let values = Values::Read(Vec::new());
            show(&Record { key: key.clone(), birth: None, said, belonging, values, path: &self.path })?;
        }
        Ok(())
    }
}

/// Whether what is left of a record is to be told: not of another one that has had the number since the member died.
pub(super) fn is_meant(belonging: Belonging, remains: &Remains) -> bool {
    match belonging {
        Belonging::DiedAt(at) => remains.dead.is_none_or(|dead| dead.cut <= at),
        Belonging::Since(_) | Belonging::LeftAt(_) => true,
    }
}
