//! What links share of a table, in a snapshot: which of its records are shown, and how they stand to whom.
//!
//! Invariant: a record is shown in the range in which the latest of its changes lies, that of its membership among them; to
//! whom it never was shared, and whose peer does not have it, it is not shown at all. Many links are asked for in one pass:
//! what they share in common is looked up once.

use std::collections::BTreeSet;

use rusqlite::{Row, params_from_iter};

use super::{Record, Said, SqliteSnapshot, Values, blob};
use crate::id::{Cut, LinkId};
use crate::marks::Marks;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::membership::belonging::{OF_ALL, member, standing};
use crate::replica::sqlite::membership::rows::{Exception, State};
use crate::replica::sqlite::values::owned;
use crate::replica::{Audience, Belonging, Remains, ReplicaError, SharedRows, ShowToMany, Standings};
use crate::value::{Key, Value};

/// A look at what changed of a table.
pub(super) struct Look<'a> {
    pub entry: &'a Entry,
    /// Who asks.
    pub audience: &'a Audience,
    /// Those of them who make exceptions in it.
    pub apart: BTreeSet<LinkId>,
    /// After the first cut, up to the second.
    pub range: [Cut; 2],
}

impl Look<'_> {
    /// Whether every record that changed is shown to all, without a question.
    fn is_whole(&self) -> bool {
        self.apart.is_empty() && self.audience.rows().iter().all(|rows| *rows == SharedRows::All)
    }

    fn holds(&self, cut: Cut) -> bool {
        cut > self.range[0] && cut <= self.range[1]
    }

    fn bounds(&self) -> [i64; 2] {
        self.range.map(|cut| cut.0 as i64)
    }
}

