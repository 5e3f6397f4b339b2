//! What passes between those who make calls and those who have the database.
//!
//! Owns the folder `calls` of a home. [`Orders`] go one way: what a call has to know of the links. [`Look`]s come back: what
//! calls saw of the mailboxes. Whoever makes calls has the rest for itself: the relays that it knows, the mailboxes that it
//! found empty, and when it calls again. Invariant: whoever makes calls needs neither keys nor database, and nothing that is
//! lost or damaged here costs more than another look. Leaves to the callers that one of each kind is at work at a time.

mod empty;
mod known;
mod look;
mod orders;
mod redial;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use empty::Empty;
pub use look::{Look, Looks};
pub use orders::{LinkOrders, Orders};
pub use redial::Redial;

use crate::seam::{Disk, FileRefused, open_to_read, write_for_all};

/// The folder's name in a home.
pub(crate) const FOLDER: &str = "calls";
/// The folder of a home that is shared with a courier whenever this one is.
const SHARED_LIKE: &str = "inbox";
/// What a call or a courier holds while it is at work, in the folder.
pub(crate) const LOCKS: [&str; 2] = ["calls/lock", "calls/watch.lock"];

/// What calls saw takes no more bytes: whoever makes them may have put anything there, which is read into memory.
const LOOKS_MAX: u64 = 4 << 20;
/// The same of everything else: orders for thousands of remotes.
const TEXT_MAX: u64 = 16 << 20;

const ORDERS: &str = "orders";
const LOOKS: &str = "looks";
/// The same while they are taken in.
const TAKEN: &str = "looks.taken";

/// The folder `calls` of a home.
#[derive(Clone, Debug)]
pub struct Calls {
    folder: PathBuf,
}

/// Something in the folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// No orders were given yet.
    #[error("{} is missing, which tells what a call has to know: `packhorse bundle` by whoever may open the database makes it", .0.display())]
    NoOrders(PathBuf),
    /// A file is damaged.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system refused something.
    #[error(transparent)]
    Failed(#[from] FileRefused),
}

