//! One bundle file in the books: what is known of it, and its bytes in the ledger.
//!
//! Owns the form of an entry: eight bytes of checksum over key and content, then a MessagePack map. Invariant: what is
//! read is what was written, or it is seen to be damaged; keys that are not known here are ignored, so that later
//! versions may add some.

use serde::{Deserialize, Serialize};

use super::state::{Direction, Event, State};
use crate::bundle::BundleName;
use crate::clock::WallTime;
use crate::config::one_line;
use crate::id::NodeName;

/// The longest error text that is kept, in bytes.
pub const ERROR_MAX: usize = 300;

const CHECKSUM: usize = 8;

/// Under what an entry is kept: the file's name, and whether it lies in quarantine. A refused file stays there under
/// its name while a whole one of the same name may come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whether the file lies, or last lay, in quarantine.
    pub quarantine: bool,
    /// The file's name; in quarantine perhaps with a number behind it.
    pub file: String,
}

/// The last thing that went wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// What, in one line.
    pub text: String,
    /// When.
    pub at: WallTime,
}

/// What is known of one bundle file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which way it goes.
    pub direction: Direction,
    /// The other end.
    pub peer: NodeName,
    /// Where it stands.
    pub state: State,
    /// Its size in bytes.
    pub size: u64,
    /// When it was first seen.
    pub first_seen: WallTime,
    /// Since when it stands where it stands.
    pub since: WallTime,
    /// How often it was tried to send it, or to apply it.
    #[serde(default)]
    pub attempts: u32,
    /// Whether it holds no change, and nothing is to come of it once it has been fetched.
    #[serde(default)]
    pub empty: bool,
    /// What last went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LastError>,
    /// The relay that it was put on, as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
}

impl Key {
    /// The key of a file in the outbox or inbox.
    pub fn queued(file: &str) -> Self {
        Self { quarantine: false, file: file.to_owned() }
    }

    /// The key of a file in quarantine.
    pub fn refused(file: &str) -> Self {
        Self { quarantine: true, file: file.to_owned() }
    }

    /// The bundle's name: what stands in quarantine may have a number behind it.
    pub fn bundle(&self) -> Option<BundleName> {
        bundle_of(&self.file)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let shelf = if self.quarantine { "quarantine/" } else { "queue/" };
        format!("{shelf}{}", self.file).into_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let key = match text.split_once('/')? {
            ("queue", file) => Self::queued(file),
            ("quarantine", file) => Self::refused(file),
            _ => return None,
        };
        key.bundle().is_some().then_some(key)
    }
}

/// The bundle's name that a file bears, perhaps with a number behind it.
pub fn bundle_of(file: &str) -> Option<BundleName> {
    let numbered = || {
        let (name, number) = file.rsplit_once('.')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        is_number.then_some(name)?.parse().ok()
    };
    file.parse().ok().or_else(numbered)
}

impl Entry {
    /// Whether nothing more is to come of it.
    pub fn is_finished(&self) -> bool {
        self.state.is_finished() || (self.empty && self.state == State::Fetched)
    }

    /// Takes a step, if it leads anywhere from here.
    pub(super) fn step(&mut self, event: Event, now: WallTime) {
        if let Some(next) = self.state.after(event) {
            self.state = next;
            self.since = now;
        }
    }

    /// Notes what went wrong.
    pub(super) fn failed(&mut self, text: &str, now: WallTime) {
        self.error = Some(LastError { text: shortened(text), at: now });
    }

    pub(super) fn to_bytes(&self, key: &Key) -> Option<Vec<u8>> {
        let content = rmp_serde::to_vec_named(self).ok()?;
        let mut bytes = checksum(&key.to_bytes(), &content).to_vec();
        bytes.extend(content);
        Some(bytes)
    }

    pub(super) fn from_bytes(key: &Key, bytes: &[u8]) -> Option<Self> {
        let (sum, content) = bytes.split_at_checked(CHECKSUM)?;
        if sum != checksum(&key.to_bytes(), content) {
            return None;
        }
        rmp_serde::from_slice(content).ok()
    }
}

/// The first bytes of the BLAKE3 digest over a key and what stands under it.
pub(super) fn checksum(key: &[u8], content: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes()).update(key).update(content);
    let mut first = [0; CHECKSUM];
    hasher.finalize_xof().fill(&mut first);
    first
}

fn shortened(text: &str) -> String {
    let line = one_line(text);
    line.get(..line.floor_char_boundary(ERROR_MAX)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle";

    fn entry() -> Entry {
        Entry {
            direction: Direction::Outgoing,
            peer: "alice".parse().unwrap(),
            state: State::Sent,
            size: 812,
            first_seen: WallTime(5),
            since: WallTime(7),
            attempts: 2,
            empty: true,
            error: Some(LastError { text: "no room".to_owned(), at: WallTime(6) }),
            relay: Some("/srv/relay".to_owned()),
        }
    }

    #[test]
    fn an_entry_comes_back_and_any_flipped_bit_is_seen() {
        let (key, entry) = (Key::queued(NAME), entry());
        let bytes = entry.to_bytes(&key).unwrap();
        assert_eq!(Entry::from_bytes(&key, &bytes), Some(entry));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::from_bytes(&key, &flipped), None, "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(Entry::from_bytes(&key, &bytes[..end]), None);
        }
        assert_eq!(Entry::from_bytes(&Key::refused(NAME), &bytes), None, "it belongs under its own key");
    }

    #[test]
    fn keys_that_a_later_version_adds_are_ignored() {
        #[derive(Serialize)]
        struct Later {
            direction: Direction,
            peer: &'static str,
            state: State,
            size: u64,
            first_seen: WallTime,
            since: WallTime,
            colour: &'static str,
        }
        let later = Later {
            direction: Direction::Outgoing,
            peer: "alice",
            state: State::Sent,
            size: 812,
            first_seen: WallTime(5),
            since: WallTime(7),
            colour: "blue",
        };
        let key = Key::queued(NAME);
        let content = rmp_serde::to_vec_named(&later).unwrap();
        let bytes = [&checksum(&key.to_bytes(), &content)[..], &content].concat();
        let expected = Entry { attempts: 0, empty: false, error: None, relay: None, ..entry() };
        assert_eq!(Entry::from_bytes(&key, &bytes), Some(expected));
    }

    #[test]
    fn only_names_of_bundles_are_keys() {
        for good in [Key::queued(NAME), Key::refused(NAME), Key::refused(&format!("{NAME}.12"))] {
            assert_eq!(Key::from_bytes(&good.to_bytes()), Some(good));
        }
        for bad in ["", "queue/", "queue/../x", "other/x", "queue/x.bundle", "\u{fffd}"] {
            assert_eq!(Key::from_bytes(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(bundle_of(&format!("{NAME}.")), None);
        assert_eq!(bundle_of(&format!("{NAME}.3")).map(|name| name.to_string()), Some(NAME.to_owned()));
    }

    #[test]
    fn an_error_is_one_bounded_line() {
        let mut entry = entry();
        entry.failed(&format!("a\nb\u{1b}[2J{}", "ä".repeat(1000)), WallTime(9));
        let error = entry.error.unwrap();
        assert!(error.text.len() <= ERROR_MAX && !error.text.chars().any(char::is_control), "{error:?}");
        assert_eq!(error.at, WallTime(9));
    }
}
