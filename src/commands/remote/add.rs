//! `packhorse remote add`.

use clap::Args;
use packhorse_shared::config::{AccessConfig, EVERYTHING, RemoteConfig, add_remote, edit_file};
use packhorse_shared::id::NodeName;
use packhorse_shared::link::Role;
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::Step;
use packhorse_shared::set::{Param, Scalar};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::addresses;
use crate::commands::set::parameters_of;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::names;
use crate::node::{Node, reached};
use crate::relay;
use crate::report::note;
use crate::sets::USER;

const EXAMPLES: &str = "\
Examples:
  packhorse remote add alice
  packhorse remote add alice --set sales --param user=alice
  packhorse remote add bob --set north --param regions=oslo --param regions=bergen --param level:=3
  packhorse remote add kim --relay sftp://kim@h.example/~/ --key keys/kim
  packhorse remote add ship-7 --relay /mnt/share/ship-7   (as the ship reaches its relay folder)";

/// Add a remote: it gets a folder on the relay; its package is made with `remote pack`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Add {
    /// The remote's name
    #[arg(value_parser = names::node)]
    name: NodeName,

    /// The sync set that it shares
    #[arg(long, default_value = EVERYTHING)]
    set: String,

    /// A parameter of the set; given again it is a list, and K:=7 is a number instead of text
    #[arg(long = "param", value_name = "K=V", value_parser = param)]
    params: Vec<(String, Scalar)>,

    /// The relay folder as the remote reaches it, if different from here
    #[arg(long, value_name = "URL")]
    relay: Vec<String>,

    /// A file with the password of the remote's account on the relay's server, or its key's passphrase: its package brings it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// The SSH private key with which the remote logs in to the relay's server: its package brings it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Neither encrypt nor sign what goes and comes: for lines and relays that are yours alone
    #[arg(long)]
    unsealed: bool,
}

fn param(text: &str) -> Result<(String, Scalar), String> {
    let (key, value) = text.split_once('=').ok_or("write it as name=value")?;
    let (key, value) = match key.strip_suffix(':') {
        Some(key) => (key, Scalar::Integer(value.parse().map_err(|_| "what stands after := must be a whole number")?)),
        None => (key, Scalar::Text(value.to_owned())),
    };
    if key.is_empty() { Err("the name before = is empty".to_owned()) } else { Ok((key.to_owned(), value)) }
}

/// One value for each name, or the list of those that were given.
fn collected(params: Vec<(String, Scalar)>) -> BTreeMap<String, Param> {
    let mut all: BTreeMap<String, Vec<Scalar>> = BTreeMap::new();
    for (name, value) in params {
        all.entry(name).or_default().push(value);
    }
    let param = |mut values: Vec<Scalar>| match values.len() {
        1 => Param::One(values.remove(0)),
        _ => Param::Many(values),
    };
    all.into_iter().map(|(name, values)| (name, param(values))).collect()
}

impl Add {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "remote add")?;
        if node.config.remotes.contains_key(&self.name) {
            return Err(Failure::usage(format!("there is a remote \"{}\" already", self.name))
                .hint(format!("`packhorse remote show {}` tells about it", self.name)));
        }
        if self.name == *node.name() {
            return Err(Failure::usage(format!("\"{}\" is this node's own name", self.name))
                .hint("choose another name for the remote"));
        }
        if node.replica.links()?.iter().any(|link| link.peer == self.name && link.state.role() == Role::Hub) {
            return Err(Failure::usage(format!("\"{}\" is this node's own hub", self.name))
                .hint("choose another name for the remote"));
        }
        if self.is_mailbox_of(&mut node)? {
            return Err(Failure::usage(format!("\"{}\" is a folder of this node's own on the relay", self.name))
                .hint("choose another name for the remote"));
        }
        let (params, sealed) = (collected(self.params), !self.unsealed);
        let [password_file, key] = [self.password_file, self.key].map(|file| file.map(|file| whole(&file)).transpose());
        let access = AccessConfig { password_file: password_file?, key: key?, ..AccessConfig::default() };
        let remote = RemoteConfig { set: self.set, params, relay: self.relay, sealed, access };
        node.check_set(&remote.set)?;
        check_params(&node, &remote)?;
        node.bound_set(&remote)?;
        addresses::understood(&remote.relay)?;
        relay::prepare_remote(&mut node, &self.name)?;
        reached(node.world, Step::RemoteFolderMade, &node.home.config_path())?;
        edit_file(node.world.disk, &node.home.config_path(), |text| add_remote(text, &self.name, &remote))?;
        note(&format!("added {0}; make its package with `packhorse remote pack {0} -o {0}.rdb`", self.name));
        Ok(Exit::Done)
    }

    /// A node that is a remote itself has its own mailbox where its remotes' folders are.
    fn is_mailbox_of(&self, node: &mut Node) -> Result<bool, Failure> {
        let has_hub = node.replica.links()?.iter().any(|link| link.state.role() == Role::Hub);
        Ok(has_hub && matches!(self.name.as_str(), "up" | "down"))
    }
}

/// A file by its whole path, since commands run in any folder.
fn whole(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file).map_err(|error| Failure::file("find", file, &error))
}

/// Every parameter of the set has a value, and every value a parameter.
fn check_params(node: &Node, remote: &RemoteConfig) -> Result<(), Failure> {
    let known = parameters_of(&node.scope(&remote.set)?);
    let asks_for_user = node.config.rights(&remote.set).values().any(|rights| rights.owner_column.is_some());
    let names = |all: Vec<&String>| all.into_iter().map(|name| format!(":{name}")).collect::<Vec<_>>().join(", ");
    let unknown: Vec<&String> =
        remote.params.keys().filter(|name| !(known.contains(*name) || asks_for_user && *name == USER)).collect();
    if !unknown.is_empty() {
        let hint = match known.is_empty() {
            true => "it has none at all: leave out --param".to_owned(),
            false => format!("its parameters: {}", names(known.iter().collect())),
        };
        return Err(
            Failure::usage(format!("the set \"{}\" has no parameter {}", remote.set, names(unknown))).hint(hint)
        );
    }
    let missing: Vec<&String> = known.iter().filter(|name| !remote.params.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let give: String = missing.iter().map(|name| format!(" --param {name}=VALUE")).collect();
    Err(Failure::usage(format!("the set \"{}\" needs a value for {}", remote.set, names(missing)))
        .hint(format!("add{give}")))
}
