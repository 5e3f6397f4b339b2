//! Keeping the ledger: what a run came to goes into the bundle queue's books.
//!
//! Owns when the ledger is opened (once after each step, never across one) and how its troubles are told: once, as a
//! note. Invariant: no command fails because of the ledger, which is only books.

use packhorse_shared::calls::{Calls, Look};
use packhorse_shared::clock::WallTime;
use packhorse_shared::ledger::{Books, Event, Ledger, LedgerError, Remade, Standing, Stock};
use packhorse_shared::replica::Replica;
use packhorse_transport::LinkReport;
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
        let (mut books, remade) = match Ledger::new(self.home.folder(), self.world).read(&stock) {
            Ok((books, remade)) => (books, Ok(remade)),
            Err(error) => {
                let mut books = Books::default();
                books.take_stock(&stock);
                (books, Err(error))
            }
        };
        self.tell_of_ledger(remade);
        not_taken_in(&mut books, &self.home.calls());
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

/// What calls saw that is not in the books yet. If it cannot be read, whoever takes it in tells so.
pub fn not_taken_in(books: &mut Books, calls: &Calls) {
    calls.looks().unwrap_or_default().all().for_each(|look| transferred(books, look));
}

/// What a call saw of each bundle.
pub fn transferred(books: &mut Books, look: &Look) {
    let Some(relay) = look.relay.as_deref() else { return };
    if look.lying.is_some() {
        let there: Vec<&str> = look.unfetched.iter().map(String::as_str).collect();
        books.listed(&look.peer, relay, &there, look.at);
    }
    look.failed.iter().for_each(|(name, error)| books.not_moved(name, error, look.at));
    look.sent.iter().for_each(|name| books.sent(name, relay, look.at));
}

/// The bundles that a call could not move, and why: of several attempts at one, why the last failed.
pub fn not_moved(link: &LinkReport) -> impl Iterator<Item = (String, String)> {
    let failed = link.failed.iter().map(|attempt| {
        let source = std::error::Error::source(&attempt.error).map(|source| format!(": {source}"));
        (attempt.name.to_string(), format!("{}{}", attempt.error, source.unwrap_or_default()))
    });
    let blocked = link.blocked.iter();
    failed.chain(blocked.map(|name| (name.to_string(), "other content bears its name on the relay".to_owned())))
}

/// What applying tells of each bundle. What went into quarantine is found there, with the reason.
pub fn received(books: &mut Books, received: &Received, now: WallTime) {
    received.applied.iter().for_each(|(name, _)| books.looked_at(name, Event::Applied, None, now));
    received.old.iter().for_each(|name| books.looked_at(name, Event::Old, None, now));
    received.waiting.iter().for_each(|name| books.looked_at(name, Event::Waits, None, now));
    received.left_alone.iter().for_each(|(name, why)| books.looked_at(name, Event::LeftAlone, Some(why), now));
}
