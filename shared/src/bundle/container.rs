//! Writing a bundle file: the manifest's frame, the members' frame, the seal; and, for who has keys, the signature and the
//! envelope.
//!
//! Owns the order of the parts and the deterministic bytes. Invariant: one content, at one level, always gives the
//! same archive. Files are read twice, once for their digest and once to pack them, and never held in memory. Leaves
//! names, folders and durability to the caller: this writes to anything that can be written to.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use super::manifest::{MANIFEST, Manifest, MemberEntry, SIGNATURE};
use super::name::ShortDigest;
use super::{BundleError, Limits, limits, tape};
use crate::id::Digest;
use crate::keys::NodeKeys;
use crate::keys::envelope::{self, SealedTo};

/// What begins every zstd frame with content.
pub(super) const FRAME_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The seal's frame head: a skippable zstd frame of eight bytes, which other readers pass over.
pub(super) const SEAL_HEAD: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0];

/// Up to this much content, the best compression costs no time that anybody would notice.
const SMALL: u64 = 1 << 20;
const MEDIUM: u64 = 16 << 20;

enum Body<'a> {
    Bytes(Cow<'a, [u8]>),
    File(File),
}

/// Collects the members of a bundle and writes it.
#[derive(Default)]
pub struct BundleWriter<'a> {
    members: Vec<(String, bool, Body<'a>)>,
    level: Option<i32>,
    sealing: Option<Sealing<'a>>,
    limits: Option<Limits>,
}

/// Who signs a bundle, and for whom it is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// The sender's keys.
    pub from: &'a NodeKeys,
    /// Who can open it.
    pub to: SealedTo<'a>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The manifest, with the members filled in.
    pub manifest: Manifest,
    /// The digest of the whole file, for its name.
    pub digest: ShortDigest,
    /// The length of the whole file.
    pub length: u64,
}

impl<'a> BundleWriter<'a> {
    /// A bundle without members, whose zstd level will follow its size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the zstd level.
    pub fn level(&mut self, level: i32) -> &mut Self {
        self.level = Some(level);
        self
    }

    /// Has the bundle signed and sealed.
    pub fn sealing(&mut self, sealing: Option<Sealing<'a>>) -> &mut Self {
        self.sealing = sealing;
        self
    }

    /// Sets what its reader accepts, where that is not what every reader does.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = Some(limits);
        self
    }

    /// Adds a member whose content is at hand.
    pub fn bytes(&mut self, name: impl Into<String>, content: impl Into<Cow<'a, [u8]>>) -> &mut Self {
        self.members.push((name.into(), false, Body::Bytes(content.into())));
        self
    }

    /// Adds a member with the content of a file, from its beginning. It must not change until all is written.
    pub fn file(&mut self, name: impl Into<String>, file: File) -> &mut Self {
        self.members.push((name.into(), false, Body::File(file)));
        self
    }

    /// Marks the member added last as one that a reader may skip.
    pub fn optional(&mut self) -> &mut Self {
        if let Some((_, optional, _)) = self.members.last_mut() {
            *optional = true;
        }
        self
    }

    /// Writes the bundle; the manifest's list of members is filled in here. The caller flushes.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] or [`BundleError::TooLarge`] for what no reader would accept, before anything is
    /// written; [`BundleError::Changed`] if a file did not keep still; [`BundleError::Io`].
    pub fn write(&mut self, mut manifest: Manifest, to: impl Write) -> Result<Written, BundleError> {
        manifest.members = self.members.iter_mut().map(entry).collect::<Result<_, _>>()?;
        manifest.check(&self.limits.unwrap_or_else(|| Limits::of(manifest.kind)))?;
        let bytes = manifest.to_bytes()?;
        if bytes.len() as u64 > limits::MANIFEST_MAX {
            return Err(BundleError::TooLarge { what: MANIFEST.to_owned(), limit: limits::MANIFEST_MAX });
        }
        let mut file = Sink::new(to);
        match self.sealing {
            None => self.write_archive(&manifest, &bytes, &mut file)?,
            Some(Sealing { to, .. }) => {
                let mut archive = Sink::new(envelope::seal(to, &mut file).map_err(BundleError::Io)?);
                self.write_archive(&manifest, &bytes, &mut archive)?;
                archive.to.finish().map_err(BundleError::Io)?;
            }
        }
        Ok(Written { manifest, digest: ShortDigest::from_hasher(&file.hasher), length: file.length })
    }

    fn write_archive<W: Write>(
        &mut self,
        manifest: &Manifest,
        bytes: &[u8],
        to: &mut Sink<W>,
    ) -> Result<(), BundleError> {
        let signature = match self.sealing {
            None => None,
            Some(Sealing { from, .. }) => Some(from.sign(bytes, &manifest.purpose()).map_err(BundleError::Signature)?),
        };
        write_manifest(to, bytes, signature.as_deref())?;
        self.write_members(to, &manifest.members)?;
        let seal = ShortDigest::from_hasher(&to.hasher).0.to_be_bytes();
        to.write_all(&SEAL_HEAD).and_then(|()| to.write_all(&seal)).map_err(BundleError::Io)
    }

    fn write_members(&mut self, to: &mut impl Write, entries: &[MemberEntry]) -> Result<(), BundleError> {
        let content: u64 = entries.iter().map(|entry| entry.length).sum();
        let archive: u64 = entries.iter().map(|entry| in_archive(entry.length)).sum();
        let level = self.level.unwrap_or_else(|| level_for(content));
        let mut frame = open_frame(to, level, archive + tape::END.len() as u64)?;
        for ((_, _, body), entry) in self.members.iter_mut().zip(entries) {
            write_member(&mut frame, entry, body)?;
        }
        frame.write_all(&tape::END).map_err(BundleError::Io)?;
        frame.finish().map(drop).map_err(BundleError::Io)
    }
}

