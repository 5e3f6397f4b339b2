//! Capture: triggers in plain SQL that log which records changed, whoever writes them (DESIGN section 3).
//!
//! Owns the log's layout, the triggers' text and their installation. Invariants: nothing in a trigger needs more than
//! SQLite 3.35 has; a trigger names only its own table, the log and the table of its last values; values are kept of
//! deleted records only, whose row is gone when harvest comes. Over-logging is allowed: harvest finds out what really
//! happened.

mod install;
mod last;
mod log;
mod triggers;

pub(super) use install::{CaptureState, capture_state, install, listed};
pub(super) use last::LastValues;
pub(super) use log::{Op, WORD_BITS, ensure_log, key_width, mask_names, mask_width, mask_words};
