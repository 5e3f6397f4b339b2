//! Results of many lines: they are written in one go, since a write for each takes longer than all the rest.

use crate::report::line;
use crate::wording::shown;

/// Writes lines of a result. Names from outside may be in them: they cannot control the terminal.
pub fn results(lines: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = lines.into_iter().map(|line| shown(&line)).collect();
    if !lines.is_empty() {
        line(&lines.join("\n"));
    }
}
