//! What placing came to, counted.

/// What placing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Records that were made, changed or deleted.
    pub records: u64,
    /// Changes that are held.
    pub held: u64,
    /// Of these, the ones that wait for nobody but their sender: it makes them one with ours.
    pub waiting: u64,
    /// And those that are to be withdrawn and wait for what refers to them.
    pub leaving: u64,
    /// And those that wait for nothing but the application to be quiet.
    pub resting: u64,
    /// Fields over which there is a conflict.
    pub conflicts: u64,
    /// Records that were kept although deleted elsewhere, because others refer to them.
    pub revived: u64,
    /// Records that were kept although deleted elsewhere, because what was remembered of them then is forgotten.
    pub kept: u64,
    /// Records that were taken off the tables, since they are shared no more.
    pub withdrawn: u64,
    /// Changes that were refused, since their sender does not share what they change, or may not change it.
    pub refused: u64,
    /// Changes of this node's that its hub has refused.
    pub undone: u64,
}

impl Placed {
    /// Adds what something else came to.
    pub fn add(&mut self, other: Self) {
        let Self { records, held, waiting, leaving, resting, conflicts, revived, kept, withdrawn, refused, undone } =
            other;
        let sums = [
            (&mut self.records, records),
            (&mut self.held, held),
            (&mut self.waiting, waiting),
            (&mut self.leaving, leaving),
            (&mut self.resting, resting),
            (&mut self.conflicts, conflicts),
            (&mut self.revived, revived),
            (&mut self.kept, kept),
            (&mut self.withdrawn, withdrawn),
            (&mut self.refused, refused),
            (&mut self.undone, undone),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum += more);
    }
}
