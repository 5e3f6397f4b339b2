//! One file's content as it is on the disk for certain, and what was written since.
//!
//! Owns what a power cut makes of a file. Invariants: what was there when the file was last synced can be had again as
//! long as nothing behind our back has written to it; a sector holds what it held after one of the writes to it or before
//! them all, whatever the others hold, and the length is one that the file had meanwhile. So a file system may write
//! back: in any order, sector by sector. Leaves to its user which file it is, and reading and writing it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use crate::dice::Dice;

/// What a disk writes as a whole.
const SECTOR: u64 = 512;

/// A file's content since it was last synced.
#[derive(Clone, Debug)]
pub(super) struct Content {
    synced_length: u64,
    length: u64,
    /// The sectors touched since, as they were.
    synced: BTreeMap<u64, Vec<u8>>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Written { offset: u64, bytes: Vec<u8> },
    Cut { length: u64 },
}

impl Content {
    /// Of a file that is synced and has this length.
    pub(super) fn new(length: u64) -> Self {
        Self { synced_length: length, length, synced: BTreeMap::new(), changes: Vec::new() }
    }

    /// How long the file is.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes are about to be written; `read` fills a buffer from the file as it is.
    pub(super) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        self.keep(offset..end, read)?;
        self.length = self.length.max(end);
        self.changes.push(Change::Written { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    /// The file is about to be given this length.
    pub(super) fn cut(
        &mut self,
        length: u64,
        read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.keep(length..self.length, read)?;
        self.length = length;
        self.changes.push(Change::Cut { length });
        Ok(())
    }

    /// Keeps what is synced of these bytes, with the rest of their sectors.
    fn keep(&mut self, bytes: Range<u64>, read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<()> {
        let there = bytes.start..bytes.end.min(self.synced_length);
        let missing: Vec<u64> = sectors(&there).filter(|sector| !self.synced.contains_key(sector)).collect();
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else { return Ok(()) };
        let from = first * SECTOR;
        let mut old = vec![0; size((last + 1) * SECTOR - from)];
        read(from, &mut old)?;
        for sector in missing {
            let at = size(sector * SECTOR - from);
            self.synced.insert(sector, old[at..at + size(SECTOR)].to_vec());
        }
        Ok(())
    }

    /// What a power cut leaves of the file, which now holds `bytes`.
    pub(super) fn after_cut(&self, bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
        match dice.below(4) {
            0 => self.synced_image(bytes),
            1 => bytes.to_vec(),
            2 => self.in_order(bytes, dice),
            _ => self.scattered(bytes, dice),
        }
    }

    /// The file as it was when it was synced.
    fn synced_image(&self, bytes: &[u8]) -> Vec<u8> {
        let mut image = bytes.to_vec();
        image.resize(size(self.synced_length), 0);
        for (sector, old) in &self.synced {
            let at = size(sector * SECTOR);
            let count = old.len().min(image.len() - at);
            image[at..at + count].copy_from_slice(&old[..count]);
        }
        image
    }

    /// The first changes whole, the next one torn, those after it not at all.
    fn in_order(&self, bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut image = self.synced_image(bytes);
        let whole = dice.below(self.changes.len() + 1);
        for change in &self.changes[..whole] {
            change.make(&mut image);
        }
        if let Some(Change::Written { offset, bytes }) = self.changes.get(whole) {
            let written = torn(*offset, bytes.len(), image.len() as u64, dice);
            Change::Written { offset: *offset, bytes: bytes[..written].to_vec() }.make(&mut image);
        }
        image
    }

    /// Each sector as after some of the changes to it, and one of the lengths.
    fn scattered(&self, bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut image = self.synced_image(bytes);
        let (lengths, touching) = self.versions();
        let longest = lengths.iter().copied().max().unwrap_or_default();
        image.resize(size(longest.next_multiple_of(SECTOR)), 0);
        for (sector, changes) in touching {
            let range = size(sector * SECTOR)..size((sector + 1) * SECTOR);
            let survive = dice.below(changes.len() + 1);
            for change in &changes[..survive] {
                change.make_within(&mut image[range.clone()], sector * SECTOR);
            }
        }
        image.resize(size(lengths[dice.below(lengths.len())]), 0);
        image
    }

    /// The lengths that the file has had, and which changes touch which sector.
    fn versions(&self) -> (Vec<u64>, BTreeMap<u64, Vec<&Change>>) {
        let mut length = self.synced_length;
        let mut lengths = vec![length];
        let mut touching: BTreeMap<u64, Vec<&Change>> = BTreeMap::new();
        for change in &self.changes {
            for sector in sectors(&change.range(length)) {
                touching.entry(sector).or_default().push(change);
            }
            length = change.length(length);
            lengths.push(length);
        }
        (lengths, touching)
    }
}

impl Change {
    /// The bytes it concerns in a file of this length.
    fn range(&self, length: u64) -> Range<u64> {
        match self {
            Self::Written { offset, bytes } => *offset..offset + bytes.len() as u64,
            Self::Cut { length: left } => *left..length,
        }
    }

    /// How long the file is afterwards.
    fn length(&self, before: u64) -> u64 {
        match self {
            Self::Written { offset, bytes } => before.max(offset + bytes.len() as u64),
            Self::Cut { length } => *length,
        }
    }

    fn make(&self, image: &mut Vec<u8>) {
        image.resize(size(self.length(image.len() as u64)), 0);
        self.make_within(image, 0);
    }

    /// Makes what falls on these bytes, which begin at `start` in the file.
    fn make_within(&self, part: &mut [u8], start: u64) {
        let end = start + part.len() as u64;
        let range = self.range(end);
        let (from, to) = (range.start.clamp(start, end), range.end.clamp(start, end));
        let into = &mut part[size(from - start)..size(to.max(from) - start)];
        match self {
            Self::Written { offset, bytes } if from < to => {
                into.copy_from_slice(&bytes[size(from - offset)..size(to - offset)]);
            }
            Self::Written { .. } => {}
            Self::Cut { .. } => into.fill(0),
        }
    }
}

/// How many bytes of a write that was under way are written: up to a sector's end, or anywhere beyond the file's end.
fn torn(offset: u64, count: usize, length: u64, dice: &mut Dice) -> usize {
    let any = dice.below(count + 1);
    let end = offset + any as u64;
    if end >= length { any } else { size((end - end % SECTOR).max(offset) - offset) }
}

/// The sectors on which these bytes lie.
fn sectors(bytes: &Range<u64>) -> Range<u64> {
    if bytes.is_empty() { 0..0 } else { bytes.start / SECTOR..bytes.end.div_ceil(SECTOR) }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("files of a simulation fit into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, its content as it is now, and everything that each sector and the length have been since the sync.
    struct History {
        file: Vec<u8>,
        content: Content,
        versions: Vec<Vec<u8>>,
    }

    impl History {
        fn of(seed: u64) -> Self {
            let mut dice = Dice::new(seed);
            let file = vec![1; dice.below(5000)];
            let mut history = Self { content: Content::new(file.len() as u64), versions: vec![file.clone()], file };
            for value in 2..2 + dice.below(8) {
                history.change(value as u8, &mut dice);
            }
            history
        }

        fn change(&mut self, value: u8, dice: &mut Dice) {
            let old = self.file.clone();
            let mut read = |at: u64, into: &mut [u8]| {
                into.iter_mut().zip(old.iter().skip(size(at))).for_each(|(to, from)| *to = *from);
                Ok(())
            };
            let (at, count) = (dice.below(6000), 1 + dice.below(1500));
            if dice.below(4) == 0 {
                self.content.cut(at as u64, &mut read).unwrap();
                self.file.resize(at, 0);
            } else {
                self.content.write(at as u64, &vec![value; count], &mut read).unwrap();
                self.file.resize(self.file.len().max(at + count), 0);
                self.file[at..at + count].fill(value);
            }
            self.versions.push(self.file.clone());
        }

        /// Whether the file may hold this: each sector as in some version, and as long as one was or torn in a write.
        fn allows(&self, left: &[u8]) -> bool {
            let longest = self.versions.iter().map(Vec::len).max().unwrap();
            left.len() <= longest
                && left.chunks(size(SECTOR)).enumerate().all(|(number, found)| {
                    let at = number * size(SECTOR);
                    self.versions.iter().any(|version| {
                        found.iter().enumerate().all(|(byte, value)| version.get(at + byte).unwrap_or(&0) == value)
                    })
                })
        }
    }

    #[test]
    fn a_sector_is_left_as_it_was_at_some_time_since_the_sync() {
        for seed in 0..300 {
            let history = History::of(seed);
            for cut in 0..20 {
                let left = history.content.after_cut(&history.file, &mut Dice::new(cut));
                assert!(history.allows(&left), "seed {seed}, cut {cut}");
            }
        }
    }

    #[test]
    fn everything_or_nothing_may_be_left_and_much_between_them() {
        let history = History::of(4);
        let left = |cut| history.content.after_cut(&history.file, &mut Dice::new(cut));
        let found: std::collections::BTreeSet<Vec<u8>> = (0..100).map(left).collect();
        assert!(found.contains(&history.file) && found.contains(&history.versions[0]));
        assert!(found.len() > 20, "{}", found.len());
    }
}
