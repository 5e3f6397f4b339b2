//! The wish that a run end soon.
//!
//! Owns the flag by which a signal, or another thread, asks for it. Invariant: once asked it stays asked. Leaves to
//! whoever runs where they look at it: wherever stopping leaves everything as a kill there would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a run has been asked to end. Copies are one and the same wish.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it has been asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for a handler of signals to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_hears_of_it() {
        let stop = Stop::default();
        let (copy, flag) = (stop.clone(), stop.flag());
        assert!(!copy.is_asked());
        flag.store(true, Ordering::SeqCst);
        assert!(stop.is_asked() && copy.is_asked());
        let asked = Stop::default();
        asked.ask();
        assert!(asked.is_asked() && !Stop::default().is_asked());
    }
}
