//! The driver: a seed's schedule, step by step, in both worlds at once.
//!
//! What the worlds must share is decided here: who edits what, when, and what the line does. An edit is made only if it
//! is possible in both. The clock passes between a run and the next edit, so that an edit's stamp never depends on what
//! its node had heard by then: only on when and where it was made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::dice::Dice;
use super::doubt::Edits;
use super::relay::{Arrival, Fate};
use super::seams::Seams;
use super::tables::{COLUMNS, Cell, Edit, HUB, NodeNumber, Place, REFERENCE, Rows, Table};
use super::verdict::judge;
use super::worlds::{ModelWorld, RealWorld, Run, peers};

/// Which nodes are put back to a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    Nobody,
    Remotes,
    Hub,
    Anybody,
}

/// What becomes of a node's edits between a backup and its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// The node is never on line in between: all are lost, in both worlds.
    Lost,
    /// Everything is carried away first, in both worlds.
    CarriedAway,
    /// As it happens (see [`super::doubt`]).
    InDoubt,
}

/// What a seed decides before the first step.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub steps: u64,
    pub restored: Restored,
    since: Since,
    nodes: usize,
    bundle_max: u64,
    /// How fast the clock runs. Only in seconds does a horizon rise, below which stamps are forgotten.
    pace: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let restored = [Restored::Nobody, Restored::Remotes, Restored::Hub, Restored::Anybody][(seed % 4) as usize];
        let since = [Since::Lost, Since::CarriedAway, Since::InDoubt][(seed / 4 % 3) as usize];
        let nodes = 3 + dice.below(2) as usize;
        let bundle_max = [200, 1_000, 256 << 10][dice.below(3) as usize];
        let pace = [1, 700][(seed / 12 % 2) as usize];
        Self { seed, steps: 60 + dice.below(61), restored, since, nodes, bundle_max, pace }
    }

    /// Whether a node may be put back.
    fn may_restore(&self, node: NodeNumber) -> bool {
        match self.restored {
            Restored::Nobody => false,
            Restored::Remotes => node != HUB,
            Restored::Hub => node == HUB,
            Restored::Anybody => true,
        }
    }
}

/// Rounds without faults after which both worlds must have come to rest.
const ROUNDS_MAX: u64 = 60;

/// Rounds after which the model has.
const ROUNDS_OF_MODEL: u64 = 20;

/// When the virtual time begins, in milliseconds.
const BEGINNING: u64 = 1_700_000_000_000;

/// Both worlds in one seed.
pub struct Driver {
    plan: Plan,
    dice: Dice,
    seams: Seams,
    model: ModelWorld,
    real: RealWorld,
    edits: Edits,
    step: u64,
    next_number: i64,
    /// In which step each node was backed up.
    backups: BTreeMap<NodeNumber, u64>,
    trace: bool,
}

impl Driver {
    /// Starts a hub that holds some rows, and its remotes.
    pub fn new(plan: Plan, folder: PathBuf, trace: bool) -> Self {
        let mut dice = Dice::new(plan.seed, 2);
        let seams = Seams::new(Dice::new(plan.seed, 3), BEGINNING, plan.pace);
        let mut next_number = 1;
        let genesis = genesis(&mut next_number, dice.below(4), dice.below(6));
        let model = ModelWorld::new(&genesis, Dice::new(plan.seed, 4));
        let real = RealWorld::new(folder, &genesis, plan.bundle_max, &seams);
        let (edits, backups) = (Edits::default(), BTreeMap::new());
        let mut driver = Self { plan, dice, seams, model, real, edits, step: 0, next_number, backups, trace };
        for _ in 1..plan.nodes {
            for _ in 0..driver.dice.below(4) {
                driver.begin_step();
                driver.random_edit(HUB);
            }
            driver.begin_step();
            driver.model.package(driver.seams.now());
            driver.real.package(&driver.seams);
            driver.seams.advance(1);
        }
        driver
    }

    /// Runs the schedule, lets both worlds come to rest, and tells what is wrong then.
    pub fn run(mut self) -> Vec<String> {
        for _ in 0..self.plan.steps {
            self.random_step();
        }
        self.backups.clear();
        self.last_words();
        if let Err(wrong) = self.settle().and_then(|()| self.lost_word()) {
            return vec![wrong];
        }
        judge(&self.model, &mut self.real, &self.edits)
    }

