//! How a record stands to what a link shares: by its membership, and by what the link makes an exception of.

use rusqlite::{Connection, OptionalExtension};

use super::rows::{Exception, State};
use crate::id::{Cut, LinkId};
use crate::marks::Roster;
use crate::replica::sqlite::catalogue::Entry;
use crate::replica::sqlite::fault::Outcome;
use crate::replica::{Belonging, MembershipId, SharedRows, Spoken};
use crate::value::Key;

/// How every record of a table stands that is shared whole.
pub(in super::super) const OF_ALL: (State, Cut) = (State::Member, Cut(0));

/// How the record under a key stands; None if it never was shared and the peer does not have it. `link`: whose exceptions
/// count, if it makes any.
pub(in super::super) fn belonging(
    connection: &Connection,
    entry: &Entry,
    rows: SharedRows,
    link: Option<LinkId>,
    key: &Key,
) -> Outcome<Option<Belonging>> {
    let exception = link.map(|link| entry.members.exception(connection, link, key)).transpose()?.flatten();
    Ok(standing(member(connection, entry, rows, key)?, exception))
}

/// How it stands to what is shared, leaving every link's exceptions out.
pub(in super::super) fn member(
    connection: &Connection,
    entry: &Entry,
    rows: SharedRows,
    key: &Key,
) -> Outcome<Option<(State, Cut)>> {
    match rows {
        SharedRows::All => Ok(Some(OF_ALL)),
        SharedRows::Members(of) => entry.members.member(connection, of, key),
    }
}

/// How a record stands that is so much of a member, and of which a link makes this exception, if it makes any.
pub(in super::super) fn standing(
    member: Option<(State, Cut)>,
    exception: Option<(Exception, Cut)>,
) -> Option<Belonging> {
    match (member, exception) {
        (Some((State::Member, since)), Some((Exception::Lacks | Exception::Stray, known))) => {
            Some(Belonging::Since(since.max(known)))
        }
        // It came from there, as it is here but for what changed since.
        (Some((State::Member, _)), Some((Exception::Holds, _))) => Some(Belonging::Since(Cut(0))),
        (Some((State::Member, since)), _) => Some(Belonging::Since(since)),
        (Some((State::Left | State::Died, at)), Some((Exception::Stray, known))) => {
            Some(Belonging::LeftAt(at.max(known)))
        }
        (Some((State::Left, at)), _) => Some(Belonging::LeftAt(at)),
        (Some((State::Died, at)), _) => Some(Belonging::DiedAt(at)),
        (None, Some((_, at))) => Some(Belonging::LeftAt(at)),
        (None, None) => None,
    }
}

/// Whether who had a key at a cut has died since, even if the key is another's by now. Who died once more, having died before
/// who has the key now was there, did not have it then.
pub(super) fn has_died(
    connection: &Connection,
    entry: &Entry,
    roster: &Roster,
    key: &Key,
    since: Cut,
) -> Outcome<bool> {
    if let Some(present) = entry.metadata.marks(connection, key, roster)? {
        let columns = entry.shape.column_ids();
        let marks = columns.iter().map(|column| present.marks.get(*column));
        if marks.into_iter().any(|mark| mark.is_none_or(|mark| mark.cut <= since)) {
            return Ok(false);
        }
    }
    let left = entry.metadata.all_remains(connection, key, roster)?;
    let deaths = left.iter().filter(|left| !left.remains.living()).filter_map(|left| left.remains.dead);
    Ok(deaths.into_iter().any(|dead| dead.cut > since))
}

/// Whether who is a member under a key is no longer who has it: that has not been looked at yet.
fn has_changed_hands(
    connection: &Connection,
    entry: &Entry,
    rows: SharedRows,
    roster: &Roster,
    key: &Key,
) -> Outcome<bool> {
    let looked = looked_to(connection, rows)?;
    looked.map_or(Ok(false), |looked| has_died(connection, entry, roster, key, looked))
}

/// The memberships under a key that are not those of who stands under it: of one that has died and had it before.
pub(in super::super) fn of_who_had_it(
    connection: &Connection,
    entry: &Entry,
    roster: &Roster,
    key: &Key,
) -> Outcome<Vec<(MembershipId, (State, Cut))>> {
    let mut of_another = Vec::new();
    for (of, (state, cut)) in entry.members.members(connection, key)? {
        let is_of_another = match state {
            State::Died => true,
            State::Member => has_changed_hands(connection, entry, SharedRows::Members(of), roster, key)?,
            State::Left => false,
        };
        of_another.extend(is_of_another.then_some((of, (state, cut))));
    }
    Ok(of_another)
}

/// Up to which cut it was looked at who is a member.
fn looked_to(connection: &Connection, rows: SharedRows) -> Outcome<Option<Cut>> {
    let SharedRows::Members(of) = rows else { return Ok(None) };
    let sql = "SELECT evaluated_to FROM _packhorse_memberships WHERE id = ?1 AND evaluated_to IS NOT NULL";
    let looked: Option<i64> = connection.prepare_cached(sql)?.query_row([of.0], |row| row.get(0)).optional()?;
    Ok(looked.map(|looked| Cut(looked as u64)))
}

/// Whether what stands under a key came in since it was last looked at who is a member: all that is known of it is later.
pub(in super::super) fn is_unjudged(
    connection: &Connection,
    entry: &Entry,
    rows: SharedRows,
    roster: &Roster,
    key: &Key,
) -> Outcome<bool> {
    let Some(looked) = looked_to(connection, rows)? else { return Ok(false) };
    let Some(present) = entry.metadata.marks(connection, key, roster)? else { return Ok(false) };
    let mut columns = entry.shape.column_ids().into_iter();
    Ok(columns.all(|column| present.marks.get(column).is_some_and(|mark| mark.cut > looked)))
}

/// Notes what a peer has said of a record that is not a member now.
pub(in super::super) fn note_spoken_of(
    (connection, roster): (&Connection, &Roster),
    entry: &Entry,
    rows: SharedRows,
    link: LinkId,
    key: &Key,
    (spoken, cut): (Spoken, Cut),
) -> Outcome<()> {
    let member = member(connection, entry, rows, key)?;
    let is_member =
        matches!(member, Some((State::Member, _))) && !has_changed_hands(connection, entry, rows, roster, key)?;
    let known = entry.members.exception(connection, link, key)?;
    let what = match (spoken, known) {
        (Spoken::Beyond, _) => Exception::Stray,
        // It took it off before it was told to, and had no part in what the record is since.
        (Spoken::Limbo, _) if is_member => Exception::Lacks,
        _ if is_member => return Ok(()),
        // All of it counts for more than a part.
        (Spoken::InPart, Some((Exception::Holds, _))) => Exception::Holds,
        // What was shared before may be withdrawn there by now, and have changed here without being told.
        (Spoken::Whole, None | Some((Exception::Holds, _))) if member.is_none() => Exception::Holds,
        (Spoken::Whole | Spoken::InPart | Spoken::Limbo, _) => Exception::MayHold,
    };
    entry.members.except(connection, link, key, what, cut)
}
