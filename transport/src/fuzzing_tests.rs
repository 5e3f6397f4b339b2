//! The readers of what servers say, on what a server might say.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestError, TestRunner};

use crate::fuzzing::{answer, listing, reply};

/// Tries a property on texts made of these parts and of any bytes; the same ones at every run.
#[track_caller]
fn holds(target: &str, property: fn(&[u8]), parts: &[&'static [u8]]) {
    let part = prop_oneof![
        6 => select(parts.to_vec()).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..20),
        1 => any::<u64>().prop_map(|number| number.to_string().into_bytes()),
    ];
    let config = ProptestConfig {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let failed = TestRunner::new(config).run(&vec(part, 0..40).prop_map(|parts| parts.concat()), |bytes| {
        property(&bytes);
        Ok(())
    });
    match failed {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!(
            "{why}\nfailed with these bytes, which are the same at every run; they are also an input for the fuzz target \
             `{target}`, and belong into a test:\n{bytes:?}"
        ),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn whatever_an_ftp_server_lists() {
    let parts: [&[u8]; 22] = [
        b"type=file;size=",
        b"type=dir;",
        b"type=cdir;",
        b"modify=20261121073000; ",
        b"a.bundle",
        b"a.bundle.part",
        b"\r\n",
        b"\n",
        b" ",
        b"; ",
        b"-rw-r--r--    1 ftp      ftp         20000 Nov 21 07:30 ",
        b"lrwxrwxrwx 1 a a 1 Nov 21 07:30 link -> ",
        b"drwxr-xr-x ",
        b"total 8\r\n",
        b"11-21-26  07:30AM       ",
        b"<DIR>",
        b"/",
        b"..",
        b"\x1b[2J",
        b"\xc3\xa4",
        b"\xff",
        b"Feb 31 1:1 ",
    ];
    holds("listing", listing, &parts);
}

#[test]
fn whatever_an_ftp_server_says() {
    let parts: [&[u8]; 12] = [
        b"220 ready\r\n",
        b"211-Features:\r\n",
        b" MLST type*;size*;\r\n",
        b"211 end\r\n",
        b"227 Passive (127,0,0,1,117,171)\r\n",
        b"229 (|||30123|)\r\n",
        b"\r\n",
        b"226",
        b"-",
        b" (",
        b")",
        b"\x1b[2J",
    ];
    holds("reply", reply, &parts);
}

#[test]
fn whatever_an_sftp_server_answers() {
    let parts: [&[u8]; 12] = [
        &[101, 0, 0, 0, 1],
        &[102, 0, 0, 0, 1],
        &[103, 0, 0, 0, 1],
        &[104, 0, 0, 0, 9],
        &[105, 0, 0, 0, 1],
        &[0, 0, 0, 1],
        &[0, 0, 0, 1, b'a', 0, 0, 0, 2, b'-', b'a'],
        &[0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x81, 0xa4],
        &[0, 0, 0, 0],
        &[0x80, 0, 0, 0, 0, 0, 0, 1],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 15],
    ];
    holds("answer", answer, &parts);
}
