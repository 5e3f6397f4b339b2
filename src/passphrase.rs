//! Where the passphrase of a package comes from: a file that only its owner may read, or a person at a terminal.
//!
//! Invariant: it becomes no part of a message, and is never asked for where nobody could answer.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

use packhorse_shared::keys::Passphrase;
use packhorse_shared::seam::is_private;

use crate::failure::Failure;

/// The first line of a file.
pub fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let unreadable = |error: io::Error| Failure::file("read the passphrase in", path, &error);
    if !is_private(path).map_err(unreadable)? {
        let path = path.display();
        return Err(Failure::usage(format!("others than its owner may read {path}"))
            .hint(format!("close it to them with `chmod 600 {path}`")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let line = text.lines().next().and_then(Passphrase::given);
    line.ok_or_else(|| {
        Failure::usage(format!("{} holds no passphrase", path.display())).hint("write it on its first line")
    })
}

/// What a person types, unseen. The package as it is shown.
pub fn asked_for(package: &str) -> Result<Passphrase, Failure> {
    let nobody = || {
        Failure::usage(format!("{package} is sealed with a passphrase"))
            .hint("name a file that holds it on its first line with --passphrase-file FILE")
    };
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    let typed = rpassword::prompt_password(format!("passphrase of {package}: "));
    let typed = typed.map_err(|error| Failure::file("ask for the passphrase of", Path::new(package), &error))?;
    Passphrase::given(&typed).ok_or_else(nobody)
}
