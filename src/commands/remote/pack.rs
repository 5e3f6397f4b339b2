//! `packhorse remote pack`: make remote database packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_bundler::package::{Order, Packer, require_free};
use packhorse_shared::bundle::package::AccessStart;
use packhorse_shared::home::HomeLock;
use packhorse_shared::id::NodeName;
use packhorse_shared::keys::Passphrase;
use packhorse_shared::replica::{NoRange, Replica, WhyNoRange};

use super::deliver::Delivery;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::passphrase;
use crate::relay;
use crate::report::{note, result};
use crate::wording::{bytes, count, shown};

const EXAMPLES: &str = "\
Examples:
  packhorse remote pack alice -o alice.rdb          (makes up a passphrase and prints it once)
  packhorse remote pack --all -o packages/          (one for each)
  packhorse remote pack alice -o alice.rdb --deliver ftp://h.example/new

A package holds everything that the remote may have, and its keys. It is sealed with a passphrase,
which should reach the remote by another way; --no-passphrase leaves it open to whoever gets it.";

/// Make the package from which a remote starts
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Pack {
    /// The remote
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<NodeName>,

    /// Every remote; -o names a folder then
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    making: Making,
}

/// How packages are made, and where they go
#[derive(Args)]
pub(super) struct Making {
    /// Where the package goes
    #[arg(short, long, value_name = "FILE.rdb")]
    output: PathBuf,

    /// Drop it there, too: into a folder, or one on a server (ftp, ftps or sftp)
    #[arg(long, value_name = "URL")]
    deliver: Option<String>,

    /// The file whose first line is the passphrase, of every package that is made: whoever has it can open
    /// them all; without, one is made up for each
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,

    /// Leave the package unsealed
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

impl Pack {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let held = Node::lock(context, "remote pack")?;
        self.making.make(context, held, self.name.as_ref(), |_| Ok(()))
    }
}

impl Making {
    /// Makes the package of one remote, or of all. `first`: what is done once nothing stands in the way that can be seen.
    pub(super) fn make(
        &self,
        context: Context<'_>,
        (mut node, lock): (Node, HomeLock),
        name: Option<&NodeName>,
        first: impl FnOnce(&mut Node) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let given = self.passphrase_file.as_deref().map(passphrase::from_file).transpose()?;
        let orders = self.orders(&node, name)?;
        let delivery = self.deliver.as_deref().map(|url| Delivery::to(context.machine, &node, url)).transpose()?;
        if orders.is_empty() {
            note("there are no remotes yet: add one with `packhorse remote add NAME`");
        }
        note_unknown_policies(&node);
        check_sets(&node, &orders)?;
        self.make_folder(name.is_none())?;
        let ways = orders.iter().map(|order| Way::look(&node, order)).collect::<Result<Vec<_>, _>>()?;
        first(&mut node)?;
        for ((remote, file), way) in orders.iter().zip(ways) {
            let made = self.made_up(given.is_some())?;
            pack(&mut node, (remote, file), way, given.as_ref().or(made.as_ref()))?;
            if let Some(made) = made {
                note(&format!("{remote}: the passphrase is {}; it is kept nowhere", made.reveal()));
            }
        }
        // The line may be slow, and the home is not needed for it.
        drop((node, lock));
        delivery.map_or(Ok(()), |delivery| delivery.deliver(&orders))?;
        Ok(Exit::Done)
    }

    fn made_up(&self, is_given: bool) -> Result<Option<Passphrase>, Failure> {
        if self.no_passphrase || is_given {
            return Ok(None);
        }
        let made = Passphrase::generate();
        made.map(Some).map_err(|error| Failure::file("make a passphrase for", &self.output, &error))
    }

