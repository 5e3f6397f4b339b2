//! `packhorse status`: how each link stands, and what to type if something is wrong; with `--tables`, what there is to know
//! of each table.

mod numbers;
mod tables;

use clap::Args;
use packhorse_bundler::seal::Share;
use packhorse_bundler::select::{Pending, pending_of_all};
use packhorse_shared::bundle::BundleName;
use packhorse_shared::home::Claim;
use packhorse_shared::id::{LinkId, NodeName};
use packhorse_shared::link::{Role, Standing};
use packhorse_shared::replica::{Approval, Replica, StoredLink, Tally};
use packhorse_shared::spool::{Spool, SpoolFile};
use serde::Serialize;
use std::collections::BTreeMap;

use self::tables::Tables;
use super::approve;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::relay::told::refusal;
use crate::report::{json, note, result, results};
use crate::wording::{bytes, count, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse status
  packhorse status --tables
  packhorse status --json | jq '.links[] | select(.state != \"ok\")'";

/// Tell how each link stands: what waits, what is on its way, what is wrong and what to type
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// Tell of each table besides: who gives its numbers and what could go wrong with them, what it refers to, which of the
    /// application's triggers run when a bundle is applied; and which tables are not synced, and why
    #[arg(long)]
    tables: bool,

    /// Print JSON: one object, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    node: String,
    database: String,
    accepting: bool,
    /// The service that runs, in words; null if none does.
    service: Option<String>,
    /// The courier that runs beside it or alone, in words; null if none does.
    courier: Option<String>,
    /// When the service calls next after calls that failed, in UTC; null if the last one did not.
    next_call: Option<String>,
    links: Vec<LinkTold>,
    #[serde(flatten)]
    tables: Option<Tables>,
}

#[derive(Serialize)]
struct LinkTold {
    node: String,
    role: Role,
    state: &'static str,
    /// Whether what goes and comes is encrypted and signed.
    sealed: bool,
    pending_changes: u64,
    pending_bytes: u64,
    outbox: Pile,
    unacknowledged: u64,
    inbox: Pile,
    held: u64,
    conflicts: u64,
    quarantined: u64,
    last_sent: Option<String>,
    last_received: Option<String>,
    oldest_unsent: Option<String>,
    advice: Option<String>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Pile {
    bundles: u64,
    bytes: u64,
}

/// What was found of a link.
struct Seen {
    pending: Pending,
    outbox: Pile,
    inbox: Pile,
    held: u64,
    conflicts: u64,
    aside: Aside,
    unapproved: Option<String>,
}

/// What lies in quarantine of one sender's.
#[derive(Clone, Default)]
struct Aside {
    bundles: u64,
    why: Option<String>,
}

impl Status {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let mut told = look(&mut node)?;
        told.tables = self.tables.then(|| Tables::of(&mut node)).transpose()?;
        if self.json {
            json(&told)
        } else {
            tell(&told)
        }
        Ok(Exit::Done)
    }
}

fn look(node: &mut Node) -> Result<Told, Failure> {
    let tally = node.replica.tally()?;
    let spool = node.spool();
    let (inbox, aside) = (by_sender(&spool.inbox()?), aside_by_sender(&spool)?);
    let shares = node.shares()?;
    let waiting = waiting(node, &shares)?;
    let (held, conflicts) = (node.replica.held()?, node.replica.conflicts()?);
    let unapproved = approve::waiting(node)?;
    let mut links = Vec::new();
    for (Share { link, .. }, pending) in shares.iter().zip(waiting) {
        let count = |by_link: &BTreeMap<LinkId, u64>| by_link.get(&link.id).copied().unwrap_or(0);
        let seen = Seen {
            pending,
            outbox: pile(&spool.outbox(&link.peer)?),
            inbox: inbox.get(&link.peer).copied().unwrap_or_default(),
            held: count(&held),
            conflicts: count(&conflicts),
            aside: aside.get(&link.peer).cloned().unwrap_or_default(),
            unapproved: unapproved.iter().find(|waits| waits.link == link.id).map(|waits| told_unapproved(link, waits)),
        };
        links.push(tell_of_link(node, link, tally, seen));
    }
    let database = node.replica.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let holder = |claim| node.home.holder(claim).map(|holder| holder.to_string());
    let service = holder(Claim::Service);
    // A service that makes its calls itself holds both.
    let courier = holder(Claim::Courier).filter(|courier| service.as_ref() != Some(courier));
    let next_call = node.home.calls().redial().and_then(|redial| timestamp(redial.next));
    let (name, accepting) = (node.name().to_string(), node.config.node.accept);
    Ok(Told { node: name, database, accepting, service, courier, next_call, links, tables: None })
}

/// What waits for each link, as of one moment.
fn waiting(node: &mut Node, shares: &[Share]) -> Result<Vec<Pending>, Failure> {
    let links: Vec<_> = shares.iter().map(|share| (&*share.tables, share.owed())).collect();
    Ok(pending_of_all(&*node.replica.glance()?, &links)?)
}

fn tell_of_link(node: &Node, link: &StoredLink, tally: Tally, seen: Seen) -> LinkTold {
    let Seen { pending, outbox, inbox, held, conflicts, aside, unapproved } = seen;
    let oldest = [pending.oldest, tally.oldest_unharvested].into_iter().flatten().min();
    let advice = standing_advice(node, link).or(unapproved).or_else(|| advice(node, held, conflicts, &aside));
    LinkTold {
        node: link.peer.to_string(),
        role: link.state.role(),
        state: if advice.is_some() { "attention" } else { "ok" },
        sealed: node.trust.is_sealed(&link.peer),
        pending_changes: pending.records + tally.unharvested,
        pending_bytes: pending.bytes,
        outbox,
        unacknowledged: link.state.unacknowledged(),
        inbox,
        held,
        conflicts,
        quarantined: aside.bundles,
        last_sent: link.state.last_sealed().and_then(timestamp),
        last_received: link.state.last_accepted().and_then(timestamp),
        oldest_unsent: oldest.and_then(timestamp),
        advice,
    }
}

