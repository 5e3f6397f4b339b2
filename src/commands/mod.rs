//! The commands, one file each.

pub mod accept;
pub mod apply;
pub mod bundle;
pub mod held;
pub mod init;
pub mod inspect;
pub mod notices;
pub mod queue;
pub mod remote;
pub mod restore;
pub mod set;
pub mod status;
pub mod sync;
pub mod transfer;
pub mod watch;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};

/// Runs what was typed.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    let home = cli.home.as_deref();
    match cli.command {
        Command::Init(init) => init.run(home),
        Command::Set(set) => set.run(home),
        Command::Remote(remote) => remote.run(home),
        Command::Restore(restore) => restore.run(home),
        Command::Bundle(bundle) => bundle.run(home),
        Command::Transfer(transfer) => transfer.run(home),
        Command::Apply(apply) => apply.run(home),
        Command::Sync(sync) => sync.run(home),
        Command::Watch(watch) => watch.run(home, cli.verbose),
        Command::Accept(accept) => accept.run(home),
        Command::Status(status) => status.run(home),
        Command::Queue(queue) => queue.run(home),
        Command::Held(held) => held.run(home),
        Command::Notices(notices) => notices.run(home),
        Command::Inspect(inspect) => inspect.run(),
    }
}