    fn orders(&self, node: &Node, name: Option<&NodeName>) -> Result<Vec<(NodeName, PathBuf)>, Failure> {
        let Some(name) = name else {
            let file = |name: &NodeName| self.output.join(format!("{name}.rdb"));
            return Ok(node.config.remotes.keys().map(|name| (name.clone(), file(name))).collect());
        };
        if self.output.is_dir() {
            return Err(Failure::usage(format!("{} is a folder", self.output.display()))
                .hint(format!("name the file: -o {}", self.output.join(format!("{name}.rdb")).display())));
        }
        Ok(vec![(name.clone(), self.output.clone())])
    }

    /// The folder for the packages of all.
    fn make_folder(&self, for_all: bool) -> Result<(), Failure> {
        let folder = &self.output;
        match std::fs::metadata(folder) {
            _ if !for_all => Ok(()),
            Ok(found) if !found.is_dir() => Err(Failure::usage(format!("{} is a file", folder.display()))
                .hint("with --all, name a folder for the packages: -o packages/")),
            _ => std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error)),
        }
    }
}

/// Each remote's set with its values, and each set once, before any package is made.
fn check_sets(node: &Node, orders: &[(NodeName, PathBuf)]) -> Result<(), Failure> {
    orders.iter().try_for_each(|(remote, _)| node.set_of_remote(remote).map(drop))?;
    let remotes = orders.iter().filter_map(|(remote, _)| node.config.remotes.get(remote));
    let sets: BTreeSet<&str> = remotes.map(|remote| remote.set.as_str()).collect();
    sets.into_iter().try_for_each(|set| node.check_set(set))
}

/// How a remote comes to its relays.
struct Way {
    relays: Vec<String>,
    access: Vec<AccessStart>,
}

impl Way {
    /// Finds it, and sees that nothing stands where the package is to be.
    fn look(node: &Node, (remote, file): &(NodeName, PathBuf)) -> Result<Self, Failure> {
        require_free(file)?;
        let relays = relay::relays_of_remote(node, remote)?;
        let access = relay::access_of_remote(node, remote, &relays)?;
        Ok(Self { relays, access })
    }
}

fn pack(
    node: &mut Node,
    (remote, file): (&NodeName, &Path),
    Way { relays, access }: Way,
    passphrase: Option<&Passphrase>,
) -> Result<(), Failure> {
    let set = node.set_of_remote(remote)?;
    let membership = node.replica.membership(&set)?;
    let tables = node.replica.shared_by(membership)?;
    let (spool, name) = (node.spool(), node.name().clone());
    let packer = Packer { world: node.world, spool: &spool, node: &name, trust: &node.trust };
    let as_is = node.tables_with_keys_as_is();
    let order = Order { remote, membership, tables: &tables, as_is: &as_is, relays, access, file, passphrase };
    let packed = packer.pack(&mut node.replica, &order)?;
    for skipped in &packed.skipped {
        note(&format!("not copied: {skipped}"));
    }
    note_tables_without_range(remote, &packed.no_range);
    note(&format!("{remote}: {} in {}", count(packed.records, "record", "records"), bytes(packed.bytes)));
    result(&file.display().to_string());
    node.give_orders()
}

/// One line for each reason.
fn note_tables_without_range(remote: &NodeName, all: &[NoRange]) {
    let mut told: Vec<&WhyNoRange> = Vec::new();
    for NoRange { why, .. } in all {
        if told.contains(&why) {
            continue;
        }
        told.push(why);
        let tables: Vec<String> = all.iter().filter(|none| none.why == *why).map(|none| shown(&none.table)).collect();
        note(&format!("{remote} has no numbers of its own for new records in {}: {why}", tables.join(", ")));
    }
}

/// A mistyped name would silently leave the table with a range.
fn note_unknown_policies(node: &Node) {
    let is_synced = |name: &str| node.replica.tables().iter().any(|table| table.name.eq_ignore_ascii_case(name));
    for name in node.tables_with_keys_as_is().iter().filter(|name| !is_synced(name)) {
        note(&format!("[table.{}] in packhorse.toml has keys = \"as-is\", but no such table is synced", shown(name)));
    }
}
