//! What of the final state the schedule leaves open, and what it does not.
//!
//! An edit that was made at a node after a backup of it, which was put back later, lives on only if a bundle had carried
//! it away by then. Whether one had depends on a patience that the two worlds do not share. Such an edit is in *doubt*;
//! what it wrote may differ between the worlds unless a later edit, which is in no doubt, wrote over it. Everything else
//! is the same, to the last field; and all nodes of one world are the same in any case.
//!
//! So is an edit whose record was then deleted at the same node. The model keeps what it wrote; the real crates find the
//! row gone, and capture stores no values. If an edit elsewhere brings the record back, it comes without that one, unless
//! a bundle had carried it away before.

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
    /// Its node was put back to before it after everybody had heard of it.
    only_elsewhere: bool,
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
        self.made.push(Made { node, place, kind, step, now, in_doubt: false, only_elsewhere: false });
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

    /// A node is put back to what it was in this step, and everybody has heard of what it did since.
    pub fn leave_to_others(&mut self, node: NodeNumber, since: u64) {
        let told = self.made.iter_mut().filter(|made| made.node == node && made.step > since);
        told.for_each(|made| made.only_elsewhere = true);
    }

    /// Whether the application deleted a record at every one of so many nodes.
    pub fn deleted_everywhere(&self, place: Place, nodes: usize) -> bool {
        let deletes =
            |node| self.made.iter().any(|made| (made.node, made.place, made.kind) == (node, place, Kind::Deletion));
        (0..nodes).all(deletes)
    }

    /// Whether an edit may live on in one world and not in the other.
    fn is_open(&self, made: &Made) -> bool {
        let by_one_who_counts = |other: &&Made| other.node == made.node || made.only_elsewhere;
        let same = |other: &&Made| other.place == made.place && other.step > made.step && by_one_who_counts(other);
        let is_write = matches!(made.kind, Kind::Write(_));
        made.in_doubt || is_write && self.made.iter().filter(same).any(|other| other.kind == Kind::Deletion)
    }

    /// What may differ of a record.
    pub fn doubt(&self, place: Place) -> Doubt {
        // By stamp: the node breaks ties, and of one node's edits the last one is later.
        let latest = |fits: &dyn Fn(Kind) -> bool| {
            let fitting = self.made.iter().filter(|made| made.place == place && fits(made.kind));
            fitting.max_by_key(|made| (made.now, made.node))
        };
        let in_doubt = |made: Option<&Made>| made.is_some_and(|made| self.is_open(made));
        let was_deleted = latest(&|kind| kind == Kind::Deletion).is_some();
        let mut about = self.made.iter().filter(|made| made.place == place);
        // Who edits a record has all of it: if such an edit lives on, so does the record.
        let nothing_is_sure = in_doubt(latest(&|kind| kind == Kind::Making)) && about.all(|made| self.is_open(made));
        // Whether a record that was deleted lives is decided by its latest change.
        if nothing_is_sure || was_deleted && in_doubt(latest(&|_| true)) {
            return Doubt::Existence;
        }
        Doubt::Fields(std::array::from_fn(|column| {
            let last = latest(&|kind| kind == Kind::Write(column) || kind == Kind::Making);
            last.is_some_and(|made| self.is_open(made) && made.kind != Kind::Making)
        }))
    }
}
