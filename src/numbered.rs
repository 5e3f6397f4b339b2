//! Things that are listed with numbers, and which of them a person means.

use crate::failure::Failure;

/// A kind of such things.
pub struct Numbered {
    /// What one is called.
    pub what: &'static str,
    /// Where they are listed, for who has typed another number.
    pub hint: &'static str,
}

impl Numbered {
    /// The position of the one with the number that was typed.
    pub fn choose<T>(&self, all: &[T], id: impl Fn(&T) -> i64, typed: &str) -> Result<usize, Failure> {
        let (what, hint) = (self.what, self.hint);
        if typed.is_empty() || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::usage(format!("\"{typed}\" is not the number of a {what}")).hint(hint));
        }
        let number: Option<i64> = typed.parse().ok();
        let found = number.and_then(|number| all.iter().position(|one| id(one) == number));
        found.ok_or_else(|| Failure::usage(format!("no {what} has the number {typed}")).hint(hint))
    }
}
