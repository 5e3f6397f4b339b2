//! What looking at a hub costs, and a turn of work on it in which there is nothing to do, with many remotes and bundles
//! (`scripts/bench queues`). Wall time of the whole program; ratios are to a hub without remotes.

mod support;

use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};
use support::fleet::Fleet;
use support::measure::median;
use support::options::Options;

/// How many bundles there are for each remote.
const BUNDLES: u64 = 10;

/// How often what takes milliseconds is run for each repetition that is asked for.
const RUNS: usize = 5;

fn main() {
    let options = Options::read();
    let folder = tempfile::tempdir_in(options.best_place()).expect("a temporary folder");
    let empty = Fleet::make(&folder.path().join("empty"), 0);
    let started = Instant::now();
    let hub = Fleet::make(&folder.path().join("hub"), options.remotes);
    let packed = started.elapsed().as_secs_f64();
    println!(
        "queues: a hub with {} remotes, made in {packed:.1} s; median of {}",
        options.remotes,
        RUNS * options.repeat
    );
    let mut bench = Bench { hub: &hub, empty: &empty, runs: RUNS * options.repeat, report: Map::new() };
    bench.heading();
    bench.turns();
    let started = Instant::now();
    hub.fill(BUNDLES);
    let filled = started.elapsed().as_secs_f64();
    println!("with {} bundles, made in {filled:.1} s:", BUNDLES * options.remotes);
    bench.looks();
    hub.leave_waiting();
    println!("and with 1000 changes that wait:");
    bench.compare("status, changes waiting", "status", "status");
    let report = json!({
        "remotes": options.remotes, "bundles": BUNDLES * options.remotes, "packed_s": packed, "filled_s": filled,
        "commands": bench.report,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/queues.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the figures");
    std::fs::write(&path, format!("{report:#}\n")).expect("a file for the figures");
}

struct Bench<'a> {
    hub: &'a Fleet,
    empty: &'a Fleet,
    runs: usize,
    report: Map<String, Value>,
}

impl Bench<'_> {
    fn heading(&self) {
        println!("{:26} {:>9} {:>9} {:>9} {:>7}", "command", "ms", "least ms", "empty ms", "ratio");
    }

    /// What a service does again and again: nothing is due, nothing has come, nothing is to be moved.
    fn turns(&mut self) {
        for words in ["bundle", "apply", "transfer"] {
            // The first of each may have something to do.
            self.hub.packhorse(words);
            self.compare(words, words, words);
        }
        self.hub.edit(u64::MAX);
        self.compare("bundle, a change waiting", "bundle", "bundle");
        let sealed = milliseconds(self.hub, "bundle --now");
        self.tell("bundle --now, a change", &[sealed], None);
    }

    fn looks(&mut self) {
        for words in ["status", "status --json", "queue list", "queue list --json"] {
            self.compare(words, words, words);
        }
        self.compare("queue list NODE", &format!("queue list {}", self.hub.some_remote()), "queue list");
        let listed = self.hub.packhorse("queue list --json").stdout;
        let listed: Value = serde_json::from_slice(&listed).expect("a list");
        let name = listed[0]["name"].as_str().expect("a bundle");
        self.compare("queue show NAME", &format!("queue show {name}"), "queue list");
    }

    /// Measures a command at the full hub, and another at the empty one.
    fn compare(&mut self, what: &str, at_hub: &str, at_empty: &str) {
        let of =
            |fleet: &Fleet, words: &str| -> Vec<f64> { (0..self.runs).map(|_| milliseconds(fleet, words)).collect() };
        let (full, empty) = (of(self.hub, at_hub), of(self.empty, at_empty));
        self.tell(what, &full, Some(&empty));
    }

    fn tell(&mut self, what: &str, full: &[f64], empty: Option<&[f64]>) {
        let (middle, least) = (median(full).0, full.iter().copied().fold(f64::INFINITY, f64::min));
        let empty = empty.map(|empty| median(empty).0);
        let cell = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.1}"));
        let (beside, ratio) = (cell(empty), cell(empty.map(|empty| middle / empty)));
        println!("{what:26} {middle:>9.1} {least:>9.1} {beside:>9} {ratio:>7}");
        self.report
            .insert(what.to_owned(), json!({ "ms": middle, "least_ms": least, "empty_ms": empty, "all_ms": full }));
    }
}

fn milliseconds(fleet: &Fleet, words: &str) -> f64 {
    let started = Instant::now();
    fleet.packhorse(words);
    started.elapsed().as_secs_f64() * 1e3
}
