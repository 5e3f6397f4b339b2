//! A log that is begun anew from time to time, of which so many files are kept.
//!
//! Owns which files are old ones of the log. Invariant: nothing is removed but files whose names are the log's with a date
//! in it: the appender's own count goes by how a name begins and ends, and `file = "../crm"` would cost `crm.db`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_appender::rolling::{InitError, RollingFileAppender, RollingWriter, Rotation};
use tracing_subscriber::fmt::MakeWriter;

/// How often it is looked for old files.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The log's files.
pub struct KeptLog {
    appender: RollingFileAppender,
    names: Names,
    keep: Option<usize>,
    looked: Mutex<Option<Instant>>,
}

/// How the log's files are named: `stem.DATE.ending`.
struct Names {
    folder: PathBuf,
    stem: String,
    ending: Option<String>,
}

impl KeptLog {
    /// Begins a file, or goes on with it. `keep`: how many are kept, if not all.
    pub fn begin(file: &Path, rotation: Rotation, keep: Option<usize>) -> Result<Self, InitError> {
        let text = |part: &OsStr| part.to_string_lossy().into_owned();
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        let (stem, ending) = (file.file_stem().map(text).unwrap_or_default(), file.extension().map(text));
        let mut builder = RollingFileAppender::builder().rotation(rotation).filename_prefix(stem.clone());
        if let Some(ending) = &ending {
            builder = builder.filename_suffix(ending.clone());
        }
        let appender = builder.build(&folder)?;
        Ok(Self { appender, names: Names { folder, stem, ending }, keep, looked: Mutex::default() })
    }

    fn remove_old(&self) {
        let Some(keep) = self.keep else { return };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        for old in self.names.files().into_iter().rev().skip(keep) {
            // One that cannot be removed now is looked at again in a minute.
            let _ = fs::remove_file(old);
        }
    }
}

impl<'a> MakeWriter<'a> for KeptLog {
    type Writer = RollingWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        // First the writer, which may begin a new file.
        let writer = self.appender.make_writer();
        self.remove_old();
        writer
    }
}

impl Names {
    /// The files that there are, the oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let entries = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| self.is_ours(name)));
        let mut files: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    fn is_ours(&self, name: &str) -> bool {
        let within = name.strip_prefix(self.stem.as_str()).and_then(|name| name.strip_prefix('.'));
        let date = match &self.ending {
            None => within,
            Some(ending) => within.and_then(|name| name.strip_suffix(ending.as_str())?.strip_suffix('.')),
        };
        date.is_some_and(is_date)
    }
}

/// `2026-11-26`, or `2026-11-26-05` for an hour.
fn is_date(text: &str) -> bool {
    let digits =
        |(place, byte): (usize, u8)| if matches!(place, 4 | 7 | 10) { byte == b'-' } else { byte.is_ascii_digit() };
    matches!(text.len(), 10 | 13) && text.bytes().enumerate().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_date_are_the_log_s() {
        let names = |ending: Option<&str>| Names {
            folder: PathBuf::new(),
            stem: "crm".to_owned(),
            ending: ending.map(str::to_owned),
        };
        let (log, plain) = (names(Some("log")), names(None));
        assert!(log.is_ours("crm.2026-11-26.log") && log.is_ours("crm.2026-11-26-05.log"));
        assert!(plain.is_ours("crm.2026-11-26"));
        for other in [
            "crm.log",
            "crm-2026-11-26.log",
            "crm.2026-11-26.db",
            "crm.old.log",
            "crm.2026-11-26.x.log",
            "a.2026-11-26.log",
        ] {
            assert!(!log.is_ours(other), "{other}");
        }
        for other in ["crm", "crm.db", "crm.db-wal", "crm.2026-11-26.db", "crm.2026.11.26", "crm.2026-11-26-5"] {
            assert!(!plain.is_ours(other), "{other}");
        }
    }
}
