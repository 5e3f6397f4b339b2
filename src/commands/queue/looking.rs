//! The queue's books for who only looks: quickly, whatever else is going on.
//!
//! Invariant: nothing is waited for longer than a moment, and nothing changed but books that have to be made again. Another
//! run that has the ledger open is not waited for: what lies in the spool is told then, with a note on what that leaves out.

use std::thread;

use packhorse_shared::ledger::{Books, Ledger, LedgerError, Stock};

use crate::bookkeeping;
use crate::failure::Failure;
use crate::node::Node;
use crate::report::note;

impl Node {
    /// The books as they stand. The ledger is read while the spool is looked through: with many bundles each takes its time.
    pub fn look_at_books(&mut self) -> Result<Books, Failure> {
        let folder = self.home.folder().to_owned();
        let world = self.world;
        let ledger = || Ledger::new(&folder, world).for_a_look();
        let (kept, stock) = thread::scope(|scope| {
            let reading = thread::Builder::new().spawn_scoped(scope, || ledger().kept());
            let stock = self.stock();
            (reading.ok().and_then(|reading| reading.join().ok()), stock)
        });
        let stock = stock?;
        let mut books = match kept {
            Some(Ok(Some(mut books))) => {
                books.take_stock(&stock);
                books
            }
            Some(Err(error)) => without_ledger(&stock, &error),
            Some(Ok(None)) | None => made_again(&ledger(), &stock),
        };
        bookkeeping::not_taken_in(&mut books, &self.home.calls());
        Ok(books)
    }
}

fn made_again(ledger: &Ledger<'_>, stock: &Stock) -> Books {
    match ledger.read(stock) {
        Ok((books, remade)) => {
            remade.iter().for_each(|remade| note(&remade.to_string()));
            books
        }
        Err(error) => without_ledger(stock, &error),
    }
}

fn without_ledger(stock: &Stock, error: &LedgerError) -> Books {
    note(&error.to_string());
    let mut books = Books::default();
    books.take_stock(stock);
    books
}
