//! What a check of a set finds: which table it is about, where in an expression, what is wrong and what mends it.
//!
//! Owns the words' form, not the words. Invariant: a set without an error among its findings can be shared as it stands.

use super::{ExpressionError, UnboundError};

/// Something that is wrong with a set, or that its owner ought to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was broken.
    pub rule: Rule,
    /// The table of the set.
    pub table: String,
    /// Where in its expression.
    pub place: Option<Place>,
    /// What is wrong.
    pub wrong: String,
    /// What mends it.
    pub mend: String,
}

/// A place in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The expression as it is written.
    pub text: String,
    /// The byte at which it is wrong; at most its length.
    pub at: usize,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The set cannot be shared.
    Error,
    /// It can, with consequences that ought to be known.
    Warning,
}

/// What a set has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Its tables are synced.
    Synced,
    /// Its columns are there, and more than the key.
    Columns,
    /// A column that is left out can be empty, or has a default.
    Needed,
    /// An expression is one, compiles, and depends on its row alone.
    Expression,
    /// Every parameter has a value.
    Parameter,
    /// What is followed is a foreign key whose parent is in the set.
    Follow,
    /// Following comes to an end at a table whose rows are chosen otherwise.
    Base,
    /// What refers to another record has that with it.
    Reference,
    /// Columns that change together are shared together.
    Together,
}

impl Rule {
    /// Its name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Columns => "columns",
            Self::Needed => "needed",
            Self::Expression => "expression",
            Self::Parameter => "parameter",
            Self::Follow => "follow",
            Self::Base => "base",
            Self::Reference => "reference",
            Self::Together => "together",
        }
    }
}

impl Severity {
    /// Its name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    /// An error.
    pub fn error(rule: Rule, table: &str, wrong: impl Into<String>, mend: impl Into<String>) -> Self {
        let (table, wrong, mend) = (table.to_owned(), wrong.into(), mend.into());
        Self { severity: Severity::Error, rule, table, place: None, wrong, mend }
    }

    /// The same as no more than a warning.
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same at a place of an expression.
    pub fn at(self, text: &str, at: usize) -> Self {
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Self { place: Some(Place { text: text.to_owned(), at }), ..self }
    }

    /// An expression that is none.
    pub fn expression(table: &str, text: &str, error: &ExpressionError) -> Self {
        let mend = "write one SQL expression over the table's columns, with parameters as :name";
        Self::error(Rule::Expression, table, &error.why, mend).at(text, error.at)
    }

    /// A value that cannot be bound.
    pub fn unbound(error: &UnboundError, text: &str, mend: impl Into<String>) -> Self {
        Self::error(Rule::Parameter, &error.table, &error.error.why, mend).at(text, error.error.at)
    }

    /// Whether the set cannot be shared.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
