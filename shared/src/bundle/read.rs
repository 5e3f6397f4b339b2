//! Reading a bundle file, strictly and in one pass.
//!
//! Owns the checks: the parts in their order, headers byte for byte, lengths, digests, the seal, and that nothing
//! follows it. Invariants: bytes are handed out only after their digest was found right (except when they are
//! streamed, where the error comes at the end); if it must be signed, nothing is interpreted before the signature was found
//! right; no more is decompressed than the manifest promised and the limits
//! allow; no name from the file is used as a path. A bundle is good only when [`BundleReader::finish`] said so.
//! Leaves to the caller which members it knows, and whether the bundle is for it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use zstd::stream::read::Decoder;

use super::container::{FRAME_MAGIC, SEAL_HEAD};
use super::manifest::{MANIFEST, Manifest, MemberEntry, SIGNATURE};
use super::name::ShortDigest;
use super::opening::{Opening, Provenance};
use super::{BundleError, Limits, limits, tape};
use crate::keys::signature::{SIGNATURE_MAX, Signature};

/// How much is decompressed and digested at a time.
pub(super) const CHUNK: usize = 64 << 10;

/// Reads the members of a bundle, one after another.
pub struct BundleReader<'r> {
    frame: Frame<'r>,
    members: VecDeque<MemberEntry>,
    provenance: Provenance,
    limits: Limits,
}

impl<'r> BundleReader<'r> {
    /// Opens it, reads and checks the manifest, and whose it is; the members follow.
    ///
    /// # Errors
    /// Every [`BundleError`] about the beginning of a file.
    pub fn open(
        reader: impl Read + 'r,
        limits: Limits,
        opening: &Opening<'_>,
    ) -> Result<(Manifest, Self), BundleError> {
        let (is_sealed, archive) = opening.unsealed(BufReader::with_capacity(CHUNK, reader))?;
        let source = Source::new(archive)?;
        let mut frame = Frame::open(source, limits::MANIFEST_WINDOW_LOG_MAX)?;
        let bytes = read_manifest(&mut frame)?;
        let signature = read_signature(&mut frame)?;
        let signer = opening.signer(&bytes, signature.as_ref())?;
        let manifest = Manifest::from_bytes(&bytes)?;
        if let Some(signature) = signature.filter(|_| opening.is_strict()) {
            signature.must_be_for(&manifest.purpose()).map_err(BundleError::Signature)?;
        }
        manifest.check(&limits)?;
        let frame = Frame::open(frame.close(), limits::WINDOW_LOG_MAX)?;
        let members = manifest.members.iter().cloned().collect();
        let provenance = Provenance { is_sealed, signer };
        Ok((manifest, Self { frame, members, provenance, limits }))
    }

    /// Reads a whole bundle into memory and checks all of it. Members for whose name `knows` says no are skipped if
    /// they are optional.
    ///
    /// # Errors
    /// Every [`BundleError`] about reading.
    pub fn read_all(
        reader: impl Read + 'r,
        limits: Limits,
        opening: &Opening<'_>,
        knows: impl Fn(&str) -> bool,
    ) -> Result<Contents, BundleError> {
        let (manifest, mut members) = Self::open(reader, limits, opening)?;
        let mut contents = Vec::new();
        while let Some(name) = members.peek().map(|entry| entry.name.clone()) {
            if knows(&name) {
                contents.push((name, members.read()?));
            } else {
                members.skip()?;
            }
        }
        members.finish()?;
        Ok((manifest, contents))
    }

    /// How it came, and whose it is.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The member that comes next; None after the last.
    pub fn peek(&self) -> Option<&MemberEntry> {
        self.members.front()
    }

    /// Reads the next member into memory.
    ///
    /// # Errors
    /// [`BundleError::TooLarge`] if it is longer than [`Limits::memory`], and every error of [`Self::copy_to`].
    pub fn read(&mut self) -> Result<Vec<u8>, BundleError> {
        if let Some(entry) = self.peek().filter(|entry| entry.length > self.limits.memory) {
            return Err(BundleError::TooLarge { what: entry.name.clone(), limit: self.limits.memory });
        }
        let mut content = Vec::new();
        self.copy_to(&mut content)?;
        Ok(content)
    }

    /// Streams the next member; what was written counts only if this returns without an error.
    ///
    /// # Errors
    /// [`BundleError::Unexpected`], [`BundleError::Truncated`] or [`BundleError::Damaged`] for a member that is not
    /// what the manifest promised; [`BundleError::Io`], also of the target.
    pub fn copy_to(&mut self, to: &mut dyn Write) -> Result<(), BundleError> {
        let entry = self.members.pop_front().ok_or_else(|| BundleError::Unexpected {
            expected: "another member".to_owned(),
            found: "the end of the manifest's list".to_owned(),
        })?;
        self.frame.expect_header(&entry.name, entry.length)?;
        let digest = self.frame.copy(&entry, to)?;
        if digest.as_bytes() != &entry.digest.0 {
            return Err(BundleError::Damaged { member: entry.name });
        }
        self.frame.expect_zeros(tape::padding(entry.length), &entry.name)
    }

