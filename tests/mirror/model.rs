//! The model of a node: records, local edits, merge.
//!
//! What DESIGN sections 5 and 6 say, in the plainest form: every field of every record is kept with its stamp for ever,
//! everything is in memory, a bundle is a value. Links stand in [`super::model_link`]. Only a hub makes records and
//! every remote shares everything, so that identity and sync sets do not come into it.

use std::collections::{BTreeMap, BTreeSet};

use super::model_link::{Bundle, Link};
use super::tables::{COLUMNS, Cell, Edit, NodeNumber, Place, REFERENCE, Rows, Table};

/// When and where a change was made: a reading of the node's clock, which bears a counter below the millisecond.
pub type Stamp = (u64, NodeNumber);

/// Readings of one millisecond.
const READINGS: u64 = 1 << 16;

/// A field's value with its stamp, its position in the node's order of changes, and the link that it came by.
#[derive(Clone, Debug)]
pub struct Field {
    pub value: Cell,
    pub stamp: Stamp,
    pub at: u64,
    pub via: Option<NodeNumber>,
}

/// A deletion.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    pub stamp: Stamp,
    pub at: u64,
    pub via: Option<NodeNumber>,
}

/// A record, dead or alive.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub fields: [Option<Field>; COLUMNS],
    pub dead: Option<Death>,
}

/// A field whose reference is not known here yet.
#[derive(Clone, Debug)]
struct Waiting {
    place: Place,
    column: usize,
    value: Cell,
    stamp: Stamp,
    peer: NodeNumber,
}

/// A node. A clone of it is a backup.
#[derive(Clone)]
pub struct Node {
    pub number: NodeNumber,
    pub records: BTreeMap<Place, Record>,
    pub links: BTreeMap<NodeNumber, Link>,
    pub clock: u64,
    pub position: u64,
    held: Vec<Waiting>,
    /// Parents that a living child brought back.
    pub revived: BTreeSet<i64>,
}

impl Record {
    /// Its latest change is later than its deletion.
    pub fn living(&self) -> bool {
        let latest = self.fields.iter().flatten().map(|field| field.stamp).max();
        latest.is_some_and(|latest| self.dead.is_none_or(|dead| latest > dead.stamp))
    }

    /// It lives, and all of it has come.
    pub fn visible(&self) -> bool {
        self.living() && self.fields.iter().all(Option::is_some)
    }

    fn refers_to(&self, parent: i64) -> bool {
        self.fields[REFERENCE].as_ref().is_some_and(|field| field.value == Cell::Number(parent))
    }
}

impl Node {
    /// A node without links that holds rows which are older than everything.
    pub fn new(number: NodeNumber, genesis: &Rows) -> Self {
        let field = |value: &Cell| Some(Field { value: value.clone(), stamp: (0, 0), at: 0, via: None });
        let record = |values: &[Cell; COLUMNS]| Record { fields: values.each_ref().map(field), dead: None };
        let records = genesis.iter().map(|(place, values)| (*place, record(values))).collect();
        let (links, revived) = (BTreeMap::new(), BTreeSet::new());
        Self { number, records, links, clock: 0, position: 0, held: Vec::new(), revived }
    }

    /// The remote that starts from a package made here now. Both links begin at this moment.
    pub fn package(&mut self, remote: NodeNumber, now: u64) -> Self {
        self.links.insert(remote, Link::new(now, self.position));
        let mut made = Self { number: remote, links: BTreeMap::new(), ..self.clone() };
        for record in made.records.values_mut() {
            record.fields.iter_mut().flatten().for_each(|field| field.via = Some(self.number));
            record.dead.iter_mut().for_each(|dead| dead.via = Some(self.number));
        }
        made.links.insert(self.number, Link::of_package(now, self.position));
        made
    }

    fn stamp(&mut self, now: u64) -> Stamp {
        self.clock = (self.clock + 1).max(now * READINGS);
        (self.clock, self.number)
    }

    fn step(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    /// What the application does.
    pub fn edit(&mut self, place: Place, edit: &Edit, now: u64) {
        let (stamp, at, via) = (self.stamp(now), self.step(), None);
        let record = self.records.entry(place).or_default();
        match edit {
            Edit::Insert(values) => {
                let field = |value: &Cell| Some(Field { value: value.clone(), stamp, at, via });
                record.fields = values.each_ref().map(field);
            }
            Edit::Update(column, value) => {
                record.fields[*column] = Some(Field { value: value.clone(), stamp, at, via });
            }
            Edit::Delete => record.dead = Some(Death { stamp, at, via }),
        }
    }

    /// The visible rows.
    pub fn rows(&self) -> Rows {
        let row = |record: &Record| {
            let values: Vec<Cell> = record.fields.iter().flatten().map(|field| field.value.clone()).collect();
            values.try_into().ok()
        };
        let visible = self.records.iter().filter(|(_, record)| record.visible());
        visible.filter_map(|(place, record)| Some((*place, row(record)?))).collect()
    }

    /// Merges what a bundle brought.
    pub fn apply(&mut self, bundle: &Bundle, now: u64) {
        let peer = bundle.sender;
        // First every record, then every value: references resolve.
        for change in bundle.changes.iter().filter(|change| !change.fields.is_empty()) {
            self.records.entry(change.place).or_default();
        }
        for change in &bundle.changes {
            let at = self.position + 1;
            let Some(record) = self.records.get_mut(&change.place) else { continue };
            if let Some(stamp) = change.dead.filter(|dead| record.dead.is_none_or(|known| *dead > known.stamp)) {
                record.dead = Some(Death { stamp, at, via: Some(peer) });
                self.position = at;
            }
            for (column, value, stamp) in change.fields.iter().cloned() {
                self.held.push(Waiting { place: change.place, column, value, stamp, peer });
            }
        }
        self.place_held();
        self.bring_back_parents(now);
    }

    /// Gives every waiting field its place; what refers to a record not known here goes on waiting.
    fn place_held(&mut self) {
        for item in std::mem::take(&mut self.held) {
            let known = match &item.value {
                Cell::Number(parent) => self.records.contains_key(&(Table::Parent, *parent)),
                Cell::Text(_) => true,
            };
            let at = self.position + 1;
            match self.records.get_mut(&item.place).filter(|_| known) {
                None => self.held.push(item),
                Some(record) => {
                    let field = &mut record.fields[item.column];
                    if field.as_ref().is_none_or(|field| item.stamp > field.stamp) {
                        *field = Some(Field { value: item.value, stamp: item.stamp, at, via: Some(item.peer) });
                        self.position = at;
                    }
                }
            }
        }
    }

    /// A living child brings back its parent, which is a new edit of every field.
    fn bring_back_parents(&mut self, now: u64) {
        let dead = self.records.iter().filter(|((table, _), record)| *table == Table::Parent && !record.living());
        let dead: Vec<i64> = dead.map(|((_, number), _)| *number).collect();
        let has_child =
            |number: &i64| self.records.values().any(|record| record.visible() && record.refers_to(*number));
        for number in dead.into_iter().filter(has_child).collect::<Vec<_>>() {
            let (stamp, at) = (self.stamp(now), self.step());
            if let Some(record) = self.records.get_mut(&(Table::Parent, number)) {
                let fields = record.fields.iter_mut().flatten();
                fields.for_each(|field| (field.stamp, field.at, field.via) = (stamp, at, None));
            }
            self.revived.insert(number);
        }
    }
}
