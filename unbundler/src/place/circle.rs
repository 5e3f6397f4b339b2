//! The end of a round: what is still refused is given up, and records that refer to each other in a circle are placed.
//!
//! Invariant: what refers to a record that is held is held with it.

use super::references::Undo;
use super::{Item, Placer, Result};

impl Placer<'_> {
    /// Gives up what is refused for a reason of its own, then what waits for that; what then waits for nothing but each other
    /// is placed together.
    pub(super) fn give_up_all<'t>(&mut self, refused: Vec<Item<'t>>, undos: &mut Vec<Undo<'t>>) -> Result<()> {
        let (mut waiting, stuck) = self.waiting(refused)?;
        for (table, of, record) in stuck {
            self.give_up(table, of, record, undos)?;
        }
        loop {
            self.coming = waiting.iter().filter_map(|(table, _, record)| Some((table.id, record.birth?))).collect();
            let (blocked, free) = self.waiting(waiting)?;
            waiting = free;
            if blocked.is_empty() {
                break;
            }
            self.coming.clear();
            for (table, of, record) in blocked {
                self.give_up(table, of, record, undos)?;
            }
        }
        for (table, of, record) in waiting {
            self.give_up(table, of, record, undos)?;
        }
        self.coming.clear();
        Ok(())
    }

    /// Those that wait for a record, and the others.
    fn waiting<'t>(&mut self, items: Vec<Item<'t>>) -> Result<(Vec<Item<'t>>, Vec<Item<'t>>)> {
        let (mut waiting, mut others) = (Vec::new(), Vec::new());
        for item in items {
            match self.awaited(item.0, item.1, item.2)? {
                Some(_) => waiting.push(item),
                None => others.push(item),
            }
        }
        Ok((waiting, others))
    }
}