    fn begin_step(&mut self) {
        self.step += 1;
        self.seams.advance(self.dice.below(4));
    }

    fn tell(&self, what: &dyn Fn() -> String) {
        if self.trace {
            println!("{:3} {} {}", self.step, self.seams.now() - BEGINNING, what());
        }
    }

    fn random_step(&mut self) {
        self.begin_step();
        let node = self.dice.below(self.plan.nodes as u64) as usize;
        match self.dice.below(100) {
            0..=52 => self.random_edit(node),
            53..=57 if self.plan.may_restore(node) => self.back_up(node),
            58..=61 if self.plan.may_restore(node) => self.put_back(node),
            _ => self.random_run(node),
        }
    }

    /// The rows that a node has in both worlds, as it has them in each.
    fn both(&mut self, node: NodeNumber) -> (Rows, Rows) {
        let (mut model, mut real) = (self.model.nodes[node].rows(), self.real.nodes[node].rows());
        model.retain(|place, _| real.contains_key(place));
        real.retain(|place, _| model.contains_key(place));
        (model, real)
    }

    fn random_edit(&mut self, node: NodeNumber) {
        let (model, real) = self.both(node);
        let parents: Vec<i64> = model.keys().filter(|place| place.0 == Table::Parent).map(|place| place.1).collect();
        let all: Vec<Place> = model.keys().copied().collect();
        let (kind, text) = (self.dice.below(100), Cell::Text(format!("{node}.{}", self.step)));
        let parent = self.dice.pick(&parents);
        match (kind, parent, self.dice.pick(&all)) {
            (0..=11, _, _) if node == HUB => self.insert(Table::Parent, [text.clone(), text.clone(), text]),
            (12..=26, Some(parent), _) if node == HUB => {
                self.insert(Table::Child, [Cell::Number(parent), text.clone(), text]);
            }
            (_, _, None) => {}
            (0..=66, _, Some(place)) => {
                let column = self.dice.below(COLUMNS as u64) as usize;
                let column = if place.0.refers(column) { REFERENCE + 1 } else { column };
                self.edit(node, place, Edit::Update(column, text));
            }
            (67..=79, Some(parent), Some(place)) if place.0 == Table::Child => {
                let refers_already = [&model, &real].iter().any(|rows| rows[&place][REFERENCE] == Cell::Number(parent));
                if !refers_already {
                    self.edit(node, place, Edit::Update(REFERENCE, Cell::Number(parent)));
                }
            }
            (_, _, Some(place)) => self.delete(node, place),
        }
    }

    fn insert(&mut self, table: Table, values: [Cell; COLUMNS]) {
        let place = (table, self.next_number);
        self.next_number += 1;
        self.edit(HUB, place, Edit::Insert(values));
    }

    fn delete(&mut self, node: NodeNumber, place: Place) {
        let refers = |rows: &Rows| rows.values().any(|values| values[REFERENCE] == Cell::Number(place.1));
        let has_child = refers(&self.model.nodes[node].rows()) || refers(&self.real.nodes[node].rows());
        if place.0 == Table::Child || !has_child {
            self.edit(node, place, Edit::Delete);
        }
    }

    fn edit(&mut self, node: NodeNumber, place: Place, edit: Edit) {
        self.tell(&|| format!("node {node}: {edit:?} of {place:?}"));
        self.model.edit(node, place, &edit, self.seams.now());
        self.real.nodes[node].edit(place, &edit, &self.seams);
        self.edits.note(node, place, &edit, self.step, self.seams.now());
    }

    fn random_run(&mut self, node: NodeNumber) {
        let is_away = self.plan.since == Since::Lost && self.backups.contains_key(&node);
        if is_away {
            return;
        }
        let peers = peers(node, self.plan.nodes).len();
        let fates = (0..peers).map(|_| self.random_fate()).collect();
        let arrival = if self.dice.percent(25) { Arrival::LaterHalfFirst } else { Arrival::Together };
        self.both_run(&Run { node, fates, arrival, step: self.step });
    }

    fn random_fate(&mut self) -> Fate {
        match self.dice.below(100) {
            0..=14 => Fate::Lost,
            15..=24 => Fate::Doubled(1 + self.dice.below(15)),
            25..=34 => Fate::Delayed(1 + self.dice.below(15)),
            35..=39 => Fate::Damaged(self.dice.throw()),
            _ => Fate::Arrives,
        }
    }

