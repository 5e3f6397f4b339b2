//! `packhorse approve`: a person's word on bundles that wait for it.

use clap::Args;
use packhorse_shared::id::NodeName;
use packhorse_shared::replica::{Approval, Word};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::people::People;
use crate::report::{json, note, result};
use crate::wording::timestamp;

const EXAMPLES: &str = "\
Examples:
  packhorse approve                 what waits, and why
  packhorse approve alice           apply what waits from alice, as it is
  packhorse approve alice --refuse  apply it but for its deletions: the records go back to alice

A remote's bundle that deletes more than 50 records of a table, or more than a twentieth of them and more than
ten, waits at the hub with everything that its sender says after it; and so does one that is dated more than a
day ahead: set the clock of that remote right before you approve it, for what it says overrules whatever is
changed here without knowing of it, and this node's own clock goes that far ahead. `brake = false` under
[merge] in packhorse.toml lets all through.";

/// Decide about bundles that wait for a person's word, as they delete much or are dated far ahead
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Approve {
    /// The remote whose bundles are meant [default: tell what waits]
    node: Option<String>,

    /// Refuse what they delete
    #[arg(long, requires = "node")]
    refuse: bool,

    /// Print JSON, if no remote is named: an array of objects, whose fields are only ever added to
    #[arg(long, conflicts_with = "node")]
    json: bool,
}

impl Approve {
    /// Runs the command. What was decided is done by the next apply.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        match &self.node {
            None => self.list(context),
            Some(node) => self.decide(context, node),
        }
    }

    fn list(&self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let people = People::of(&mut node)?;
        let waiting = waiting(&node)?;
        let from = |approval: &Approval| people.brought(approval.link);
        if self.json {
            let told = |approval: &Approval| {
                serde_json::json!({
                    "bundle": approval.bundle, "node": from(approval), "why": approval.why,
                    "since": timestamp(approval.since),
                })
            };
            json(&waiting.iter().map(told).collect::<Vec<_>>());
        } else if waiting.is_empty() {
            note("nothing waits for a word");
        } else {
            for approval in &waiting {
                let (node, since) = (from(approval).unwrap_or_default(), timestamp(approval.since).unwrap_or_default());
                result(&format!("{node}  {}  since {since}: {}", approval.bundle, approval.why));
            }
        }
        Ok(Exit::Done)
    }

    fn decide(&self, context: Context<'_>, name: &str) -> Result<Exit, Failure> {
        let (mut node, _lock) = Node::lock(context, "approve")?;
        let peer: Option<NodeName> = name.parse().ok();
        let links = packhorse_shared::replica::Replica::links(&mut node.replica)?;
        let Some(link) = links.iter().find(|link| Some(&link.peer) == peer.as_ref()) else {
            return Err(Failure::usage(format!("there is no link to \"{name}\""))
                .hint("`packhorse approve` tells whose bundles wait"));
        };
        // One that was superseded at its sender is not there any more.
        let inbox = node.spool().inbox()?;
        node.replica.drop_approvals(|approval| !inbox.iter().any(|file| file.name == approval.bundle))?;
        let meant: Vec<Approval> = waiting(&node)?.into_iter().filter(|approval| approval.link == link.id).collect();
        if meant.is_empty() {
            note(&format!("nothing of {name} waits for a word"));
            return Ok(Exit::Done);
        }
        let word = if self.refuse { Word::Refused } else { Word::Approved };
        for approval in &meant {
            node.replica.decide(&approval.bundle, word)?;
            let said = if self.refuse { "what it deletes is refused" } else { "approved" };
            result(&format!("{}: {said}; the next apply does it (`packhorse apply`)", approval.bundle));
        }
        Ok(Exit::Done)
    }
}

/// What waits for a word, of what still lies in the inbox.
pub fn waiting(node: &Node) -> Result<Vec<Approval>, Failure> {
    let inbox = node.spool().inbox()?;
    let is_there = |approval: &Approval| inbox.iter().any(|file| file.name == approval.bundle);
    let all = node.replica.approvals()?.into_iter();
    Ok(all.filter(|approval| approval.word.is_none() && is_there(approval)).collect())
}
