//! What FTP servers list.
//!
//! Owns the reading of it: MLSD where the server has it, else LIST, whose lines are meant for people. Invariant: what is
//! not a regular file of a plain name is foreign, and a listing that does not end is given up. No size in it is relied
//! upon where bytes are put.

use std::io::{self, BufRead, BufReader, Read};

use crate::carrier::Listing;
use crate::error::TransportError;
use crate::ftp::session::{Listed, Session};
use crate::mailbox::Mailbox;

/// No listing is longer: some two hundred thousand files.
const LISTING_MAX: u64 = 32 * 1024 * 1024;

/// Lists a mailbox; None if it is not there.
pub(super) fn list(session: &mut Session, mailbox: &Mailbox) -> Result<Option<Listing>, TransportError> {
    let (is_there, moving) = match session.listing(mailbox)? {
        Listed::Begun(moving) => (true, moving),
        Listed::AnotherBegun(moving) => (false, moving),
        Listed::Absent => return Ok(None),
    };
    let mut lines = BufReader::new(moving.take(LISTING_MAX));
    let listing = read_lines(&mut lines, session.has_mlsd);
    let listing = listing.map_err(|error| session.broken("list", &mailbox.to_string(), error))?;
    if lines.get_ref().limit() == 0 {
        return Err(session.failed("list", &mailbox.to_string(), "the listing does not end"));
    }
    session.end(lines.into_inner().into_inner(), "list", &mailbox.to_string())?;
    Ok(is_there.then_some(listing))
}

/// Takes in lines up to their end.
pub(super) fn read_lines(lines: &mut impl BufRead, is_mlsd: bool) -> io::Result<Listing> {
    let mut listing = Listing { present: true, ..Listing::default() };
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        note(&mut listing, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']), is_mlsd);
        line.clear();
    }
    Ok(listing)
}

/// A line's name, and its size if it is a regular file's.
type Line<'l> = (&'l str, Option<u64>);

/// Takes in one line.
fn note(listing: &mut Listing, line: &str, is_mlsd: bool) {
    // Of folders LIST tells the sum of their blocks, and MLSD itself and its parent.
    if line.is_empty() || (!is_mlsd && line.starts_with("total ")) || is_itself(line, is_mlsd) {
        return;
    }
    let parsed = if is_mlsd { by_facts(line) } else { as_unix(line).or_else(|| as_dos(line)) };
    match parsed.map(|(name, size)| (without_folder(name), size)) {
        Some(("." | "..", _)) => {}
        Some((name, Some(size))) if !name.is_empty() => listing.add(name, size),
        Some((name, _)) if !name.is_empty() => listing.add_foreign(name),
        _ => listing.add_foreign(line),
    }
}

fn is_itself(line: &str, is_mlsd: bool) -> bool {
    is_mlsd && ["type=cdir;", "type=pdir;"].iter().any(|kind| facts(line).contains(kind))
}

/// What MLSD says of a name, which follows after a space.
fn facts(line: &str) -> String {
    line.split_once(' ').map_or("", |(facts, _)| facts).to_ascii_lowercase()
}

/// `type=file;size=20000;modify=20261121073000; NAME`
fn by_facts(line: &str) -> Option<Line<'_>> {
    let (_, name) = line.split_once(' ')?;
    let facts = facts(line);
    let fact = |wanted: &str| facts.split(';').find_map(|fact| fact.strip_prefix(wanted)?.strip_prefix('='));
    let size = fact("size").and_then(|size| size.parse().ok());
    // What says of nothing that it is a file is none.
    let kind = fact("type")?;
    Some((name, size.filter(|_| kind == "file")))
}

