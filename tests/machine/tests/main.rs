//! The tests of the simulated machine: what it takes and leaves, on real files and with the real SQLite.

mod aims;
mod databases;
mod faults;
mod files;
mod kills;
mod scene;
mod threads;
