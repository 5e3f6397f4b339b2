//! The expressions by which a set chooses rows: their parameters, and the values bound to them.
//!
//! Invariants: a value is bound, never pasted into the text; what is given to SQLite is one expression, whatever the
//! text holds, since parentheses close only what they opened and no comma or semicolon stands outside them. Leaves it
//! to SQLite whether the expression means anything.

use std::collections::BTreeMap;

use super::{Param, Scalar};
use crate::sql_text::{Piece, pieces};

/// An expression with the values of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// As SQLite is given it: the parameters are numbered from 1.
    pub sql: String,
    /// Their values, in that order.
    pub values: Vec<Scalar>,
}

/// What is wrong with an expression, and at which byte of its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ExpressionError {
    /// Where.
    pub at: usize,
    /// What.
    pub why: String,
}

/// The names of an expression's parameters, each once.
pub fn parameters(text: &str) -> Result<Vec<String>, ExpressionError> {
    let mut names: Vec<String> = Vec::new();
    for parameter in scan(text)? {
        if !names.contains(&parameter.name) {
            names.push(parameter.name);
        }
    }
    Ok(names)
}

/// Binds values to an expression's parameters. A list stands where SQL has one: after IN.
pub fn bind(text: &str, params: &BTreeMap<String, Param>) -> Result<Bound, ExpressionError> {
    let (mut bound, mut copied) = (Bound { sql: String::new(), values: Vec::new() }, 0);
    for parameter in scan(text)? {
        let fault = |why: String| ExpressionError { at: parameter.start, why };
        let missing = || fault(format!("there is no value for the parameter :{}", parameter.name));
        bound.sql.push_str(&text[copied..parameter.start]);
        copied = parameter.end;
        match (params.get(&parameter.name).ok_or_else(missing)?, parameter.place) {
            (Param::One(_), Place::BareList) => {
                return Err(fault(format!(":{} is one value; write IN (:{0})", parameter.name)));
            }
            (Param::One(value), _) => bound.push(value),
            (Param::Many(_), Place::Single) => {
                return Err(fault(format!(":{} is a list; write it as COLUMN IN (:{0})", parameter.name)));
            }
            (Param::Many(values), Place::List) => bound.push_all(values),
            (Param::Many(values), Place::BareList) => {
                bound.sql.push('(');
                bound.push_all(values);
                bound.sql.push(')');
            }
        }
    }
    bound.sql.push_str(&text[copied..]);
    Ok(bound)
}

impl Bound {
    fn push(&mut self, value: &Scalar) {
        let known = self.values.iter().position(|known| known == value);
        let at = known.unwrap_or_else(|| {
            self.values.push(value.clone());
            self.values.len() - 1
        });
        self.sql.push_str(&format!("?{}", at + 1));
    }

    fn push_all(&mut self, values: &[Scalar]) {
        for (at, value) in values.iter().enumerate() {
            self.sql.push_str(if at > 0 { ", " } else { "" });
            self.push(value);
        }
    }
}

/// A parameter as it stands in the text.
struct Parameter {
    name: String,
    start: usize,
    end: usize,
    place: Place,
}

/// What may stand where a parameter does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// One value.
    Single,
    /// Any number of values, in parentheses after IN.
    List,
    /// The same without the parentheses.
    BareList,
}

/// Goes through the text: it is one expression, and these are its parameters.
fn scan(text: &str) -> Result<Vec<Parameter>, ExpressionError> {
    let fault = |at: usize, why: &str| Err(ExpressionError { at, why: why.to_owned() });
    let all = pieces(text);
    let (mut depth, mut found) = (0usize, Vec::new());
    for (at, piece) in all.iter().enumerate() {
        match piece.text {
            "(" => depth += 1,
            ")" if depth == 0 => return fault(piece.start, "this parenthesis closes none"),
            ")" => depth -= 1,
            "," if depth == 0 => return fault(piece.start, "a comma here makes it more than one expression"),
            ";" => return fault(piece.start, "a semicolon ends it: it must be one expression"),
            "?" | "@" => return fault(piece.start, "parameters are written :name"),
            ":" => found.push(parameter(&all, at)?),
            _ if piece.text.starts_with('$') => return fault(piece.start, "parameters are written :name"),
            _ if !is_closed(piece.text) => return fault(piece.start, "this quote or bracket is not closed"),
            _ => {}
        }
    }
    match (depth, all.is_empty()) {
        (_, true) => fault(0, "it is empty"),
        (0, false) => Ok(found),
        _ => fault(text.len(), "a parenthesis is not closed"),
    }
}

