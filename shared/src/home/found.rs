//! What is found where a home is or is to be.
//!
//! Owns which names are a home's own. Invariant: a folder in which anything else lies is never taken for one, so that nothing of
//! somebody else's is written over or removed. Leaves what follows from it to the parent module.

use std::path::Path;
use std::{fs, io};

use super::lock::Claim;
use super::{CONFIG, FILES_OF_MAKING, FOLDERS, HomeError, LOGS, failed};
use crate::config::brought;
use crate::ledger;

/// What is found where a home is or is to be.
pub(super) enum Found {
    Nothing,
    Empty,
    /// Only what the making of a home leaves behind.
    Unfinished,
    /// The spool of a home, with something in it, but no configuration.
    Used,
    Home,
    /// Things that are none of ours; one of their names.
    Other(String),
}

impl Found {
    pub(super) fn look(folder: &Path) -> Result<Self, HomeError> {
        match fs::metadata(folder) {
            Ok(found) if !found.is_dir() => return Err(HomeError::NotAFolder(folder.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(HomeError::NotAFolder(folder.to_owned()));
            }
            Err(error) => return Err(failed("look into the folder", folder)(error)),
        }
        Self::judge(folder, &names_in(folder)?)
    }

    fn judge(folder: &Path, names: &[String]) -> Result<Self, HomeError> {
        if names.iter().any(|name| name == CONFIG) {
            return Ok(Self::Home);
        }
        let ours = |name: &&String| {
            let of_ledger = ledger::FILES.contains(&name.as_str()) || name.starts_with(ledger::DAMAGED);
            let is_lock = Claim::ALL.map(Claim::file).contains(&name.as_str());
            let of_making = FOLDERS.contains(&name.as_str()) || FILES_OF_MAKING.contains(&name.as_str());
            of_making || of_ledger || is_lock || [LOGS, brought::FOLDER].contains(&name.as_str())
        };
        let access = names_in(&folder.join(brought::FOLDER))?;
        if let Some(other) = access.iter().find(|name| !brought::is_name(name)) {
            return Ok(Self::Other(format!("{}/{other}", brought::FOLDER)));
        }
        if let Some(other) = names.iter().find(|name| !ours(name)) {
            return Ok(Self::Other(other.clone()));
        }
        for name in names.iter().filter(|name| FOLDERS.contains(&name.as_str())) {
            let inner = folder.join(name);
            let is_lock = |inside: &String| Claim::ALL.iter().any(|claim| claim.file() == format!("{name}/{inside}"));
            if !names_in(&inner)?.iter().all(is_lock) {
                return Ok(Self::Used);
            }
        }
        Ok(if names.is_empty() { Self::Empty } else { Self::Unfinished })
    }
}

/// The names in a folder, sorted; none if there is no such folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, HomeError> {
    let reading = || failed("look into the folder", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(reading()(error)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>().map_err(reading())?;
    names.sort();
    Ok(names)
}
