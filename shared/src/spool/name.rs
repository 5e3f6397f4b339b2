//! Which names a file of the spool may have.
//!
//! Owns the rule that keeps a name from outside from becoming a path. Invariant: a name that passes, joined to a
//! folder, is a direct child of that folder on every system. Leaves what the parts of a bundle's name mean to
//! [`crate::bundle`].

/// The longest name of a file in the spool, in bytes; room is left below the 255 of most file systems for endings.
pub const FILE_NAME_MAX: usize = 200;

/// Files with these endings are on their way to being something, or belong to another file: never bundles themselves.
const RESERVED: [&str; 3] = [".part", ".new", ".reason"];

const UNFINISHED: &str = "it has the ending of a file that is not complete";
/// Room for a dot and the number that tells files of one name apart in quarantine.
const NUMBER_MAX: usize = 5;

/// A name that a file of the spool cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" cannot be the name of a file in the spool: {why}")]
pub struct FileNameError {
    /// The name, shortened, what cannot be printed in escapes.
    name: String,
    why: &'static str,
}

/// Checks a name of any file in the spool.
pub(super) fn check(name: &str) -> Result<(), FileNameError> {
    check_within(name, FILE_NAME_MAX)
}

fn check_within(name: &str, max: usize) -> Result<(), FileNameError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_~".contains(&b);
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > max {
        "it is longer than 200 characters"
    } else if !name.bytes().all(plain) {
        "only a-z, A-Z, 0-9 and . - _ ~ are allowed"
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        // A hidden file, a name that Windows shortens, and the folder above.
        "a dot can only stand between other characters"
    } else {
        return Ok(());
    };
    Err(refused(name, why))
}

/// Checks the name of a complete file, which has to appear in listings.
pub(super) fn check_complete(name: &str) -> Result<(), FileNameError> {
    check(name)?;
    if is_reserved(name) { Err(refused(name, UNFINISHED)) } else { Ok(()) }
}

/// Checks the name of a complete file in quarantine, which may have a number behind it.
pub(super) fn check_kept(name: &str) -> Result<(), FileNameError> {
    check_within(name, FILE_NAME_MAX + NUMBER_MAX)?;
    if is_reserved(name) { Err(refused(name, UNFINISHED)) } else { Ok(()) }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|ending| name.ends_with(ending))
}

fn refused(name: &str, why: &'static str) -> FileNameError {
    FileNameError { name: name.chars().take(64).flat_map(char::escape_debug).collect(), why }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_bundles_pass() {
        for good in ["hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle", "a", "A~b_c-1.rdb", &"x".repeat(200)] {
            assert_eq!(check_complete(good), Ok(()));
        }
    }

    #[test]
    fn what_could_be_a_path_or_hides_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "/a",
            "C:a",
            "a..b",
            ".a",
            "a.",
            "a b",
            "a\0",
            "a\n",
            "ä",
            "a*",
            "\u{202e}a",
            &"x".repeat(201),
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check("\u{1b}[2J\u{202e}").unwrap_err().to_string().is_ascii());
    }

    #[test]
    fn unfinished_files_are_no_complete_ones() {
        for name in ["a.part", "a.bundle.new", "a.reason"] {
            assert_eq!(check(name), Ok(()));
            assert!(check_complete(name).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_name_that_passes_is_one_plain_component(name in "[a-zA-Z0-9./\\\\:_~-]{0,12}|\\PC{0,12}") {
            if check(&name).is_ok() {
                let parts: Vec<_> = Path::new(&name).components().collect();
                prop_assert_eq!(parts, vec![Component::Normal(name.as_ref())]);
            }
        }
    }
}
