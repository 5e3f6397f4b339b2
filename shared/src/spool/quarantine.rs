//! Files that were refused, each with the reason beside it.
//!
//! Owns `quarantine/`: `NAME` and `NAME.reason`. Invariants: a file is there only with its reason, and nothing that
//! is there is overwritten. Leaves to people when such files are deleted or looked at again, and to the links
//! that the sender is asked for the bundle again.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::name::{check_complete, check_kept};
use super::{Spool, SpoolError, SpoolFile, list};
use crate::bundle::ShortDigest;
use crate::clock::WallTime;
use crate::config::one_line;
use crate::seam::{Step, open_to_read, publish, write_for_all};

/// How many files of one name are kept before something must be amiss.
const SAME_NAME_MAX: u32 = 10_000;
/// The most that is read of a reason file, which somebody may have edited.
const REASON_MAX: u64 = 16 * 1024;
const WHY: &str = "why: ";

/// A file in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The file.
    pub file: SpoolFile,
}

impl Quarantined {
    /// Why it is here, in one line, if its reason file can be read. That is read now: there may be many, and few are asked.
    pub fn why(&self) -> Option<String> {
        read_why(&self.file.path)
    }
}

impl Spool<'_> {
    /// Moves a file of the spool into quarantine and says there why. Returns where it is now: under its name, or
    /// with a number behind it if the name is taken. If it is not at `from` but one of its name is here, that one is
    /// taken for it.
    pub fn quarantine(&self, from: &Path, name: &str, reason: &str, now: WallTime) -> Result<PathBuf, SpoolError> {
        check_complete(name)?;
        let failed = SpoolError::at(format!("move \"{name}\" into quarantine"), &self.quarantine);
        self.need_folder(&self.quarantine)?;
        let size = match from.symlink_metadata() {
            Ok(meta) => meta.len(),
            Err(error) => return self.finish_move(from, name, error).map_err(failed),
        };
        // A run that was killed before it took the file off the relay fetches it once more: it is kept once.
        let kept = self.places(name).take_while(|place| place.symlink_metadata().is_ok()).find(|kept| same(from, kept));
        if let Some(kept) = kept {
            self.disk.remove(from).map_err(failed)?;
            return Ok(kept);
        }
        let Some(place) = self.places(name).find(|place| place.symlink_metadata().is_err()) else {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        };
        let words = reason_text(name, size, reason, now);
        write_for_all(self.disk, &reason_path(&place), words.as_bytes())
            .map_err(SpoolError::at(format!("write why \"{name}\" is refused"), &self.quarantine))?;
        self.steps
            .reached(Step::ReasonWritten)
            .and_then(|()| publish(self.disk, from, &place))
            .and_then(|()| self.steps.reached(Step::BundleQuarantined))
            .map_err(failed)?;
        Ok(place)
    }

    /// The files in quarantine, sorted by name.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, SpoolError> {
        Ok(list(self.disk, &self.quarantine, check_kept)?.into_iter().map(|file| Quarantined { file }).collect())
    }

    /// Moves a file from quarantine back into the inbox, durably, under the name that it had there; why it was refused
    /// is forgotten last.
    pub fn return_to_inbox(&self, kept: &str, name: &str) -> Result<PathBuf, SpoolError> {
        check_kept(kept)?;
        check_complete(name)?;
        let (from, to) = (self.quarantine.join(kept), self.inbox.join(name));
        self.need_folder(&self.inbox)?;
        let moved = match (from.symlink_metadata(), to.symlink_metadata()) {
            (Ok(_), Err(_)) => self.disk.sync_file(&from).and_then(|()| publish(self.disk, &from, &to)),
            (Ok(_), Ok(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            // An earlier run was cut off between the move and the last sync.
            (Err(error), Ok(_)) if error.kind() == io::ErrorKind::NotFound => self.sync_both(&from, &to),
            (Err(error), _) => Err(error),
        };
        moved
            .and_then(|()| self.forget_why(&from))
            .map_err(SpoolError::at(format!("move \"{kept}\" from quarantine into the inbox"), &self.quarantine))?;
        Ok(to)
    }

    /// Takes a file out of quarantine, with its reason; success if it is not there.
    pub fn remove_from_quarantine(&self, kept: &str) -> Result<(), SpoolError> {
        check_kept(kept)?;
        let path = self.quarantine.join(kept);
        let removed = self.disk.remove(&path).and_then(|()| self.forget_why(&path));
        removed.map_err(SpoolError::at(format!("remove \"{kept}\" from quarantine"), &self.quarantine))
    }

    /// The file is gone first, durably: it must never lie here without its reason.
    fn forget_why(&self, place: &Path) -> io::Result<()> {
        self.disk.sync_folder(&self.quarantine)?;
        self.disk.remove(&reason_path(place))?;
        self.disk.sync_folder(&self.quarantine)
    }

    /// A file that is not where it was may have been moved by a run that was cut off before the last sync.
    fn finish_move(&self, from: &Path, name: &str, error: io::Error) -> io::Result<PathBuf> {
        let last = self.places(name).take_while(|place| place.symlink_metadata().is_ok()).last();
        match last {
            Some(place) if error.kind() == io::ErrorKind::NotFound => self.sync_both(from, &place).map(|()| place),
            _ => Err(error),
        }
    }

    fn places(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let numbered = (1..SAME_NAME_MAX).map(move |number| self.quarantine.join(format!("{name}.{number}")));
        std::iter::once(self.quarantine.join(name)).chain(numbered)
    }
}

/// Whether two files hold the same. What cannot be read is not known to.
fn same(one: &Path, other: &Path) -> bool {
    let digest = |path: &Path| open_to_read(path).and_then(|file| ShortDigest::of(BufReader::new(file))).ok();
    let length = |path: &Path| path.symlink_metadata().map(|about| about.len()).ok();
    length(one) == length(other) && digest(one).is_some_and(|found| digest(other) == Some(found))
}

fn reason_path(place: &Path) -> PathBuf {
    let mut path = place.as_os_str().to_owned();
    path.push(".reason");
    PathBuf::from(path)
}

fn reason_text(name: &str, size: u64, reason: &str, now: WallTime) -> String {
    let time = i64::try_from(now.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let when = time.map_or_else(|| format!("{} ms after 1970", now.0), |time| time.to_string());
    format!(
        "when: {when}\nwhat: {name}, {size} bytes, was refused and moved here; nothing in it was applied\n\
         {WHY}{}\nwhat to do: nothing, as a rule: the sender is asked for it again. `packhorse inspect` looks into the \
         file; when nobody needs it any more, delete it and this text\n",
        one_line(reason)
    )
}

fn read_why(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    open_to_read(&reason_path(file)).ok()?.take(REASON_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| line.strip_prefix(WHY)).map(one_line)
}
