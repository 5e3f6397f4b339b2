//! What is wrong with a set, as a command's failure: with the place in the expression, and what mends it.

use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::set::{BoundSet, Finding, Place, Rows, Scope, UnboundError};

use crate::failure::Failure;
use crate::node::Node;
use crate::report::note;

impl Node {
    /// Checks a set of the configuration before a remote gets it. Whether there is such a set, is for [`Node::bound_set`].
    pub fn check_set(&self, name: &str) -> Result<(), Failure> {
        let Some(scope) = self.config.set(name) else { return Ok(()) };
        self.check_scope(&format!("the set \"{name}\" in {}", self.home.config_path().display()), &scope)
    }

    /// Every finding of a set; of one without an error also whether each remote that has it has the values that it needs.
    pub fn findings(&self, name: &str) -> Result<Vec<Finding>, Failure> {
        let scope = self.scope(name)?;
        let mut found = self.replica.lint(&scope)?;
        if found.iter().any(Finding::is_error) {
            return Ok(found);
        }
        for (remote, config) in self.config.remotes.iter().filter(|(_, config)| config.set == name) {
            if let Err(error) = BoundSet::new(scope.clone(), &config.params) {
                let finding = unbound(&scope, &error);
                found.push(Finding { wrong: format!("for {remote}, {}", finding.wrong), ..finding });
            }
        }
        Ok(found)
    }

    /// Checks what a set says, or is to say. Where there is no error, the warnings are noted.
    pub fn check_scope(&self, about: &str, scope: &Scope) -> Result<(), Failure> {
        let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
            SqliteReplica::lint(&self.replica, scope)?.into_iter().partition(Finding::is_error);
        if let Some(failure) = errors.iter().map(|finding| failure(about, finding)).reduce(Failure::and) {
            return Err(failure);
        }
        for warning in &warnings {
            note(&format!("{about}, table \"{}\": {}; {}", warning.table, warning.wrong, warning.mend));
        }
        Ok(())
    }
}

/// A value of a remote that is missing or does not fit, at its place in the expression.
pub fn unbound(scope: &Scope, error: &UnboundError) -> Finding {
    let condition = scope.tables().iter().find_map(|table| match &table.rows {
        Rows::Where(text) if table.name == error.table => Some(text.as_str()),
        _ => None,
    });
    let mend = "`params` of the remote in packhorse.toml gives the values; with `remote add`, --param NAME=VALUE does, \
                given again for a list";
    Finding::unbound(error, condition.unwrap_or_default(), mend)
}

/// One finding.
pub fn failure(about: &str, finding: &Finding) -> Failure {
    let failure = Failure::usage(format!("{about}, table \"{}\": {}", finding.table, finding.wrong));
    let failure = failure.hint(&finding.mend);
    match &finding.place {
        Some(place) => failure.excerpt(excerpt(place)),
        None => failure,
    }
}

/// The line of an expression that has the place, and a caret under that; of a long one what stands around it. Nothing of
/// an expression that is blank.
pub fn excerpt(place: &Place) -> Vec<String> {
    if place.text.trim().is_empty() {
        return Vec::new();
    }
    let (before, after) = place.text.split_at(place.at);
    let begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    let ends = after.find('\n').map_or(place.text.len(), |newline| place.at + newline);
    let (before, after) = (plain(&before[begins..]), plain(&place.text[place.at..ends]));
    let cut = before.len().saturating_sub(BEFORE_MAX);
    let begin = if cut > 0 { "..." } else { "" };
    let end = if after.len() > AFTER_MAX { "..." } else { "" };
    let (before, after) = (&before[cut..], &after[..after.len().min(AFTER_MAX)]);
    let line = [begin, &String::from_iter(before), &String::from_iter(after), end].concat();
    vec![line, format!("{}^", " ".repeat(begin.len() + before.len()))]
}

/// How much of a line is shown before and after a place in it, in characters.
const BEFORE_MAX: usize = 60;
const AFTER_MAX: usize = 40;

fn plain(text: &str) -> Vec<char> {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place_in_its_line() {
        let text = "a = 1\n\tAND né = 2\nAND c = 3".to_owned();
        let at = text.find("= 2").unwrap();
        assert_eq!(excerpt(&Place { text: text.clone(), at }), [" AND né = 2", "        ^"]);
        let end = text.len();
        assert_eq!(excerpt(&Place { text, at: end }), ["AND c = 3", "         ^"]);
        assert_eq!(excerpt(&Place { text: " \n".to_owned(), at: 0 }), [""; 0]);
    }

    #[test]
    fn of_a_long_line_what_stands_around_the_place_is_shown() {
        let text = format!("{}é = 1 {}", "x".repeat(70_000), "y".repeat(70_000));
        let shown = excerpt(&Place { at: 70_000, text });
        let line = format!("...{}é = 1 {}...", "x".repeat(60), "y".repeat(34));
        assert_eq!(shown, [line, format!("{}^", " ".repeat(63))]);
    }
}
