//! `packhorse set try`.

use clap::Args;
use packhorse_shared::config::RemoteConfig;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::{Replica, StoredLink, Trial, Volume};
use packhorse_shared::set::{BoundSet, Scope, SetTable};
use serde::Serialize;

use super::tables::Tables;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, note, result};
use crate::wording::{bytes, count, shown};

const EXAMPLES: &str = "\
Examples:
  packhorse set try sales                  what the set as it stands in packhorse.toml would move
  packhorse set try sales --table companies --where \"account_manager = :user AND active\"
  packhorse set try north --remote alice   what alice would get and lose with another set

Nothing is changed. With --table, the tables named stand in place of those that the set has, or beside
them. Of a remote whose package is not made yet, everything would enter. Bytes are those before
compression.";

/// Tell how many records would enter and leave each remote, before anything is changed
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Try {
    /// The set
    name: String,

    /// Only for this remote, whichever set it has now
    #[arg(long, value_name = "NAME")]
    remote: Option<NodeName>,

    #[command(flatten)]
    tables: Tables<false>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a set would move at one remote.
#[derive(Serialize)]
struct Told {
    remote: String,
    packed: bool,
    tables: Vec<ToldTable>,
}

#[derive(Serialize)]
struct ToldTable {
    table: String,
    entering: ToldVolume,
    leaving: ToldVolume,
}

#[derive(Serialize)]
struct ToldVolume {
    records: u64,
    bytes: u64,
}

impl Try {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let scope = self.scope(&node)?;
        node.check_scope(&format!("the set \"{}\"", self.name), &scope)?;
        let remotes = self.remotes(&node)?;
        let links = node.replica.links()?;
        let tried = remotes.iter().map(|(name, config)| {
            let link = links.iter().find(|link| link.peer == *name);
            tried(&node, name, config, &scope, link)
        });
        let told = tried.collect::<Result<Vec<Told>, Failure>>()?;
        if self.json {
            json(&told);
        } else if told.is_empty() {
            note(&format!("no remote has the set {}: name one with --remote", shown(&self.name)));
        } else {
            told.iter().for_each(tell);
        }
        Ok(Exit::Done)
    }

    /// The set on trial.
    fn scope(&self, node: &Node) -> Result<Scope, Failure> {
        let Self { name, tables: Tables(tried), .. } = self;
        if tried.is_empty() {
            return node.scope(name);
        }
        let mut tables: Vec<SetTable> = node.config.set(name).unwrap_or_default().tables().to_vec();
        for table in tried {
            match tables.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&table.name)) {
                Some(known) => *known = table.clone(),
                None => tables.push(table.clone()),
            }
        }
        Ok(Scope::Tables(tables))
    }

    /// The remotes for which it is tried.
    fn remotes(&self, node: &Node) -> Result<Vec<(NodeName, RemoteConfig)>, Failure> {
        let all = node.config.remotes.iter().map(|(name, config)| (name.clone(), config.clone()));
        match &self.remote {
            None => Ok(all.filter(|(_, config)| config.set == self.name).collect()),
            Some(wanted) => {
                let found: Vec<_> = all.filter(|(name, _)| name == wanted).collect();
                let missing = || {
                    Failure::usage(format!("there is no remote \"{wanted}\""))
                        .hint("`packhorse remote list` shows those there are")
                };
                if found.is_empty() { Err(missing()) } else { Ok(found) }
            }
        }
    }
}

fn tried(
    node: &Node,
    name: &NodeName,
    config: &RemoteConfig,
    scope: &Scope,
    link: Option<&StoredLink>,
) -> Result<Told, Failure> {
    let set = BoundSet::new(scope.clone(), &config.params).map_err(|error| {
        Failure::usage(format!("{name}: {error}"))
            .hint(format!("write the value into `params` under [remote.{name}] in packhorse.toml"))
    })?;
    let trials = node.replica.try_set(&set, link.map(|link| link.id))?;
    Ok(Told { remote: name.to_string(), packed: link.is_some(), tables: trials.into_iter().map(told).collect() })
}

fn told(trial: Trial) -> ToldTable {
    let volume = |volume: Volume| ToldVolume { records: volume.records, bytes: volume.bytes };
    ToldTable { table: trial.table, entering: volume(trial.entering), leaving: volume(trial.leaving) }
}

fn tell(told: &Told) {
    result(&told.remote);
    if told.tables.is_empty() {
        result("  nothing would move");
    }
    for table in &told.tables {
        let moves = [(&table.entering, "enter"), (&table.leaving, "leave")];
        let moves = moves.into_iter().filter(|(volume, _)| volume.records > 0).map(|(volume, how)| {
            format!("{} ({}) would {how}", count(volume.records, "record", "records"), bytes(volume.bytes))
        });
        result(&format!("  {:<24}  {}", shown(&table.table), moves.collect::<Vec<_>>().join(", ")));
    }
}
