//! Watch: noticing at once that a bundle has come into a folder.
//!
//! Owns the file system's notifications. Invariant: nothing depends on them. They are told late, doubled, or not at all (a
//! network share tells nothing of what others do there, a folder that is removed and made again tells nothing any more),
//! so that whoever is woken by one looks through the whole folder, and does so from time to time without being woken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::EventKind;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// Folders into which bundles come.
pub struct Arrivals {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

/// A folder that cannot be watched: it is looked into from time to time all the same.
#[derive(Debug, thiserror::Error)]
#[error("arrivals in {} are not noticed at once ({source}): it is looked into from time to time", folder.display())]
pub struct WatchError {
    folder: PathBuf,
    source: notify::Error,
}

/// Where something has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Into this folder.
    In(PathBuf),
    /// Into any: some notifications were lost.
    Anywhere,
}

impl Arrivals {
    /// Watches no folder yet. What comes is told from a thread of the watcher's own.
    ///
    /// # Errors
    ///
    /// If the system gives no more notifications to anybody.
    pub fn new(mut told: impl FnMut(Arrival) + Send + 'static) -> Result<Self, WatchError> {
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) => arrivals(&event).into_iter().for_each(&mut told),
            Err(_) => told(Arrival::Anywhere),
        };
        let watcher = notify::recommended_watcher(handler);
        let watcher = watcher.map_err(|source| WatchError { folder: PathBuf::from("any folder"), source })?;
        Ok(Self { watcher, watched: BTreeSet::new() })
    }

    /// Watches these folders and no others, each anew: one that was removed and made again is another folder under its
    /// old name. Returns those that cannot be watched although they are there.
    pub fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> Vec<WatchError> {
        for folder in std::mem::take(&mut self.watched) {
            // Watching once more is enough where notices are kept by what a name leads to; and what came while a folder is
            // not watched would not be told.
            if cfg!(target_os = "linux") && folders.contains(&folder) {
                continue;
            }
            // One that was removed is not watched any more, which is what is wanted.
            let _ = self.watcher.unwatch(&folder);
        }
        let mut failed = Vec::new();
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder.clone())),
                Err(source) => failed.push(WatchError { folder: folder.clone(), source }),
            }
        }
        failed
    }
}

/// The folders into which an event has brought a bundle. Our own reading and removing bring none.
fn arrivals(event: &Event) -> Vec<Arrival> {
    if event.need_rescan() {
        return vec![Arrival::Anywhere];
    }
    if matches!(event.kind, EventKind::Access(_) | EventKind::Remove(_)) {
        return Vec::new();
    }
    let bundles = event.paths.iter().filter(|path| path.extension().is_some_and(|end| end == "bundle"));
    let folders: BTreeSet<PathBuf> = bundles.filter_map(|path| path.parent().map(Path::to_owned)).collect();
    folders.into_iter().map(Arrival::In).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use notify::event::{AccessKind, CreateKind, Flag, ModifyKind, RemoveKind, RenameMode};

    use super::*;

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(PathBuf::from(path))
    }

    #[test]
    fn a_bundle_that_appears_is_an_arrival_and_nothing_else_is() {
        let create = EventKind::Create(CreateKind::File);
        let here = vec![Arrival::In(PathBuf::from("/in"))];
        assert_eq!(arrivals(&event(create, "/in/a.bundle")), here);
        assert_eq!(arrivals(&event(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/in/a.bundle")), here);
        assert_eq!(arrivals(&event(create, "/in/a.bundle.part")), []);
        assert_eq!(arrivals(&event(EventKind::Access(AccessKind::Read), "/in/a.bundle")), []);
        assert_eq!(arrivals(&event(EventKind::Remove(RemoveKind::File), "/in/a.bundle")), []);
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(arrivals(&lost), [Arrival::Anywhere]);
    }

    fn comes(told: &Receiver<Arrival>) -> Option<Arrival> {
        told.recv_timeout(Duration::from_secs(20)).ok()
    }

    #[test]
    fn a_file_that_is_moved_in_is_told_also_after_the_folder_was_made_again() {
        let outer = tempfile::tempdir().expect("a folder");
        let (folder, other) = (outer.path().join("in"), outer.path().join("other"));
        fs::create_dir(&folder).expect("a folder");
        fs::create_dir(&other).expect("a folder");
        let (tell, told) = channel();
        let mut watched = Arrivals::new(move |arrival| drop(tell.send(arrival))).expect("a watcher");
        let folders = BTreeSet::from([folder.clone(), outer.path().join("missing")]);
        assert!(watched.watch(&folders).is_empty());
        let bring = |name: &str| {
            fs::write(other.join(name), "x").expect("a file");
            fs::rename(other.join(name), folder.join(name)).expect("a file is moved");
        };
        bring("one.bundle");
        assert_eq!(comes(&told), Some(Arrival::In(folder.clone())));
        fs::remove_dir_all(&folder).expect("the folder is removed");
        fs::create_dir(&folder).expect("it is made again");
        assert!(watched.watch(&folders).is_empty());
        while told.try_recv().is_ok() {}
        bring("two.bundle");
        assert_eq!(comes(&told), Some(Arrival::In(folder.clone())));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_comes_while_folders_are_watched_anew_is_told_too() {
        let outer = tempfile::tempdir().expect("a folder");
        let folders: BTreeSet<PathBuf> = (0..60).map(|number| outer.path().join(format!("{number}"))).collect();
        folders.iter().for_each(|folder| fs::create_dir(folder).expect("a folder"));
        let (tell, told) = channel();
        let mut watched = Arrivals::new(move |arrival| drop(tell.send(arrival))).expect("a watcher");
        assert!(watched.watch(&folders).is_empty());
        let folder = outer.path().join("30");
        for number in 0..300 {
            let bundle = folder.join(format!("{number}.bundle"));
            let comes_in = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(number * 10));
                fs::write(bundle, "x").expect("a file");
            });
            assert!(watched.watch(&folders).is_empty());
            comes_in.join().expect("it has come");
            assert_eq!(comes(&told), Some(Arrival::In(folder.clone())), "{number}");
            while told.try_recv().is_ok() {}
        }
    }
}
