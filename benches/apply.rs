//! What merging costs: a bundle of one-field edits to records that are here, against the same as raw prepared updates
//! in key order and against inserting the records (`scripts/bench apply`).

mod support;

use std::path::Path;

use packhorse_shared::change::{FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::{Reading, Stamp};
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{Cut, LinkId, NodeId};
use packhorse_shared::link::Extent;
use packhorse_shared::replica::Replica;
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::seam::{OsClock, WallClock};
use packhorse_shared::value::{Key, Value};
use packhorse_unbundler::merge::{Arrival, Past};
use packhorse_unbundler::place::place;
use packhorse_unbundler::told::Told;
use rusqlite::{Connection, params};
use serde_json::json;
use support::contacts::{self, Dice, Phase};
use support::measure::{Cost, cost, forget_peak, measures_cpu, median, memory};
use support::options::Options;

/// The columns that are edited, and how many of ten edits each gets.
const EDITED: [(&str, u64); 4] = [("phone", 4), ("notes", 3), ("status", 2), ("email", 1)];

fn main() {
    let options = Options::read();
    println!("apply: {} one-field edits to as many records, median of {}", options.rows, options.repeat);
    println!(
        "{:7} {:>9} {:>9} {:>9} {:>10} {:>12} {:>14} {:>11}",
        "place", "insert s", "update s", "merge s", "again s", "updates/merge", "inserts/merge", "memory +MB"
    );
    let mut all = Vec::new();
    for (place, folder) in options.places() {
        std::fs::create_dir_all(&folder).expect("a folder for databases");
        let runs: Vec<Run> = (0..options.repeat).map(|_| run(&folder, options.rows)).collect();
        let of = |pick: fn(&Run) -> f64| median(&runs.iter().map(pick).collect::<Vec<_>>()).0;
        let seconds = [of(|run| run.insert), of(|run| run.update), of(|run| run.merge), of(|run| run.again)];
        let (to_update, to_insert) = (of(|run| run.update / run.merge), of(|run| run.insert / run.merge));
        let memory = of(|run| run.memory);
        println!(
            "{place:7} {:>9.3} {:>9.3} {:>9.3} {:>10.3} {to_update:>13.2} {to_insert:>14.2} {memory:>11.1}",
            seconds[0], seconds[1], seconds[2], seconds[3]
        );
        all.push(json!({
            "place": place, "rows": options.rows, "insert_s": seconds[0], "update_s": seconds[1], "merge_s": seconds[2],
            "again_s": seconds[3], "updates_over_merge": to_update, "inserts_over_merge": to_insert, "memory_mb": memory,
        }));
    }
    let report = json!({ "repeat": options.repeat, "cpu_time": measures_cpu(), "apply": all });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/apply.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the figures");
    std::fs::write(&path, format!("{report:#}\n")).expect("a file for the figures");
}

/// Seconds of processor time.
struct Run {
    insert: f64,
    update: f64,
    merge: f64,
    /// The same bundle once more: nothing changes.
    again: f64,
    memory: f64,
}

fn run(folder: &Path, rows: u64) -> Run {
    let folder = tempfile::tempdir_in(folder).expect("a temporary folder");
    let paths = [folder.path().join("plain.db"), folder.path().join("merged.db")];
    let plain = contacts::create(&paths[0], false);
    let (_, insert) = cost(|| fill(&plain, rows));
    fill(&contacts::create(&paths[1], false), rows);
    contacts::capture(&paths[1]);
    let edits = edits(rows);
    let (_, update) = cost(|| update(&plain, &edits));
    let mut replica = SqliteReplica::open(&paths[1]).expect("a replica");
    forget_peak();
    let before = memory().map_or(0, |(now, _)| now);
    let (placed, merge) = cost(|| apply(&mut replica, &edits));
    let memory = memory().map_or(0.0, |(_, peak)| peak.saturating_sub(before) as f64 / 1e6);
    assert_eq!(placed, rows, "every record takes its edit");
    let (placed, again) = cost(|| apply(&mut replica, &edits));
    assert_eq!(placed, 0, "nothing is left to do");
    let seconds = |cost: Cost| cost.cpu.as_secs_f64();
    Run { insert: seconds(insert), update: seconds(update), merge: seconds(merge), again: seconds(again), memory }
}

fn fill(connection: &Connection, rows: u64) {
    let mut dice = Dice(1);
    connection.execute_batch("BEGIN").expect("a transaction");
    (1..=rows).for_each(|id| contacts::write(connection, Phase::Insert, id, &mut dice));
    connection.execute_batch("COMMIT").expect("a commit");
}

/// One edit to each record, as a bundle brings them: in key order, with stamps of another node.
fn edits(rows: u64) -> TableChanges {
    let mut dice = Dice(2);
    let now = OsClock.now();
    let records = (1..=rows).map(|id| {
        let mut lot = dice.below(10);
        let chosen = EDITED.iter().position(|(_, share)| {
            let hit = lot < *share;
            lot = lot.saturating_sub(*share);
            hit
        });
        let stamp = Stamp { reading: Reading(Reading::at(now).0 + id), node: NodeId(9) };
        let value = Value::Text(format!("{:016x}{id}", dice.roll()).into_bytes());
        let field = FieldChange { column: chosen.unwrap_or(0), value, stamp, refers_to: None };
        RecordChange {
            key: Key(vec![Value::Integer(id as i64)]),
            birth: None,
            dead: None,
            whole: false,
            fields: vec![field],
        }
    });
    TableChanges {
        table: "contacts".into(),
        passage: Passage::Within,
        key_columns: vec!["id".into()],
        columns: EDITED.iter().map(|(name, _)| (*name).to_owned()).collect(),
        records: records.collect(),
    }
}

fn update(connection: &Connection, edits: &TableChanges) {
    let statements = edits.columns.iter().map(|column| format!("UPDATE contacts SET {column} = ?1 WHERE id = ?2"));
    let mut prepared: Vec<_> = statements.map(|sql| connection.prepare(&sql).expect("a statement")).collect();
    connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    for record in &edits.records {
        for field in &record.fields {
            prepared[field.column].execute(params![field.value, record.key.0[0]]).expect("an update");
        }
    }
    connection.execute_batch("COMMIT").expect("a commit");
}

fn apply(replica: &mut SqliteReplica, edits: &TableChanges) -> u64 {
    let now = OsClock.now();
    let mut transaction = replica.begin_merge(now, Reading(0)).expect("a transaction");
    let (horizon, had) = (Horizon::NONE, Reading(0));
    let (link, cut, seen, sender) = (LinkId(1), transaction.cut(), Cut(0), NodeId(0));
    let told = Told::of([(link, had)]);
    let arrival = Arrival {
        past: Past::Known,
        link,
        via: link,
        cut,
        seen,
        may_have_seen: seen,
        heard: seen,
        awaits_answer: false,
        tells_again: false,
        knew_genesis: true,
        sender,
        hub: Some(link),
        horizon,
        births: horizon,
        left_out: horizon,
        dropped: horizon,
        had,
        known_to: Reading(0),
        returned: had,
        told,
        owed: Extent::Changes,
        silence: packhorse_shared::link::Silence::OVER,
        deletions: packhorse_unbundler::merge::Deletions::Count,
    };
    let placed =
        place(&mut *transaction, std::slice::from_ref(edits), arrival, now, packhorse_shared::config::Span::default())
            .expect("a merge");
    transaction.commit().expect("a commit");
    placed.records
}
