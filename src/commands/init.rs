//! `packhorse init`: make a database a main database.
//!
//! The home is made first and the database prepared last, in one transaction. A run that was cut short in between is
//! completed by running the command again.

use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_shared::clock::Reading;
use packhorse_shared::config::{Config, InitialConfig};
use packhorse_shared::home::{Home, Identity as HomeIdentity};
use packhorse_shared::id::{NetworkId, NodeId, NodeName};
use packhorse_shared::keys::{KeyNumber, NodeKeys};
use packhorse_shared::replica::Identity;
use packhorse_shared::replica::sqlite::{Choice, JournalWish, Prepared, examine, prepare};
use packhorse_shared::seam::{Step, World};
use packhorse_transport::Location;

use super::restore::give_first_orders;
use crate::addresses;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::names;
use crate::node::{database_of, reached};
use crate::relay;
use crate::report::{note, result};
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse init --database crm.db --name hq --relay /srv/relay
  packhorse init --database crm.db --exclude drafts --exclude cache";

/// Make a database the main database of a new network
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Init {
    /// The application's SQLite database
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// This node's name: 1 to 32 of a-z, 0-9 and -
    #[arg(long, default_value = "hub", value_parser = names::node)]
    name: NodeName,

    /// The relay: a shared folder that both ends can reach (several: tried in order)
    #[arg(long, value_name = "URL")]
    relay: Vec<String>,

    /// Sync only these tables
    #[arg(long, value_name = "TABLE", value_delimiter = ',', conflicts_with = "exclude")]
    tables: Vec<String>,

    /// Sync every table but these
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    exclude: Vec<String>,

    /// Leave the database's journal mode as it is (our reads then make the application wait)
    #[arg(long)]
    keep_journal: bool,
}

impl Init {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (home, world) = (context.home, context.machine.world);
        let folder = home.map_or_else(|| Home::beside(&self.database), Path::to_owned);
        let written = relay::written_whole(&self.relay)?;
        let relays = relay::relays(&written)?;
        examine(&self.database, &self.choice())?;
        relays.iter().try_for_each(|relay| addresses::can_be_marked(world.disk, relay))?;
        let is_new = Home::open(&folder).is_err();
        let home = self.home(world, &folder, &written)?;
        match self.start(context.machine, &home, &relays) {
            Ok(prepared) => {
                give_first_orders(context.machine, &folder, "init");
                tell(&prepared, &home);
            }
            // A database that may have been prepared all the same must keep its home.
            Err(failure) if is_new && examine(&self.database, &self.choice()).is_ok() => {
                undo(context.machine, home, &relays).unwrap_or_else(|failure| failure.print());
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        }
        Ok(Exit::Done)
    }

    /// Makes the relays ours, then the database.
    fn start(&self, machine: Machine, home: &Home, relays: &[Location]) -> Result<Prepared, Failure> {
        let (world, identity) =
            (machine.world, Identity { network: home.identity().network, node: home.identity().node });
        reached(world, Step::InitHomeMade, &self.database)?;
        for location in relays {
            relay::mark(machine, location, identity.network)?;
            reached(world, Step::InitRelayMarked, &self.database)?;
        }
        let journal = if self.keep_journal { JournalWish::Keep } else { JournalWish::WriteAhead };
        Ok(prepare(&self.database, identity, Reading::at(world.clock.now()), &self.choice(), journal)?)
    }

    fn choice(&self) -> Choice {
        match (self.tables.is_empty(), self.exclude.is_empty()) {
            (false, _) => Choice::Only(self.tables.clone()),
            (true, false) => Choice::Except(self.exclude.clone()),
            (true, true) => Choice::Every,
        }
    }

    /// A new home, or the one that an interrupted run for the same database left.
    fn home(&self, world: World<'_>, folder: &Path, relay: &[String]) -> Result<Home, Failure> {
        let database = database_from(folder, &self.database)?;
        let text =
            InitialConfig { name: &self.name, database: &database, relay, sealed: true, is_remote: false, access: &[] };
        let text = text.text()?;
        if let Ok(left) = Home::open(folder) {
            let config = Config::load(&left.config_path())?;
            let same = database_of(&left, &config).canonicalize().ok() == self.database.canonicalize().ok();
            return if same && config.remotes.is_empty() {
                Ok(left.clone().remake(world.disk, &self.name, &left.keys()?, &text)?)
            } else {
                Err(Failure::usage(format!("{} is the home of another database", folder.display()))
                    .hint("choose another folder with --home DIR"))
            };
        }
        let (network, node) = (NetworkId(world.random.next_u64()), NodeId(world.random.next_u64()));
        let identity = HomeIdentity { network, node, name: self.name.clone() };
        let made = NodeKeys::generate(KeyNumber(world.clock.now().0));
        let keys = made.map_err(|error| Failure::file("make keys for", folder, &error))?;
        Ok(Home::create(world.disk, folder, &identity, &keys, &text)?)
    }
}

/// Nothing refers to this network yet, and the next try may be for other tables or another file: what was made for
/// this one would be in its way. Where marking a relay failed its marker may be there too.
fn undo(machine: Machine, home: Home, relays: &[Location]) -> Result<(), Failure> {
    let network = home.identity().network;
    relays.iter().try_for_each(|location| relay::unmark(machine, location, network))?;
    Ok(home.abandon(machine.world.disk)?)
}

/// The database's path as the configuration has it: relative to the home where the two lie together, so that the folder
/// can be moved.
pub fn database_from(home: &Path, database: &Path) -> Result<PathBuf, Failure> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Failure::file("find", path, &error));
    let (home, database) = (absolute(home)?, absolute(database)?);
    match (home.parent(), database.parent(), database.file_name()) {
        (Some(a), Some(b), Some(file)) if a == b => Ok(Path::new("..").join(file)),
        _ => Ok(database),
    }
}

fn tell(prepared: &Prepared, home: &Home) {
    result(&format!("synced from now on ({}):", count(prepared.synced.len() as u64, "table", "tables")));
    for table in &prepared.synced {
        let lacking = count(table.without_key, "record has", "records have");
        match table.without_key {
            0 => result(&format!("  {}", table.name)),
            _ => result(&format!("  {}  ({lacking} NULL in the key and cannot be synced)", table.name)),
        }
    }
    if !prepared.left_out.is_empty() {
        result("not synced:");
    }
    for left in &prepared.left_out {
        result(&format!("  {}  ({})", left.table, left.why));
    }
    if prepared.switched_to_wal {
        note("the database now uses a write-ahead log, so that readers and writers do not wait for each other");
    }
    note(&format!("home: {}", home.folder().display()));
    note("next: `packhorse remote add NAME`, then `packhorse remote pack NAME -o NAME.rdb`");
}
