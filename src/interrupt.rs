//! Signals that end a command while something runs for it that would outlive it, or that is better ended than cut.
//!
//! Owns what becomes of SIGINT and SIGTERM in that time: they are noted, so that whoever waits can end what runs. At any
//! other time they end the command as they always do, which every step survives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use packhorse_shared::seam::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::{Exit, Failure};

static LISTENING: OnceLock<Interrupt> = OnceLock::new();

/// What the handlers look at and set.
struct Interrupt {
    /// Whether a signal has its usual effect.
    usual: Arc<AtomicBool>,
    stop: Stop,
}

/// What was done while signals were only noted.
pub struct Noted<T> {
    /// What came of it.
    pub done: T,
    /// Whether one came.
    pub is_stopped: bool,
}

/// Does something while signals are only noted.
pub fn noted<T>(work: impl FnOnce(&Stop) -> T) -> Result<Noted<T>, Failure> {
    let interrupt = listen()?;
    interrupt.usual.store(false, Ordering::SeqCst);
    let done = work(&interrupt.stop);
    interrupt.usual.store(true, Ordering::SeqCst);
    Ok(Noted { done, is_stopped: interrupt.stop.is_asked() })
}

/// How a command ends that a signal has stopped.
pub fn stopped(with: &str) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("stopped by a signal{with}"));
    failure.hint("run the command again: nothing is lost")
}

fn listen() -> Result<&'static Interrupt, Failure> {
    if let Some(listening) = LISTENING.get() {
        return Ok(listening);
    }
    let interrupt = Interrupt { usual: Arc::new(AtomicBool::new(true)), stop: Stop::default() };
    for signal in [SIGINT, SIGTERM] {
        let registered = flag::register_conditional_default(signal, interrupt.usual.clone())
            .and_then(|_| flag::register(signal, interrupt.stop.flag()));
        registered.map_err(|error| Failure::new(Exit::Failed, format!("signals cannot be listened to: {error}")))?;
    }
    Ok(LISTENING.get_or_init(|| interrupt))
}
