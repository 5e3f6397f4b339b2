//! `packhorse relay check`: whether a relay does everything that transfers ask of it.

use std::path::Path;

use clap::Args;
use packhorse_shared::config::Config;
use packhorse_shared::home::Home;
use packhorse_shared::id::NodeName;
use packhorse_transport::{Location, Tryout};

use super::told::{Told, tell};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::locate;
use crate::relay::keys::Keys;
use crate::relay::{by_hand, whole};
use crate::report::json;

const EXAMPLES: &str = "\
Examples:
  packhorse relay check                                    those of the node here
  packhorse relay check sftp://hub@relay.example/srv/relay
  packhorse relay check --json | jq -r '.[].trials[] | select(.works | not).hint'

It logs in, and puts, lists, resumes, gets and removes small files in a mailbox of its own, which it
takes away again. Keys and passwords are found as for any transfer. The exit status is 3 if something
could be better, 1 if the relay cannot be used, 4 if it cannot be reached.";

/// Try out whether a relay does everything that transfers ask of it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The relay; without one, those of the node here
    #[arg(value_name = "URL")]
    relay: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let node = self.node(context.home)?;
        let relays = match (&self.relay, &node) {
            (Some(relay), _) => vec![relay.clone()],
            (None, Some((home, config))) => whole_of(config, home)?,
            (None, None) => Vec::new(),
        };
        let keys = node.as_ref().map(|(home, config)| Keys::new(&config.access, home.folder())).unwrap_or_default();
        let network = node.as_ref().map(|(home, _)| home.identity().network);
        let mut all = Vec::new();
        for relay in relays {
            let location = Location::parse(&relay)?;
            let scratch = scratch(context)?;
            let (dial, approach) = (context.machine.dial, by_hand(&keys));
            let tryout = Tryout { dial, approach, location: &location, network, scratch: &scratch };
            all.push(Told::of(&location, &tryout.run()));
        }
        if self.json {
            json(&all);
        } else {
            all.iter().for_each(tell);
        }
        Ok(all.iter().fold(Exit::Done, |exit, told| exit.worse(told.exit)))
    }

    /// The node that is meant, if any: an address can be tried where there is none.
    fn node(&self, home: Option<&Path>) -> Result<Option<(Home, Config)>, Failure> {
        let folder = match (locate::home(home), &self.relay) {
            (Err(_), Some(_)) => return Ok(None),
            (folder, _) => folder?,
        };
        let home = Home::open(&folder)?;
        let config = home.config()?;
        Ok(Some((home, config)))
    }
}

fn whole_of(config: &Config, home: &Home) -> Result<Vec<String>, Failure> {
    if config.node.relay.is_empty() {
        return Err(Failure::usage(format!("{} names no relay", home.config_path().display()))
            .hint("name one: `packhorse relay check URL`"));
    }
    config.node.relay.iter().map(|relay| whole(relay, home.folder())).collect()
}

/// A name that nobody else has, of those that mailboxes may have.
fn scratch(context: Context<'_>) -> Result<NodeName, Failure> {
    let name = format!("check-{:016x}", context.machine.world.random.next_u64());
    name.parse().map_err(|error| Failure::new(Exit::Failed, format!("{error}")))
}
