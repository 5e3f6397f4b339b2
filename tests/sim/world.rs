//! A story: its nodes, the relay between them, what is known of everything that was written, and the time.

use std::collections::{BTreeMap, BTreeSet};

use packhorse::Ran;
use simulated_machine::Armed;
use simulated_machine::fate::{self, Aim};
use tempfile::TempDir;

use crate::absence::Absence;
use crate::aim;
use crate::application::{self, Pen, Picture};
use crate::cast::{self, BEGIN, look};
use crate::dice::Dice;
use crate::event::Climate;
use crate::happen::LINE_FAILS;
use crate::ids::{At, Millis, Uid};
use crate::judge::{Bare, Judge};
use crate::laws;
use crate::machinery::{self, machine};
use crate::node::{Node, copy_folder, files};
use crate::oracle::Oracle;
use crate::policies::Policies;
use crate::purge::{self, Purge};
use crate::relay::Relay;
use crate::secret;
use crate::shares::{LEFT_OUT, Share, Terms};
use crate::tally;

/// What came of what an application wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// A record is another than before.
    Changed,
    /// It did nothing.
    Nothing,
    /// Its database refused it.
    Refused,
}

/// A story under way.
pub struct World {
    /// The simulated machine of this thread.
    _machine: Armed,
    root: TempDir,
    /// The nodes; the hub of all is the first.
    pub nodes: Vec<Node>,
    /// The relay.
    pub relay: Relay,
    /// What may happen.
    pub climate: Climate,
    /// What `sales` means at each hub.
    pub terms: Terms,
    /// How the hub of all has tables merged.
    pub policies: Policies,
    /// What was deleted in great numbers.
    pub purges: Vec<Purge>,
    /// What somebody decided is to go although it did not stand there.
    pub decided: BTreeSet<Uid>,
    /// The faults that have yet to fall where they are aimed at.
    pub aims: Vec<Aim>,
    /// Who is to be away.
    pub absence: Option<Absence>,
    /// Who is away, and since when.
    pub away: Option<(At, Millis)>,
    /// The true time.
    pub now: Millis,
    /// The latest time that any clock has shown.
    pub latest: Millis,
    /// Everything that was written.
    pub oracle: Oracle,
    /// What must be so at any moment.
    pub judge: Judge,
    /// The number of the last text or uid.
    pub serial: u32,
    /// What has happened so far.
    pub told: Vec<String>,
    /// The bundles that were shown.
    shown: BTreeSet<String>,
}

/// How much clocks gain, in millionths: quartz that is cold or old, and up to five minutes a day.
const RATES: [i64; 9] = [0, 0, 20, -200, 300, -700, 1_500, -3_500, 3_500];

/// What a story begins with.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Which cast.
    pub cast: usize,
    /// Whether a bundle holds a few records only.
    pub small_bundles: bool,
    /// Whether the databases have a rollback journal.
    pub keeps_journal: bool,
}

impl Setting {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 10);
        let cast = dice.below(cast::CASTS.len() as u64) as usize;
        Self { cast, small_bundles: dice.percent(35), keeps_journal: dice.percent(20) }
    }
}

