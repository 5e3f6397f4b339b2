//! What FTP servers list.
//!
//! Owns the reading of it: MLSD where the server has it, else LIST, whose lines are meant for people. Invariant: what is
//! not a regular file of a plain name is foreign, and a listing that does not end is given up. No size in it is relied
//! upon where bytes are put.

use std::io::{BufRead, BufReader, Read};

use suppaftp::list::{File, ListParser};

use crate::carrier::Listing;
use crate::error::TransportError;
use crate::ftp::session::Session;
use crate::mailbox::Mailbox;

/// No listing is longer: some two hundred thousand files.
const LISTING_MAX: u64 = 32 * 1024 * 1024;

/// Lists the folder that the session stands in.
pub(super) fn list(session: &mut Session, mailbox: &Mailbox) -> Result<Listing, TransportError> {
    let mut lines = BufReader::new(session.listing(mailbox)?.take(LISTING_MAX));
    let mut listing = Listing { present: true, ..Listing::default() };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line);
        if read.map_err(|error| session.broken("list", &mailbox.to_string(), error))? == 0 {
            break;
        }
        note(&mut listing, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']), session.has_mlsd);
    }
    if lines.get_ref().limit() == 0 {
        return Err(session.failed("list", &mailbox.to_string(), "the listing does not end"));
    }
    let data = lines.into_inner().into_inner();
    data.end().map_err(|error| session.refused("list", &mailbox.to_string(), error))?;
    Ok(listing)
}

/// Takes in one line.
fn note(listing: &mut Listing, line: &str, is_mlsd: bool) {
    // Of folders LIST tells the sum of their blocks, and MLSD itself and its parent.
    if line.is_empty() || (!is_mlsd && line.starts_with("total ")) || is_itself(line, is_mlsd) {
        return;
    }
    let parsed = match is_mlsd {
        // What says of nothing that it is a file is none; the library takes it for one.
        true if !facts(line).contains("type=") => return listing.add_foreign(line),
        true => ListParser::parse_mlsd(line),
        false => ListParser::parse_posix(line).or_else(|_| ListParser::parse_dos(line)),
    };
    match parsed {
        Ok(file) if file.is_file() && !file.is_symlink() => listing.add(name(&file), file.size() as u64),
        Ok(file) if matches!(name(&file), "." | "..") => {}
        Ok(file) => listing.add_foreign(name(&file)),
        Err(_) => listing.add_foreign(line),
    }
}

fn is_itself(line: &str, is_mlsd: bool) -> bool {
    is_mlsd && ["type=cdir;", "type=pdir;"].iter().any(|kind| facts(line).contains(kind))
}

/// What MLSD says of a name, which follows after a space.
fn facts(line: &str) -> String {
    line.split_once(' ').map_or("", |(facts, _)| facts).to_ascii_lowercase()
}

/// The name alone: some servers tell names with their folder.
fn name(file: &File) -> &str {
    file.name().rsplit('/').next().unwrap_or_default()
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
