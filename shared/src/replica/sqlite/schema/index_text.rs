//! The text of an index's expressions and of its condition, cut out of its CREATE INDEX statement.
//!
//! SQLite tells that a term is an expression but not which, so the statement is read as far as that takes: strings,
//! quoted names, comments and parentheses are stepped over, nothing is interpreted.

/// What stands in a CREATE INDEX statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexText {
    /// Each term, without ASC or DESC.
    pub terms: Vec<String>,
    /// The condition of a partial index.
    pub condition: Option<String>,
}

/// Reads a statement; None if it is not one that SQLite could have stored.
pub(super) fn read(sql: &str) -> Option<IndexText> {
    let pieces = pieces(sql);
    let open = pieces.iter().position(|piece| piece.text == "(")?;
    let close = matching(&pieces, open)?;
    let terms = split_terms(sql, pieces.get(open + 1..close)?);
    let after = pieces.get(close + 1..)?;
    let condition = match after.first() {
        Some(word) if word.text.eq_ignore_ascii_case("where") => Some(sql.get(word.end()..)?.trim().to_owned()),
        _ => None,
    };
    Some(IndexText { terms, condition })
}

struct Piece<'a> {
    start: usize,
    text: &'a str,
}

impl Piece<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Cuts SQL into words, quoted things and single characters; blanks and comments fall away.
fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let length = length_of_next(rest);
        let text = rest.get(..length).unwrap_or(rest);
        let is_comment = text.starts_with("--") || text.starts_with("/*");
        if !is_comment && !text.trim().is_empty() {
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

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
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

fn matching(pieces: &[Piece<'_>], open: usize) -> Option<usize> {
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

fn split_terms(sql: &str, pieces: &[Piece<'_>]) -> Vec<String> {
    let (mut terms, mut depth, mut current): (Vec<String>, usize, Vec<&Piece<'_>>) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        match piece.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                terms.push(term(sql, &current));
                current.clear();
                continue;
            }
            _ => {}
        }
        current.push(piece);
    }
    terms.push(term(sql, &current));
    terms
}

fn term(sql: &str, pieces: &[&Piece<'_>]) -> String {
    let ordered = pieces.last().is_some_and(|last| ["asc", "desc"].contains(&last.text.to_ascii_lowercase().as_str()));
    let kept = if ordered { &pieces[..pieces.len() - 1] } else { pieces };
    match (kept.first(), kept.last()) {
        (Some(first), Some(last)) => sql.get(first.start..last.end()).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_condition_are_cut_out_verbatim() {
        let sql = "CREATE UNIQUE INDEX \"odd (name\" ON t /* ( */ (lower(a || ','), [b)] COLLATE NOCASE DESC, \n -- , (\n c) \
                   WHERE d <> 'it''s )' AND e";
        let text = read(sql).unwrap();
        assert_eq!(text.terms, ["lower(a || ',')", "[b)] COLLATE NOCASE", "c"]);
        assert_eq!(text.condition.as_deref(), Some("d <> 'it''s )' AND e"));
    }

    #[test]
    fn what_is_no_statement_is_none_and_never_a_panic() {
        for bad in ["", "CREATE", "(", "x ((a)", "'", "\"ü", "a(/*", "[", "(--"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
