//! `packhorse merge`: the rules by which changes are merged, as a page to read.

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::report::results;

/// Each rule with an example; the tests play them (tests/merging/page.rs).
const PAGE: &str = include_str!("page.txt");

/// How changes are merged: the rules, each with an example (a page to read)
#[derive(Args)]
#[command(after_help = PAGE)]
pub struct Merge {}

impl Merge {
    /// Writes the page.
    pub fn run(self) -> Result<Exit, Failure> {
        results(PAGE.lines().map(str::to_owned));
        Ok(Exit::Done)
    }
}
