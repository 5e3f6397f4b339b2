//! Moves bundle files between a node and its relays.
//!
//! The problem: two nodes are hardly ever online together, the line between them is slow and breaks, and what lies
//! between them (a share, a stick, an FTP or SFTP account) may lose, double, delay, cut or alter any file, or
//! not be mounted at all. This crate takes what lies in the outbox to a relay both ends can reach, and brings what
//! the other end has put there into the inbox, so that **at every moment each file stands complete and durable in
//! at least one place**, whatever breaks off and wherever. What does get lost or damaged on the relay is noticed by
//! the protocol of `shared::link`; here it only must not pass for a whole file.
//!
//! * [`Carrier`] is the boundary: bytes and names. Its contract is held by one suite over every implementation
//!   (`conformance`): [`FolderCarrier`], [`FtpCarrier`], [`SftpCarrier`]. [`OsDial`] dials the one that a relay needs.
//! * [`Mailbox`] and [`Location`] say where; [`marker`] whose relay it is, before anything is written to it.
//! * [`Run`] moves the files of all links, small ones first, with retries and within a time budget, and returns a
//!   [`Report`]; an [`Errand`] moves a single file to or from a folder that is no relay: a package.
//!
//! The crate knows nothing of what is in a file: [`LocalSpool`] and [`Inspect`] are the caller's. It never prints,
//! reads the environment or exits.

mod access;
mod address;
mod backoff;
mod carrier;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod ending;
mod errand;
#[cfg(test)]
mod errand_tests;
mod error;
mod exchange;
#[cfg(test)]
mod exchange_tests;
#[cfg(any(test, feature = "testing"))]
pub mod faulty;
mod fetching;
mod folder;
#[cfg(test)]
mod folder_tests;
mod ftp;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
#[cfg(test)]
mod fuzzing_tests;
mod line;
mod location;
mod mailbox;
pub mod marker;
#[cfg(test)]
mod marker_tests;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod name;
mod percent;
mod placing;
mod relays;
mod report;
#[cfg(test)]
mod retry_tests;
mod run;
#[cfg(test)]
mod run_scene;
#[cfg(test)]
mod run_tests;
mod sending;
mod server;
mod sftp;
mod stopwatch;
mod stream;
mod trial;
#[cfg(test)]
mod trial_tests;
mod window;

pub use access::{Access, Keyring, NoKeys, TlsVersion, Trust};
pub use address::{Place, Scheme, Secret, ServerAddress};
pub use carrier::{Carrier, Entry, Get, Likeness, Listing, MARKER, MARKER_MAX, Put, Sink, Source};
pub use ending::Ending;
pub use errand::{Errand, Fetched, Parcel};
pub use error::{Kind, TransportError};
pub use folder::FolderCarrier;
pub use ftp::FtpCarrier;
pub use location::{Location, Target};
pub use mailbox::{Mailbox, Role, Way};
pub use marker::{Admission, Marked, Marker, admit, mark, prepare_remote};
pub use name::{FILE_NAME_MAX, FileName, FileNameError};
pub use relays::{Approach, Dial, KnownRelays};
pub use report::{Attempt, LinkReport, Outcome, Rejected, Report, Tally};
pub use run::{Inspect, Link, LocalSpool, Outgoing, Run, Verdict};
pub use server::OsDial;
pub use sftp::{SftpCarrier, known_lines};
pub use stopwatch::{Deadline, OsStopwatch, Stopwatch};
pub use trial::{Finding, Findings, Trial, Tryout};
