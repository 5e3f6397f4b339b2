//! Bytes that are nearly right: good ones, bent.
//!
//! Owns what may happen to bytes (bits flip, parts are cut, doubled, put into others) and the trying of a property on many
//! of them, on any bytes at all, and on the good ones themselves. Invariant: the same bytes are tried on every machine and at
//! every run, so that what fails fails again. Leaves the properties, and which bytes are good, to the tests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestError, TestRunner};

#[derive(Clone, Debug)]
enum Bend {
    Flip(Index, u8),
    Put(Index, u8),
    CutOff(Index),
    CutOut(Index, Index),
    Double(Index, Index),
    Splice(Index, Index, Index, Vec<u8>),
}

fn a_bend(good: &[Vec<u8>]) -> impl Strategy<Value = Bend> + use<> {
    let at = any::<Index>;
    let ends = [0, 1, 0x7f, 0x80, 0xc0, 0xd9, 0xdd, 0xff];
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Bend::Flip(at, bit)),
        4 => (at(), prop_oneof![any::<u8>(), select(ends.to_vec())]).prop_map(|(at, byte)| Bend::Put(at, byte)),
        1 => at().prop_map(Bend::CutOff),
        1 => (at(), at()).prop_map(|(from, to)| Bend::CutOut(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Bend::Double(from, to)),
        1 => (at(), at(), at(), select(good.to_vec())).prop_map(|(at, from, to, other)| Bend::Splice(at, from, to, other)),
    ]
}

/// A part between two places, whichever comes first.
fn part(bytes: &[u8], one: Index, other: Index) -> std::ops::Range<usize> {
    let [one, other] = [one, other].map(|place| place.index(bytes.len() + 1));
    one.min(other)..one.max(other)
}

impl Bend {
    fn bend(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Self::Flip(at, bit) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            Self::Put(at, byte) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|there| *there = *byte);
            }
            Self::CutOff(at) => {
                let at = place(at, bytes);
                bytes.truncate(at);
            }
            Self::CutOut(from, to) => {
                let part = part(bytes, *from, *to);
                drop(bytes.drain(part));
            }
            Self::Double(from, to) => {
                let part = part(bytes, *from, *to);
                bytes.extend_from_within(part);
            }
            Self::Splice(at, from, to, other) => {
                let at = place(at, bytes);
                bytes.splice(at..at, other[part(other, *from, *to)].iter().copied());
            }
        }
    }
}

fn bent(good: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    (select(good.to_vec()), vec(a_bend(good), 1..6)).prop_map(|(mut bytes, bends)| {
        bends.iter().for_each(|bend| bend.bend(&mut bytes));
        bytes
    })
}

/// Tries a property on good bytes, on so many bent ones, and on any.
#[track_caller]
pub fn holds(target: &str, property: fn(&[u8]), good: &[Vec<u8>], cases: u32) {
    good.iter().for_each(|bytes| property(bytes));
    let config =
        ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() };
    let any = vec(any::<u8>(), 0..200);
    let failed = TestRunner::new(config).run(&prop_oneof![9 => bent(good), 1 => any], |bytes| {
        property(&bytes);
        Ok(())
    });
    match failed {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!(
            "{why}\nfailed with these {} bytes, which are the same at every run; they are also an input for the fuzz target \
             `{target}`, and belong into a test:\n{:?}",
            bytes.len(),
            bytes
        ),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn bent_bytes_are_others_and_always_the_same() {
    let good = [b"good".to_vec(), b"another".to_vec()];
    let some = || {
        let config = ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() };
        let mut runner = TestRunner::new(config);
        let trees = std::iter::repeat_with(|| bent(&good).new_tree(&mut runner).unwrap().current());
        trees.take(100).collect::<Vec<_>>()
    };
    let tried = some();
    assert_eq!(tried, some());
    let others = tried.iter().filter(|bytes| !good.contains(bytes)).count();
    assert!(others > 80, "{others}");
}
