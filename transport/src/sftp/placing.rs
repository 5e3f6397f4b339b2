//! Putting a file on an SFTP server.
//!
//! Owns the order: bytes under `NAME.part`, synced, the size as the server tells it, the name, the folder synced where the
//! server can. Invariant: nothing is written beyond what the server holds, which would leave a hole.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use packhorse_shared::id::NodeName;
use ssh2::{ErrorCode, File, FileStat, OpenFlags, OpenType};

use super::{SftpCarrier, absent_is_none, below};
use crate::carrier::{MARKER, Put, Source};
use crate::error::TransportError;
use crate::mailbox::Mailbox;
use crate::name::FileName;

/// How much is written at first, and at least, before an answer is waited for: one packet of the library's.
const PIECE: usize = 30_000;

/// And at most.
const PIECE_MAX: usize = 480_000;

/// A piece that is through sooner is followed by a larger one, so that the line is full while answers come back.
const SOON: Duration = Duration::from_secs(1);

/// The server's word for what it cannot do.
const UNSUPPORTED: i32 = 8;

/// One put.
pub(super) struct Placing<'c> {
    carrier: &'c SftpCarrier,
    mailbox: &'c Mailbox,
    name: &'c FileName,
    target: PathBuf,
    part: PathBuf,
}

impl<'c> Placing<'c> {
    pub(super) fn new(carrier: &'c SftpCarrier, mailbox: &'c Mailbox, name: &'c FileName) -> Self {
        let folder = carrier.folder(mailbox);
        let (target, part) = (below(&folder, name.as_str()), below(&folder, &name.partial()));
        Self { carrier, mailbox, name, target, part }
    }

    pub(super) fn run(&self, source: &mut dyn Source) -> Result<Put, TransportError> {
        if let Some(found) = self.size_unless_unseen(&self.target, self.name.as_str())? {
            return self.settle_taken(found, source);
        }
        let from = self.resume_point(source.size())?;
        self.send(from, source)?;
        match self.carrier.rename(&self.part, &self.target) {
            Ok(()) => {}
            // Another run of the same sender may have been quicker.
            Err(error) => match self.carrier.found(&self.target, &self.file())? {
                Some(found) => return self.settle_taken(found.size.unwrap_or(0), source),
                None => return Err(self.carrier.failed("rename", &self.file(), error)),
            },
        }
        self.carrier.sync_folder(&self.carrier.folder(self.mailbox));
        Ok(Put::Placed { moved: source.size() - from })
    }

    fn file(&self) -> String {
        format!("{}/{}", self.mailbox, self.name)
    }

    fn size_unless_unseen(&self, path: &Path, raw: &str) -> Result<Option<u64>, TransportError> {
        if self.carrier.saw_none(self.mailbox, raw) {
            return Ok(None);
        }
        // What is no file is longer than any: it is never gone on with.
        let size = |found: FileStat| if found.is_file() { found.size.unwrap_or(0) } else { u64::MAX };
        Ok(self.carrier.found(path, &self.file())?.map(size))
    }

    fn settle_taken(&self, found: u64, source: &dyn Source) -> Result<Put, TransportError> {
        if found != source.size() {
            return Err(TransportError::NameTaken { relay: self.carrier.shown.clone(), file: self.file() });
        }
        // An earlier attempt may have been cut off between the two.
        self.carrier.unlink(&self.part, &self.file())?;
        Ok(Put::Already)
    }

    fn resume_point(&self, whole: u64) -> Result<u64, TransportError> {
        match self.size_unless_unseen(&self.part, &self.name.partial())? {
            Some(size) if size > 0 && size <= whole => Ok(size),
            Some(_) => self.carrier.unlink(&self.part, &self.file()).map(|()| 0),
            None => Ok(0),
        }
    }

