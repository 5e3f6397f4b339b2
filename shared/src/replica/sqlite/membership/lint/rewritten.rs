//! An expression as the scratch database is given it: without the values of its parameters, and without the table's name before
//! its columns, which an index does not allow.
//!
//! Invariant: every byte of it is known by where it comes from in the text that a person wrote.

use crate::sql_text::{Piece, pieces};

/// An expression rewritten.
pub(super) struct Rewritten {
    /// As SQLite is given it.
    pub sql: String,
    /// Stretches of it: where each begins, where that comes from, and whether what follows does too.
    stretches: Vec<(usize, usize, Stretch)>,
}

/// How a stretch of the text came over.
#[derive(Clone, Copy)]
enum Stretch {
    Copied,
    Replaced,
}

impl Rewritten {
    /// Rewrites a well-formed expression over a table.
    pub fn of(text: &str, table: &str) -> Self {
        let all = pieces(text);
        let mut new = Self { sql: String::new(), stretches: Vec::new() };
        let mut copied = 0;
        for (at, piece) in all.iter().enumerate() {
            let next = |steps: usize| all.get(at + steps);
            let (with, end) = match (piece.text, next(1)) {
                (":", Some(name)) if at > 0 && all[at - 1].is("IN") => ("(NULL)", name.end()),
                (":", Some(name)) => ("NULL", name.end()),
                (_, Some(dot)) if dot.text == "." && names(piece, table) => ("", dot.end()),
                _ => continue,
            };
            new.copy(text, copied, piece.start);
            new.stretches.push((new.sql.len(), piece.start, Stretch::Replaced));
            new.sql.push_str(with);
            copied = end;
        }
        new.copy(text, copied, text.len());
        new
    }

    fn copy(&mut self, text: &str, from: usize, to: usize) {
        self.stretches.push((self.sql.len(), from, Stretch::Copied));
        self.sql.push_str(text.get(from..to).unwrap_or_default());
    }

    /// The byte of the text that a byte of a statement means in which this begins at `start`.
    pub fn origin(&self, offset: usize, start: usize) -> usize {
        let offset = offset.saturating_sub(start);
        let stretch = self.stretches.iter().rev().find(|(begins, _, _)| *begins <= offset);
        match stretch {
            Some((begins, from, Stretch::Copied)) => from + (offset - begins),
            Some((_, from, Stretch::Replaced)) => *from,
            None => 0,
        }
    }
}

/// Whether a piece is the table's name, bare or in quotes of any kind.
fn names(piece: &Piece<'_>, table: &str) -> bool {
    let text = piece.text;
    let inside = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let bare = inside('"', '"').map(|name| name.replace("\"\"", "\""));
    let bare = bare.or_else(|| inside('`', '`').map(|name| name.replace("``", "`")));
    let bare = bare.or_else(|| inside('[', ']').map(str::to_owned));
    bare.as_deref().unwrap_or(text).eq_ignore_ascii_case(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_known_by_where_it_comes_from() {
        let text = "ab = :user AND \"T x\".c IN :all OR (d IN (:e)) OR 1.5";
        let new = Rewritten::of(text, "t X");
        assert_eq!(new.sql, "ab = NULL AND c IN (NULL) OR (d IN (NULL)) OR 1.5");
        for (piece, origin) in
            [("ab", "ab"), ("NULL", ":user"), ("c IN", "c IN"), ("(NULL) OR", ":all"), ("1.5", "1.5")]
        {
            let at = new.sql.find(piece).unwrap();
            assert_eq!(Some(new.origin(at + 7, 7)), text.find(origin), "{piece}");
        }
        assert_eq!(new.origin(new.sql.len(), 0), text.len());
    }
}
