//! Dropping packages where remotes get them: `remote pack --deliver`.

use std::path::{Path, PathBuf};

use packhorse_shared::id::NodeName;
use packhorse_transport::{FileName, Location, Parcel};

use crate::failure::Failure;
use crate::machine::Machine;
use crate::node::Node;
use crate::relay::keys::Keys;
use crate::relay::packages;
use crate::report::result;

/// A folder in which packages are dropped, and that was found to be there.
pub(super) struct Delivery {
    machine: Machine,
    keys: Keys,
    folder: Location,
}

impl Delivery {
    /// Looks first: a package that is made makes the one before it worthless.
    pub(super) fn to(machine: Machine, node: &Node, url: &str) -> Result<Self, Failure> {
        let keys = Keys::new(&node.config.access, node.home.folder());
        let delivery = Self { machine, keys, folder: Location::parse(url)? };
        packages::look(machine, &delivery.keys, &delivery.folder)?;
        Ok(delivery)
    }

    /// Drops each remote's package, and tells its address.
    pub(super) fn deliver(&self, packages: &[(NodeName, PathBuf)]) -> Result<(), Failure> {
        packages.iter().try_for_each(|(remote, path)| {
            let name = format!("{remote}.rdb").parse::<FileName>();
            let name = name.map_err(|error| Failure::usage(error.to_string()))?;
            if !self.is_there(path, &name) {
                self.drop_package(remote, path, &name)?;
            }
            result(&format!("{}/{name}", self.folder.to_string().trim_end_matches('/')));
            Ok(())
        })
    }

    fn drop_package(&self, remote: &NodeName, path: &Path, name: &FileName) -> Result<(), Failure> {
        let parcel = Parcel { name: name.clone(), path: path.to_owned() };
        let delivered = packages::deliver(self.machine, &self.keys, &self.folder, &parcel);
        delivered.map_err(|failure| {
            let path = path.display();
            let way_out =
                format!("the package is made: put {path} there as {name}; or remove it, and run the command again");
            failure.about(remote.as_str()).hint(way_out)
        })
    }

    /// Whether the package was made in that very place, where putting it would take it away first.
    fn is_there(&self, path: &Path, name: &FileName) -> bool {
        let there = self.folder.folder().and_then(|folder| folder.join(name.as_str()).canonicalize().ok());
        there.is_some_and(|there| path.canonicalize().is_ok_and(|path| path == there))
    }
}