    fn send(&self, from: u64, source: &mut dyn Source) -> Result<(), TransportError> {
        let file = self.carrier.write(&self.part, from, source, &self.file())?;
        let found = self.carrier.finish(file, &self.file())?;
        if found == source.size() {
            return Ok(());
        }
        if found > source.size() {
            self.carrier.unlink(&self.part, &self.file())?;
        }
        let relay = self.carrier.shown.clone();
        Err(TransportError::WrongSize { relay, file: self.file(), expected: source.size(), found })
    }
}

impl SftpCarrier {
    fn write(&self, path: &Path, from: u64, source: &mut dyn Source, what: &str) -> Result<File, TransportError> {
        let _waiting = self.line.wait();
        // A new file is made by us: a link that somebody planted makes it fail.
        let flags =
            if from > 0 { OpenFlags::WRITE } else { OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE };
        let opened = self.sftp.open_mode(path, flags, 0o666, OpenType::File);
        let mut file = opened.map_err(|error| self.failed("put", what, error))?;
        file.seek(SeekFrom::Start(from)).map_err(|error| self.broken("put", what, error))?;
        let mut piece = vec![0; PIECE];
        let mut at = from;
        loop {
            let count = source.read_at(at, &mut piece)?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(file) };
            let began = Instant::now();
            self.line.sent(count);
            write_all(&mut file, bytes).map_err(|error| self.broken("put", what, error))?;
            self.line.answered();
            at += count as u64;
            if began.elapsed() < SOON && count == piece.len() {
                piece.resize((piece.len() * 2).min(PIECE_MAX), 0);
            }
        }
    }

    /// Syncs and closes a file, and says how large it is now.
    fn finish(&self, mut file: File, what: &str) -> Result<u64, TransportError> {
        let _waiting = self.line.wait();
        match file.fsync() {
            Err(error) if error.code() != ErrorCode::SFTP(UNSUPPORTED) => return Err(self.failed("put", what, error)),
            _ => {}
        }
        let found = file.stat().map_err(|error| self.failed("put", what, error))?;
        file.close().map_err(|error| self.failed("put", what, error))?;
        Ok(found.size.unwrap_or(0))
    }

    /// Gives a file a name that is free.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), ssh2::Error> {
        let _waiting = self.line.wait();
        self.sftp.rename(from, to, None)
    }

    pub(super) fn unlink(&self, path: &Path, what: &str) -> Result<(), TransportError> {
        let _waiting = self.line.wait();
        absent_is_none(self.sftp.unlink(path)).map(drop).map_err(|error| self.failed("remove", what, error))
    }

    /// Syncs a folder, where the server can: OpenSSH does, and most others have no word for it.
    fn sync_folder(&self, folder: &Path) {
        let _waiting = self.line.wait();
        if let Ok(mut opened) = self.sftp.open_mode(folder, OpenFlags::READ, 0, OpenType::File) {
            let _ = opened.fsync();
        }
    }
}

/// As `write_all`, for a library that takes the rest of a piece again until it is acknowledged.
fn write_all(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = file.write(bytes)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Makes or replaces a marker: complete beside it, then in its place.
pub(super) fn write_marker(
    carrier: &SftpCarrier,
    remote: Option<&NodeName>,
    mut content: &[u8],
) -> Result<(), TransportError> {
    let folder = carrier.of_remote(remote);
    let (marker, beside) = (below(&folder, MARKER), below(&folder, &format!("{MARKER}.new")));
    let expected = content.len() as u64;
    carrier.unlink(&beside, MARKER)?;
    let file = carrier.write(&beside, 0, &mut content, MARKER)?;
    let found = carrier.finish(file, MARKER)?;
    if found != expected {
        return Err(TransportError::WrongSize {
            relay: carrier.shown.clone(),
            file: MARKER.to_owned(),
            expected,
            found,
        });
    }
    // No rename overwrites here. If this ends in between, the mailboxes show whose the relay is.
    carrier.unlink(&marker, MARKER)?;
    carrier.rename(&beside, &marker).map_err(|error| carrier.failed("rename", MARKER, error))?;
    carrier.sync_folder(&folder);
    Ok(())
}
