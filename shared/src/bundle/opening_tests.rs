//! Sealed bundles: who can open them, who can have made them, and what becomes of those that somebody has changed.

use std::process::Command;

use proptest::prelude::*;

use super::tests::manifest;
use super::*;
use crate::keys::envelope::{EnvelopeError, SealedTo};
use crate::keys::signature::SignatureError;
use crate::keys::{KeyNumber, NodeKeys, PublicKeys};

fn hub() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(1), [1; 32])
}

fn alice() -> NodeKeys {
    hub().of_remote(&"alice".parse().unwrap(), KeyNumber(2))
}

fn bob() -> NodeKeys {
    hub().of_remote(&"bob".parse().unwrap(), KeyNumber(2))
}

const CONTENT: &[u8] = b"what only alice may read";

fn written(from: &NodeKeys, to: &PublicKeys) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = BundleWriter::new();
    writer.bytes("changes/t", CONTENT).sealing(Some(Sealing { from, to: SealedTo::Keys(to) }));
    let told = writer.write(manifest(), &mut file).unwrap();
    assert_eq!((told.digest, told.length), (ShortDigest::of(file.as_slice()).unwrap(), file.len() as u64));
    file
}

fn sealed() -> Vec<u8> {
    written(&hub(), &alice().public())
}

fn open_archive() -> Vec<u8> {
    let mut file = Vec::new();
    BundleWriter::new().bytes("changes/t", CONTENT).write(manifest(), &mut file).unwrap();
    file
}

/// Reads as the owner of these keys, who believes these.
fn read(file: &[u8], keys: &NodeKeys, believed: &NodeKeys) -> Result<Vec<u8>, BundleError> {
    let known = |number| Some(believed.public()).filter(|known| known.number() == number);
    let opening = Opening { keys: Some(keys), passphrase: None, signers: Some(&known) };
    let (_, members) = BundleReader::read_all(file, Limits::BUNDLE, &opening, |_| true)?;
    Ok(members.into_iter().flat_map(|(_, content)| content).collect())
}

#[test]
fn the_receiver_reads_what_its_peer_has_sent() {
    assert_eq!(read(&sealed(), &alice(), &hub()).unwrap(), CONTENT);
    let opening = Opening::with(None);
    assert!(matches!(
        BundleReader::open(&*sealed(), Limits::BUNDLE, &opening),
        Err(BundleError::Envelope(EnvelopeError::NoKeys))
    ));
    let keys = alice();
    let file = sealed();
    let (_, members) = BundleReader::open(&*file, Limits::BUNDLE, &Opening::with(Some(&keys))).unwrap();
    assert_eq!(members.provenance(), Provenance { is_sealed: true, signer: Some(hub().number()) });
    let archive = open_archive();
    let (_, members) = BundleReader::open(&*archive, Limits::BUNDLE, &Opening::default()).unwrap();
    assert_eq!(members.provenance(), Provenance::default());
}

#[test]
fn nothing_of_the_content_stands_in_the_file_and_neither_do_names() {
    let file = sealed();
    for hidden in [CONTENT, b"manifest", b"changes/t", &[0x28, 0xb5, 0x2f, 0xfd]] {
        assert!(!file.windows(hidden.len()).any(|part| part == hidden));
    }
}

#[test]
fn what_is_for_others_or_from_others_is_refused_with_the_reason() {
    let refused =
        |file: &[u8], keys: &NodeKeys, believed: &NodeKeys| read(file, keys, believed).unwrap_err().to_string();
    assert_eq!(refused(&sealed(), &bob(), &hub()), "it is not sealed to this node's keys");
    let forged = written(&bob(), &alice().public());
    assert_eq!(
        refused(&forged, &alice(), &hub()),
        "it is signed with the key 0000000000000002, which is not its sender's"
    );
    let impostor = NodeKeys::from_secret(hub().number(), [9; 32]);
    let forged = written(&impostor, &alice().public());
    assert!(matches!(read(&forged, &alice(), &hub()), Err(BundleError::Signature(SignatureError::Wrong))));
}

#[test]
fn what_is_less_than_it_must_be_is_refused() {
    assert!(matches!(read(&open_archive(), &alice(), &hub()), Err(BundleError::NotSealed)));
    let mut unsigned = Vec::new();
    let mut envelope = crate::keys::envelope::seal(SealedTo::Keys(&alice().public()), &mut unsigned).unwrap();
    std::io::Write::write_all(&mut envelope, &open_archive()).unwrap();
    envelope.finish().unwrap();
    assert!(matches!(read(&unsigned, &alice(), &hub()), Err(BundleError::NotSigned)));
}

#[test]
fn a_signature_is_looked_at_before_the_manifest_is_understood() {
    let mut newer = manifest();
    newer.format = FORMAT + 1;
    let mut file = Vec::new();
    let (from, to) = (bob(), alice().public());
    let mut writer = BundleWriter::new();
    writer.sealing(Some(Sealing { from: &from, to: SealedTo::Keys(&to) })).write(newer, &mut file).unwrap();
    assert!(matches!(read(&file, &alice(), &hub()), Err(BundleError::Signature(_))));
    assert!(matches!(read(&file, &alice(), &bob()), Err(BundleError::NewerFormat { .. })));
}

proptest! {
    #[test]
    fn one_changed_bit_anywhere_is_damage_and_no_fault_of_the_disk(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut file = sealed();
        let at = at.index(file.len());
        if let Some(byte) = file.get_mut(at) { *byte ^= 1 << bit }
        let error = read(&file, &alice(), &hub()).unwrap_err();
        prop_assert!(!matches!(error, BundleError::Io(_)), "{error:?}");
    }

    #[test]
    fn a_bundle_that_was_cut_anywhere_is_damage_and_no_fault_of_the_disk(at in any::<prop::sample::Index>()) {
        let file = sealed();
        let error = read(file.get(..at.index(file.len())).unwrap(), &alice(), &hub()).unwrap_err();
        prop_assert!(!matches!(error, BundleError::Io(_)), "{error:?}");
    }

    #[test]
    fn what_follows_is_refused(tail in proptest::collection::vec(any::<u8>(), 1..100)) {
        let file = [sealed(), tail].concat();
        prop_assert!(read(&file, &alice(), &hub()).is_err());
    }
}

/// As DESIGN section 7 promises: `age -d -i KEY x.bundle | tar --zstd -tv`, and `minisign -V`.
#[test]
fn the_tools_of_any_distribution_open_and_verify_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    write("keys", alice().to_file().as_bytes());
    write("x.bundle", &sealed());
    let line = "age -d -i keys x.bundle | tar --zstd -tv && age -d -i keys x.bundle | tar --zstd -x \
                && minisign -V -P \"$KEY\" -m manifest";
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", line]).env("KEY", hub().public().minisign()).current_dir(folder.path());
    let said = shell.output().unwrap();
    if std::env::var_os("PACKHORSE_TESTS_INSIST").is_none() && Command::new("age").arg("--version").output().is_err() {
        return;
    }
    let listed = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{said:?}");
    for found in ["manifest\n", "manifest.minisig\n", "changes/t\n", "Trusted comment: hq.alice.674102f0.000042"] {
        assert!(listed.contains(found), "{listed}");
    }
    assert_eq!(std::fs::read(folder.path().join("changes/t")).unwrap(), CONTENT);
}
