//! Reading the application's schema: which tables can be synced, and what they look like.

mod autoincrement;
mod index_text;
mod introspect;
mod unique;

pub(super) use autoincrement::with_autoincrement;
pub(super) use introspect::{Candidate, CandidateColumn, candidates, leave_out_unwritable, why_unknown};
pub(super) use unique::{UniqueIndex, unique_indexes};
