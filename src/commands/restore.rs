//! `packhorse restore`: start a remote from its package.

use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_shared::config::InitialConfig;
use packhorse_shared::home::Home;
use packhorse_unbundler::restore::{Restorer, Site};

use super::init::database_from;
use crate::addresses;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::relay;
use crate::report::note;
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse restore alice.rdb --database crm.db
  packhorse restore alice.rdb --database crm.db --relay /media/stick/relay/alice";

/// Unpack a remote database package: database, home and link, ready to sync
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Restore {
    /// The package
    #[arg(value_name = "FILE.rdb")]
    package: PathBuf,

    /// Where the database goes; it must not be there
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// This node's relay folder, if it is reached otherwise than the package says
    #[arg(long, value_name = "URL")]
    relay: Vec<String>,
}

impl Restore {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        addresses::understood(&self.relay)?;
        let written = relay::written_whole(&self.relay)?;
        let folder = context.home.map_or_else(|| Home::beside(&self.database), Path::to_owned);
        let relative = database_from(&folder, &self.database)?;
        let site = Site { package: &self.package, database: &self.database, home: &folder };
        let node = packhorse_shared::id::NodeId(context.machine.world.random.next_u64());
        let restored = Restorer { world: context.machine.world }.restore(&site, node, &|start| {
            let relay = if written.is_empty() { start.relays } else { &written };
            InitialConfig { name: start.name, database: &relative, relay, is_remote: true }.text()
        })?;
        note(&format!(
            "{}: restored {} from {}",
            restored.name,
            count(restored.records, "record", "records"),
            restored.hub
        ));
        note(&format!("home: {}", folder.display()));
        note("next: `packhorse sync`");
        Ok(Exit::Done)
    }
}