fn parameter(all: &[Piece<'_>], at: usize) -> Result<Parameter, ExpressionError> {
    let colon = &all[at];
    let name = all.get(at + 1).filter(|name| name.start == colon.end() && is_name(name.text));
    let why = || "a colon begins a parameter's name, like :user".to_owned();
    let name = name.ok_or_else(|| ExpressionError { at: colon.start, why: why() })?;
    let is = |place: Option<usize>, text: &str| place.and_then(|at| all.get(at)).is_some_and(|piece| piece.is(text));
    let in_parentheses = is(at.checked_sub(1), "(") && is(at.checked_sub(2), "IN") && is(Some(at + 2), ")");
    let place = match (in_parentheses, is(at.checked_sub(1), "IN")) {
        (true, _) => Place::List,
        (false, true) => Place::BareList,
        (false, false) => Place::Single,
    };
    Ok(Parameter { name: name.text.to_owned(), start: colon.start, end: name.end(), place })
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Whether what is quoted ends where it ought to. (A comment would swallow what comes after it, but for the line's end that
/// follows every expression.)
fn is_closed(text: &str) -> bool {
    let close = match text.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => quote,
        Some('[') => ']',
        _ => return true,
    };
    text.len() > 1 && text.ends_with(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> BTreeMap<String, Param> {
        let text = |text: &str| Scalar::Text(text.to_owned());
        BTreeMap::from([
            ("user".to_owned(), Param::One(text("o'neil"))),
            ("level".to_owned(), Param::One(Scalar::Integer(3))),
            ("regions".to_owned(), Param::Many(vec![text("north"), Scalar::Integer(7)])),
            ("none".to_owned(), Param::Many(Vec::new())),
        ])
    }

    #[track_caller]
    fn becomes(text: &str, sql: &str, values: usize) {
        let bound = bind(text, &params()).unwrap();
        assert_eq!((bound.sql.as_str(), bound.values.len()), (sql, values));
    }

    #[test]
    fn values_are_numbered_and_never_pasted() {
        becomes("owner = :user", "owner = ?1", 1);
        becomes("owner = :user OR boss = :user AND lvl > :level", "owner = ?1 OR boss = ?1 AND lvl > ?2", 2);
        becomes("region IN (:regions)", "region IN (?1, ?2)", 2);
        becomes("region in :regions", "region in (?1, ?2)", 2);
        becomes("region IN (:none)", "region IN ()", 0);
        becomes("owner IN (:user)", "owner IN (?1)", 1);
        becomes("note = ':user' AND \"a:b\" = 1", "note = ':user' AND \"a:b\" = 1", 0);
    }

    #[track_caller]
    fn refused(text: &str, at: usize, word: &str) {
        let error = bind(text, &params()).unwrap_err();
        assert!(error.at == at && error.why.contains(word), "{error:?}");
    }

    #[test]
    fn what_is_not_one_expression_is_refused_where_it_is_not() {
        refused("a) OR (b", 1, "closes none");
        refused("(a), (b)", 3, "comma");
        refused("a; DROP TABLE t", 1, "semicolon");
        refused("(a", 2, "not closed");
        refused("a = 'x", 4, "not closed");
        refused("  -- nothing", 0, "empty");
        refused("a = ?", 4, ":name");
        refused("a = @b", 4, ":name");
        refused("a = $b", 4, ":name");
        refused("a = :", 4, "name");
        refused("a = :nobody", 4, ":nobody");
        refused("a = :regions", 4, "IN (:regions)");
        refused("a IN :user", 5, "IN (:user)");
    }

    #[test]
    fn the_parameters_are_told_once_each() {
        assert_eq!(parameters("a = :x OR b = :y OR c = :x").unwrap(), ["x", "y"]);
    }
}
