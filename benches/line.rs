//! Time on line, from dialling to hanging up, over a really slow line (`scripts/bench line`): 33.6 kbit/s each way, 150 ms
//! each way, with the queue of a small modem and of a large one. The duplex limit is what the larger direction's files
//! take at the line's rate, and nothing besides: neither headers nor a single round trip. Needs root and /dev/net/tun.

#[path = "support/line/mod.rs"]
mod line;
#[allow(dead_code, unused_imports)]
#[path = "../tests/support/servers/mod.rs"]
mod servers;
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::thread;

use line::calls::Office;
use line::peers::{self, PEERS};
use line::{Count, Line, RATE, hindrance};
use serde_json::{Value, json};
use servers::Kind;
use support::measure::median;
use support::options::Options;

/// The queues of modems, in bytes. Which of them a line has decides more than one would think.
const QUEUES: [u32; 2] = [16_000, 64_000];

const PROTOCOLS: [(Kind, &str); 2] = [(Kind::Ftp, "ftp"), (Kind::Sftp, "sftp")];

/// What waits each way, and the sizes of bundles in which it does.
const WAITING: u64 = 200_000;
const SIZES: [(&str, u64); 2] = [("one bundle each way", WAITING), ("ten bundles each way", 20_000)];

/// When the line is dead in the call that is cut twice: long enough for both ends to give up.
const CUTS: [(u32, u32); 2] = [(20, 60), (85, 125)];

/// Files of the other programs' calls.
const PEER_FILES: u64 = 10;

fn main() -> ExitCode {
    let options = Options::read();
    if let Some(why) = hindrance() {
        eprintln!("scripts/bench line: there can be no slow line here: {why}");
        return ExitCode::FAILURE;
    }
    println!(
        "line: {RATE} bit/s and 150 ms each way, {WAITING} bytes each way; limit: the larger way's files at that rate"
    );
    // Lines do not disturb each other: what takes time is the waiting.
    let lines = QUEUES.into_iter().flat_map(|queue| PROTOCOLS.map(|protocol| (queue, protocol)));
    let rows: Vec<Row> = thread::scope(|scope| {
        let options = &options;
        let begin = |(queue, protocol)| scope.spawn(move || Bench { options, queue, rows: Vec::new() }.run(protocol));
        let running: Vec<_> = lines.map(begin).collect();
        running.into_iter().flat_map(|line| line.join().expect("a line")).collect()
    });
    Row::heading();
    rows.iter().for_each(Row::print);
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let report = json!({ "rate_bits": RATE, "round_trip_ms": 300, "rows": rows });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/line.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the figures");
    std::fs::write(&path, format!("{report:#}\n")).expect("a file for the figures");
    ExitCode::SUCCESS
}

/// All calls over a line with one queue.
struct Bench<'o> {
    options: &'o Options,
    queue: u32,
    rows: Vec<Row>,
}

impl Bench<'_> {
    fn run(mut self, (kind, name): (Kind, &'static str)) -> Vec<Row> {
        let [calls, peers] = ["calls", "peers"].map(|part| self.options.wants(&format!("{part}-{name}")));
        if !calls && !peers {
            return self.rows;
        }
        let folder = tempfile::tempdir_in(self.options.best_place()).expect("a temporary folder");
        let mut line = Line::up(self.queue);
        let Some(mut office) = Office::open(&mut line, folder.path(), kind) else {
            self.rows.push(Row::absent(self.queue, name, "packhorse"));
            return self.rows;
        };
        if calls {
            self.calls(&mut office, name);
        }
        if peers {
            self.peers(&mut office, name);
        }
        self.rows
    }

    fn calls(&mut self, office: &mut Office<'_>, protocol: &'static str) {
        let idle: Vec<Count> = (0..self.options.repeat).map(|_| office.call(&[])).collect();
        let opening = on_line(&idle[0], protocol, "fresh");
        self.tell(protocol, "packhorse, nothing to do", (0, 0), &idle);
        let mut uncut = None;
        for (what, size) in SIZES {
            let mut files = (0, 0);
            let counts: Vec<Count> = (0..self.options.repeat)
                .map(|_| {
                    files = office.prepare(WAITING, size);
                    let count = office.call(&[]);
                    office.settle();
                    count
                })
                .collect();
            if size == WAITING {
                uncut = Some(Sent::of(&counts[0], protocol, "fresh", files));
            }
            self.tell(protocol, &format!("packhorse, {what}"), files, &counts);
        }
        let files = office.prepare(WAITING, SIZES[0].1);
        let cut = [office.call(&CUTS)];
        self.tell(protocol, "packhorse, one each way, cut twice", files, &cut);
        if let Some(row) = self.rows.last_mut() {
            let cut = Sent::of(&cut[0], protocol, "sent", files);
            row.again = uncut.map(|uncut| cut.beyond(&uncut, opening));
        }
        office.settle();
    }

    fn peers(&mut self, office: &mut Office<'_>, protocol: &'static str) {
        for peer in PEERS {
            if !peers::is_here(peer.0) {
                self.rows.push(Row::absent(self.queue, protocol, peer.0));
                continue;
            }
            let Some((count, wrong)) = peers::call(office, peer, PEER_FILES, WAITING / PEER_FILES) else { continue };
            self.tell(protocol, peer.0, (WAITING, WAITING), &[count]);
            if let Some(row) = self.rows.last_mut() {
                row.remark = wrong;
            }
        }
    }

    fn tell(&mut self, protocol: &'static str, what: &str, (up, down): (u64, u64), counts: &[Count]) {
        let seconds: Vec<f64> = counts.iter().map(Count::seconds).collect();
        let Some(first) = counts.first() else { return };
        let row = Row {
            queue: self.queue,
            protocol,
            what: what.to_owned(),
            files: (up, down),
            count: Some(Figures {
                seconds: median(&seconds).0,
                turns: first.turns(),
                connections: first.connections(),
                packets: first.both("packets"),
                beside: first.both("payload").saturating_sub(up + down),
                dropped: first.both("dropped"),
            }),
            all: seconds,
            again: None,
            remark: None,
        };
        eprintln!("  {}", row.text());
        self.rows.push(row);
    }
}

