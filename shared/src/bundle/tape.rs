//! The tar archive inside a bundle, block by block.
//!
//! Owns the one header that a member of a name and length can have: a reader compares whole headers, so that links,
//! other owners, extensions and every other thing that tar can say are refused without being interpreted.

use super::{BundleError, limits, manifest};

/// Tar's unit.
pub const BLOCK: usize = 512;

/// The two empty blocks that end an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// How much of a name an error shows, in characters: every good one as a whole.
const NAME_SHOWN: usize = 100;

/// The header of a member: a regular file with mode 0644 that belongs to nobody and has no date.
pub fn header(name: &str, length: u64) -> Result<[u8; BLOCK], BundleError> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).map_err(|_| BundleError::Unexpected {
        expected: "a member's name".to_owned(),
        found: format!("\"{}\"", name.escape_debug()),
    })?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// The length that a header gives, if it is one.
pub fn length_in(block: &[u8; BLOCK]) -> Option<u64> {
    tar::Header::from_byte_slice(block).entry_size().ok()
}

/// A header in words, for an error.
pub fn describe(block: &[u8; BLOCK]) -> String {
    if block.iter().all(|byte| *byte == 0) {
        return "the end of the archive".to_owned();
    }
    let header = tar::Header::from_byte_slice(block);
    let name: String = String::from_utf8_lossy(&header.path_bytes()).escape_debug().take(NAME_SHOWN).collect();
    let kind = if header.entry_type().is_file() { "a file" } else { "something other than a file" };
    let length = length_in(block).map_or_else(|| "no length".to_owned(), |length| format!("{length} bytes"));
    format!("{kind} \"{name}\" of {length}")
}

/// How many bytes follow a content of this length to fill its last block.
pub fn padding(length: u64) -> usize {
    (length.next_multiple_of(BLOCK as u64) - length) as usize
}

/// Whether a member may have this name: 1 to [`limits::MEMBER_NAME_MAX`] bytes of `[A-Za-z0-9_.%~-]` in parts
/// separated by single slashes, none of them `.` or `..`, and not the manifest's own.
pub fn is_member_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.%~-/".contains(&byte);
    name.len() <= limits::MEMBER_NAME_MAX
        && ![manifest::MANIFEST, manifest::SIGNATURE].contains(&name)
        && name.bytes().all(allowed)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