/// The level for so much content: a traveller's line is slower than any level, a big package is not worth an hour.
fn level_for(content: u64) -> i32 {
    match content {
        small if small <= SMALL => 19,
        medium if medium <= MEDIUM => 12,
        _ => 6,
    }
}

fn in_archive(length: u64) -> u64 {
    tape::BLOCK as u64 + length + tape::padding(length) as u64
}

pub(super) fn open_frame<W: Write>(to: W, level: i32, length: u64) -> Result<zstd::Encoder<'static, W>, BundleError> {
    let open = || {
        let mut frame = zstd::Encoder::new(to, level)?;
        frame.include_checksum(true)?;
        // The length lets the encoder take tables that fit: for a small bundle that is most of its time.
        frame.set_pledged_src_size(Some(length))?;
        Ok(frame)
    };
    open().map_err(BundleError::Io)
}

/// The manifest and, beside it, its signature: nothing else is looked at before that was found right.
fn write_manifest(to: &mut impl Write, bytes: &[u8], signature: Option<&str>) -> Result<(), BundleError> {
    let parts = [(MANIFEST, Some(bytes)), (SIGNATURE, signature.map(str::as_bytes))];
    let parts = parts.into_iter().filter_map(|(name, content)| content.map(|content| (name, content)));
    let mut archive = Vec::new();
    for (name, content) in parts {
        archive.extend_from_slice(&tape::header(name, content.len() as u64)?);
        archive.extend_from_slice(content);
        archive.resize(archive.len() + tape::padding(content.len() as u64), 0);
    }
    let length = archive.len() as u64;
    let mut frame = open_frame(to, level_for(length), length)?;
    frame.write_all(&archive).map_err(BundleError::Io)?;
    frame.finish().map(drop).map_err(BundleError::Io)
}

fn entry((name, optional, body): &mut (String, bool, Body<'_>)) -> Result<MemberEntry, BundleError> {
    let (length, digest) = match body {
        Body::Bytes(bytes) => (bytes.len() as u64, Digest::of(bytes)),
        Body::File(file) => digest_file(file).map_err(BundleError::Io)?,
    };
    Ok(MemberEntry { name: name.clone(), length, digest, optional: *optional })
}

fn digest_file(file: &mut File) -> io::Result<(u64, Digest)> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok((hasher.count(), Digest(*hasher.finalize().as_bytes())))
}

fn write_member(to: &mut impl Write, entry: &MemberEntry, body: &mut Body<'_>) -> Result<(), BundleError> {
    to.write_all(&tape::header(&entry.name, entry.length)?).map_err(BundleError::Io)?;
    match body {
        Body::Bytes(bytes) => to.write_all(bytes).map_err(BundleError::Io)?,
        Body::File(file) => write_file(to, entry, file)?,
    }
    to.write_all(&vec![0; tape::padding(entry.length)]).map_err(BundleError::Io)
}

fn write_file(to: &mut impl Write, entry: &MemberEntry, file: &mut File) -> Result<(), BundleError> {
    file.rewind().map_err(BundleError::Io)?;
    let mut sink = Sink::new(to);
    io::copy(&mut file.take(entry.length), &mut sink).map_err(BundleError::Io)?;
    let same = sink.length == entry.length && *sink.hasher.finalize().as_bytes() == entry.digest.0;
    if same { Ok(()) } else { Err(BundleError::Changed { member: entry.name.clone() }) }
}

/// Passes bytes on and digests what was passed.
struct Sink<W> {
    to: W,
    hasher: blake3::Hasher,
    length: u64,
}

impl<W> Sink<W> {
    fn new(to: W) -> Self {
        Self { to, hasher: blake3::Hasher::new(), length: 0 }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
