//! Which conflict a person means.

use packhorse_shared::replica::Noted;

use crate::failure::Failure;

const HINT: &str = "`packhorse conflicts list --all` shows them, each with its number";

/// The position of the conflict with the number that was typed.
pub fn choose(all: &[Noted], typed: &str) -> Result<usize, Failure> {
    if typed.is_empty() || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::usage(format!("\"{typed}\" is not the number of a conflict")).hint(HINT));
    }
    let number: Option<i64> = typed.parse().ok();
    let found = number.and_then(|number| all.iter().position(|noted| noted.id == number));
    found.ok_or_else(|| Failure::usage(format!("no conflict has the number {typed}")).hint(HINT))
}
