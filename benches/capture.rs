//! What capture costs: an application's writes with it on against plain SQLite, the harvest of what it logged, the
//! storage of marks, and whether look-ups follow what changed (`scripts/bench capture`).
//!
//! The two databases are written in turns of a few dozen milliseconds, so that whatever else the machine does falls on
//! both alike. Ratios are plain time over the other's: 1.00 is as fast as plain SQLite.

mod support;

use std::path::Path;

use packhorse_shared::replica::Replica;
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::seam::{OsClock, WallClock};
use rusqlite::Connection;
use serde_json::{Value, json};
use support::contacts::{self, Dice, Phase};
use support::harvest;
use support::measure::{Cost, cost, measures_cpu, median};
use support::options::Options;

/// How many statements one database gets before it is the other's turn.
const TURN: u64 = 2_000;

fn main() {
    let options = Options::read();
    let mut report = json!({ "rows": options.rows, "repeat": options.repeat, "cpu_time": measures_cpu() });
    if !measures_cpu() {
        println!("This system does not tell a thread's processor time; wall time stands in its place.");
    }
    if options.wants("writes") {
        report["writes"] = writes(&options);
    }
    if options.wants("storage") {
        report["storage"] = harvest::storage(&options);
    }
    if options.wants("harvest") {
        report["harvest"] = harvest::large(&options);
    }
    if options.wants("look-ups") {
        report["look-ups"] = harvest::look_ups(&options);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/capture.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the figures");
    std::fs::write(&path, format!("{report:#}\n")).expect("a file for the figures");
}

/// One way of running the workload.
#[derive(Clone, Copy)]
struct Series<'a> {
    place: &'static str,
    folder: &'a Path,
    unique: bool,
    per_transaction: u64,
    rows: u64,
}

fn writes(options: &Options) -> Value {
    println!(
        "writes: processor time against plain SQLite (1.00 = as fast), median of {}; ± half the range",
        options.repeat
    );
    println!(
        "{:7} {:>5} {:>7}  {:>13} {:>13} {:>13} {:>13} {:>13}  {:>12} {:>9}",
        "place", "per", "index", "insert", "update", "delete", "whole run", "with harvest", "plain µs/row", "wall"
    );
    let mut all = Vec::new();
    for (place, folder) in options.places() {
        std::fs::create_dir_all(&folder).expect("a folder for databases");
        for (per_transaction, rows) in [(100, options.rows), (1, options.rows / 10)] {
            for unique in [false, true] {
                let series = Series { place, folder: &folder, unique, per_transaction, rows };
                let runs: Vec<Run> = (0..options.repeat).map(|turn| run(&series, turn as u64)).collect();
                all.push(tell(&series, &runs));
            }
        }
    }
    Value::Array(all)
}

/// What one repetition cost each of the two.
struct Run {
    plain: [Cost; 3],
    captured: [Cost; 3],
    harvest: Cost,
}

fn run(series: &Series<'_>, seed: u64) -> Run {
    let folder = tempfile::tempdir_in(series.folder).expect("a temporary folder");
    let paths = [folder.path().join("plain.db"), folder.path().join("captured.db")];
    let connections = [contacts::create(&paths[0], series.unique), contacts::create(&paths[1], series.unique)];
    contacts::capture(&paths[1]);
    let mut costs = [[Cost::default(); 3]; 2];
    for (at, phase) in Phase::ALL.into_iter().enumerate() {
        let count = if phase == Phase::Delete { series.rows / 10 } else { series.rows };
        for (turn, first) in (0..count).step_by(TURN as usize).enumerate() {
            let range = first..count.min(first + TURN);
            for which in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
                let write = || write(&connections[which], series, phase, range.clone(), seed);
                costs[which][at] += cost(write).1;
            }
        }
    }
    let mut replica = SqliteReplica::open(&paths[1]).expect("a replica");
    let (harvested, harvest) = cost(|| replica.harvest(OsClock.now()).expect("a harvest"));
    assert!(harvested.records >= series.rows - series.rows / 10, "every record that stands is new");
    Run { plain: costs[0], captured: costs[1], harvest }
}

fn write(connection: &Connection, series: &Series<'_>, phase: Phase, range: std::ops::Range<u64>, seed: u64) {
    let mut dice = Dice(seed << 40 ^ (phase as u64) << 36 ^ range.start);
    for at in range {
        let begins = at % series.per_transaction == 0 && series.per_transaction > 1;
        if begins {
            connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        }
        let id = match phase {
            Phase::Insert => at + 1,
            Phase::Update => 1 + dice.below(series.rows),
            // Steps of a prime: every record once.
            Phase::Delete => 1 + at * 7_368_787 % series.rows,
        };
        contacts::write(connection, phase, id, &mut dice);
        if series.per_transaction > 1 && (at + 1) % series.per_transaction == 0 {
            connection.execute_batch("COMMIT").expect("a commit");
        }
    }
}

/// Which of a cost's two times.
type Pick = fn(&Cost) -> std::time::Duration;

fn tell(series: &Series<'_>, runs: &[Run]) -> Value {
    let seconds = |costs: &[Cost], pick: Pick| -> f64 { costs.iter().map(|cost| pick(cost).as_secs_f64()).sum() };
    let cpu: Pick = |cost| cost.cpu;
    let wall: Pick = |cost| cost.wall;
    let ratio = |part: std::ops::Range<usize>, pick: Pick, harvest: bool| -> Vec<f64> {
        let of = |run: &Run| {
            let more = if harvest { pick(&run.harvest).as_secs_f64() } else { 0.0 };
            seconds(&run.plain[part.clone()], pick) / (seconds(&run.captured[part.clone()], pick) + more)
        };
        runs.iter().map(of).collect()
    };
    let figures = [
        ("insert", ratio(0..1, cpu, false)),
        ("update", ratio(1..2, cpu, false)),
        ("delete", ratio(2..3, cpu, false)),
        ("whole", ratio(0..3, cpu, false)),
        ("with_harvest", ratio(0..3, cpu, true)),
    ];
    let statements = 2.1 * series.rows as f64;
    let plain: Vec<f64> = runs.iter().map(|run| seconds(&run.plain, cpu) * 1e6 / statements).collect();
    let walls = ratio(0..3, wall, false);
    let cells: Vec<String> = figures.iter().map(|(_, figures)| cell(figures)).collect();
    let index = if series.unique { "UNIQUE" } else { "plain" };
    println!(
        "{:7} {:>5} {index:>7}  {}  {:>12.2} {:>9.2}",
        series.place,
        series.per_transaction,
        cells.join(" "),
        median(&plain).0,
        median(&walls).0
    );
    let mut told = json!({
        "place": series.place, "per_transaction": series.per_transaction, "rows": series.rows, "unique": series.unique,
        "plain_us_per_statement": median(&plain).0, "whole_wall": median(&walls).0,
        "harvest_us_per_statement": median(&runs.iter().map(|run| run.harvest.cpu.as_secs_f64() * 1e6 / statements).collect::<Vec<_>>()).0,
    });
    for (name, figures) in figures {
        told[name] = json!({ "median": median(&figures).0, "spread": median(&figures).1, "all": figures });
    }
    told
}

fn cell(figures: &[f64]) -> String {
    let (middle, spread) = median(figures);
    format!("{:>13}", format!("{middle:.3} ±{:.3}", middle * spread / 2.0))
}
