//! A node, opened: its home, configuration and database, and what each of its links shares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use packhorse_bundler::seal::Share;
use packhorse_shared::bundle::BundleName;
use packhorse_shared::calls::Orders;
use packhorse_shared::config::{Config, Keys};
use packhorse_shared::home::{Claim, Home, HomeLock};
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Role;
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::replica::{Policy, Replica, StoredLink};
use packhorse_shared::seam::{Step, World};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;

use crate::context::Context;
use crate::courier::{Courier, config_of};
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::report::note;
use crate::{locate, locks};

/// An open node.
pub struct Node {
    /// Its home.
    pub home: Home,
    /// Its configuration.
    pub config: Config,
    /// Its keys, and which of its links are sealed.
    pub trust: Trust,
    /// Its database.
    pub replica: SqliteReplica,
    /// The outside world that it is worked on in.
    pub machine: Machine,
    /// Of that: the time of day, randomness, durable files, and who is told of durable steps.
    pub world: World<'static>,
    /// Whether its ledger refused to be kept in this run: that is told once and not tried again.
    pub ledger_refused: bool,
}

impl Node {
    /// Opens a node for reading what is there; others may work on it meanwhile.
    pub fn open(context: Context<'_>) -> Result<Self, Failure> {
        let home = Home::open(&locate::home(context.home)?)?;
        let config = config_of(&home)?;
        let mut replica = SqliteReplica::open(&database_of(&home, &config)).map_err(|error| {
            let failure = Failure::from(error);
            let hint = format!("`database` in {} names it", home.config_path().display());
            if failure.exit() == Exit::Usage { failure.hint(hint) } else { failure }
        })?;
        let trust = trust(&home, &config, &replica.links()?)?;
        let machine = context.machine;
        let replica = replica.with_steps(machine.world.steps);
        let node = Self { home, config, trust, replica, machine, world: machine.world, ledger_refused: false };
        node.check_belonging()?;
        Ok(node)
    }

    /// Opens a node to work on it, alone.
    pub fn lock(context: Context<'_>, command: &str) -> Result<(Self, HomeLock), Failure> {
        let home = Home::open(&locate::home(context.home)?)?;
        let lock = locks::take(&home, Claim::Work, command)?;
        Ok((Self::open_for_work(context)?, lock))
    }

    /// Opens a node to move its bundles and to work on it, alone.
    pub fn lock_to_transfer(context: Context<'_>, command: &str) -> Result<(Self, [HomeLock; 2]), Failure> {
        let home = Home::open(&locate::home(context.home)?)?;
        let locks = [locks::take(&home, Claim::Transfer, command)?, locks::take(&home, Claim::Work, command)?];
        Ok((Self::open_for_work(context)?, locks))
    }

    /// Opens a node whose lock is held, and takes over what its configuration says now.
    pub fn open_for_work(context: Context<'_>) -> Result<Self, Failure> {
        let mut node = Self::open(context)?;
        node.wait_for_disk()?;
        node.take_over_policies()?;
        node.replica.configure_references(&node.config.references())?;
        node.take_over_tables()?;
        node.take_over_sets()?;
        node.take_in_looks()?;
        node.give_orders()?;
        Ok(node)
    }

    /// What is in the database may be what a run left there that could not wait for the disk, as that failed: a power cut could
    /// still take it back, and nothing may leave this node that rests on it.
    fn wait_for_disk(&self) -> Result<(), Failure> {
        let done = self.replica.wait_for_disk(self.world.disk);
        done.map_err(|error| Failure::file("wait for the disk with", self.replica.path(), &error))
    }

    /// What the configuration says of tables lies in the database too, from where packages take it. What records are known by
    /// is the hub's to say, or the ends would not unite the same ones: a remote has it from its package.
    fn take_over_policies(&mut self) -> Result<(), Failure> {
        let identities = self.config.tables.iter().filter(|(_, policy)| !policy.identity.is_empty());
        let identities: BTreeMap<String, Vec<String>> =
            identities.map(|(table, policy)| (table.clone(), policy.identity.clone())).collect();
        let policies = self.policies();
        if self.replica.links()?.iter().all(|link| link.state.role() == Role::Remote) {
            self.replica.set_identities(&identities)?;
            return Ok(self.replica.set_policies(&policies)?);
        }
        let config = self.home.config_path();
        let tables: BTreeSet<&String> = identities.keys().chain(policies.keys()).collect();
        for table in tables {
            let config = config.display();
            note(&format!(
                "{config}: how [table.{table}] is merged is the hub's to say: it counts there, and is passed over here"
            ));
        }
        Ok(())
    }