impl SqliteSnapshot<'_> {
    pub(super) fn try_changed_for(&self, look: &Look<'_>, show: &mut ShowToMany<'_>) -> Outcome<()> {
        self.present(look, show)?;
        self.absent(look, show)?;
        if look.is_whole() { Ok(()) } else { self.moved(look, show) }
    }

    pub(super) fn excepts(&self, link: LinkId, entry: &Entry) -> Outcome<bool> {
        Ok(entry.has_members && entry.members.has_exceptions(self.reader, link)?)
    }

    /// The links of an audience that make exceptions in a table.
    pub(super) fn apart(&self, audience: &Audience, entry: &Entry) -> Outcome<BTreeSet<LinkId>> {
        let links = audience.links();
        if let (1, Some(only)) = (links.len(), links.keys().next()) {
            return Ok(self.excepts(*only, entry)?.then_some(*only).into_iter().collect());
        }
        if !entry.has_members {
            return Ok(BTreeSet::new());
        }
        let mut excepting = entry.members.excepting(self.reader)?;
        excepting.retain(|link| links.contains_key(link));
        Ok(excepting)
    }

    /// The records that stand, as far as they changed themselves in the range.
    fn present(&self, look: &Look<'_>, show: &mut ShowToMany<'_>) -> Outcome<()> {
        let entry = look.entry;
        let mut statement = self.reader.prepare_cached(&entry.sql.changed)?;
        let keys = entry.shape.keys.len();
        let mut rows = statement.query(look.bounds())?;
        while let Some(row) = rows.next()? {
            let Some(standings) = self.in_time(look, row)? else { continue };
            let stands: bool = row.get(keys + 2)?;
            if !stands {
                return Err(ReplicaError::Vanished { table: entry.shape.name.clone() }.into());
            }
            let standings = standings.only(|belonging| !matches!(belonging, Belonging::DiedAt(_)));
            if standings.is_shown() {
                let marks = Marks::unpack(blob(row, keys + 1)?, &self.roster)?;
                show(&self.record(entry, row, Said::Present(marks), SHOWN_BESIDE, 3)?, &standings)?;
            }
        }
        Ok(())
    }

    /// What is left of others, likewise.
    fn absent(&self, look: &Look<'_>, show: &mut ShowToMany<'_>) -> Outcome<()> {
        let entry = look.entry;
        let mut statement = self.reader.prepare_cached(&entry.sql.remains)?;
        let keys = entry.shape.keys.len();
        let mut rows = statement.query(look.bounds())?;
        while let Some(row) = rows.next()? {
            let Some(standings) = self.in_time(look, row)? else { continue };
            let remains = Remains::unpack(blob(row, keys + 1)?, &self.roster)?;
            let standings = standings.only(|belonging| is_meant(belonging, &remains));
            if standings.is_shown() {
                show(&self.record(entry, row, Said::Absent(remains), SHOWN_BESIDE, 3)?, &standings)?;
            }
        }
        Ok(())
    }

    /// How the record of a row stands to those to whom it came to stand so no later than the range ends; none if to nobody.
    fn in_time(&self, look: &Look<'_>, row: &Row<'_>) -> Outcome<Option<Standings>> {
        let standings = self.standings(look, || look.entry.metadata.key(row))?;
        let standings = standings.only(|belonging| belonging.cut() <= look.range[1]);
        Ok(standings.is_shown().then_some(standings))
    }

    /// How the record under a key stands to each of those who ask.
    fn standings(&self, look: &Look<'_>, key: impl FnOnce() -> rusqlite::Result<Key>) -> Outcome<Standings> {
        if look.is_whole() {
            return Ok(Standings { shared: vec![(SharedRows::All, SHOWN_BESIDE)], apart: Vec::new() });
        }
        let key = key()?;
        let members = self.members(look, &key)?;
        let exceptions = self.exceptions(look, &key)?;
        let of = |link: &LinkId| {
            let shares = look.audience.links().get(link)?;
            members.iter().find(|(rows, _)| rows == shares).map(|(_, member)| *member)
        };
        let apart = exceptions.into_iter().map(|(link, exception)| (link, standing(of(&link), Some(exception))));
        let apart = apart.collect();
        let shared = members.into_iter().filter_map(|(rows, member)| Some((rows, standing(Some(member), None)?)));
        Ok(Standings { shared: shared.collect(), apart })
    }

    /// One is looked up by itself: a record may be in many memberships.
    fn members(&self, look: &Look<'_>, key: &Key) -> Outcome<Vec<(SharedRows, (State, Cut))>> {
        let wanted = look.audience.rows();
        if let (1, Some(only)) = (wanted.len(), wanted.first()) {
            let found = member(self.reader, look.entry, *only, key)?;
            return Ok(found.map(|member| (*only, member)).into_iter().collect());
        }
        let whole = wanted.contains(&SharedRows::All).then_some((SharedRows::All, OF_ALL));
        let found = look.entry.members.members(self.reader, key)?.into_iter();
        let found = found.map(|(of, member)| (SharedRows::Members(of), member));
        Ok(whole.into_iter().chain(found.filter(|(rows, _)| wanted.contains(rows))).collect())
    }

    fn exceptions(&self, look: &Look<'_>, key: &Key) -> Outcome<Vec<(LinkId, (Exception, Cut))>> {
        let members = &look.entry.members;
        match (look.apart.len(), look.apart.first()) {
            (0, _) => Ok(Vec::new()),
            (1, Some(only)) => {
                let found = members.exception(self.reader, *only, key)?;
                Ok(found.map(|exception| (*only, exception)).into_iter().collect())
            }
            _ => {
                let mut found = members.all_exceptions(self.reader, key)?;
                found.retain(|(link, _)| look.apart.contains(link));
                Ok(found)
            }
        }
    }

    /// Shows the records whose standing changed and whose own latest change does not lie in the range.
    fn moved(&self, look: &Look<'_>, show: &mut ShowToMany<'_>) -> Outcome<()> {
        let members = &look.entry.members;
        let mut keys = Vec::new();
        for rows in look.audience.rows() {
            if let SharedRows::Members(of) = rows {
                keys.extend(members.changed(self.reader, *of, look.bounds())?);
            }
        }
        for link in &look.apart {
            keys.extend(members.excepted(self.reader, *link, look.bounds())?);
        }
        keys.sort_unstable();
        keys.dedup();
        keys.iter().try_for_each(|key| self.show_moved(look, key, show))
    }

    fn show_moved(&self, look: &Look<'_>, key: &Key, show: &mut ShowToMany<'_>) -> Outcome<()> {
        let standings = self.standings(look, || Ok(key.clone()))?.only(|belonging| look.holds(belonging.cut()));
        let died = standings.clone().only(|belonging| matches!(belonging, Belonging::DiedAt(_)));
        let others = standings.clone().only(|belonging| !matches!(belonging, Belonging::DiedAt(_)));
        let stands = others.is_shown() && self.show_standing(look, key, &others, show)?;
        if !stands {
            return self.show_gone(look, key, &standings, false, show);
        }
        self.show_gone(look, key, &died, false, show)?;
        // Who left may be another one than has the number now.
        let left = others.only(|belonging| matches!(belonging, Belonging::LeftAt(_)));
        self.show_gone(look, key, &left, true, show)
    }

    /// Shows the record that stands under a key; tells whether there is one.
    fn show_standing(
        &self,
        look: &Look<'_>,
        key: &Key,
        standings: &Standings,
        show: &mut ShowToMany<'_>,
    ) -> Outcome<bool> {
        let entry = look.entry;
        let mut statement = self.reader.prepare_cached(&entry.sql.values)?;
        let mut rows = statement.query(params_from_iter(&key.0))?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let known = entry.metadata.marks(self.reader, key, &self.roster)?;
        let (birth, marks) = known.map_or((None, Marks::default()), |known| (known.birth, known.marks));
        // What changed itself in the range is shown by that, and what changed after it comes later.
        if look.holds(marks.latest_cut()) || marks.latest_cut() > look.range[1] {
            return Ok(true);
        }
        let count = entry.shape.columns.len();
        let values = (0..count).map(|at| row.get_ref(at).map(owned)).collect::<rusqlite::Result<Vec<Value>>>()?;
        let (key, said, values) = (key.clone(), Said::Present(marks), Values::Read(values));
        show(&Record { key, birth, said, belonging: SHOWN_BESIDE, values, path: &self.path }, standings)?;
        Ok(true)
    }

    /// What is left of a record that died while it was shared, or the mere fact that one is shared no more.
    fn show_gone(
        &self,
        look: &Look<'_>,
        key: &Key,
        standings: &Standings,
        stands: bool,
        show: &mut ShowToMany<'_>,
    ) -> Outcome<()> {
        if !standings.is_shown() {
            return Ok(());
        }
        let record = |birth, remains| {
            let (key, said, values) = (key.clone(), Said::Absent(remains), Values::Read(Vec::new()));
            Record { key, birth, said, belonging: SHOWN_BESIDE, values, path: &self.path }
        };
        let buried = look.entry.metadata.all_remains(self.reader, key, &self.roster)?;
        let any = stands || !buried.is_empty();
        for buried in buried {
            let cut = buried.remains.latest_cut();
            let meant = standings.clone().only(|belonging| is_meant(belonging, &buried.remains));
            if !look.holds(cut) && cut <= look.range[1] && meant.is_shown() {
                show(&record(buried.birth, buried.remains), &meant)?;
            }
        }
        let left = standings.clone().only(|belonging| matches!(belonging, Belonging::LeftAt(_)));
        if !any && left.is_shown() {
            show(&record(None, Remains::default()), &left)?;
        }
        Ok(())
    }
}

/// How a record stands by itself: what it is to those who ask is told beside it.
const SHOWN_BESIDE: Belonging = Belonging::Since(Cut(0));

/// Whether what is left of a record is to be told: not of another one that has had the number since the member died. The member
/// may have been deleted elsewhere once more; all of the other one came since.
fn is_meant(belonging: Belonging, remains: &Remains) -> bool {
    match belonging {
        Belonging::DiedAt(at) => {
            let is_since = |cut: Cut| cut > at;
            let mut fields = remains.fields.iter().map(|field| field.mark.map_or(Cut(0), |mark| mark.cut));
            !remains.dead.is_some_and(|dead| is_since(dead.cut)) || remains.fields.is_empty() || !fields.all(is_since)
        }
        Belonging::Since(_) | Belonging::LeftAt(_) => true,
    }
}
