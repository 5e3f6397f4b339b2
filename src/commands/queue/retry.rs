//! `packhorse queue retry`.

use clap::Args;
use packhorse_shared::ledger::{Entry, Key, State};

use super::choose::choose_each;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::note;

const EXAMPLES: &str = "\
Examples:
  packhorse queue retry 9a41c07be2d65f18      look at a quarantined bundle again with the next `apply`
  packhorse queue retry hq.alice.18f3c2a1     forget the failed attempts to send one";

/// Have bundles tried again: quarantined ones are looked at once more, unsent ones as if never tried
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Retry {
    /// The bundles' names, their beginnings or their digests
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Retry {
    /// Runs the command. All names are looked at before anything is done.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "queue retry")?;
        let chosen = choose_each(&node.books()?, &self.names)?;
        chosen.iter().try_for_each(|(key, entry)| check(&node, key, entry))?;
        let done = chosen.iter().try_for_each(|(key, _)| try_again(&node, key));
        node.keep_books(None, |books, _| chosen.iter().for_each(|(key, _)| books.try_again(key)));
        done.map(|()| Exit::Done)
    }
}

fn check(node: &Node, key: &Key, entry: &Entry) -> Result<(), Failure> {
    let (file, state) = (&key.file, entry.state);
    let hint = match state {
        State::Sealed => return Ok(()),
        State::Quarantined => return check_room(node, key),
        State::Sent | State::Fetched => "to have its changes sent again use `packhorse queue discard`",
        _ if state.is_in_inbox() => "every `packhorse apply` looks at it anyway",
        _ => "it is finished: nothing is to be tried again",
    };
    Err(Failure::usage(format!("{file} is {}, so it cannot be tried again", state.word())).hint(hint))
}

/// A whole copy may have come since.
fn check_room(node: &Node, key: &Key) -> Result<(), Failure> {
    let name = key.bundle().map(|name| name.to_string());
    if !node.spool().inbox()?.iter().any(|there| Some(&there.name) == name.as_ref()) {
        return Ok(());
    }
    let message = format!("{} cannot go back into the inbox, where another copy of it lies", key.file);
    Err(Failure::new(Exit::Failed, message).hint("let `packhorse apply` look at that one first"))
}

fn try_again(node: &Node, key: &Key) -> Result<(), Failure> {
    if !key.quarantine {
        note(&format!("{}: goes with the next transfer", key.file));
        return Ok(());
    }
    let Some(name) = key.bundle() else { return Ok(()) };
    node.spool().return_to_inbox(&key.file, &name.to_string())?;
    note(&format!("{}: back in the inbox; `packhorse apply` looks at it again", key.file));
    Ok(())
}