    /// How tables are merged by the configuration, where that is not by default.
    fn policies(&self) -> BTreeMap<String, Policy> {
        let of = |name: &str| self.config.policy(name).of_merging(&self.config.merge);
        let named = self.config.tables.keys().cloned();
        let all = self.replica.tables().iter().map(|table| table.name.clone());
        let all = all.filter(|name| !self.config.tables.keys().any(|known| known.eq_ignore_ascii_case(name)));
        let policies = named.chain(all).map(|name| (of(&name), name));
        policies.filter(|(policy, _)| *policy != Policy::default()).map(|(policy, name)| (name, policy)).collect()
    }

    /// A home that was copied beside another database must not speak for it.
    fn check_belonging(&self) -> Result<(), Failure> {
        let (ours, theirs) = (self.home.identity(), self.replica.identity());
        if (ours.network, ours.node) == (theirs.network, theirs.node) {
            return Ok(());
        }
        let message = format!(
            "the home {} belongs to another database than {}",
            self.home.folder().display(),
            self.replica.path().display()
        );
        Err(Failure::new(Exit::Usage, message).hint("check `database` in its packhorse.toml, or use the right home"))
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.config.node.name
    }

    /// What those see of it who only make calls.
    pub fn courier(&self) -> Courier {
        Courier { home: self.home.clone(), config: self.config.clone(), machine: self.machine }
    }

    /// What those who make calls have to know of the links, as these stand now.
    pub fn orders(&mut self) -> Result<Orders, Failure> {
        let links = self.replica.links()?;
        let inbox: Vec<BundleName> = self.spool().inbox()?.iter().filter_map(|file| file.name.parse().ok()).collect();
        Ok(Orders::of(self.name(), &links, &inbox))
    }

    /// Tells them. Where that fails they go by what they were told before, and everything else goes on.
    pub fn give_orders(&mut self) -> Result<(), Failure> {
        let orders = self.orders()?;
        let given = self.home.calls().give(self.world.disk, &orders);
        given.unwrap_or_else(|error| note(Failure::from(error).message()));
        Ok(())
    }

    /// Its spool.
    pub fn spool(&self) -> Spool<'static> {
        Spool::new(&self.home, self.world.disk).with_steps(self.world.steps)
    }

    /// Whether the node has a hub of its own.
    pub fn has_hub(&mut self) -> Result<bool, Failure> {
        Ok(self.replica.links()?.iter().any(|link| link.state.role() == Role::Hub))
    }

    /// Every link with the tables that it shares.
    pub fn shares(&mut self) -> Result<Vec<Share>, Failure> {
        let all = self.replica.all_sharing()?.into_iter();
        Ok(all.map(|(link, tables)| Share { link, tables }).collect())
    }

    /// The tables whose numbers the configuration wants left as they are at remotes.
    pub fn tables_with_keys_as_is(&self) -> Vec<String> {
        let as_is = self.config.tables.iter().filter(|(_, policy)| policy.keys == Keys::AsIs);
        as_is.map(|(name, _)| name.clone()).collect()
    }
}

/// Who this node is to its peers. With keys that cannot be used nothing is sent or taken: least of all unsealed.
fn trust(home: &Home, config: &Config, links: &[StoredLink]) -> Result<Trust, Failure> {
    let remotes = config.remotes.iter().filter(|(_, remote)| !remote.sealed).map(|(name, _)| name);
    let hub = links.iter().filter(|link| link.state.role() == Role::Hub && !config.node.sealed).map(|link| &link.peer);
    let open = remotes.chain(hub).cloned().collect();
    Ok(Trust::new(home.keys()?, open).within(config.limits.of_bundles()))
}

/// Tells that the work on this file has come to a durable step.
pub fn reached(world: World<'_>, step: Step, path: &Path) -> Result<(), Failure> {
    world.steps.reached(step).map_err(|error| Failure::file("go on working on", path, &error))
}

/// Where a home's database is: its configuration names it relative to the home.
pub fn database_of(home: &Home, config: &Config) -> PathBuf {
    let path = home.folder().join(&config.node.database);
    // Without the way through the home and back, for messages.
    path.canonicalize().unwrap_or_else(|_| without_detour(&path))
}

/// `home/../crm.db` as `crm.db`, for a file that is not there to be asked.
fn without_detour(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let steps_back =
            part == Component::ParentDir && matches!(plain.components().next_back(), Some(Component::Normal(_)));
        if !(steps_back && plain.pop()) {
            plain.push(part);
        }
    }
    plain
}
