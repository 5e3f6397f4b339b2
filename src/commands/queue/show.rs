//! `packhorse queue show`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_shared::bundle::{BundleError, BundleReader, Limits, Manifest, Opening};
use packhorse_shared::clock::WallTime;
use packhorse_shared::keys::NodeKeys;
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_shared::ledger::{Direction, Entry, Key, State};
use serde::Serialize;

use super::choose::{Among, choose};
use super::told::Told;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::node::Node;
use crate::report::{json, result};
use crate::wording::{bytes, count, span, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse queue show hq.alice.18f3c2a1.000042       any beginning that only one bundle has
  packhorse queue show --json 9a41c07be2d65f18        or its digest";

/// Show everything that is known of one bundle
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// The bundle's name, its beginning or its digest
    name: String,

    /// Print JSON: one object, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    told: Told,
    path: Option<String>,
    content: Option<Content>,
    unreadable: Option<String>,
}

/// What the file says of itself.
#[derive(Serialize)]
struct Content {
    from: String,
    to: String,
    id: Option<String>,
    base: Option<u64>,
    records: u64,
    fields: u64,
    deletes: u64,
    sealed: Option<String>,
}

impl Show {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let mut node = Node::open(context)?;
        let (key, entry) = choose(&node.look_at_books()?, &self.name, Among::All)?;
        let path = path(&node, &key, &entry);
        let (content, unreadable) = match path.as_deref().map(|path| read(path, node.trust.keys())) {
            None => (None, None),
            Some(Ok(content)) => (Some(content), None),
            Some(Err(BundleError::Envelope(EnvelopeError::ForOthers))) if entry.state == State::Sealed => {
                (None, Some(format!("it is sealed, and \"{}\" alone can open it", entry.peer)))
            }
            Some(Err(error)) => (None, Some(why(&error))),
        };
        let path = path.map(|path| path.to_string_lossy().into_owned());
        let shown = Shown { told: Told::of(&key, &entry), path, content, unreadable };
        if self.json {
            json(&shown);
        } else {
            tell(&key, &entry, &shown, node.world.clock.now());
        }
        Ok(Exit::Done)
    }
}

/// Where the file lies, if it lies here.
fn path(node: &Node, key: &Key, entry: &Entry) -> Option<PathBuf> {
    let folder = match entry.state {
        State::Sealed => node.home.outbox().join(entry.peer.as_str()),
        State::Quarantined => node.home.quarantine(),
        state if state.is_in_inbox() => node.home.inbox(),
        _ => return None,
    };
    Some(folder.join(&key.file))
}

fn read(path: &Path, keys: &NodeKeys) -> Result<Content, BundleError> {
    let file = File::open(path).map_err(BundleError::Io)?;
    let (manifest, _) = BundleReader::open(file, Limits::PACKAGE, &Opening::with(Some(keys)))?;
    Ok(content(&manifest))
}

fn content(manifest: &Manifest) -> Content {
    let header = manifest.header.as_ref();
    Content {
        from: manifest.from.to_string(),
        to: manifest.to.to_string(),
        id: header.map(|header| header.id.to_string()),
        base: header.map(|header| header.base.sequence.0),
        records: manifest.counts.records,
        fields: manifest.counts.fields,
        deletes: manifest.counts.deletes,
        sealed: header.and_then(|header| timestamp(header.clock.time())),
    }
}

fn why(error: &BundleError) -> String {
    match error {
        BundleError::Io(source) => source.to_string(),
        other => other.to_string(),
    }
}

fn tell(key: &Key, entry: &Entry, shown: &Shown, now: WallTime) {
    let time = |time: WallTime| {
        let ago = span(now.0.saturating_sub(time.0));
        format!("{} ({ago} ago)", timestamp(time).unwrap_or_default())
    };
    result(&key.file);
    let way = if entry.direction == Direction::Outgoing { "to" } else { "from" };
    result(&format!("  {way:<11} {}", entry.peer));
    result(&format!("  state       {} since {}", entry.state.word(), time(entry.since)));
    result(&format!("  first seen  {}", time(entry.first_seen)));
    result(&format!("  size        {}", bytes(entry.size)));
    result(&format!("  attempts    {}", entry.attempts));
    if let Some(relay) = &entry.relay {
        result(&format!("  relay       {relay}"));
    }
    if let Some(error) = &entry.error {
        let is_refused = matches!(entry.state, State::Quarantined | State::LeftAlone);
        let what = if is_refused { "reason" } else { "last error" };
        result(&format!("  {what:<11} {}, at {}", error.text, timestamp(error.at).unwrap_or_default()));
    }
    tell_content(key, shown);
}

fn tell_content(key: &Key, shown: &Shown) {
    if let Some(path) = &shown.path {
        result(&format!("  file        {path}"));
    }
    if let Some(why) = &shown.unreadable {
        result(&format!("  content     cannot be read: {why}"));
    }
    if let Some(name) = key.bundle() {
        let base = shown.content.as_ref().and_then(|content| content.base);
        let base = base.map(|base| format!(", builds on {base}")).unwrap_or_default();
        result(&format!("  number      epoch {}, sequence {}{base}", name.epoch, name.sequence));
    }
    if let Some(content) = &shown.content {
        let (records, fields) = (count(content.records, "record", "records"), count(content.fields, "field", "fields"));
        result(&format!("  content     {records}, {fields}, {} deleted", content.deletes));
    }
}
