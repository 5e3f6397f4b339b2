//! Finding a node's home.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The home that a command works on: the one given, or the only `*.packhorse` in the current folder.
pub fn home(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let here = Path::new(".");
    let entries = std::fs::read_dir(here).map_err(|error| Failure::file("read the folder", here, &error))?;
    let is_home = |path: &PathBuf| path.extension().is_some_and(|end| end == "packhorse") && path.is_dir();
    let mut homes: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(is_home).collect();
    homes.sort();
    match homes.as_slice() {
        [only] => Ok(only.strip_prefix(here).unwrap_or(only).to_owned()),
        [] => Err(Failure::usage("there is no *.packhorse folder here and no --home was given").hint(
            "go to the folder with the database, name the home with --home DIR, or make one with `packhorse init`",
        )),
        several => {
            let list: Vec<String> =
                several.iter().map(|path| path.strip_prefix(here).unwrap_or(path).display().to_string()).collect();
            Err(Failure::usage(format!("there are several homes here: {}", list.join(", ")))
                .hint("name one with --home DIR"))
        }
    }
}