    fn both_run(&mut self, run: &Run) {
        self.tell(&|| format!("{run:?}"));
        self.model.run(run, self.seams.now());
        self.real.run(run, &self.seams);
        self.seams.advance(1);
    }

    fn back_up(&mut self, node: NodeNumber) {
        self.tell(&|| format!("node {node} is backed up"));
        self.model.back_up(node);
        self.real.back_up(node);
        self.backups.insert(node, self.step);
    }

    fn put_back(&mut self, node: NodeNumber) {
        let Some(since) = self.backups.get(&node).copied() else { return };
        match self.plan.since {
            Since::Lost => {
                self.backups.remove(&node);
                self.edits.erase(node, since);
            }
            Since::CarriedAway => {
                self.settle().expect("both worlds come to rest");
                self.edits.forget_the_dead();
            }
            Since::InDoubt => {
                self.edits.forget(node, since);
                self.edits.forget_the_dead();
            }
        }
        self.tell(&|| format!("node {node} is put back to step {since}"));
        self.model.put_back(node);
        self.real.put_back(node);
        self.seams.advance(1);
    }

    /// An edit at every node. Whoever was put back and has nothing to say, to peers who have nothing to say either, is
    /// not found out: there is nothing on the line by which it could be.
    fn last_words(&mut self) {
        for node in 0..self.plan.nodes {
            self.begin_step();
            let (model, _) = self.both(node);
            let places: Vec<Place> = model.into_keys().collect();
            let text = Cell::Text(format!("{node}.last"));
            match self.dice.pick(&places) {
                Some(place) => self.edit(node, place, Edit::Update(1, text)),
                None if node == HUB => self.insert(Table::Parent, [text.clone(), text.clone(), text]),
                None => {}
            }
        }
    }

    /// When all is quiet, one more edit, and the line loses what tells of it: nothing else is said that could show the gap.
    fn lost_word(&mut self) -> Result<(), String> {
        self.begin_step();
        let node = self.dice.below(self.plan.nodes as u64) as usize;
        let place = self.both(node).0.into_keys().next();
        if let Some(place) = place {
            self.edit(node, place, Edit::Update(1, Cell::Text(format!("{node}.lost"))));
            let fates = vec![Fate::Lost; peers(node, self.plan.nodes).len()];
            self.both_run(&Run { node, fates, arrival: Arrival::Together, step: self.step });
        }
        self.settle()
    }

    /// Runs without faults until nothing is under way: in the real world as long as it takes, in the model, which does
    /// not tell, long enough.
    fn settle(&mut self) -> Result<(), String> {
        let (mut quiet, mut round) = (0, 0);
        while quiet < 2 || round < ROUNDS_OF_MODEL {
            if round > ROUNDS_MAX {
                let complaints: Vec<String> = self.real.nodes.iter_mut().flat_map(|node| node.complaints()).collect();
                return Err(format!("the real nodes do not come to rest; {complaints:?}"));
            }
            // What was delayed comes now.
            self.step += 100;
            self.seams.advance(1 + self.dice.below(2_000));
            let mut sealed = false;
            for node in 0..self.plan.nodes {
                let fates = vec![Fate::Arrives; peers(node, self.plan.nodes).len()];
                let run = Run { node, fates, arrival: Arrival::Together, step: self.step };
                self.model.run(&run, self.seams.now());
                sealed |= quiet < 2 && self.real.run(&run, &self.seams);
                self.seams.advance(1);
            }
            quiet = match quiet {
                2.. => quiet,
                _ if sealed || !self.real.is_calm() => 0,
                _ => quiet + 1,
            };
            round += 1;
        }
        Ok(())
    }
}

fn genesis(next_number: &mut i64, parents: u64, children: u64) -> Rows {
    let mut number = || {
        *next_number += 1;
        *next_number - 1
    };
    let text = |number: i64| Cell::Text(format!("genesis {number}"));
    let mut rows = Rows::new();
    let made: Vec<i64> = (0..parents).map(|_| number()).collect();
    for &parent in &made {
        rows.insert((Table::Parent, parent), [text(parent), text(parent), text(parent)]);
    }
    for (_, parent) in (0..children).zip(made.iter().cycle()) {
        let child = number();
        rows.insert((Table::Child, child), [Cell::Number(*parent), text(child), text(child)]);
    }
    rows
}