/// `-rw-r--r--  1 owner group  20000 Nov 21 07:30 NAME`, the group left out by some.
fn as_unix(line: &str) -> Option<Line<'_>> {
    let mut rest = line;
    let mut words = Vec::new();
    loop {
        let (word, after) = rest.trim_start().split_once(' ')?;
        words.push(word);
        rest = after;
        // The size is followed by month, day, and time or year.
        if let [mode, .., size, month, day, clock] = words.as_slice()
            && words.len() >= 7
            && MONTHS.contains(month)
            && day.parse::<u8>().is_ok()
            && clock.starts_with(|c: char| c.is_ascii_digit())
        {
            let size = size.parse().ok();
            return match mode.as_bytes().first()? {
                b'-' => size.map(|size| (rest, Some(size))),
                b'l' => Some((rest.split(" -> ").next()?, None)),
                _ => Some((rest, None)),
            };
        }
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `11-21-26  07:30AM  20000 NAME`
fn as_dos(line: &str) -> Option<Line<'_>> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (date, time, size) = (word()?, word()?, word()?);
    let looks_like = |text: &str, mark| text.contains(mark) && text.starts_with(|c: char| c.is_ascii_digit());
    if !looks_like(date, '-') || !looks_like(time, ':') {
        return None;
    }
    let size = if size == "<DIR>" { None } else { Some(size.parse().ok()?) };
    Some((rest.trim_start(), size))
}

/// The name alone: some servers tell names with their folder.
fn without_folder(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(lines: &[&str], is_mlsd: bool) -> (Vec<(String, u64)>, Vec<String>) {
        let mut listing = Listing::default();
        lines.iter().for_each(|line| note(&mut listing, line, is_mlsd));
        (listing.files.iter().map(|entry| (entry.name.to_string(), entry.size)).collect(), listing.foreign)
    }

    #[test]
    fn mlsd_tells_files_from_the_rest() {
        let (files, foreign) = listed(
            &[
                "type=cdir;modify=20261121073000; .",
                "type=pdir;modify=20261121073000; ..",
                "type=dir;modify=20261121073000;unique=1; sub",
                "type=file;size=20000;modify=20261121073000;UNIX.mode=0644; a.bundle",
                "no line of a listing",
            ],
            true,
        );
        assert_eq!(files, [("a.bundle".to_owned(), 20_000)]);
        assert_eq!(foreign, ["sub", "no line of a listing"]);
    }

    #[test]
    fn list_tells_files_from_the_rest() {
        let (files, foreign) = listed(
            &[
                "total 8",
                "drwxr-xr-x    2 1000     1000         4096 Nov 21 07:30 sub",
                "lrwxrwxrwx    1 1000     1000            1 Nov 21 07:30 link -> x",
                "-rw-r--r--    1 ftp      ftp         20000 Nov 21 07:30 a.bundle",
                "-rw-r--r--    1 ftp      ftp          1000 Nov 21  2024 b.bundle.part",
            ],
            false,
        );
        assert_eq!(files, [("a.bundle".to_owned(), 20_000)]);
        assert_eq!(foreign, ["sub", "link"]);
    }

    #[test]
    fn list_of_other_servers_is_read_too() {
        let (files, foreign) = listed(
            &[
                "-rw-r--r--   1 user        20000 Nov  1 2024 a name.bundle",
                "11-21-26  07:30AM                20000 b.bundle",
                "11-21-26  07:30AM       <DIR>          sub",
                "-rw-r--r--    1 a  a  7 Nov 21 07:30 somewhere/c.bundle",
            ],
            false,
        );
        assert_eq!(files, [("b.bundle".to_owned(), 20_000), ("c.bundle".to_owned(), 7)]);
        assert_eq!(foreign, ["a name.bundle", "sub"]);
    }

    #[test]
    fn nonsense_is_foreign_and_does_no_harm() {
        for line in [
            "-rw",
            "type=file;size=99999999999999999999999; x",
            "\u{1b}[2J",
            "type=file; ",
            ";;;",
            "-rw-r--r-- 1 a a -5 Nov 21 07:30 x",
        ] {
            for is_mlsd in [true, false] {
                assert_eq!(listed(&[line], is_mlsd).0.len(), 0, "{line}");
            }
        }
    }
}
