//! A node as those see it who only make calls: its home and configuration, without keys and database.
//!
//! Owns the opening of these. Invariant: nothing here reads a key or the database, so that an account which may do neither can
//! move bundles.

use packhorse_shared::config::Config;
use packhorse_shared::home::Home;
use packhorse_shared::id::NodeName;
use packhorse_shared::spool::Spool;

use crate::context::Context;
use crate::failure::Failure;
use crate::locate;
use crate::machine::Machine;
use crate::relay::whole;

/// Who makes a node's calls.
#[derive(Clone)]
pub struct Courier {
    /// The node's home.
    pub home: Home,
    /// Its configuration.
    pub config: Config,
    /// The outside world.
    pub machine: Machine,
}

impl Courier {
    /// The one of the home that is named, or found.
    pub fn open(context: Context<'_>) -> Result<Self, Failure> {
        let home = Home::open(&locate::home(context.home)?)?;
        let config = config_of(&home)?;
        Ok(Self { home, config, machine: context.machine })
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.config.node.name
    }

    /// Its spool.
    pub fn spool(&self) -> Spool<'static> {
        let world = self.machine.world;
        Spool::new(&self.home, world.disk).with_steps(world.steps)
    }
}

/// A home's configuration, with its relays by their whole paths.
pub fn config_of(home: &Home) -> Result<Config, Failure> {
    let mut config = Config::load(&home.config_path())?;
    for relay in &mut config.node.relay {
        // One that cannot be understood is told where it is needed.
        *relay = whole(relay, home.folder()).unwrap_or_else(|_| relay.clone());
    }
    let (ours, name) = (home.identity(), &config.node.name);
    if ours.name == *name {
        return Ok(config);
    }
    let path = home.config_path();
    let message = format!("{} names this node \"{name}\", but it is \"{}\"", path.display(), ours.name);
    let hint = format!("set name = \"{}\" under [node]: its peers know it by that name", ours.name);
    Err(Failure::usage(message).hint(hint))
}
