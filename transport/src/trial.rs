//! Trying a relay out: whether everything that a transfer asks of it works, before anything depends on it.
//!
//! Owns the trials and their order. Invariants: only files and folders of its own are made, under a name that nobody else
//! has, and they are taken away again, also after a trial failed; a marker is only read. Leaves the words to the command.

use std::thread;
use std::time::Duration;

use packhorse_shared::id::{NetworkId, NodeName};

use crate::carrier::{Carrier, Get, Put, Source};
use crate::error::{Kind, TransportError};
use crate::location::Location;
use crate::mailbox::{Mailbox, Way};
use crate::marker::Marker;
use crate::name::FileName;
use crate::relays::{Approach, Dial};

/// How much is moved: on a slow modem some seconds of it.
const SIZE: usize = 32 * 1024;

/// Where the put that is to be resumed breaks off.
const BREAK_AT: u64 = 20_000;

/// How long it is waited there.
const BREAK_AFTER: Duration = Duration::from_millis(300);

/// What is tried, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Whether somebody answers and lets us in.
    LogIn,
    /// Whose the folder is.
    Marker,
    /// Making a mailbox.
    Make,
    /// Putting a file: under `.part`, its size confirmed, then renamed.
    Put,
    /// Whether it is listed at once.
    List,
    /// Going on with a put that broke off.
    Resume,
    /// Getting it, and a part of it, as it was put.
    Get,
    /// Removing files and the mailbox.
    Remove,
}

/// What a trial found.
#[derive(Clone, Debug)]
pub enum Finding {
    /// It works.
    Works,
    /// The marker is this node's network's.
    Ours,
    /// The marker is a network's.
    Marked(NetworkId),
    /// There is no marker, and `init` would make one; or the share is not mounted.
    Unmarked,
    /// What was put is not listed yet.
    NotListed,
    /// What a broken put had moved is thrown away.
    StartsOver,
    /// It is kept, and cannot be gone on with, for this reason.
    CannotResume(TransportError),
    /// It does not work.
    Fails(TransportError),
    /// What was got is not what was put.
    Alters,
}

impl Finding {
    /// Whether a relay can be used all the same.
    pub fn is_bearable(&self) -> bool {
        !matches!(self, Self::Fails(_) | Self::Alters)
    }

    /// Whether there is something that a person could change for the better.
    pub fn is_blemish(&self) -> bool {
        matches!(self, Self::NotListed | Self::StartsOver | Self::CannotResume(_)) || !self.is_bearable()
    }
}

/// What trying a relay out found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What the server says of itself.
    pub about: Vec<String>,
    /// What was found, in order; after a failure only what is taken away follows.
    pub found: Vec<(Trial, Finding)>,
}

impl Findings {
    /// Whether the relay can be used.
    pub fn is_usable(&self) -> bool {
        self.found.iter().all(|(_, finding)| finding.is_bearable())
    }

    /// Why nobody could be reached, if that is so.
    pub fn unreachable(&self) -> Option<&TransportError> {
        match self.found.as_slice() {
            [(Trial::LogIn, Finding::Fails(error))] if error.kind() == Kind::Unreachable => Some(error),
            _ => None,
        }
    }
}

/// A relay that is to be tried out.
pub struct Tryout<'a> {
    /// Makes connections.
    pub dial: &'a dyn Dial,
    /// How it comes to servers, and until when.
    pub approach: Approach<'a>,
    /// The relay.
    pub location: &'a Location,
    /// The network that it should be of, if there is one.
    pub network: Option<NetworkId>,
    /// A name that nobody else has: of the mailbox's folder in a relay's root, of the files in a remote's.
    pub scratch: &'a NodeName,
}

impl Tryout<'_> {
    /// Tries everything, as far as it goes.
    pub fn run(&self) -> Findings {
        let mut trials = Trials { tryout: self, carrier: None, findings: Findings::default() };
        if trials.note(Trial::LogIn, Trials::log_in) && trials.note(Trial::Marker, Trials::look_at_marker) {
            trials.in_mailbox();
        }
        trials.findings
    }

    fn judge_marker(&self, content: Option<&[u8]>) -> Finding {
        let relay = || self.location.to_string();
        match (Marker::read(content), self.network) {
            (Marker::Of(found), Some(ours)) if found == ours => Finding::Ours,
            (Marker::Of(found), Some(ours)) => {
                Finding::Fails(TransportError::OtherNetwork { relay: relay(), found, ours })
            }
            (Marker::Of(found), None) => Finding::Marked(found),
            (Marker::Missing, _) => Finding::Unmarked,
            (Marker::Damaged, _) => Finding::Fails(TransportError::DamagedMarker { relay: relay() }),
        }
    }

    fn file(&self, what: &str) -> Result<FileName, TransportError> {
        let name = format!("{}.{what}", self.scratch);
        name.parse().map_err(|_| TransportError::BadLocation { text: name, reason: "it is no name of a file" })
    }
}

/// The trials under way.
struct Trials<'t> {
    tryout: &'t Tryout<'t>,
    /// The connection, unless something failed over it.
    carrier: Option<Box<dyn Carrier + 't>>,
    findings: Findings,
}

