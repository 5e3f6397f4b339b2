//! Reading the file `keys` in a node's home.
//!
//! Owns that it is used only if nobody but its owner may read it. Leaves its form to [`crate::keys`].

use std::path::Path;
use std::{fs, io};

use super::HomeError;
use crate::keys::NodeKeys;
use crate::seam::is_private;

pub(super) fn read(path: &Path) -> Result<NodeKeys, HomeError> {
    let unusable = |why: String| HomeError::Keys { path: path.to_owned(), why };
    let unreadable = |error: io::Error| unusable(format!("{error}; put the file back from a backup"));
    if !is_private(path).map_err(unreadable)? {
        let path = path.display();
        return Err(unusable(format!(
            "others than its owner may read it; close it to them with `chmod 600 {path}`, and if anybody may have read it, \
             make the node anew"
        )));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    NodeKeys::from_file(&text).map_err(|error| unusable(format!("{error}; put the file back from a backup")))
}
