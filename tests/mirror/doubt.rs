//! What of the final state the schedule leaves open, and what it does not.
//!
//! An edit that was made at a node after a backup of it, which was put back later, lives on only if a bundle had carried
//! it away by then. Whether one had depends on a patience that the two worlds do not share. Such an edit is in *doubt*;
//! what it wrote may differ between the worlds unless a later edit, which is in no doubt, wrote over it. Everything else
//! is the same, to the last field; and all nodes of one world are the same in any case.
//!
//! So are the edits of a record that was deleted before a node was put back. Once everybody has heard of a deletion the
//! real crates forget it, and the values that went with it; the model keeps them for ever. If the node that comes from the
//! backup has the record still, and edits it, the record comes back with what that node has of it.

use std::collections::BTreeSet;

use super::tables::{COLUMNS, Edit, NodeNumber, Place};

/// An edit that was made in both worlds.
struct Made {
    node: NodeNumber,
    place: Place,
    kind: Kind,
    /// The step, and the time of its stamp.
    step: u64,
    now: u64,
    in_doubt: bool,
    /// Its record was deleted before a node was put back that had been on line since its backup.
    may_be_forgotten: bool,
}

impl Made {
    /// Whether it may live on in one world and not in the other.
    fn is_open(&self) -> bool {
        self.in_doubt || self.may_be_forgotten
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Making,
    Write(usize),
    Deletion,
}

/// Every edit, in the order in which they were made.
#[derive(Default)]
pub struct Edits {
    made: Vec<Made>,
}

/// How far a record may differ between the worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// In these fields.
    Fields([bool; COLUMNS]),
    /// Whether it is there at all.
    Existence,
}

impl Edits {
    /// Notes an edit.
    pub fn note(&mut self, node: NodeNumber, place: Place, edit: &Edit, step: u64, now: u64) {
        let kind = match edit {
            Edit::Insert(_) => Kind::Making,
            Edit::Update(column, _) => Kind::Write(*column),
            Edit::Delete => Kind::Deletion,
        };
        self.made.push(Made { node, place, kind, step, now, in_doubt: false, may_be_forgotten: false });
    }

    /// A node is put back to what it was in this step.
    pub fn forget(&mut self, node: NodeNumber, since: u64) {
        let lost = self.made.iter_mut().filter(|made| made.node == node && made.step > since);
        lost.for_each(|made| made.in_doubt = true);
    }

    /// A node is put back to what it was in this step, and has told nobody of what it did since.
    pub fn erase(&mut self, node: NodeNumber, since: u64) {
        self.made.retain(|made| made.node != node || made.step <= since);
    }

    /// A node is put back that has been on line since: what was deleted may be forgotten.
    pub fn forget_the_dead(&mut self) {
        let deletions = self.made.iter().filter(|made| made.kind == Kind::Deletion);
        let dead: BTreeSet<Place> = deletions.map(|made| made.place).collect();
        let of_dead = self.made.iter_mut().filter(|made| dead.contains(&made.place));
        of_dead.filter(|made| matches!(made.kind, Kind::Write(_))).for_each(|made| made.may_be_forgotten = true);
    }

    /// What may differ of a record.
    pub fn doubt(&self, place: Place) -> Doubt {
        // By stamp: the node breaks ties, and of one node's edits the last one is later.
        let latest = |fits: &dyn Fn(Kind) -> bool| {
            let fitting = self.made.iter().filter(|made| made.place == place && fits(made.kind));
            fitting.max_by_key(|made| (made.now, made.node))
        };
        let in_doubt = |made: Option<&Made>| made.is_some_and(Made::is_open);
        let was_deleted = latest(&|kind| kind == Kind::Deletion).is_some();
        let mut about = self.made.iter().filter(|made| made.place == place);
        // Who edits a record has all of it: if such an edit lives on, so does the record.
        let nothing_is_sure = in_doubt(latest(&|kind| kind == Kind::Making)) && about.all(Made::is_open);
        // Whether a record that was deleted lives is decided by its latest change.
        if nothing_is_sure || was_deleted && in_doubt(latest(&|_| true)) {
            return Doubt::Existence;
        }
        Doubt::Fields(std::array::from_fn(|column| {
            let last = latest(&|kind| kind == Kind::Write(column) || kind == Kind::Making);
            last.is_some_and(|made| made.is_open() && made.kind != Kind::Making)
        }))
    }
}
