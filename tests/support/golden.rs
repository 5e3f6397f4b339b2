//! Golden files: texts that change on purpose only. `UPDATE_GOLDEN=1` writes them anew.
//!
//! Owns the folder and the comparison. Invariant: a text that is not what its file says is an error that shows where the
//! two part. Leaves it to the tests which files there are.

use std::path::{Path, PathBuf};

/// Where they lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Whether they are written anew.
pub fn is_updated() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Compares a text with the file of this name below [`folder`], or writes it there; what differs, in words.
pub fn compare(name: &str, got: &str) -> Option<String> {
    let path = folder().join(name);
    if is_updated() {
        std::fs::write(&path, got).expect("a golden file");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    difference(&expected, got).map(|difference| format!("{name} {difference}"))
}

/// What differs, with the line that begins it.
fn difference(expected: &str, got: &str) -> Option<String> {
    if expected == got {
        return None;
    }
    let (mut left, mut right) = (expected.lines(), got.lines());
    let line =
        1 + std::iter::from_fn(|| Some((left.next(), right.next()))).take_while(|(a, b)| a == b && a.is_some()).count();
    Some(format!("differs at line {line}\n--- expected\n{expected}\n--- got\n{got}"))
}
