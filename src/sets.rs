//! Sync sets between the configuration and the database: what each remote is to share.

use std::collections::BTreeMap;

use packhorse_shared::config::RemoteConfig;
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Role;
use packhorse_shared::replica::{Held, MembershipId, Replica};
use packhorse_shared::set::{BoundSet, Param, Rights, Scalar, Scope, TableRights};
use packhorse_unbundler::retry::retry;

use crate::failure::{Exit, Failure};
use crate::lint::{failure, unbound};
use crate::node::Node;
use crate::report::note;
use crate::wording::shown;

/// The parameter that says who a remote's user is, where rights ask for that.
pub const USER: &str = "user";

impl Node {
    /// What a remote of the configuration is to share.
    pub fn set_of_remote(&self, remote: &NodeName) -> Result<BoundSet, Failure> {
        let Some(config) = self.config.remotes.get(remote) else {
            let message = format!("there is no remote \"{remote}\" in {}", self.home.config_path().display());
            return Err(Failure::usage(message).hint(format!("add it with `packhorse remote add {remote}`")));
        };
        self.bound_set(config)
    }

    /// What a remote with this set and these values is to share.
    pub fn bound_set(&self, remote: &RemoteConfig) -> Result<BoundSet, Failure> {
        let scope = self.scope(&remote.set)?;
        let bound = BoundSet::new(scope.clone(), &remote.params);
        bound.map_err(|error| failure(&format!("the set \"{}\"", remote.set), &unbound(&scope, &error)))
    }

    /// The set of a name.
    pub fn scope(&self, set: &str) -> Result<Scope, Failure> {
        self.config.set(set).ok_or_else(|| {
            Failure::usage(format!("there is no set \"{set}\""))
                .hint(format!("the sets are: {}", self.config.set_names().join(", ")))
        })
    }

    /// The names of the tables that a set shares.
    pub fn tables_of_set(&self, set: &BoundSet) -> Vec<String> {
        self.tables_of_scope(&set.scope)
    }

    /// The same before its parameters have values.
    pub fn tables_of_scope(&self, scope: &Scope) -> Vec<String> {
        match scope {
            Scope::Everything => self.replica.tables().iter().map(|table| table.name.clone()).collect(),
            Scope::Tables(tables) => tables.iter().map(|table| table.name.clone()).collect(),
        }
    }

    /// Begins to sync tables that a set names, or the hub, and that were not there, or not wanted, when the database was
    /// prepared. What came of them and was held is placed.
    pub(crate) fn take_over_tables(&mut self) -> Result<(), Failure> {
        let scopes = self.config.set_names().into_iter().filter_map(|name| self.config.set(name));
        let named: Vec<String> = scopes
            .flat_map(|scope| scope.tables().iter().map(|table| table.name.clone()).collect::<Vec<_>>())
            .collect();
        self.sync_tables(&named)
    }

    /// Begins to sync these tables.
    pub fn sync_tables(&mut self, named: &[String]) -> Result<(), Failure> {
        let now = self.world.clock.now();
        let added = self.replica.sync_tables(named, now)?;
        for table in &added {
            note(&format!(
                "table {} is synced from now on, because a set names it; remotes that share everything get it too",
                shown(table)
            ));
        }
        if !added.is_empty() {
            let waited = |held: &Held| added.iter().any(|table| table.eq_ignore_ascii_case(&held.change.table));
            retry(&mut self.replica, &waited, now)?;
        }
        Ok(())
    }

    /// The membership of what a remote of the configuration is to share. What nobody shares yet is checked before: it may have
    /// been written by hand.
    fn membership_of_remote(&mut self, remote: &NodeName) -> Result<MembershipId, Failure> {
        let set = self.set_of_remote(remote)?;
        if !self.replica.knows_set(&set)? {
            let name = self.config.remotes.get(remote).map(|config| config.set.clone()).unwrap_or_default();
            self.check_scope(&format!("the set \"{name}\""), &set.scope)?;
        }
        Ok(self.replica.membership(&set)?)
    }

    /// What a remote of the configuration may do to the records of tables where that is not everything.
    fn rights_of_remote(&self, remote: &NodeName) -> BTreeMap<String, Rights> {
        let Some(config) = self.config.remotes.get(remote) else { return BTreeMap::new() };
        let user = match config.params.get(USER) {
            Some(Param::One(user)) => vec![user.clone()],
            Some(Param::Many(users)) => users.clone(),
            None => vec![Scalar::Text(remote.to_string())],
        };
        let of = |table: TableRights| Rights { table, remote: remote.clone(), user: user.clone() };
        self.config.rights(&config.set).into_iter().map(|(name, table)| (name, of(table))).collect()
    }

    /// Lets every link share what the configuration says now. One whose set does not fit goes on with what it had, which is
    /// told: the others must not wait for it.
    pub(crate) fn take_over_sets(&mut self) -> Result<(), Failure> {
        for link in self.replica.links()?.into_iter().filter(|link| link.state.role() == Role::Remote) {
            if !self.config.remotes.contains_key(&link.peer) {
                continue;
            }
            match self.membership_of_remote(&link.peer) {
                Ok(membership) => {
                    let rights = self.rights_of_remote(&link.peer);
                    self.replica.set_rights(link.id, &rights)?;
                    self.replica.share(self.world.clock.now(), link.id, membership, Some(link.state.acked()))?;
                }
                Err(failure) if failure.exit() == Exit::Usage => {
                    note(&format!("{} goes on sharing what it did: {}", link.peer, failure.message()));
                }
                // The set may be in order, and what is outside it must not go there only because a disk failed.
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}