/// What a call puts on the line of files and listings, each way. With SSH nobody can tell them from the rest.
struct Sent {
    bytes: [i64; 2],
    sessions: i64,
    files: [i64; 2],
}

impl Sent {
    /// All that was `sent`, or what of it was `fresh`: without what TCP sent again.
    fn of(count: &Count, protocol: &str, what: &str, (up, down): (u64, u64)) -> Self {
        let files = [up as i64, down as i64];
        Self { bytes: on_line(count, protocol, what), sessions: count.sessions() as i64, files }
    }

    /// How much more it is than in another call, of which nothing was sent again. Further sessions have an opening each, and
    /// that is no file's.
    fn beyond(&self, other: &Self, opening: [i64; 2]) -> [i64; 2] {
        let openings = self.sessions - other.sessions;
        let beside = |way: usize| self.bytes[way] - self.files[way] - openings * opening[way];
        [0, 1].map(|way| beside(way) - (other.bytes[way] - other.files[way]))
    }
}

fn on_line(count: &Count, protocol: &str, what: &str) -> [i64; 2] {
    let what = if protocol == "ftp" { format!("{what}_beside") } else { what.to_owned() };
    ["near", "far"].map(|way| count.0[way][&what].as_i64().unwrap_or_default())
}

/// A line of the table.
struct Row {
    queue: u32,
    protocol: &'static str,
    what: String,
    files: (u64, u64),
    count: Option<Figures>,
    all: Vec<f64>,
    again: Option<[i64; 2]>,
    remark: Option<String>,
}

/// What was counted of a call.
struct Figures {
    seconds: f64,
    turns: u64,
    connections: u64,
    packets: u64,
    /// Payload that is no file's.
    beside: u64,
    dropped: u64,
}

impl Row {
    fn absent(queue: u32, protocol: &'static str, what: &str) -> Self {
        let what = what.to_owned();
        Self {
            queue,
            protocol,
            what,
            files: (0, 0),
            count: None,
            all: Vec::new(),
            again: None,
            remark: Some("absent".to_owned()),
        }
    }

    fn heading() {
        println!(
            "{:>5} {:5} {:44} {:>7} {:>7} {:>6} {:>6} {:>8} {:>8} {:>8} {:>13}",
            "queue", "", "call", "s", "x limit", "turns", "calls", "packets", "B beside", "dropped", "B again"
        );
    }

    fn ratio(&self) -> Option<f64> {
        let bytes = self.files.0.max(self.files.1);
        let limit = (bytes * 8) as f64 / f64::from(RATE);
        self.count.as_ref().filter(|_| bytes > 0).map(|count| count.seconds / limit)
    }

    fn text(&self) -> String {
        let cell = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
        let of = |figure: fn(&Figures) -> u64| cell(self.count.as_ref().map(|count| figure(count).to_string()));
        let mut text = format!(
            "{:>5} {:5} {:44} {:>7} {:>7} {:>6} {:>6} {:>8} {:>8} {:>8} {:>13}",
            format!("{}k", self.queue / 1000),
            self.protocol,
            self.what,
            cell(self.count.as_ref().map(|count| format!("{:.1}", count.seconds))),
            cell(self.ratio().map(|ratio| format!("{ratio:.2}"))),
            of(|count| count.turns),
            of(|count| count.connections),
            of(|count| count.packets),
            of(|count| count.beside),
            of(|count| count.dropped),
            cell(self.again.map(|[up, down]| format!("{up}/{down}"))),
        );
        text.extend(self.remark.iter().flat_map(|remark| ["  ", remark]));
        text
    }

    fn print(&self) {
        println!("{}", self.text());
    }

    fn json(&self) -> Value {
        json!({
            "queue_bytes": self.queue, "protocol": self.protocol, "call": self.what,
            "bytes_up": self.files.0, "bytes_down": self.files.1,
            "seconds": self.count.as_ref().map(|count| count.seconds), "all_seconds": self.all, "ratio": self.ratio(),
            "turns": self.count.as_ref().map(|count| count.turns),
            "connections": self.count.as_ref().map(|count| count.connections),
            "packets": self.count.as_ref().map(|count| count.packets),
            "bytes_beside": self.count.as_ref().map(|count| count.beside),
            "packets_dropped": self.count.as_ref().map(|count| count.dropped),
            "bytes_again": self.again, "remark": self.remark,
        })
    }
}
