//! The text of an index's expressions and of its condition, cut out of its CREATE INDEX statement.
//!
//! SQLite tells that a term is an expression but not which, so the statement is read as far as that takes; nothing is
//! interpreted. Leaves strings, quoted names and comments to [`crate::sql_text`].

use crate::sql_text::{Piece, matching, pieces};

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
