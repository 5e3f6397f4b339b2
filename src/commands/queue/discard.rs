//! `packhorse queue discard`.
//!
//! No change is lost by it: the link's state is saved first, so that what was in the bundle is sent, or asked for,
//! again; only then does the file go.

use clap::Args;
use packhorse_shared::ledger::{Direction, Entry, Key, State};
use packhorse_shared::replica::Replica;

use super::choose::choose_each;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::note;

const EXAMPLES: &str = "\
Examples:
  packhorse queue discard hq.alice.18f3c2a1.000042    send its changes again in a new bundle
  packhorse queue discard 9a41c07be2d65f18            let a quarantined one go; its sender is asked again

No change is lost: what a discarded bundle held is sent again, or asked for again.";

/// Let bundles go: what they held is sent again in new ones, or asked for again
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Discard {
    /// The bundles' names, their beginnings or their digests
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Discard {
    /// Runs the command. All names are looked at before anything is done.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "queue discard")?;
        let chosen = choose_each(&node.books()?, &self.names)?;
        if let Some((key, entry)) = chosen.iter().find(|(_, entry)| entry.is_finished()) {
            let message = format!("{} is {}, so it cannot be discarded", key.file, entry.state.word());
            return Err(Failure::usage(message).hint("it is finished: nothing is to come of it"));
        }
        let mut gone: Vec<&Key> = Vec::new();
        let mut done = Ok(());
        for (key, entry) in &chosen {
            done = discard(&mut node, key, entry);
            if done.is_err() {
                break;
            }
            gone.push(key);
        }
        node.keep_books(None, |books, now| gone.iter().for_each(|key| books.discarded(key, now)));
        done.map(|()| Exit::Done)
    }
}

fn discard(node: &mut Node, key: &Key, entry: &Entry) -> Result<(), Failure> {
    let what_follows = promise(node, key, entry)?;
    let spool = node.spool();
    match entry.direction {
        Direction::Outgoing => spool.remove_from_outbox(&entry.peer, &key.file)?,
        Direction::Incoming if entry.state == State::Quarantined => spool.remove_from_quarantine(&key.file)?,
        Direction::Incoming => spool.remove_from_inbox(&key.file)?,
    }
    note(&format!("{}: discarded; {what_follows}", key.file));
    Ok(())
}

/// Makes sure, durably, that what the bundle holds comes another way, and says which.
fn promise(node: &mut Node, key: &Key, entry: &Entry) -> Result<String, Failure> {
    let is_for_us = key.bundle().is_some_and(|name| name.to == *node.name());
    let mut links = node.replica.links()?.into_iter();
    let Some(mut link) = links.find(|link| link.peer == entry.peer) else {
        return Ok(format!("there is no link to \"{}\", so nothing follows", entry.peer));
    };
    let what_follows = match entry.direction {
        Direction::Outgoing => {
            link.state.resend();
            format!("what {} has not acknowledged is sent again in a new bundle", entry.peer)
        }
        Direction::Incoming if is_for_us => {
            link.state.ask_again();
            format!("{} is asked for what it held", entry.peer)
        }
        Direction::Incoming => return Ok("it was not for this node".to_owned()),
    };
    node.replica.save_link(&link)?;
    Ok(what_follows)
}
