//! Reading a bundle file, strictly and in one pass.
//!
//! Owns the checks: the parts in their order, headers byte for byte, lengths, digests, the seal, and that nothing
//! follows it. Invariants: bytes are handed out only after their digest was found right (except when they are
//! streamed, where the error comes at the end); no more is decompressed than the manifest promised and the limits
//! allow; no name from the file is used as a path. A bundle is good only when [`BundleReader::finish`] said so.
//! Leaves to the caller which members it knows, and whether the bundle is for it.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Write};

use zstd::stream::read::Decoder;

use super::container::{FRAME_MAGIC, SEAL_HEAD};
use super::manifest::{MANIFEST, Manifest, MemberEntry};
use super::name::ShortDigest;
use super::{BundleError, Limits, limits, tape};

/// How much is decompressed and digested at a time.
const CHUNK: usize = 64 << 10;

/// Reads the members of a bundle, one after another.
pub struct BundleReader<R: Read> {
    frame: Frame<R>,
    members: VecDeque<MemberEntry>,
    limits: Limits,
}

impl<R: Read> BundleReader<R> {
    /// Reads and checks the manifest; the members follow.
    ///
    /// # Errors
    /// Every [`BundleError`] about the beginning of a file.
    pub fn open(mut reader: R, limits: Limits) -> Result<(Manifest, Self), BundleError> {
        let magic = read_magic(&mut reader)?;
        let source = Source::new(Cursor::new(magic).chain(reader));
        let mut frame = Frame::open(source, limits::MANIFEST_WINDOW_LOG_MAX)?;
        let bytes = read_manifest(&mut frame)?;
        frame.expect_end(MANIFEST)?;
        let manifest = Manifest::from_bytes(&bytes)?;
        manifest.check(&limits)?;
        let frame = Frame::open(frame.close(), limits::WINDOW_LOG_MAX)?;
        let members = manifest.members.iter().cloned().collect();
        Ok((manifest, Self { frame, members, limits }))
    }

    /// Reads a whole bundle into memory and checks all of it. Members for whose name `knows` says no are skipped if
    /// they are optional.
    ///
    /// # Errors
    /// Every [`BundleError`] about reading.
    pub fn read_all(reader: R, limits: Limits, knows: impl Fn(&str) -> bool) -> Result<Contents, BundleError> {
        let (manifest, mut members) = Self::open(reader, limits)?;
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

fn read_magic(reader: &mut impl Read) -> Result<[u8; 4], BundleError> {
    let mut found = Vec::with_capacity(FRAME_MAGIC.len());
    reader.take(FRAME_MAGIC.len() as u64).read_to_end(&mut found).map_err(BundleError::Io)?;
    match found.try_into() {
        Ok(FRAME_MAGIC) => Ok(FRAME_MAGIC),
        Err(short) if FRAME_MAGIC.starts_with(&short) => Err(BundleError::Truncated),
        _ => Err(BundleError::NotABundle),
    }
}

fn read_manifest<R: Read>(frame: &mut Frame<R>) -> Result<Vec<u8>, BundleError> {
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

/// One zstd frame of the file.
struct Frame<R: Read>(Decoder<'static, Source<R>>);

impl<R: Read> Frame<R> {
    fn open(source: Source<R>, window_log_max: u32) -> Result<Self, BundleError> {
        let mut decoder = Decoder::with_buffer(source).map_err(BundleError::Io)?.single_frame();
        decoder.window_log_max(window_log_max).map_err(BundleError::Io)?;
        Ok(Self(decoder))
    }

    fn close(self) -> Source<R> {
        self.0.into_inner()
    }

    fn read_exact(&mut self, into: &mut [u8], of: &str) -> Result<(), BundleError> {
        self.0.read_exact(into).map_err(|error| explain(error, of))
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

/// What a failed reading means: the decoder reports its own findings and the file's errors alike.
fn explain(error: io::Error, of: &str) -> BundleError {
    let eof = error.kind() == io::ErrorKind::UnexpectedEof;
    let from_file = error.get_ref().is_some_and(|inner| inner.is::<FileError>());
    match error.into_inner().and_then(|inner| inner.downcast::<FileError>().ok()) {
        Some(file) if from_file => BundleError::Io(file.0),
        _ if eof => BundleError::Truncated,
        _ => BundleError::Damaged { member: of.to_owned() },
    }
}

/// Marks an error as the file's own, so that it is not taken for damage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FileError(io::Error);

type WithMagic<R> = Chain<Cursor<[u8; 4]>, R>;

/// The file's bytes, digested as they are consumed.
struct Source<R> {
    from: BufReader<WithMagic<R>>,
    hasher: blake3::Hasher,
}

impl<R: Read> Source<R> {
    fn new(from: WithMagic<R>) -> Self {
        Self { from: BufReader::with_capacity(CHUNK, from), hasher: blake3::Hasher::new() }
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

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.from.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::new(error.kind(), FileError(error))),
            }
        }
        Ok(self.from.buffer())
    }

    fn consume(&mut self, count: usize) {
        let consumed = self.from.buffer();
        self.hasher.update(consumed.get(..count).unwrap_or(consumed));
        self.from.consume(count);
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
