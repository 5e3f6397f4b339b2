//! Why a change waits, and what would let it be placed, in words.

use packhorse_shared::replica::{Held, Refusal};
use packhorse_unbundler::place::{REFERS_TO_WAITING, WAITS_FOR_QUIET};

/// Why it waits.
pub fn reason(held: &Held) -> String {
    match Refusal::of(&held.reason) {
        Refusal::Unique(what) => match columns(held, what) {
            Some(columns) => format!("another record here has the same {columns}, which must be unique"),
            None => format!("another record here has the same values, which must be unique by {what}"),
        },
        Refusal::NotNull(what) => {
            format!("{} may not be empty here", columns(held, what).unwrap_or_else(|| what.to_owned()))
        }
        Refusal::Check(what) => format!("the table's condition does not hold: CHECK {what}"),
        Refusal::Same(words) | Refusal::Leaving(words) | Refusal::Other(words) => words.to_owned(),
    }
}

/// What would let it be placed.
pub fn next_step(held: &Held) -> String {
    let reason = held.reason.as_str();
    if reason.starts_with(WAITS_FOR_QUIET) {
        return format!(
            "the first sync after that does it by itself; if the application is closed, so does `packhorse held retry {}`",
            held.id
        );
    }
    let step = match Refusal::of(reason) {
        Refusal::Unique(_) => {
            "give one of the two another value, here or where this change was made, or make one record of them \
             (`packhorse held merge`)"
        }
        Refusal::NotNull(_) | Refusal::Check(_) => {
            "change the record, here or where this change was made, so that the table takes it"
        }
        Refusal::Same(_) => "wait: its sender makes the two one when it sees ours",
        Refusal::Leaving(_) => "wait: what refers to it is sent to the hub, and goes then too",
        Refusal::Other(_) if reason.contains("which was deleted here") => {
            "make the record that it refers to once more where this change was made, or have it refer to another"
        }
        Refusal::Other(_) if reason.ends_with(REFERS_TO_WAITING) => "it is placed with the record that it refers to",
        Refusal::Other(_) if reason.ends_with("which is held itself") => {
            "it is placed when the record that it refers to is: see to that, which is held as well"
        }
        Refusal::Other(_) if reason.ends_with("which has not come yet") => {
            "wait: the record that it refers to is on its way"
        }
        Refusal::Other(_) if reason.contains("which is another record here") => {
            "it waits until the record that it refers to has a number of its own here"
        }
        Refusal::Other(_) if reason.starts_with("another record stands under") => {
            "it waits until the number is free: delete the record that has it, if it is not needed"
        }
        Refusal::Other(_) if reason.ends_with("in this database") => {
            "bring the schema here to the state that it has where this change was made"
        }
        Refusal::Other(_) => "see to what stands in its way, here or where this change was made",
    };
    format!("{step}; every bundle that comes tries it again, and so does `packhorse held retry {}`", held.id)
}

/// "email", "row and seat" of "contacts.email", "seats.row, seats.seat"; None if an index is named instead.
fn columns(held: &Held, what: &str) -> Option<String> {
    let prefix = format!("{}.", held.change.table);
    let bare = |part: &str| {
        let is_ours = part.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(&prefix));
        is_ours.then(|| part[prefix.len()..].to_owned())
    };
    let names: Option<Vec<String>> = what.split(", ").map(bare).collect();
    names.map(|names| names.join(" and "))
}

#[cfg(test)]
mod tests {
    use packhorse_shared::change::{Passage, TableChanges};
    use packhorse_shared::clock::WallTime;
    use packhorse_shared::id::{Cut, LinkId};

    use super::*;

    fn held(reason: &str) -> Held {
        let (table, none) = ("Seats".to_owned(), Vec::new());
        let passage = Passage::Within;
        let change = TableChanges { table, passage, key_columns: none.clone(), columns: none, records: Vec::new() };
        Held { id: 7, link: LinkId(1), change, reason: reason.to_owned(), since: WallTime(0), seen: Cut(0) }
    }

    #[test]
    fn a_refusal_by_the_database_is_told_in_plain_words() {
        for (words, told) in [
            ("UNIQUE constraint failed: seats.row, seats.seat", "has the same row and seat, which"),
            ("UNIQUE constraint failed: index 'nicks'", "unique by index 'nicks'"),
            ("UNIQUE constraint failed: seats.é", "has the same é, which"),
            ("UNIQUE constraint failed: é", "unique by é"),
            ("NOT NULL constraint failed: seats.row", "row may not be empty here"),
            ("CHECK constraint failed: row > 0", "does not hold: CHECK row > 0"),
            ("datatype mismatch", "datatype mismatch"),
        ] {
            assert!(reason(&held(words)).contains(told), "{}", reason(&held(words)));
        }
    }

    #[test]
    fn every_reason_has_a_next_step_that_names_the_command() {
        for words in [
            "UNIQUE constraint failed: seats.row",
            "NOT NULL constraint failed: seats.row",
            "it refers to companies 2, which was deleted here",
            "it refers to companies 2, which is another record here",
            "it refers to companies 2, which has not come yet",
            "it refers to companies 2, which is held itself",
            "it refers to companies 2, which waits for the application to be quiet",
            "another record stands under 5 in this database",
            "table \"seats\" is not synced in this database",
            "a trigger of the application ignored it",
            "it waits until the application has written nothing for 10 min, since that may know another record",
        ] {
            assert!(next_step(&held(words)).ends_with("`packhorse held retry 7`"), "{words}");
        }
    }
}
