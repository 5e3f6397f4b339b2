//! Dials every kind of relay that there is.
//!
//! Owns which carrier an address needs. Leaves to a [`crate::Keyring`] how servers are logged in to.

use packhorse_shared::seam::{Disk, Steps};

use crate::address::Scheme;
use crate::carrier::Carrier;
use crate::error::TransportError;
use crate::folder::FolderCarrier;
use crate::ftp::FtpCarrier;
use crate::location::{Location, Target};
use crate::relays::{Approach, Dial};
use crate::sftp::SftpCarrier;

/// Dials folders and servers.
#[derive(Clone, Copy)]
pub struct OsDial<'d> {
    /// Durable files.
    pub disk: &'d dyn Disk,
    /// Who is told of durable steps.
    pub steps: &'d dyn Steps,
}

impl Dial for OsDial<'_> {
    fn dial<'a>(
        &'a self,
        location: &Location,
        approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        let address = match location.target() {
            Target::Folder(folder) => {
                return Ok(Box::new(FolderCarrier::open(folder, self.disk)?.with_steps(self.steps)));
            }
            Target::Server(address) => address,
        };
        let access = approach.keyring.access(address, &approach.ending)?;
        let shown = location.to_string();
        let ending = || approach.ending.clone();
        Ok(match address.scheme {
            Scheme::Ftp | Scheme::Ftps => Box::new(FtpCarrier::dial(shown, address, &access, ending())?),
            Scheme::Sftp => Box::new(SftpCarrier::dial(shown, address, &access, ending())?),
        })
    }
}
