//! Runs that end at every durable step, and at every call that changes a file: the next runs heal what they left.

mod durable;
mod faults;
mod making;
mod scene;
mod storm;
mod sweep;
mod tracer;
mod walk;
