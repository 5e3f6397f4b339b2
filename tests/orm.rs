//! An application that knows nothing of Packhorse: a Django project (`orm/app/`) at a hub and two remotes, each changed
//! through its ORM only, with integer keys, references of all kinds and deletions that Django itself cascades.

mod busy;
mod clashes;
mod conflicts;
mod deletions;
mod numbers;
mod office;
mod process;