    /// Passes over the next member, which is checked like any other.
    ///
    /// # Errors
    /// [`BundleError::UnknownMember`] if it is not optional, and every error of [`Self::copy_to`].
    pub fn skip(&mut self) -> Result<(), BundleError> {
        match self.peek() {
            Some(entry) if !entry.optional => Err(BundleError::UnknownMember { member: entry.name.clone() }),
            _ => self.copy_to(&mut io::sink()),
        }
    }

    /// Skips what is left, and checks that the archive and the file end as they must.
    ///
    /// # Errors
    /// Every error of [`Self::skip`]; [`BundleError::Damaged`] if the seal is not of these very bytes;
    /// [`BundleError::Unexpected`] if anything follows it.
    pub fn finish(mut self) -> Result<(), BundleError> {
        while self.peek().is_some() {
            self.skip()?;
        }
        let end = "end of the archive";
        let mut first = [0; tape::BLOCK];
        self.frame.read_exact(&mut first, end)?;
        if first != [0; tape::BLOCK] {
            return Err(BundleError::Unexpected { expected: format!("the {end}"), found: tape::describe(&first) });
        }
        self.frame.expect_zeros(tape::END.len() - tape::BLOCK, end)?;
        self.frame.expect_end("archive")?;
        self.frame.close().expect_seal()
    }
}

/// A whole bundle: its manifest, and the known members with their content, in their order.
pub type Contents = (Manifest, Vec<(String, Vec<u8>)>);

fn read_manifest(frame: &mut Frame<'_>) -> Result<Vec<u8>, BundleError> {
    let mut header = [0; tape::BLOCK];
    frame.read_exact(&mut header, MANIFEST)?;
    let length = tape::length_in(&header).ok_or(BundleError::NotABundle)?;
    if header != tape::header(MANIFEST, length)? {
        return Err(BundleError::Unexpected { expected: "the manifest".to_owned(), found: tape::describe(&header) });
    }
    if length > limits::MANIFEST_MAX {
        return Err(BundleError::TooLarge { what: MANIFEST.to_owned(), limit: limits::MANIFEST_MAX });
    }
    let mut bytes = vec![0; length as usize];
    frame.read_exact(&mut bytes, MANIFEST)?;
    frame.expect_zeros(tape::padding(length), MANIFEST)?;
    Ok(bytes)
}

/// The signature beside the manifest, and then the end of the frame.
fn read_signature(frame: &mut Frame<'_>) -> Result<Option<Signature>, BundleError> {
    let mut header = [0; tape::BLOCK];
    if !frame.begins(&mut header, MANIFEST)? {
        return Ok(None);
    }
    let length = tape::length_in(&header).filter(|length| *length <= SIGNATURE_MAX);
    let Some(length) = length.filter(|length| tape::header(SIGNATURE, *length).is_ok_and(|known| known == header))
    else {
        let expected = format!("the end of the {MANIFEST} or its signature");
        return Err(BundleError::Unexpected { expected, found: tape::describe(&header) });
    };
    let mut bytes = vec![0; length as usize];
    frame.read_exact(&mut bytes, SIGNATURE)?;
    frame.expect_zeros(tape::padding(length), SIGNATURE)?;
    frame.expect_end(SIGNATURE)?;
    Signature::parse(&bytes).map(Some).map_err(BundleError::Signature)
}

/// One zstd frame of the file.
struct Frame<'r>(Decoder<'static, Source<'r>>);

impl<'r> Frame<'r> {
    fn open(source: Source<'r>, window_log_max: u32) -> Result<Self, BundleError> {
        let mut decoder = Decoder::with_buffer(source).map_err(BundleError::Io)?.single_frame();
        decoder.window_log_max(window_log_max).map_err(BundleError::Io)?;
        Ok(Self(decoder))
    }

