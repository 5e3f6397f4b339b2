//! The integration tests: whole paths through the real binary, with other programs as the writers.
//!
//! One test binary, so that it links once; every file beside this one is a module of it.

mod support;

mod absent;
mod capture;
mod carriers;
mod chinook;
mod commands;
mod copies;
mod forget;
mod identity;
mod in_process;
mod merging;
mod mirror;
mod numbers;
mod numbers_ranges;
mod orm;
mod regressions;
mod sets;
mod shape;
mod steps;
mod supersede;
mod swaps;
mod travel;
mod trust;
mod vectors;
mod watch;
