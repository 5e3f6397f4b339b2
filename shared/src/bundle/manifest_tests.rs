//! The manifest's keys, there and back, and out of range.

use super::tests::manifest;
use super::*;
use crate::clock::{Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{BundleId, Epoch, NodeId, Sequence};
use crate::link::{Base, Header};

#[test]
fn a_manifest_comes_back_in_every_shape() {
    let full = manifest();
    let mut plain = manifest();
    let header = plain.header.as_mut().unwrap();
    (header.base, header.ack) = (Base::default(), None);
    (header.nack, header.probe, header.ask) = (true, true, 7);
    plain.counts = Counts::default();
    let mut told = manifest();
    let header = told.header.as_mut().unwrap();
    header.complete_to = Reading(Reading::at(WallTime(1_795_253_000_999)).0 + 3);
    header.horizon = Horizon::before(Reading::at(WallTime(1_795_252_000_000)));
    (header.lives, header.refused) = (vec![BundleId(1), BundleId(u64::MAX)], vec![BundleId(7)]);
    header.before_package = true;
    told.addressee = Addressee::Installation(NodeId(u64::MAX));
    let unmet = Manifest { addressee: Addressee::PackageOf(Epoch(5)), ..manifest() };
    for manifest in [full, plain, told, unmet, Manifest { kind: Kind::Package, header: None, ..manifest() }] {
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes().unwrap()).unwrap(), manifest);
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let with = |change: &dyn Fn(&mut Header)| {
        let mut manifest = manifest();
        change(manifest.header.as_mut().unwrap());
        manifest.to_bytes()
    };
    assert!(with(&|header| header.ask = i64::MAX as u64).is_ok());
    assert!(with(&|header| header.ask = u64::MAX).is_err());
    assert!(with(&|header| header.sequence = Sequence(0)).is_err());
    assert!(with(&|header| header.epoch = Epoch(1 << 63)).is_err());
    assert!(with(&|header| header.clock = Reading(Reading::MAX.0 + 1)).is_err());
    assert!(with(&|header| header.complete_to = Reading(Reading::MAX.0 + 1)).is_err());
    assert!(with(&|header| header.lives = vec![BundleId(1); 65]).is_err());
    assert!(with(&|header| header.refused = vec![BundleId(1); 65]).is_err());
    assert!(with(&|header| header.refused = vec![BundleId(1); 64]).is_ok());
    assert!(Manifest { header: None, ..manifest() }.to_bytes().is_err());
    assert!(Manifest { kind: Kind::Package, ..manifest() }.to_bytes().is_err());
}