    fn close(self) -> Source<'r> {
        self.0.into_inner()
    }

    fn read_exact(&mut self, into: &mut [u8], of: &str) -> Result<(), BundleError> {
        self.0.read_exact(into).map_err(|error| explain(error, of))
    }

    /// Reads a header, unless the frame ends here; whether there was one.
    fn begins(&mut self, header: &mut [u8; tape::BLOCK], of: &str) -> Result<bool, BundleError> {
        let (first, rest) = header.split_at_mut(1);
        if self.0.read(first).map_err(|error| explain(error, of))? == 0 {
            return Ok(false);
        }
        self.read_exact(rest, of).map(|()| true)
    }

    /// The frame ends here, its checksum included.
    fn expect_end(&mut self, of: &str) -> Result<(), BundleError> {
        match self.0.read(&mut [0]).map_err(|error| explain(error, of))? {
            0 => Ok(()),
            _ => Err(BundleError::Unexpected { expected: format!("the end of the {of}"), found: "more".to_owned() }),
        }
    }

    fn expect_header(&mut self, name: &str, length: u64) -> Result<(), BundleError> {
        let mut header = [0; tape::BLOCK];
        self.read_exact(&mut header, name)?;
        if header == tape::header(name, length)? {
            return Ok(());
        }
        let expected = format!("a file \"{name}\" of {length} bytes");
        Err(BundleError::Unexpected { expected, found: tape::describe(&header) })
    }

    fn expect_zeros(&mut self, count: usize, of: &str) -> Result<(), BundleError> {
        let mut bytes = vec![0; count];
        self.read_exact(&mut bytes, of)?;
        let empty = bytes.iter().all(|byte| *byte == 0);
        if empty { Ok(()) } else { Err(BundleError::Damaged { member: of.to_owned() }) }
    }

    fn copy(&mut self, entry: &MemberEntry, to: &mut dyn Write) -> Result<blake3::Hash, BundleError> {
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; CHUNK.min(usize::try_from(entry.length).unwrap_or(CHUNK))];
        let mut left = entry.length;
        while left > 0 {
            let part = chunk.get_mut(..CHUNK.min(left as usize)).unwrap_or_default();
            self.read_exact(part, &entry.name)?;
            hasher.update(part);
            to.write_all(part).map_err(BundleError::Io)?;
            left -= part.len() as u64;
        }
        Ok(hasher.finalize())
    }
}

/// What a failed reading means: the decoder reports its own findings, the envelope's and the file's errors alike.
fn explain(error: io::Error, of: &str) -> BundleError {
    let eof = error.kind() == io::ErrorKind::UnexpectedEof;
    let from_file = error.get_ref().is_some_and(|inner| inner.is::<FileError>());
    match error.into_inner().and_then(|inner| inner.downcast::<FileError>().ok()) {
        Some(file) if from_file => of_source(file.0, of),
        _ if eof => BundleError::Truncated,
        _ => BundleError::Damaged { member: of.to_owned() },
    }
}

/// No disk says that what it read is not right: the envelope does.
fn of_source(error: io::Error, of: &str) -> BundleError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Truncated,
        io::ErrorKind::InvalidData => BundleError::Damaged { member: of.to_owned() },
        _ => BundleError::Io(error),
    }
}

/// Marks an error as the file's own, so that it is not taken for the decoder's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FileError(io::Error);

/// The archive's bytes, digested as they are consumed.
struct Source<'r> {
    from: Box<dyn BufRead + 'r>,
    hasher: blake3::Hasher,
}

impl<'r> Source<'r> {
    /// Looks at how it begins: a file that holds something else is told from one that is damaged.
    fn new(mut from: Box<dyn BufRead + 'r>) -> Result<Self, BundleError> {
        let mut begins = Vec::with_capacity(FRAME_MAGIC.len());
        let read = from.by_ref().take(FRAME_MAGIC.len() as u64).read_to_end(&mut begins);
        read.map_err(|error| of_source(error, "beginning"))?;
        if begins == FRAME_MAGIC {
            return Ok(Self { from: Box::new(Cursor::new(begins).chain(from)), hasher: blake3::Hasher::new() });
        }
        Err(if FRAME_MAGIC.starts_with(&begins) { BundleError::Truncated } else { BundleError::NotABundle })
    }

    /// The seal is that of everything before it, and the last there is.
    fn expect_seal(mut self) -> Result<(), BundleError> {
        let mut expected = SEAL_HEAD.to_vec();
        expected.extend(ShortDigest::from_hasher(&self.hasher).0.to_be_bytes());
        let mut found = vec![0; expected.len()];
        Read::read_exact(&mut self, &mut found).map_err(|error| explain(error, "seal"))?;
        if found != expected {
            return Err(BundleError::Damaged { member: "seal".to_owned() });
        }
        match self.fill_buf().map_err(|error| explain(error, "seal"))? {
            [] => Ok(()),
            _ => Err(BundleError::Unexpected { expected: "the end of the file".to_owned(), found: "more".to_owned() }),
        }
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.from.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::new(error.kind(), FileError(error))),
            }
        }
        // Buffered: nothing is read here.
        self.from.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Ok(buffered) = self.from.fill_buf() {
            self.hasher.update(buffered.get(..count).unwrap_or(buffered));
        }
        self.from.consume(count);
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
