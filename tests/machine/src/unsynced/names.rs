//! The names that are not on the disk for certain: files and folders made, removed and renamed since their folder was
//! last synced, in order.
//!
//! Owns what a power cut takes back of them. Invariants: a change is taken back only if every later one of the same name
//! is; a renamed file is never in neither place, and in both only where the folder of its new name was synced and that of
//! the old one was not. Leaves to its user what the files hold.

use std::fs;
use std::path::{Path, PathBuf};

use super::Last;
use super::content::Content;
use crate::dice::Dice;

/// A file system writes back by itself after a while: so many names may wait for it.
const WAITING_MAX: usize = 512;

/// A file that has lost its name.
#[derive(Debug)]
pub(super) struct Grave {
    pub(super) last: Last,
    /// What of it was not synced.
    pub(super) content: Option<Content>,
}

impl Grave {
    /// Returns whether the file has its name again.
    fn rise(self, path: &Path) -> bool {
        let Last { bytes, permissions } = self.last;
        fs::write(path, bytes).and_then(|()| fs::set_permissions(path, permissions)).is_ok()
    }
}

/// A change of names.
#[derive(Debug)]
pub(super) enum Change {
    File { path: PathBuf },
    Folder { path: PathBuf },
    Removed { path: PathBuf, was: Grave },
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<Grave>, arrived: Arrived },
}

/// Whether the new name of a renamed file is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Unsure,
    Surely,
}

/// The changes, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Change>);

impl Names {
    pub(super) fn push(&mut self, change: Change) {
        // Where a file has gone on from a name that it surely had, its way there is of no interest any more.
        self.0.retain(|earlier| !(earlier.has_arrived() && change.touches(earlier.last())));
        self.0.push(change);
        let surplus = self.0.len().saturating_sub(WAITING_MAX);
        self.0.drain(..surplus);
    }

    /// The names of a folder are on the disk.
    pub(super) fn sync(&mut self, folder: &Path) {
        let is_in = |path: &Path| path.parent() == Some(folder);
        let (mut kept, mut gone_on) = (Vec::new(), Vec::<PathBuf>::new());
        // From the last on, to see which names were changed again.
        for mut change in self.0.drain(..).rev() {
            let arrives = is_in(change.last());
            let is_done =
                is_in(change.first()) || (arrives && gone_on.iter().any(|later| overlap(later, change.last())));
            gone_on.extend([change.first().to_owned(), change.last().to_owned()]);
            if !is_done {
                change.arrive_if(arrives);
                kept.push(change);
            }
        }
        kept.reverse();
        self.0 = kept;
    }

    /// Whether a change of this name is not on the disk.
    pub(super) fn concern(&self, path: &Path) -> bool {
        self.0.iter().any(|change| change.touches(path))
    }

    /// Takes out what concerns these roots.
    pub(super) fn take(&mut self, is_below: impl Fn(&Path) -> bool) -> Self {
        let (below, others) = self.0.drain(..).partition(|change| is_below(change.first()) || is_below(change.last()));
        self.0 = others;
        Self(below)
    }

    /// Files that have lost their names, for their content to suffer too.
    pub(super) fn graves(&mut self) -> impl Iterator<Item = &mut Grave> {
        self.0.iter_mut().filter_map(|change| match change {
            Change::Removed { was, .. } => Some(was),
            Change::Renamed { replaced, .. } => replaced.as_mut(),
            Change::File { .. } | Change::Folder { .. } => None,
        })
    }

    /// Takes back some of the changes, the last ones first; returns how many.
    pub(super) fn cut(self, dice: &mut Dice) -> usize {
        let manner = dice.below(4);
        let ordered_from = dice.below(self.0.len() + 1);
        let mut stay: Vec<PathBuf> = Vec::new();
        let mut lost = 0;
        for (at, change) in self.0.into_iter().enumerate().rev() {
            let falls = match manner {
                0 => true,
                1 => false,
                2 => at >= ordered_from,
                _ => dice.coin(),
            };
            if falls && !stay.iter().any(|path| change.may_not_fall_with(path)) {
                lost += usize::from(change.take_back());
            } else {
                stay.extend([change.first().to_owned(), change.last().to_owned()]);
            }
        }
        lost
    }
}

impl Change {
    fn first(&self) -> &Path {
        match self {
            Self::File { path } | Self::Folder { path } | Self::Removed { path, .. } => path,
            Self::Renamed { from, .. } => from,
        }
    }

    fn last(&self) -> &Path {
        match self {
            Self::Renamed { to, .. } => to,
            other => other.first(),
        }
    }

    fn has_arrived(&self) -> bool {
        matches!(self, Self::Renamed { arrived: Arrived::Surely, .. })
    }

    fn arrive_if(&mut self, is_synced: bool) {
        if let Self::Renamed { arrived, .. } = self
            && is_synced
        {
            *arrived = Arrived::Surely;
        }
    }

    fn touches(&self, path: &Path) -> bool {
        [self.first(), self.last()].into_iter().any(|own| overlap(own, path))
    }

    /// Whether it stands as long as a later change of this name does.
    fn may_not_fall_with(&self, path: &Path) -> bool {
        if self.has_arrived() { overlap(self.first(), path) } else { self.touches(path) }
    }

    /// Returns whether there was anything to take back.
    fn take_back(self) -> bool {
        match self {
            Self::File { path } => fs::remove_file(path).is_ok(),
            Self::Folder { path } => fs::remove_dir_all(path).is_ok(),
            Self::Removed { path, was } => was.rise(&path),
            Self::Renamed { from, to, arrived: Arrived::Surely, .. } => fs::copy(to, from).is_ok(),
            Self::Renamed { from, to, replaced, .. } => {
                let is_back = fs::rename(&to, &from).is_ok();
                is_back && replaced.is_none_or(|old| old.rise(&to))
            }
        }
    }
}

/// Whether one is the other, or lies in it.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
