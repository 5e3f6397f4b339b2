//! Which held change a person means.

use packhorse_shared::replica::Held;

use crate::failure::Failure;

const HINT: &str = "`packhorse held list` shows what is held, each with its number; what was placed is held no more";

/// The position of the held change with the number that was typed.
pub fn choose(all: &[Held], typed: &str) -> Result<usize, Failure> {
    if typed.is_empty() || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::usage(format!("\"{typed}\" is not the number of a held change")).hint(HINT));
    }
    let number: Option<i64> = typed.parse().ok();
    let found = number.and_then(|number| all.iter().position(|held| held.id == number));
    found.ok_or_else(|| Failure::usage(format!("no held change has the number {typed}")).hint(HINT))
}
