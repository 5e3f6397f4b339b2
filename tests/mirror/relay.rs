//! The relay between the nodes of one world, and what it does to what it carries.
//!
//! Both worlds have one of their own and are given the same fates: what a node sends in one run is lost, doubled,
//! delayed or damaged in both. What is sent in it may differ, since the worlds are patient in different ways.

use super::tables::NodeNumber;

/// What becomes of everything that a node sends to another in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lies ready.
    Arrives,
    /// It vanishes.
    Lost,
    /// It lies ready, and once more some steps later.
    Doubled(u64),
    /// It lies ready some steps later: what is sent meanwhile overtakes it.
    Delayed(u64),
    /// It lies ready, but not whole; the number says how it is damaged.
    Damaged(u64),
}

/// How a node takes in what lies ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// All at once.
    Together,
    /// The later half first, then the rest.
    LaterHalfFirst,
}

/// What a relay carries.
pub trait Carried: Clone {
    /// What is left of it after damage, if a receiver gets to see anything.
    fn damaged(self, how: u64) -> Option<Self>;
}

struct Lying<T> {
    from: NodeNumber,
    to: NodeNumber,
    ready: u64,
    item: T,
}

/// What lies between the nodes.
pub struct Relay<T> {
    lying: Vec<Lying<T>>,
}

impl<T: Carried> Relay<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self { lying: Vec::new() }
    }

    /// Takes something from one node for another.
    pub fn post(&mut self, from: NodeNumber, to: NodeNumber, item: T, fate: Fate, step: u64) {
        let mut lay = |item, ready| self.lying.push(Lying { from, to, ready, item });
        match fate {
            Fate::Arrives => lay(item, step),
            Fate::Lost => {}
            Fate::Doubled(later) => {
                lay(item.clone(), step);
                lay(item, step + later);
            }
            Fate::Delayed(later) => lay(item, step + later),
            Fate::Damaged(how) => item.damaged(how).into_iter().for_each(|item| lay(item, step)),
        }
    }

    /// Gives a node what lies ready for it, in one batch or in two.
    pub fn fetch(&mut self, to: NodeNumber, step: u64, arrival: Arrival) -> Vec<Vec<T>> {
        let is_due = |lying: &Lying<T>| lying.to == to && lying.ready <= step;
        let (due, left) = std::mem::take(&mut self.lying).into_iter().partition(is_due);
        self.lying = left;
        let mut first: Vec<T> = Vec::<Lying<T>>::into_iter(due).map(|lying| lying.item).collect();
        match arrival {
            Arrival::Together => vec![first],
            Arrival::LaterHalfFirst => {
                let later = first.split_off(first.len() / 2);
                vec![later, first]
            }
        }
    }

    /// Whether anything of a node's lies there for another.
    pub fn holds(&self, from: NodeNumber, to: NodeNumber) -> bool {
        self.lying.iter().any(|lying| (lying.from, lying.to) == (from, to))
    }

    /// Whether nothing lies there.
    pub fn is_empty(&self) -> bool {
        self.lying.is_empty()
    }
}
