//! What holds of the readers of what FTP servers say, whatever they say.
//!
//! Owns one property for each reader, as a function of any bytes that fails an assertion where it does not hold: nothing
//! panics, nothing grows beyond what was said, and no name from outside gets past the rule for names.

use super::control::{port_in, read_reply};
use super::listing::read_lines;
use crate::carrier::Listing;
use crate::name::{FileName, PART};

/// What a server lists, by MLSD and by LIST.
pub fn listing(bytes: &[u8]) {
    for is_mlsd in [true, false] {
        let Ok(listing) = read_lines(&mut &*bytes, is_mlsd) else { continue };
        let Listing { present, files, partials, foreign } = &listing;
        let lines = bytes.split(|byte| *byte == b'\n').count();
        assert!(*present && files.len() + partials.len() + foreign.len() <= lines, "more names than lines");
        assert!(foreign.len() <= 100, "more names than a report can show");
        for name in files.iter().chain(partials).map(|entry| &entry.name) {
            assert_eq!(name.as_str().parse::<FileName>().ok().as_ref(), Some(name), "a name that is not carried");
            assert!(!name.as_str().ends_with(PART), "{name}");
        }
        for name in foreign {
            assert!(!name.is_empty() && !name.chars().any(char::is_control), "{name:?} cannot be shown");
        }
    }
}

/// What a server says on its control connection, one reply after another.
pub fn reply(mut bytes: &[u8]) {
    let most = bytes.len() / 4;
    let mut said = 0;
    while let Ok(reply) = read_reply(&mut bytes) {
        assert!((100..600).contains(&reply.code), "{reply:?}");
        let _ = port_in(&reply);
        assert!(!reply.shown().chars().any(char::is_control), "{reply:?}");
        said += 1;
    }
    assert!(said <= most, "more replies than lines");
}
