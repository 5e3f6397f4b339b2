//! A small volume of its own, for what happens on a disk that is full or cannot be written: file permissions do not
//! stop a superuser, a mount does.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A mounted tmpfs; unmounted when it is dropped.
pub struct Volume {
    place: PathBuf,
}

impl Volume {
    /// Mounts one on a folder. None, said aloud, where mounting is not allowed.
    pub fn mount(place: &Path, mebibytes: u32) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        let mounted = mount(&["-t", "tmpfs", "-o", &size, "packhorse-test"], place);
        if !mounted {
            eprintln!("SKIPPED: no volume can be mounted here, so full and read-only disks are not tested");
        }
        mounted.then(|| Self { place: place.to_owned() })
    }

    /// Fills it up until only about so much is left.
    pub fn fill(&self, left: u64) {
        let path = self.place.join("ballast");
        let mut ballast = File::create(&path).expect("a file on the volume");
        let (block, mut size) = ([1u8; 4096], 0u64);
        while let Ok(count) = ballast.write(&block) {
            size += count as u64;
        }
        ballast.set_len(size.saturating_sub(left)).expect("the file gets shorter");
    }

    /// Makes room again.
    pub fn empty(&self) {
        std::fs::remove_file(self.place.join("ballast")).expect("the ballast is there");
    }

    /// Makes it read-only, or writable again.
    pub fn read_only(&self, read_only: bool) {
        let option = if read_only { "remount,ro" } else { "remount,rw" };
        assert!(mount(&["-o", option], &self.place), "the volume can be remounted");
    }
}

/// A folder that cannot be written to while this lives, unlike what lies around it.
pub struct Sealed {
    place: PathBuf,
}

impl Sealed {
    /// Makes a folder read-only. None, said aloud, where mounting is not allowed.
    pub fn folder(place: &Path) -> Option<Self> {
        let bound = mount(&["--bind", place.to_str()?], place);
        if !bound {
            eprintln!("SKIPPED: no folder can be mounted here, so read-only folders are not tested");
            return None;
        }
        let sealed = Self { place: place.to_owned() };
        assert!(mount(&["-o", "remount,bind,ro"], place), "the folder can be made read-only");
        Some(sealed)
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

fn mount(words: &[&str], place: &Path) -> bool {
    let status = Command::new("mount").args(words).arg(place).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
