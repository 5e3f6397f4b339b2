//! `packhorse inspect`: look into a bundle or a package, on any machine, without a database.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_shared::bundle::{BundleError, BundleReader, Kind, Limits, Manifest, Opening, Provenance, Room, columns};
use packhorse_shared::change::{EXISTENCE, FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::config::Config;
use packhorse_shared::home::Home;
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_shared::value::Value;
use serde::Serialize;
use serde_json::{Map, json};

use crate::context::Context;
use crate::exact::{stamp, value};
use crate::failure::{Exit, Failure};
use crate::locate;
use crate::report::{self, result};
use crate::wording::{bytes, count, timestamp};

const EXAMPLES: &str = "\
Examples:
  packhorse inspect crm.db.packhorse/outbox/alice/*.bundle
  packhorse inspect --values --json hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle
  packhorse inspect alice.rdb";

/// Look into a bundle or a package: who sends what to whom
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// The file
    file: PathBuf,

    /// Show the values, too
    #[arg(long)]
    values: bool,

    /// Print JSON: one object, whose fields are only ever added to
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    file: String,
    bytes: u64,
    kind: &'static str,
    format: u32,
    network: String,
    from: String,
    to: String,
    installation: String,
    sealed: bool,
    /// With which keys it says that it was signed: that they are its sender's is checked where it is taken.
    signed_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<serde_json::Value>,
    records: u64,
    fields: u64,
    deletes: u64,
    members: Vec<MemberTold>,
    tables: Vec<TableTold>,
}

#[derive(Serialize)]
struct MemberTold {
    name: String,
    bytes: u64,
    digest: String,
}

#[derive(Serialize)]
struct TableTold {
    table: String,
    /// How its records stand to what is shared: "within", "entered", "withdrawn", "limbo", or "overruled" and "refused" for
    /// what is nobody's word any more.
    passage: &'static str,
    records: Vec<RecordTold>,
}

#[derive(Serialize)]
struct RecordTold {
    key: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<String>,
    /// The record that it is one with, by its number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_one_with: Option<serde_json::Value>,
    whole: bool,
    fields: Map<String, serde_json::Value>,
}

impl Inspect {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let size = std::fs::metadata(&self.file).map_err(|error| Failure::file("read", &self.file, &error))?.len();
        let home = locate::home(context.home).ok().and_then(|folder| Home::open(&folder).ok());
        let read = read(&self.file, home.as_ref()).map_err(|error| refused(&self.file, error))?;
        let told = self.told(size, &read);
        if self.json {
            report::json(&told)
        } else {
            tell(&told, self.values)
        }
        Ok(Exit::Done)
    }

    fn told(&self, size: u64, Read { manifest, provenance, tables }: &Read) -> Told {
        let member = |member: &packhorse_shared::bundle::MemberEntry| MemberTold {
            name: member.name.clone(),
            bytes: member.length,
            digest: member.digest.to_string(),
        };
        let table = |changes: &TableChanges| TableTold {
            table: changes.table.clone(),
            passage: passage(changes.passage),
            records: changes.records.iter().map(|record| self.record(changes, record)).collect(),
        };
        Told {
            file: self.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: size,
            kind: if manifest.kind == Kind::Package { "package" } else { "bundle" },
            format: manifest.format,
            network: manifest.network.to_string(),
            from: manifest.from.to_string(),
            to: manifest.to.to_string(),
            installation: manifest.node.to_string(),
            sealed: provenance.is_sealed,
            signed_with: provenance.signer.map(|number| number.to_string()),
            link: link(manifest),
            records: manifest.counts.records,
            fields: manifest.counts.fields,
            deletes: manifest.counts.deletes,
            members: manifest.members.iter().map(member).collect(),
            tables: tables.iter().map(table).collect(),
        }
    }

    fn record(&self, of: &TableChanges, record: &RecordChange) -> RecordTold {
        let mut fields = Map::new();
        for field in &record.fields {
            // Beside the fields there may be the word that the record is, and whose numbers are in its key.
            let is_field = |column: &&String| *column != EXISTENCE && !of.key_columns.contains(column);
            let Some(column) = of.columns.get(field.column).filter(is_field) else { continue };
            let mut told = json!({ "stamp": stamp(field.stamp) });
            if self.values {
                told["value"] = value(&field.value);
            }
            fields.insert(column.clone(), told);
        }
        RecordTold {
            key: record.key.0.iter().map(value).collect(),
            birth: record.birth.map(stamp),
            deleted: record.dead.map(stamp),
            is_one_with: is_one_with(of, record),
            whole: record.whole,
            fields,
        }
    }
}

/// The number that a record's existence names, if it does (FORMAT.md).
fn is_one_with(of: &TableChanges, record: &RecordChange) -> Option<serde_json::Value> {
    let is_existence = |field: &&FieldChange| of.columns.get(field.column).is_some_and(|name| name == EXISTENCE);
    let existence = record.fields.iter().find(is_existence)?;
    (existence.value != Value::Null).then(|| value(&existence.value))
}

fn link(manifest: &Manifest) -> Option<serde_json::Value> {
    let header = manifest.header.as_ref()?;
    let ack = header.ack.map(|ack| json!({ "epoch": ack.epoch.0, "sequence": ack.sequence.0 }));
    Some(json!({
        "epoch": header.epoch.0,
        "sequence": header.sequence.0,
        "id": header.id.to_string(),
        "base": header.base.sequence.0,
        "acknowledges": ack,
        "asks_again": header.nack,
        "asks_for_everything": header.ask > 0,
        "probe": header.probe,
        "sealed": timestamp(header.clock.time()),
    }))
}

/// What is in a file.
struct Read {
    manifest: Manifest,
    provenance: Provenance,
    tables: Vec<TableChanges>,
}

/// Reads and checks everything. Of a package the database is checked and not kept. What is sealed to a home's keys can be
/// looked into, and its limits hold, if there is one.
fn read(path: &Path, home: Option<&Home>) -> Result<Read, BundleError> {
    let keys = home.and_then(|home| home.keys().ok());
    let config = home.and_then(|home| Config::load(&home.config_path()).ok());
    let file = File::open(path).map_err(BundleError::Io)?;
    let (manifest, mut members) = BundleReader::open(file, Limits::PACKAGE, &Opening::with(keys.as_ref()))?;
    let limits = config.map_or(Limits::BUNDLE, |config| config.limits.of_bundles());
    if manifest.kind == Kind::Bundle {
        manifest.check(&limits)?;
    }
    let (mut tables, mut room) = (Vec::new(), Room::of(manifest.counts, &limits));
    let provenance = members.provenance();
    while let Some(name) = members.peek().map(|member| member.name.clone()) {
        if let Some(passage) = columns::passage_of(&name) {
            let changes = columns::decode(passage, &members.read()?, manifest.node, room);
            let changes = changes.map_err(|_| BundleError::Damaged { member: name })?;
            room = room.without(&changes);
            tables.push(changes);
        } else {
            members.copy_to(&mut io::sink())?;
        }
    }
    members.finish()?;
    Ok(Read { manifest, provenance, tables })
}

fn refused(path: &Path, error: BundleError) -> Failure {
    let what = match &error {
        BundleError::NotABundle => "is neither a bundle nor a package".to_owned(),
        other => format!("cannot be used: {other}"),
    };
    let refused = Failure::new(Exit::Failed, format!("{} {what}", path.display()));
    match error {
        BundleError::Io(error) => Failure::file("read", path, &error),
        BundleError::NewerFormat { .. } => refused.hint("update Packhorse here"),
        BundleError::NotABundle => {
            refused.hint("bundles are named *.bundle, and packages (*.rdb) come from `remote pack`")
        }
        BundleError::Envelope(EnvelopeError::NeedsPassphrase) => refused.hint("`packhorse restore` opens it"),
        BundleError::Envelope(EnvelopeError::NoKeys | EnvelopeError::ForOthers) => {
            refused.hint("name the home of the node that it is for with --home DIR")
        }
        _ => refused.hint("copy the file here once more from where it comes"),
    }
}

fn tell(told: &Told, values: bool) {
    result(&format!("{} from {} to {} ({})", told.kind, told.from, told.to, bytes(told.bytes)));
    if let Some(link) = &told.link {
        result(&format!("  epoch {}, sequence {}, builds on {}", link["epoch"], link["sequence"], link["base"]));
    }
    let sealed = if told.sealed { "sealed" } else { "not sealed" };
    result(&match &told.signed_with {
        Some(number) => format!("  {sealed}, signed with keys {number}; whose they are is looked at when it is taken"),
        None => format!("  {sealed}, not signed"),
    });
    let (records, fields) = (count(told.records, "record", "records"), count(told.fields, "field", "fields"));
    result(&format!("  {records}, {fields}, {} deleted", told.deletes));
    for table in &told.tables {
        let passage = if table.passage == "within" { String::new() } else { format!(" ({})", table.passage) };
        result(&format!("  {}{passage}", table.table));
        table.records.iter().for_each(|record| tell_record(record, values));
    }
}

fn passage(of: Passage) -> &'static str {
    match of {
        Passage::Within => "within",
        Passage::Entered { .. } => "entered",
        Passage::Withdrawn => "withdrawn",
        Passage::Limbo => "limbo",
        Passage::Overruled => "overruled",
        Passage::Refused => "refused",
    }
}

fn tell_record(record: &RecordTold, values: bool) {
    let key: Vec<String> = record.key.iter().map(ToString::to_string).collect();
    let told = match (&record.deleted, values) {
        (Some(_), _) => "deleted".to_owned(),
        (None, _) if record.fields.is_empty() => match &record.is_one_with {
            Some(number) => format!("is {number} now"),
            None => "its number here".to_owned(),
        },
        (None, false) => record.fields.keys().cloned().collect::<Vec<_>>().join(", "),
        (None, true) => {
            let field = |(name, told): (&String, &serde_json::Value)| format!("{} = {}", name, told["value"]);
            record.fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
    };
    result(&format!("    {}: {told}", key.join(", ")));
}
