//! The container by hand: blocks of an archive, frames, the seal, the envelope; right, or wrong in one respect.

use std::io::Write;

use packhorse_shared::bundle::ShortDigest;
use packhorse_shared::keys::NodeKeys;
use packhorse_shared::keys::envelope::{self, SealedTo};

/// A block of an archive.
pub const BLOCK: usize = 512;

/// The end of an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What begins the seal.
const SEAL_HEAD: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0];

/// A file's header, altered.
fn header(name: &str, length: u64, alter: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    // The library makes no name that is a path elsewhere.
    let field = &mut header.as_mut_bytes()[..100];
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    alter(&mut header);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A member: its header, its content, and zeros up to a whole block.
pub fn member(name: &str, content: &[u8]) -> Vec<u8> {
    member_with(name, content, |_| {})
}

/// A member with another header.
pub fn member_with(name: &str, content: &[u8], alter: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut bytes = header(name, content.len() as u64, alter);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// A header alone.
pub fn header_alone(name: &str, length: u64) -> Vec<u8> {
    header(name, length, |_| {})
}

/// A frame with a checksum and the content's size.
pub fn frame(content: &[u8]) -> Vec<u8> {
    frame_with(content, |_| {})
}

/// A frame that is made otherwise.
pub fn frame_with(content: &[u8], alter: impl Fn(&mut zstd::Encoder<'_, Vec<u8>>)) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 19).expect("memory can be written");
    encoder.include_checksum(true).expect("a checksum");
    encoder.set_pledged_src_size(Some(content.len() as u64)).expect("a size");
    alter(&mut encoder);
    encoder.write_all(content).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// So many times 128 KiB of zeros, in four bytes each: a frame without checksum or size, with a window of 2 MiB.
pub fn bomb(blocks: u32) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for block in (0..blocks).rev() {
        let head = u32::from(block == 0) | (1 << 1) | ((128 << 10) << 3);
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// Two frames and their seal.
pub fn sealed(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut file = [first, second].concat();
    let seal = ShortDigest::of(file.as_slice()).expect("memory can be read").0.to_be_bytes();
    file.extend(SEAL_HEAD);
    file.extend(seal);
    file
}

/// A file of a manifest and members.
pub fn file(manifest: &[u8], archive: &[Vec<u8>]) -> Vec<u8> {
    sealed(&frame(&member("manifest", manifest)), &frame(&[archive.concat(), END.to_vec()].concat()))
}

/// The same with a signature beside the manifest: of what, and for what.
pub fn signed(manifest: &[u8], archive: &[Vec<u8>], by: &NodeKeys, of: &[u8], purpose: &str) -> Vec<u8> {
    let signature = by.sign(of, purpose).expect("a signature");
    with_signature(manifest, archive, signature.as_bytes())
}

/// The same with these bytes for a signature.
pub fn with_signature(manifest: &[u8], archive: &[Vec<u8>], signature: &[u8]) -> Vec<u8> {
    let first = [member("manifest", manifest), member("manifest.minisig", signature)].concat();
    sealed(&frame(&first), &frame(&[archive.concat(), END.to_vec()].concat()))
}

/// The envelope around an archive.
pub fn enveloped(to: SealedTo<'_>, archive: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut envelope = envelope::seal(to, &mut file).expect("memory can be written");
    envelope.write_all(archive).expect("memory can be written");
    envelope.finish().expect("memory can be written");
    file
}
