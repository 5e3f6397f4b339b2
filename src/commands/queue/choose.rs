//! Which bundle of the queue a person means.
//!
//! Invariant: what is typed chooses one bundle or none: it is a name, the beginning of one only, or the digest in one,
//! and never a path.

use packhorse_shared::ledger::{Books, Entry, Key};

use crate::failure::Failure;

/// Of which bundles one is chosen when a beginning fits several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All that are known.
    All,
    /// Those of which something is to come; the others only if none of these fits.
    Unfinished,
}

type Found = (Key, Entry);

/// The bundle that is meant.
pub fn choose(books: &Books, given: &str, among: Among) -> Result<Found, Failure> {
    if given.is_empty() || given.contains(['/', '\\']) {
        return Err(Failure::usage(format!("\"{given}\" is not the name of a bundle"))
            .hint("give its name, the beginning of it or its digest, as `packhorse queue list` shows them"));
    }
    let named = |exactly: bool| {
        let fits = move |key: &Key| if exactly { key.file == given } else { fits(key, given) };
        books.entries().filter(move |(key, _)| fits(key)).map(|(key, entry)| (key.clone(), entry.clone()))
    };
    // Of two of one name, one in quarantine, that one needs a person.
    if let Some(found) = named(true).max_by_key(|(key, _)| key.quarantine) {
        return Ok(found);
    }
    let mut found: Vec<Found> = named(false).collect();
    if among == Among::Unfinished && found.iter().any(|(_, entry)| !entry.is_finished()) {
        found.retain(|(_, entry)| !entry.is_finished());
    }
    match found.len() {
        0 => Err(Failure::usage(format!("no bundle in the queue is named \"{given}\""))
            .hint("`packhorse queue list --all` lists them")),
        1 => Ok(found.swap_remove(0)),
        _ => Err(ambiguous(given, &found)),
    }
}

/// The bundles that are meant, each once.
pub fn choose_each(books: &Books, given: &[String]) -> Result<Vec<Found>, Failure> {
    let mut chosen: Vec<Found> = Vec::new();
    for name in given {
        let found = choose(books, name, Among::Unfinished)?;
        if !chosen.iter().any(|(key, _)| *key == found.0) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn fits(key: &Key, given: &str) -> bool {
    key.file.starts_with(given) || key.bundle().is_some_and(|name| name.digest.to_string() == given)
}

fn ambiguous(given: &str, found: &[Found]) -> Failure {
    let names: Vec<&str> = found.iter().take(3).map(|(key, _)| key.file.as_str()).collect();
    let more = found.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Failure::usage(format!("\"{given}\" may be any of {} bundles: {}{more}", found.len(), names.join(", ")))
        .hint("give more of its name, or its digest")
}