impl Calls {
    pub(crate) fn of(home: &Path) -> Self {
        Self { folder: home.join(FOLDER) }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a call has to know.
    pub fn orders(&self) -> Result<Orders, CallsError> {
        let path = self.folder.join(ORDERS);
        let Some(content) = read(&path, TEXT_MAX)? else { return Err(CallsError::NoOrders(path)) };
        Orders::parse(&content).map_err(|why| CallsError::Damaged { path, why })
    }

    /// Where the orders are: whoever makes calls looks whether there are others.
    pub fn orders_path(&self) -> PathBuf {
        self.folder.join(ORDERS)
    }

    /// Gives other orders. The same ones are not written again.
    pub fn give(&self, disk: &dyn Disk, orders: &Orders) -> Result<(), CallsError> {
        let path = self.folder.join(ORDERS);
        let text = orders.text().map_err(unwritten(&path))?;
        // What cannot be read is written anew.
        if read(&path, TEXT_MAX).is_ok_and(|found| found.as_deref() == Some(text.as_bytes())) {
            return Ok(());
        }
        self.write(disk, &path, text.as_bytes(), "give calls their orders")
    }

    /// What calls saw that has not been taken in.
    pub fn looks(&self) -> Result<Looks, CallsError> {
        let (mut looks, later) = (self.looks_in(TAKEN)?, self.looks_in(LOOKS)?);
        later.all().for_each(|look| looks.add(look.clone()));
        Ok(looks)
    }

    /// Takes what calls saw, to be taken in: [`Self::taken_in`] ends that, and until then the same is taken again. What a call
    /// puts down meanwhile is for the next time, and may begin with what is taken now: that does no harm twice.
    pub fn take(&self, disk: &dyn Disk) -> Result<Looks, CallsError> {
        let [looks, taken] = [LOOKS, TAKEN].map(|name| self.folder.join(name));
        if taken.symlink_metadata().is_err() && looks.symlink_metadata().is_ok() {
            disk.rename(&looks, &taken).map_err(failed("take what calls saw", &looks))?;
        }
        self.looks_in(TAKEN)
    }

    /// What was taken has been taken in.
    pub fn taken_in(&self, disk: &dyn Disk) -> Result<(), CallsError> {
        let path = self.folder.join(TAKEN);
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        disk.remove(&path).map_err(failed("remove what was taken in", &path))
    }

    /// Puts down what a call saw.
    pub fn saw(&self, disk: &dyn Disk, looks: Vec<Look>) -> Result<(), CallsError> {
        // What is damaged is told by whoever takes it in, and cannot be kept.
        let mut all = self.looks_in(LOOKS).unwrap_or_default();
        let news: Vec<Look> = looks.into_iter().filter(|look| !look.is_blank()).collect();
        if news.is_empty() {
            return Ok(());
        }
        news.into_iter().for_each(|look| all.add(look));
        let path = self.folder.join(LOOKS);
        let content = all.content(LOOKS_MAX).map_err(unwritten(&path))?;
        self.write(disk, &path, &content, "put down what a call saw")
    }

    fn looks_in(&self, name: &str) -> Result<Looks, CallsError> {
        let path = self.folder.join(name);
        let Some(content) = read(&path, LOOKS_MAX)? else { return Ok(Looks::default()) };
        Looks::parse(&content).map_err(|why| CallsError::Damaged { path, why })
    }

    /// When the service calls next, if its last call failed.
    pub fn redial(&self) -> Option<Redial> {
        Redial::read(&self.folder)
    }

    /// Remembers when the service calls next.
    pub fn set_redial(&self, disk: &dyn Disk, redial: Redial) -> Result<(), CallsError> {
        self.need(disk)?;
        redial.write(disk, &self.folder).map_err(failed("remember when to call next", &self.folder))
    }

    /// A call got through: nothing is waited for any more.
    pub fn clear_redial(&self, disk: &dyn Disk) -> Result<(), CallsError> {
        Redial::clear(disk, &self.folder).map_err(failed("tidy up", &self.folder))
    }

    /// The relays that were found to be ours, each with what its server told of its marker then.
    pub fn known_relays(&self) -> BTreeMap<String, String> {
        known::read(&self.folder)
    }

    /// Remembers them.
    pub fn set_known_relays(&self, disk: &dyn Disk, known: &BTreeMap<String, String>) -> Result<(), CallsError> {
        self.need(disk)?;
        known::write(disk, &self.folder, known).map_err(failed("remember the relays", &self.folder))
    }

    /// The mailboxes that were found empty.
    pub fn empty(&self) -> Empty {
        Empty::read(&self.folder)
    }

    /// Remembers them, durably.
    pub fn set_empty(&self, disk: &dyn Disk, empty: &Empty) -> Result<(), CallsError> {
        self.need(disk)?;
        empty.write(disk, &self.folder).map_err(failed("remember which mailboxes are empty", &self.folder))
    }

    /// Takes away what was made with the home.
    pub(crate) fn abandon(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove(&self.folder.join(ORDERS))
    }

    fn write(&self, disk: &dyn Disk, path: &Path, content: &[u8], action: &'static str) -> Result<(), CallsError> {
        self.need(disk)?;
        write_for_all(disk, path, content).map_err(failed(action, path))
    }

    /// Copying a home can lose its empty folders; where the home itself is not, its disk has gone away.
    fn need(&self, disk: &dyn Disk) -> Result<(), CallsError> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let home = self.folder.parent().unwrap_or(&self.folder);
        fs::metadata(home).map_err(failed("find the home", home))?;
        let made = disk.create_folder(&self.folder);
        let shared = made.and_then(|()| disk.share_folder(&self.folder, &home.join(SHARED_LIKE)));
        shared.map_err(failed("make the folder", &self.folder))
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> CallsError + 'a {
    FileRefused::at(action, path)
}

fn unwritten<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl FnOnce(E) -> CallsError + '_ {
    move |why| failed("put into words", path)(io::Error::other(why))
}

/// What a file holds, if there is one, and it is no larger.
fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, CallsError> {
    let damaged = |why: &str| CallsError::Damaged { path: path.to_owned(), why: why.to_owned() };
    let file = match open_to_read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.symlink_metadata().is_ok_and(|found| !found.is_file()) => return Err(damaged("it is no file")),
        opened => opened.map_err(failed("read", path))?,
    };
    let mut content = Vec::new();
    file.take(most + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > most { Err(damaged("it is too large")) } else { Ok(Some(content)) }
}

