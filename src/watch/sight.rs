//! Whether the database was written to, without opening it, or the configuration.
//!
//! Owns the look at their files. Invariant: it costs a few questions to the file system and keeps nothing open, so that the
//! application, a backup or an unmounting never meets us. What it misses (two commits within the file system's smallest
//! unit of time) is found by the clock. Our own writing is seen too, and makes one look more, which finds nothing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::SIGHT_EVERY;

/// The files into which SQLite writes: the database, its write-ahead log, its rollback journal.
const OF_DATABASE: &[&str] = &["", "-wal", "-journal"];

/// What a file looks like, if it is there.
type Look = Option<(u64, Option<SystemTime>)>;

/// Files as they looked last.
#[derive(Clone, Debug)]
pub struct Sight {
    path: PathBuf,
    endings: &'static [&'static str],
    looked: Duration,
    looks: Vec<Look>,
}

impl Sight {
    /// Looks at a database for the first time.
    pub fn of_database(path: &Path) -> Self {
        Self::new(path, OF_DATABASE)
    }

    /// Looks at a single file for the first time.
    pub fn of_file(path: &Path) -> Self {
        Self::new(path, &[""])
    }

    fn new(path: &Path, endings: &'static [&'static str]) -> Self {
        Self { path: path.to_owned(), endings, looked: Duration::ZERO, looks: looks(path, endings) }
    }

    /// Another one may have come in its place in the configuration.
    pub fn keep_to(&mut self, path: &Path) {
        if path != self.path {
            self.path = path.to_owned();
        }
    }

    /// Whether it was written to since the last look. Looks once in a while only.
    pub fn has_changed(&mut self, now: Duration) -> bool {
        if now < self.looked.saturating_add(SIGHT_EVERY) {
            return false;
        }
        self.looked = now;
        let before = std::mem::replace(&mut self.looks, looks(&self.path, self.endings));
        before != self.looks
    }
}

fn looks(path: &Path, endings: &[&str]) -> Vec<Look> {
    let look = |ending: &&str| {
        let mut name = OsString::from(path);
        name.push(ending);
        let about = fs::metadata(Path::new(&name)).ok()?;
        // An empty log is what a mere reader leaves.
        (about.len() > 0).then(|| (about.len(), about.modified().ok()))
    };
    endings.iter().map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_is_seen_and_reading_and_rest_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("crm.db");
        let mut second = 0;
        let mut sight = Sight::of_database(&database);
        let mut changed = |sight: &mut Sight| {
            second += 2;
            sight.has_changed(Duration::from_secs(second))
        };
        assert!(!changed(&mut sight));
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a)").unwrap();
        assert!(changed(&mut sight));
        connection.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        assert!(changed(&mut sight), "it stands in the log");
        let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!((rows, changed(&mut sight)), (1, false));
        connection.execute_batch("PRAGMA journal_mode = DELETE; INSERT INTO t VALUES (2)").unwrap();
        assert!(changed(&mut sight), "without a log");
        assert!(!changed(&mut sight));
        drop(connection);
        fs::remove_file(&database).unwrap();
        assert!(changed(&mut sight), "it is gone");
    }

    #[test]
    fn it_looks_once_in_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("crm.db");
        let mut sight = Sight::of_database(&database);
        assert!(!sight.has_changed(SIGHT_EVERY));
        fs::write(&database, "x").unwrap();
        assert!(!sight.has_changed(SIGHT_EVERY + SIGHT_EVERY / 2));
        assert!(sight.has_changed(SIGHT_EVERY * 2));
    }
}