impl World {
    /// How long a run takes, in milliseconds.
    pub const RUN: u64 = 2_000;

    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut world = Self::with(seed, Setting::of(seed), Climate::of(seed));
        laws::begin(&mut world, seed);
        world
    }

    /// A world with what the random numbers of a seed give.
    pub fn with(seed: u64, setting: Setting, climate: Climate) -> Self {
        let Setting { cast, small_bundles, keeps_journal } = setting;
        let root = cast::folder();
        cast::set_up(cast, root.path());
        let machine = simulated_machine::arm(seed, BEGIN.0);
        machinery::clear();
        let mut nodes = cast::nodes(cast, root.path());
        if climate.drift {
            let mut dice = Dice::new(seed, 15);
            nodes.iter_mut().for_each(|node| node.rate = dice.pick(&RATES).expect("rates"));
        }
        if small_bundles {
            for node in &nodes {
                node.edit_config(|words| words.replace("# bundle_max = \"256 KiB\"", "bundle_max = \"1 KiB\""));
            }
        }
        if keeps_journal {
            nodes.iter().for_each(Node::keep_journal);
        }
        let genesis = look(&nodes[0]);
        let mut world = Self {
            _machine: machine,
            relay: Relay::new(cast::relay(root.path())),
            root,
            judge: Judge::new(nodes.len()),
            aims: aim::of(seed, &climate),
            absence: Absence::of(seed, &climate, nodes.len()),
            away: None,
            nodes,
            climate,
            terms: Terms::default(),
            policies: Policies::default(),
            purges: Vec::new(),
            decided: BTreeSet::new(),
            now: BEGIN,
            latest: BEGIN,
            oracle: Oracle::new(&genesis, !climate.clocks),
            serial: 0,
            told: vec![format!("seed {seed}: {setting:?}, {climate:?}")],
            shown: BTreeSet::new(),
        };
        for at in world.all().filter(|at| world.nodes[at.0].rate != 0) {
            let node = &world.nodes[at.0];
            world.told.push(format!("the clock of {} gains {} ppm", node.name, node.rate));
        }
        world.pass(60_000);
        (0..world.nodes.len()).for_each(|at| world.see(At(at)));
        laws::tell_oracle(&mut world);
        world
    }

    /// The story's folder.
    pub fn root(&self) -> &std::path::Path {
        self.root.path()
    }

    /// How a run may end that nothing befalls but that the relay may be away.
    pub fn ends(&self) -> &'static [u8] {
        if self.relay.is_there() { &[0, 3] } else { LINE_FAILS }
    }

    /// Every node.
    pub fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.nodes.len()).map(At)
    }

    /// Whether a node is not away.
    pub fn is_present(&self, at: At) -> bool {
        self.away.is_none_or(|(away, _)| away != at)
    }

    /// Every node that is not away.
    pub fn present(&self) -> Vec<At> {
        self.all().filter(|at| self.is_present(*at)).collect()
    }

    /// Time passes.
    pub fn pass(&mut self, millis: u64) {
        self.now.0 += millis;
        let shown = self.nodes.iter().map(|node| node.time(self.now)).max();
        self.latest = self.latest.max(shown.unwrap_or_default());
    }

    /// How long the story has been going on, as it is told.
    pub fn told_time(&self) -> u64 {
        self.now.0 - BEGIN.0
    }

    /// Tells what happens.
    pub fn tell(&mut self, words: String) {
        if is_loud() {
            eprintln!("{words}");
        }
        self.told.push(words);
    }

    /// Fails the story. Its folder is kept where `PACKHORSE_SIM_KEEP` names another.
    pub fn fail(&self, invariant: &str, why: &str) -> ! {
        if let Some(place) = std::env::var_os("PACKHORSE_SIM_KEEP") {
            copy_folder(self.root.path(), std::path::Path::new(&place));
        }
        panic!("{invariant}: {why}\nThe story:\n  {}", self.told.join("\n  "))
    }

    /// Runs a command at a node, under what was planned for it. Every command that can harvest does so first.
    pub fn run(&mut self, At(at): At, words: &[&str]) -> Ran {
        self.pass(Self::RUN);
        let now = self.now;
        let ran = self.nodes[at].run(words, now);
        if ran.exit == 3 {
            self.judge.disturbed();
        }
        let stopped = fate::hit().map(|hit| format!(", {}", aim::words(hit))).unwrap_or_default();
        let (name, words) = (self.nodes[at].name, words.join(" "));
        self.tell(format!("{name} at {}: {words}{stopped} -> {}", self.told_time(), ran.exit));
        if is_loud() {
            self.show(&ran);
        }
        ran
    }

    /// Shows what a run said, and what is in the bundles that are new since.
    fn show(&mut self, ran: &Ran) {
        ran.err.lines().chain(ran.out.lines()).for_each(|line| eprintln!("    {line}"));
        let outboxes = self.nodes.iter().map(|node| node.home().join("outbox"));
        let folders: Vec<_> = outboxes.chain([self.relay.folder().to_owned()]).collect();
        for file in folders.iter().flat_map(|folder| files(folder)) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".bundle") && self.shown.insert(name) {
                let shown = packhorse::run(&["inspect", "--values", &cast::text(&file)], machine());
                shown.out.lines().for_each(|line| eprintln!("      {line}"));
            }
        }
    }

    /// A run at a node came to its end that harvests first.
    pub fn harvested(&mut self, at: At) {
        self.oracle.harvested(at, self.latest);
    }

    /// What must be so after a run at a node.
    pub fn see(&mut self, at: At) {
        let picture = look(&self.nodes[at.0]);
        let complaint = Judge::look(self, at, &picture);
        if let Err((invariant, why)) = complaint {
            self.fail(invariant, &why);
        }
    }

    /// Nowhere in a node's folder is anything that is none of its business.
    pub fn search(&mut self, at: At) {
        if let Err((invariant, why)) = secret::is_kept_for_good(self, at) {
            self.fail(invariant, &why);
        }
    }

    /// A text that was never written.
    pub fn value(&mut self) -> String {
        Pen { picture: &Picture::new(), dice: &mut Dice::new(0, 0), serial: &mut self.serial }.value()
    }

    /// An application writes something; whether that changed anything.
    pub fn edit(&mut self, at: At, dice: &mut Dice) -> bool {
        self.pass(1_000 + dice.below(300_000));
        let before = look(&self.nodes[at.0]);
        let mut pen = Pen { picture: &before, dice, serial: &mut self.serial };
        let mut sql = pen.transaction();
        // Whoever shares not everything could not keep what it writes there.
        if self.nodes[at.0].hub.is_none() && pen.dice.percent(30) {
            sql = format!("{sql}; {}", pen.secret());
        }
        self.write(at, &sql) == Wrote::Changed
    }

    /// An application writes this; tells what came of it.
    pub fn write(&mut self, At(at): At, sql: &str) -> Wrote {
        let node = &self.nodes[at];
        simulated_machine::clock::set(node.time(self.now).0);
        let connection = node.open();
        let before = application::look(&connection).expect("a picture");
        let done = application::write(&connection, sql);
        let after = application::look(&connection).expect("a picture");
        drop(connection);
        let outcome = if done.is_ok() { "" } else { " (refused)" };
        self.tell(format!("{} at {}: {sql}{outcome}", self.nodes[at].name, self.told_time()));
        self.wrote(At(at), &before, &after);
        match done {
            Err(_) => Wrote::Refused,
            Ok(_) if before == after => Wrote::Nothing,
            Ok(_) => Wrote::Changed,
        }
    }

    /// The application of a node wrote.
    pub fn wrote(&mut self, at: At, before: &Picture, after: &Picture) {
        self.wrote_somewhere(at, before, after);
        self.judge.note(&self.oracle, at, after);
        purge::note(self, at, after);
        if self.is_hub(at) {
            self.admit(at, after);
        }
    }

    /// The application of a node wrote, or that of a copy of it.
    pub fn wrote_somewhere(&mut self, at: At, before: &Picture, after: &Picture) {
        let time = self.nodes[at.0].time(self.now);
        self.oracle.wrote(at, time, before, after);
        if self.judge.bare.ever {
            self.wrote_beside(at, before, after);
        }
        // What a remote makes its hub has, and the hub's hub.
        for above in std::iter::successors(Some(at), |at| self.nodes[at.0].hub).collect::<Vec<_>>() {
            self.judge.wrote(above, before, after);
        }
    }

    /// A column goes out of the set, or comes back. What remotes write there may be lost from now on.
    pub fn change_columns(&mut self) {
        tally::met(tally::COLUMNS);
        self.judge.bare = Bare { ever: true, hidden: BTreeSet::new() };
        let in_part = self.all().filter(|at| self.shares_in_part(*at)).collect();
        self.oracle.lose_column(LEFT_OUT, in_part);
    }

    /// Something may have been written in the column that was out of the set once, or is.
    fn wrote_beside(&mut self, at: At, before: &Picture, after: &Picture) {
        if self.shares_in_part(at) || !self.terms.bare {
            return;
        }
        let cell = |picture: &Picture, uid: &Uid| {
            picture.get(uid).filter(|it| it.table == LEFT_OUT.0)?.cells[LEFT_OUT.1].clone()
        };
        let written = after.keys().filter_map(|uid| cell(after, uid).filter(|_| cell(before, uid) != cell(after, uid)));
        self.judge.bare.hidden.extend(written);
    }

    /// Whether a node has not all that the hub of all has: its own set, or that of a hub above it, holds a part.
    pub fn shares_in_part(&self, at: At) -> bool {
        let mut above = std::iter::successors(Some(at), |at| self.nodes[at.0].hub);
        above.any(|at| self.nodes[at.0].share != Share::Everything)
    }

    /// The databases of nodes were put back at once: what nobody has any more, not even in what was put back, may be lost.
    pub fn lose(&mut self, these: &[At]) {
        // What nobody has but who may not write it, its hub need not believe.
        let is_believed = |at: &At| !self.oracle.law.forbids() || !self.shares_in_part(*at);
        let left: Vec<Picture> = self.all().filter(is_believed).map(|at| look(&self.nodes[at.0])).collect();
        self.oracle.put_back(these, &left);
        these.iter().for_each(|at| self.judge.put_back(*at));
    }

    /// The remotes of a hub.
    pub fn remotes_of(&self, hub: At) -> Vec<At> {
        self.all().filter(|at| self.nodes[at.0].hub == Some(hub)).collect()
    }

    /// Whether a node has remotes.
    pub fn is_hub(&self, at: At) -> bool {
        !self.remotes_of(at).is_empty()
    }

    /// What the remotes of a hub may have, by what is seen at the hub now.
    pub fn admit(&mut self, hub: At, picture: &Picture) {
        for at in self.remotes_of(hub) {
            let members = self.nodes[at.0].share.of(picture, self.terms);
            self.judge.may_have(at, members);
        }
    }
}

/// Whether everything is told as it happens.
fn is_loud() -> bool {
    std::env::var_os("PACKHORSE_SIM_TELL").is_some()
}

/// Records by the remotes that may have them.
pub type Members = BTreeMap<At, BTreeSet<Uid>>;
