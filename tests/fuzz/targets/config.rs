//! See [`packhorse_shared::config::fuzzing::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| packhorse_shared::config::fuzzing::config(bytes));
