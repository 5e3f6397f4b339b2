//! See [`packhorse_transport::fuzzing::answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| packhorse_transport::fuzzing::answer(bytes));
