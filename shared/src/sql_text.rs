//! SQL statements as SQLite keeps them, cut into pieces.
//!
//! Invariant: the pieces are what SQLite's own tokenizer sees as far as strings, quoted names, comments, words and
//! parentheses go; any text is cut without an error. Leaves the meaning of the pieces to those who read a statement.

/// A word, a quoted thing or a single character of a statement.
pub(crate) struct Piece<'a> {
    /// Where it begins in the statement.
    pub start: usize,
    /// As it is written.
    pub text: &'a str,
}

impl Piece<'_> {
    /// Where it ends.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, which a quoted name never is.
    pub fn is(&self, keyword: &str) -> bool {
        self.text.eq_ignore_ascii_case(keyword)
    }
}

/// Cuts SQL into words, quoted things and single characters; blanks and comments fall away.
pub(crate) fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let length = length_of_next(rest);
        let text = rest.get(..length).unwrap_or(rest);
        let is_comment = text.starts_with("--") || text.starts_with("/*");
        if !is_comment && !text.starts_with(is_blank) {
            found.push(Piece { start: at, text });
        }
        at += text.len();
    }
    found
}

fn length_of_next(rest: &str) -> usize {
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        '\'' | '"' | '`' => quoted_length(rest, first),
        '[' => rest.find(']').map_or(rest.len(), |at| at + 1),
        '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |at| at + 1),
        '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
        c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

/// To SQLite every character beyond ASCII belongs to a word, blanks of other scripts among them.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

/// The length of a quoted thing whose quote is doubled to stand inside.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| rest.find(quote)) {
        at += found + 1;
        if !rest.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
            return at;
        }
        at += 1;
    }
    rest.len()
}

/// The place of the parenthesis that closes the one at `open`.
pub(crate) fn matching(pieces: &[Piece<'_>], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, piece) in pieces.iter().enumerate().skip(open) {
        match piece.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        pieces(sql).iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn quoted_things_and_words_are_whole_and_comments_and_blanks_are_gone() {
        let sql = "a 'it''s (' \"x\"\"y)\"[b`(]`c``d`--)\n/* ( ' */e\u{a0}f,(g)/*";
        let expected = ["a", "'it''s ('", "\"x\"\"y)\"", "[b`(]", "`c``d`", "e\u{a0}f", ",", "(", "g", ")"];
        assert_eq!(texts(sql), expected);
        for (piece, text) in pieces(sql).iter().zip(expected) {
            assert_eq!(&sql[piece.start..piece.end()], text);
        }
    }

    #[test]
    fn whatever_is_not_closed_goes_to_the_end() {
        for open in ["'a", "\"a b", "`", "[x y"] {
            assert_eq!(texts(open), [open]);
        }
        assert!(texts("--").is_empty() && texts("/* *").is_empty() && texts("").is_empty());
    }
}
