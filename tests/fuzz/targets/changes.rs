//! See [`packhorse_shared::bundle::fuzzing::changes`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| packhorse_shared::bundle::fuzzing::changes(bytes));
