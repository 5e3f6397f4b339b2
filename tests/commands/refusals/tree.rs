//! A folder and all that is in it, to tell what a refused command has left behind.
//!
//! Leaves out what every command may touch: the logs of databases, the locks, what passes between calls and the database, and the
//! ledger, which are made again at will.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The paths below a folder, each with what it is and, of a file, its content's digest.
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// As it is now.
    pub fn of(folder: &Path) -> Self {
        let mut found = BTreeMap::new();
        collect(folder, folder, &mut found);
        Self(found)
    }

    /// What is new, gone or another since.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let new = self.0.keys().filter(|path| !before.0.contains_key(*path)).map(|path| format!("+ {path}"));
        let gone = before.0.keys().filter(|path| !self.0.contains_key(*path)).map(|path| format!("- {path}"));
        let other = before.0.iter().filter(|(path, what)| self.0.get(*path).is_some_and(|now| now != *what));
        let mut all: Vec<String> = new.chain(gone).chain(other.map(|(path, _)| format!("~ {path}"))).collect();
        all.sort();
        all
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for path in crate::support::files(folder) {
        let name = path.strip_prefix(root).expect("a path below").to_string_lossy().into_owned();
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if is_passed_over(&name) {
            continue;
        }
        if about.is_dir() {
            found.insert(name, "folder".to_owned());
            collect(root, &path, found);
        } else if about.is_file() && !name.ends_with(".db") {
            let content = fs::read(&path).unwrap_or_default();
            found.insert(name, blake3::hash(&content).to_string());
        } else {
            found.insert(name, format!("{:?}", about.file_type()));
        }
    }
}

fn is_passed_over(name: &str) -> bool {
    let of_database = ["-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(&format!(".db{end}")));
    of_database
        || name.contains(".home/ledger")
        || name.contains(".home/calls/")
        || ["lock", "watch.lock"].iter().any(|lock| name.ends_with(&format!(".home/{lock}")))
}