fn standing_advice(node: &Node, link: &StoredLink) -> Option<String> {
    match link.state.standing() {
        Standing::Open => None,
        Standing::Refused => Some(refusal(&link.peer, node.name())),
        Standing::Revoked => Some(format!(
            "revoked: what it says is refused, and it is sent nothing; `packhorse remote pack {0}` lets it begin anew with new \
             keys, `packhorse remote remove {0}` lets it go",
            link.peer
        )),
        Standing::Expired => Some(format!(
            "silent for more than {}: nothing is sent to it until it speaks again; then everything is exchanged, which \
             `packhorse remote remove {}` spares if it is gone for good",
            node.config.merge.expire_after, link.peer
        )),
    }
}

fn told_unapproved(link: &StoredLink, waits: &Approval) -> String {
    let (bundle, why, peer) = (&waits.bundle, &waits.why, &link.peer);
    format!(
        "{bundle} waits for a person's word: {why}; `packhorse approve {peer}` applies it, with --refuse but for its deletions"
    )
}

fn advice(node: &Node, held: u64, conflicts: u64, aside: &Aside) -> Option<String> {
    if aside.bundles > 0 {
        let files = count(aside.bundles, "bundle", "bundles");
        let why = aside.why.as_deref().unwrap_or("the reason cannot be read");
        let folder = node.home.folder().join("quarantine");
        return Some(format!(
            "{files} in quarantine, the last because {why} (`packhorse queue show NAME` tells more; they lie in {})",
            folder.display()
        ));
    }
    if held > 0 {
        let changes = count(held, "change", "changes");
        return Some(format!(
            "{changes} cannot be placed yet and will be tried again; `packhorse held list` tells why"
        ));
    }
    if conflicts > 0 {
        return Some(format!(
            "{} changed at both ends: `packhorse conflicts list` tells which value stands",
            count(conflicts, "field", "fields")
        ));
    }
    node.config.node.relay.is_empty().then(|| "name a relay in packhorse.toml: nothing can be moved without".to_owned())
}

fn pile(files: &[SpoolFile]) -> Pile {
    Pile { bundles: files.len() as u64, bytes: files.iter().map(|file| file.size).sum() }
}

/// What was set aside of each sender's, and why the last of it was.
fn aside_by_sender(spool: &Spool<'_>) -> Result<BTreeMap<NodeName, Aside>, Failure> {
    let mut by_sender: BTreeMap<NodeName, Aside> = BTreeMap::new();
    for quarantined in spool.quarantined()?.iter().rev() {
        let Some(sender) = sender(&quarantined.file.name) else { continue };
        let aside = by_sender.entry(sender).or_default();
        aside.bundles += 1;
        aside.why = aside.why.take().or_else(|| quarantined.why());
    }
    Ok(by_sender)
}

fn by_sender(files: &[SpoolFile]) -> BTreeMap<NodeName, Pile> {
    let mut piles: BTreeMap<NodeName, Pile> = BTreeMap::new();
    for file in files {
        let Some(sender) = sender(&file.name) else { continue };
        let pile = piles.entry(sender).or_default();
        pile.bundles += 1;
        pile.bytes += file.size;
    }
    piles
}

/// A name in quarantine may have a number after it.
fn sender(name: &str) -> Option<NodeName> {
    match name.parse::<BundleName>() {
        Ok(name) => Some(name.from),
        Err(_) => name.split('.').next()?.parse().ok(),
    }
}

fn tell(told: &Told) {
    result(&format!("{}  {}", told.node, told.database));
    if let Some(service) = &told.service {
        result(&format!("  the service runs ({service})"));
    }
    if let Some(courier) = &told.courier {
        result(&format!("  a courier makes the calls ({courier})"));
    }
    if let Some(next) = &told.next_call {
        result(&format!("  no relay could be reached; the service calls again at {next}, `packhorse sync` calls now"));
    }
    if !told.accepting {
        result("  what comes is left on the relay: `packhorse accept on` takes it again");
    }
    if told.links.is_empty() {
        note("there are no links yet: make a remote's package with `packhorse remote pack`");
    }
    results(told.links.iter().flat_map(lines_of_link));
    told.tables.iter().for_each(Tables::tell);
}

fn lines_of_link(link: &LinkTold) -> Vec<String> {
    let role = if link.role == Role::Hub { "hub" } else { "remote" };
    let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
    let pile = |pile: &Pile| format!("{} ({})", count(pile.bundles, "bundle", "bundles"), bytes(pile.bytes));
    let pending = count(link.pending_changes, "change", "changes");
    let mut lines = vec![
        format!("{}  {role}  {}", link.node, link.state),
        format!("  to send    {pending}; outbox {}; {} unacknowledged", pile(&link.outbox), link.unacknowledged),
        format!("  received   inbox {}; held {}; quarantined {}", pile(&link.inbox), link.held, link.quarantined),
        format!("  last sent {}, last received {}", or_never(&link.last_sent), or_never(&link.last_received)),
    ];
    if !link.sealed {
        lines.push("  not sealed: whoever carries the bundles can read and forge them".to_owned());
    }
    lines.extend(link.advice.iter().map(|advice| format!("  {advice}")));
    lines
}
