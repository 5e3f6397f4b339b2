//! Keeping the ledger: what a run came to goes into the bundle queue's books.
//!
//! Owns when the ledger is opened (once after each step, never across one) and how its troubles are told: once, as a
//! note. Invariant: no command fails because of the ledger, which is only books.

use packhorse_shared::clock::WallTime;
use packhorse_shared::ledger::{Books, Event, Ledger, LedgerError, Remade, Standing, Stock};
use packhorse_shared::replica::Replica;
use packhorse_transport::{LinkReport, Report};
use packhorse_unbundler::receive::Received;

use crate::failure::Failure;
use crate::node::Node;
use crate::report::note;

impl Node {
    /// What lies in the spool now, and how the links stand.
    pub fn stock(&mut self) -> Result<Stock, Failure> {
        let links = self.replica.links()?;
        let standing = links.iter().map(|link| Standing::of(&link.peer, &link.state)).collect();
        Ok(Stock::take(&self.spool(), standing, self.world.clock.now())?)
    }

    /// Brings the books up to date: with what there was before a step, what is reported of it, and what there is now.
    pub fn keep_books(&mut self, before: Option<&Stock>, report: impl FnOnce(&mut Books, WallTime)) {
        if self.ledger_refused {
            return;
        }
        let Ok(stock) = self.stock() else {
            // Whatever stands in the way of looking has its own error where it matters.
            return note("the ledger was not brought up to date, because the spool cannot be looked through");
        };
        let kept = Ledger::new(self.home.folder(), self.world).keep(|books| {
            before.into_iter().for_each(|before| books.take_stock(before));
            report(books, stock.now);
            books.take_stock(&stock);
        });
        self.tell_of_ledger(kept);
    }

    /// The books as they stand. If the ledger cannot be read they are made of what lies in the spool.
    pub fn books(&mut self) -> Result<Books, Failure> {
        let stock = self.stock()?;
        let (books, remade) = match Ledger::new(self.home.folder(), self.world).read(&stock) {
            Ok((books, remade)) => (books, Ok(remade)),
            Err(error) => {
                let mut books = Books::default();
                books.take_stock(&stock);
                (books, Err(error))
            }
        };
        self.tell_of_ledger(remade);
        Ok(books)
    }

    fn tell_of_ledger(&mut self, kept: Result<Option<Remade>, LedgerError>) {
        match kept {
            Ok(remade) => remade.iter().for_each(|remade| note(&remade.to_string())),
            Err(error) => {
                self.ledger_refused = true;
                note(&error.to_string());
            }
        }
    }
}

/// What a transfer tells of each bundle.
pub fn transferred(books: &mut Books, report: &Report, now: WallTime) {
    for link in &report.links {
        let Some(relay) = link.relay.as_deref() else { continue };
        if link.lying.is_some() {
            let there: Vec<&str> = link.unfetched.iter().map(|entry| entry.name.as_str()).collect();
            books.listed(&link.peer, relay, &there, now);
        }
        not_moved(books, link, now);
        link.sent_files.iter().for_each(|name| books.sent(name.as_str(), relay, now));
    }
}

fn not_moved(books: &mut Books, link: &LinkReport, now: WallTime) {
    for attempt in &link.failed {
        let source = std::error::Error::source(&attempt.error).map(|source| format!(": {source}"));
        let error = format!("{}{}", attempt.error, source.unwrap_or_default());
        books.not_moved(attempt.name.as_str(), &error, now);
    }
    for name in &link.blocked {
        books.not_moved(name.as_str(), "other content bears its name on the relay", now);
    }
}

/// What applying tells of each bundle. What went into quarantine is found there, with the reason.
pub fn received(books: &mut Books, received: &Received, now: WallTime) {
    received.applied.iter().for_each(|(name, _)| books.looked_at(name, Event::Applied, None, now));
    received.old.iter().for_each(|name| books.looked_at(name, Event::Old, None, now));
    received.waiting.iter().for_each(|name| books.looked_at(name, Event::Waits, None, now));
    received.left_alone.iter().for_each(|(name, why)| books.looked_at(name, Event::LeftAlone, Some(why), now));
}
