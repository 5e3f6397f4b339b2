//! See [`packhorse_transport::fuzzing::reply`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| packhorse_transport::fuzzing::reply(bytes));