/// The same of a text on which nothing depends: what cannot be used is as good as nothing.
fn read_if_sound(path: &Path) -> String {
    read(path, TEXT_MAX).ok().flatten().and_then(|content| String::from_utf8(content).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WallTime;
    use crate::seam::OsDisk;

    fn look(at: u64) -> Look {
        Look { lying: Some(vec![format!("bundle-{at}")]), ..Look::new("alice".parse().unwrap(), WallTime(at)) }
    }

    fn times(looks: &Looks) -> Vec<u64> {
        looks.all().map(|look| look.at.0).collect()
    }

    #[test]
    fn what_a_call_puts_down_while_others_is_taken_in_is_for_the_next_time() {
        let home = tempfile::tempdir().unwrap();
        let calls = Calls::of(home.path());
        calls.saw(&OsDisk, vec![look(1)]).unwrap();
        assert_eq!(times(&calls.take(&OsDisk).unwrap()), [1]);
        calls.saw(&OsDisk, vec![look(2)]).unwrap();
        assert_eq!(times(&calls.looks().unwrap()), [1, 2]);
        assert_eq!(times(&calls.take(&OsDisk).unwrap()), [1], "as it was not taken in");
        calls.taken_in(&OsDisk).unwrap();
        assert_eq!(times(&calls.take(&OsDisk).unwrap()), [2]);
        calls.taken_in(&OsDisk).unwrap();
        assert_eq!(calls.take(&OsDisk).unwrap(), Looks::default());
    }

    #[test]
    fn what_calls_saw_is_kept_until_it_is_taken_in() {
        let home = tempfile::tempdir().unwrap();
        let calls = Calls::of(home.path());
        assert_eq!(calls.looks().unwrap(), Looks::default());
        calls.taken_in(&OsDisk).unwrap();
        for at in 1..4 {
            calls.saw(&OsDisk, vec![look(at)]).unwrap();
        }
        let looks = calls.looks().unwrap();
        assert_eq!(times(&looks), [1, 2, 3]);
        assert_eq!(calls.take(&OsDisk).unwrap(), looks);
        calls.taken_in(&OsDisk).unwrap();
        assert_eq!(calls.looks().unwrap(), Looks::default());
    }

    #[test]
    fn orders_are_read_back_and_the_same_are_not_written_again() {
        let home = tempfile::tempdir().unwrap();
        let calls = Calls::of(home.path());
        assert!(matches!(calls.orders(), Err(CallsError::NoOrders(_))));
        calls.give(&OsDisk, &Orders::default()).unwrap();
        let path = calls.folder().join(ORDERS);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        calls.give(&OsDisk, &Orders::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_eq!(calls.orders().unwrap(), Orders::default());
        let too_large = vec![b'#'; TEXT_MAX as usize + 1];
        for damaged in [&b"\xff"[..], b"[", b"nonsense = 1", &too_large] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(calls.orders(), Err(CallsError::Damaged { .. })), "{damaged:?}");
            calls.give(&OsDisk, &Orders::default()).unwrap();
            assert_eq!(calls.orders().unwrap(), Orders::default());
        }
    }

    #[test]
    fn what_is_damaged_is_told_and_gives_way_to_what_is_seen_next() {
        let home = tempfile::tempdir().unwrap();
        let calls = Calls::of(home.path());
        calls.saw(&OsDisk, vec![look(1)]).unwrap();
        fs::write(calls.folder().join(LOOKS), "nonsense").unwrap();
        assert!(matches!(calls.looks(), Err(CallsError::Damaged { .. })));
        calls.saw(&OsDisk, vec![look(2)]).unwrap();
        assert_eq!(times(&calls.looks().unwrap()), [2]);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_not_waited_for_and_no_link_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let calls = Calls::of(home.path());
        fs::create_dir(calls.folder()).unwrap();
        let secret = home.path().join("secret");
        fs::write(&secret, "[[link]]").unwrap();
        for name in [ORDERS, LOOKS, "redial", "relays", "empty"] {
            std::os::unix::fs::symlink(&secret, calls.folder().join(name)).unwrap();
        }
        let told = |result: Result<(), CallsError>| result.unwrap_err().to_string();
        assert!(told(calls.orders().map(drop)).contains("no file"));
        assert!(told(calls.looks().map(drop)).contains("no file"));
        assert_eq!((calls.redial(), calls.known_relays(), calls.empty()), Default::default());
        calls.give(&OsDisk, &Orders::default()).unwrap();
        calls.saw(&OsDisk, vec![look(1)]).unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "[[link]]", "what it leads to is left alone");
    }

    #[test]
    fn nothing_is_written_in_the_place_of_a_home_that_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let calls = Calls::of(&folder.path().join("gone"));
        assert!(matches!(calls.give(&OsDisk, &Orders::default()), Err(CallsError::Failed(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