impl Trials<'_> {
    /// Notes what a trial finds; whether it makes sense to go on.
    fn note(&mut self, trial: Trial, attempt: impl FnOnce(&mut Self) -> Result<Finding, TransportError>) -> bool {
        let finding = attempt(self).unwrap_or_else(Finding::Fails);
        let is_bearable = finding.is_bearable();
        self.findings.found.push((trial, finding));
        is_bearable
    }

    /// Does something over a connection. After an error nothing more is said over that one.
    fn over<T>(
        &mut self,
        act: impl FnOnce(&mut dyn Carrier) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let mut carrier = match self.carrier.take() {
            Some(carrier) => carrier,
            None => self.tryout.dial.dial(self.tryout.location, &self.tryout.approach)?,
        };
        let done = act(&mut *carrier)?;
        self.carrier = Some(carrier);
        Ok(done)
    }

    fn log_in(&mut self) -> Result<Finding, TransportError> {
        self.findings.about = self.over(|carrier| Ok(carrier.about()))?;
        Ok(Finding::Works)
    }

    fn look_at_marker(&mut self) -> Result<Finding, TransportError> {
        let content = self.over(|carrier| carrier.read_marker(None))?;
        Ok(self.tryout.judge_marker(content.as_deref()))
    }

    fn in_mailbox(&mut self) {
        let mut scratch = None;
        let is_made = self.note(Trial::Make, |trials| {
            scratch = Some(trials.make()?);
            Ok(Finding::Works)
        });
        let Some(scratch) = scratch.filter(|_| is_made) else { return };
        let bytes = content();
        let _ = self.note(Trial::Put, |trials| trials.put(&scratch, &bytes))
            && self.note(Trial::List, |trials| trials.list(&scratch))
            && self.note(Trial::Resume, |trials| trials.resume(&scratch, &bytes))
            && self.note(Trial::Get, |trials| trials.get(&scratch, &bytes));
        self.note(Trial::Remove, |trials| trials.remove(&scratch));
    }

    /// The folder of a remote's own account has its mailboxes already, and often takes no others.
    fn make(&mut self) -> Result<Scratch, TransportError> {
        let scratch = self.tryout.scratch;
        self.over(|carrier| {
            let own = Mailbox::at_remote(Way::Up);
            if carrier.has_mailbox(&own)? {
                return Ok(Scratch { mailbox: own, is_made: false });
            }
            if !carrier.has_mailbox(&Mailbox::root())? {
                return Err(TransportError::NoFolder { relay: carrier.relay().to_owned() });
            }
            let mailbox = Mailbox::at_hub(scratch, Way::Up);
            carrier.make_mailbox(&mailbox)?;
            Ok(Scratch { mailbox, is_made: true })
        })
    }

    fn put(&mut self, scratch: &Scratch, mut bytes: &[u8]) -> Result<Finding, TransportError> {
        let name = self.tryout.file("whole")?;
        self.over(|carrier| carrier.put(&scratch.mailbox, &name, &mut bytes)).map(|_| Finding::Works)
    }

    fn list(&mut self, scratch: &Scratch) -> Result<Finding, TransportError> {
        let name = self.tryout.file("whole")?;
        let listing = self.over(|carrier| carrier.list(&scratch.mailbox))?;
        let is_listed = listing.files.iter().any(|entry| entry.name == name && entry.size == SIZE as u64);
        Ok(if is_listed { Finding::Works } else { Finding::NotListed })
    }

    fn resume(&mut self, scratch: &Scratch, bytes: &[u8]) -> Result<Finding, TransportError> {
        let (mailbox, name) = (&scratch.mailbox, self.tryout.file("resumed")?);
        match self.over(|carrier| carrier.put(mailbox, &name, &mut Breaking(bytes))) {
            // It is our own source that breaks off so.
            Err(TransportError::BudgetOver) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        let mut rest = bytes;
        match self.over(|carrier| carrier.put(mailbox, &name, &mut rest)) {
            Ok(Put::Placed { moved }) if moved < SIZE as u64 => Ok(Finding::Works),
            Ok(_) => Ok(Finding::StartsOver),
            Err(error) if error.kind() == Kind::Failed => Ok(Finding::CannotResume(error)),
            Err(error) => Err(error),
        }
    }

    fn get(&mut self, scratch: &Scratch, bytes: &[u8]) -> Result<Finding, TransportError> {
        let name = self.tryout.file("whole")?;
        for from in [0, SIZE / 2] {
            let mut got = Vec::new();
            let end = self.over(|carrier| carrier.get(&scratch.mailbox, &name, from as u64, &mut got))?;
            if end == Get::Absent || bytes.get(from..) != Some(&*got) {
                return Ok(Finding::Alters);
            }
        }
        Ok(Finding::Works)
    }

    fn remove(&mut self, scratch: &Scratch) -> Result<Finding, TransportError> {
        let names = [self.tryout.file("whole")?, self.tryout.file("resumed")?];
        self.over(|carrier| {
            carrier.remove(&scratch.mailbox, &names)?;
            carrier.remove_partials(&scratch.mailbox, &names)?;
            if scratch.is_made { carrier.remove_mailbox(&scratch.mailbox) } else { Ok(()) }
        })?;
        Ok(Finding::Works)
    }
}

/// The mailbox that trials are made in.
struct Scratch {
    mailbox: Mailbox,
    /// Whether it was made for them.
    is_made: bool,
}

/// Every byte, and every pair of them that a server may take for the end of a line.
fn content() -> Vec<u8> {
    (0..SIZE).map(|at| if at % 3 == 0 { (at / 3) as u8 } else { b"\r\n\x1a\0"[at % 4] }).collect()
}

/// A source that breaks off.
struct Breaking<'a>(&'a [u8]);

impl Source for Breaking<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        let left = usize::try_from(BREAK_AT.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left == 0 {
            // A server that sees the end of the connection at once may forget what it has not written yet.
            thread::sleep(BREAK_AFTER);
            return Err(TransportError::BudgetOver);
        }
        let most = into.len().min(left);
        self.0.read_at(offset, into.get_mut(..most).unwrap_or_default())
    }
}
