//! Stuck links: a bundle over which the database stumbles holds up its own link alone.

use std::collections::BTreeSet;

use packhorse_shared::id::LinkId;
use packhorse_shared::replica::ReplicaError;

use crate::error::UnbundlerError;

/// The links of which a bundle could not be applied.
#[derive(Default)]
pub(crate) struct Stuck {
    pub links: BTreeSet<LinkId>,
    first: Option<UnbundlerError>,
}

impl Stuck {
    /// What the database says to one bundle's changes (a trigger of the application's that fails, for instance) is told at
    /// the end. Anything else, such as a full disk, would meet every other bundle too.
    pub fn take_in(&mut self, link: LinkId, done: Result<(), UnbundlerError>) -> Result<(), UnbundlerError> {
        match done {
            Err(error @ UnbundlerError::Replica(ReplicaError::Sqlite { .. })) => {
                self.links.insert(link);
                self.first.get_or_insert(error);
                Ok(())
            }
            done => done,
        }
    }

    pub fn end(self) -> Result<(), UnbundlerError> {
        self.first.map_or(Ok(()), Err)
    }
}
