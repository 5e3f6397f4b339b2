//! The commands, one file each.

pub mod accept;
pub mod apply;
pub mod approve;
pub mod bundle;
pub mod conflicts;
pub mod held;
pub mod init;
pub mod inspect;
pub mod merge;
pub mod notices;
pub mod queue;
pub mod relay;
pub mod remote;
pub mod restore;
pub mod set;
pub mod status;
pub mod sync;
pub mod trace;
pub mod transfer;
pub mod watch;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::machine::Machine;

/// Runs what was typed on a machine.
pub fn run(cli: Cli, machine: Machine) -> Result<Exit, Failure> {
    let context = Context { home: cli.home.as_deref(), machine };
    match cli.command {
        Command::Init(init) => init.run(context),
        Command::Set(set) => set.run(context),
        Command::Remote(remote) => remote.run(context),
        Command::Relay(relay) => relay.run(context),
        Command::Restore(restore) => restore.run(context),
        Command::Bundle(bundle) => bundle.run(context),
        Command::Transfer(transfer) => transfer.run(context),
        Command::Apply(apply) => apply.run(context),
        Command::Sync(sync) => sync.run(context),
        Command::Watch(watch) => watch.run(context, cli.verbose),
        Command::Accept(accept) => accept.run(context),
        Command::Status(status) => status.run(context),
        Command::Queue(queue) => queue.run(context),
        Command::Held(held) => held.run(context),
        Command::Conflicts(conflicts) => conflicts.run(context),
        Command::Trace(trace) => trace.run(context),
        Command::Approve(approve) => approve.run(context),
        Command::Merge(merge) => merge.run(),
        Command::Notices(notices) => notices.run(context),
        Command::Inspect(inspect) => inspect.run(context),
    }
}
