//! Keys, signatures and envelopes: against whoever has others, against damage, and against the tools that people have.

use std::io::{Read, Write};
use std::process::Command;

use proptest::prelude::*;

use super::envelope::{self, EnvelopeError, SealedTo};
use super::signature::{Signature, SignatureError};
use super::*;

fn keys(of: u8) -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(0x1234_5678_9abc + u64::from(of)), [of; 32])
}

fn sealed(to: &PublicKeys, content: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut envelope = envelope::seal(SealedTo::Keys(to), &mut file).unwrap();
    envelope.write_all(content).unwrap();
    envelope.finish().unwrap();
    file
}

fn opened(keys: &NodeKeys, file: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut content = Vec::new();
    envelope::open(Some(keys), None, file)?.read_to_end(&mut content).map_err(EnvelopeError::Io)?;
    Ok(content)
}

#[test]
fn a_key_file_is_read_as_it_was_written_and_nothing_else_is() {
    let keys = NodeKeys::generate(KeyNumber(7)).unwrap();
    let text = keys.to_file();
    assert_eq!(NodeKeys::from_file(&text), Ok(keys.clone()));
    let other = NodeKeys::generate(KeyNumber(7)).unwrap().to_file();
    let swapped =
        [text.lines().take(4).collect::<Vec<_>>(), other.lines().skip(4).collect()].concat().join("\n") + "\n";
    let shorter = text.get(..text.len() - 2).unwrap().to_owned();
    for bad in [String::new(), swapped, shorter, text.replace("0007", "0008"), format!("{text}\n"), text.to_lowercase()]
    {
        assert_eq!(NodeKeys::from_file(&bad), Err(KeyFileError), "{bad}");
    }
    assert!(!format!("{keys:?}").to_uppercase().contains("SECRET-KEY"));
}

#[test]
fn public_keys_are_read_as_they_were_written_and_nothing_else_is() {
    let public = keys(1).public();
    let text = public.to_string();
    assert_eq!(text.parse(), Ok(public.clone()));
    assert!(text.starts_with("age1") && text.contains(" RW"), "{text}");
    let (age, minisign) = text.split_once(' ').unwrap();
    for bad in ["", age, minisign, &format!("{minisign} {age}"), &format!("{text}A"), &text.replace("age1", "age2")] {
        assert_eq!(bad.parse::<PublicKeys>(), Err(PublicKeysError), "{bad}");
    }
}

#[test]
fn a_remotes_keys_depend_on_hub_name_and_number_and_on_nothing_else() {
    let name = |name: &str| name.parse::<NodeName>().unwrap();
    let alice = keys(1).of_remote(&name("alice"), KeyNumber(5));
    assert_eq!(keys(1).of_remote(&name("alice"), KeyNumber(5)), alice);
    for other in [
        keys(2).of_remote(&name("alice"), KeyNumber(5)),
        keys(1).of_remote(&name("alic"), KeyNumber(5)),
        keys(1).of_remote(&name("alice"), KeyNumber(6)),
        keys(1),
    ] {
        assert_ne!(other.secret(), alice.secret());
        assert_ne!(other.public().age(), alice.public().age());
    }
}

#[test]
fn what_is_sealed_is_opened_by_its_receiver_alone() {
    for length in [0, 1, 65_535, 65_536, 65_537, 300_000] {
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let file = sealed(&keys(1).public(), &content);
        assert_eq!(opened(&keys(1), &file).unwrap(), content);
        assert!(matches!(opened(&keys(2), &file), Err(EnvelopeError::ForOthers)));
    }
}

#[test]
fn what_is_sealed_with_a_passphrase_is_opened_with_that_alone_and_no_more_work_than_ours_takes() {
    let mut file = Vec::new();
    let right = Passphrase::given("correct horse").unwrap();
    let mut envelope = envelope::seal(SealedTo::Passphrase(&right), &mut file).unwrap();
    envelope.write_all(b"content").unwrap();
    envelope.finish().unwrap();
    let tried = |given: Option<&Passphrase>, file: &[u8]| {
        let mut content = Vec::new();
        envelope::open(Some(&keys(1)), given, file)?.read_to_end(&mut content).map_err(EnvelopeError::Io)?;
        Ok::<_, EnvelopeError>(content)
    };
    assert_eq!(tried(Some(&right), &file).unwrap(), b"content");
    assert!(matches!(tried(None, &file), Err(EnvelopeError::NeedsPassphrase)));
    let wrong = Passphrase::given("correct hors").unwrap();
    assert!(matches!(tried(Some(&wrong), &file), Err(EnvelopeError::WrongPassphrase)));
    let at = file.windows(4).position(|part| part == b" 18\n").expect("the work");
    let mut endless = file.clone();
    endless.splice(at..at + 4, *b" 40\n");
    assert!(matches!(tried(Some(&right), &endless), Err(EnvelopeError::ExcessiveWork)));
}

#[test]
fn a_header_without_an_end_takes_no_memory() {
    let endless = MAGIC_AND.repeat(1 << 20);
    assert!(matches!(opened(&keys(1), &endless), Err(EnvelopeError::Damaged)));
    let lines = [&b"age-encryption.org/v1\n"[..], &b"-> X25519 a\nAAAA\n".repeat(1 << 16)].concat();
    assert!(matches!(opened(&keys(1), &lines), Err(EnvelopeError::Damaged)));
}

const MAGIC: &[u8] = b"age-encryption.org/v1\n";
const MAGIC_AND: &[u8] = b"age-encryption.org/v1\n-> X25519 ";

#[test]
fn a_signature_is_of_one_key_one_message_and_one_comment() {
    let signed = keys(1).sign(b"manifest", "hq.alice.1.2").unwrap();
    let signature = Signature::parse(signed.as_bytes()).unwrap();
    assert_eq!(signature.signer(), keys(1).number());
    assert_eq!(signature.verify(b"manifest", &keys(1).public()), Ok(()));
    assert_eq!(signature.must_be_for("hq.alice.1.2"), Ok(()));
    assert!(matches!(signature.must_be_for("hq.alice.1.3"), Err(SignatureError::OtherBundle { .. })));
    assert_eq!(signature.verify(b"manifes", &keys(1).public()), Err(SignatureError::Wrong));
    assert_eq!(signature.verify(b"manifest", &keys(2).public()), Err(SignatureError::Stranger(keys(1).number())));
    let impostor = NodeKeys::from_secret(keys(1).number(), [9; 32]);
    assert_eq!(signature.verify(b"manifest", &impostor.public()), Err(SignatureError::Wrong));
    let moved = signed.replace("hq.alice.1.2", "hq.alice.1.3");
    let moved = Signature::parse(moved.as_bytes()).unwrap();
    assert_eq!(moved.verify(b"manifest", &keys(1).public()), Err(SignatureError::Wrong));
}

/// Who has the key can sign, and must not be able to bring the program down by how.
#[test]
fn a_right_signature_in_a_wrong_form_is_refused() {
    let signed = keys(1).sign(b"manifest", "hq.alice.1.2").unwrap();
    let lines: Vec<&str> = signed.lines().collect();
    let with_fourth = |line: &str| [&lines[..3], &[line]].concat().join("\n") + "\n";
    for bad in [
        with_fourth("AAAA"),
        with_fourth(""),
        with_fourth(&format!("{}AAAA", lines[3])),
        format!("{signed}more\n"),
        signed.replace('\n', "\r\n"),
        lines[..3].join("\n"),
    ] {
        assert_eq!(Signature::parse(bad.as_bytes()).err(), Some(SignatureError::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_change_of_an_envelope_is_told(at in 0usize..600, bit in 0u8..8) {
        let content = [7; 300];
        let mut file = sealed(&keys(1).public(), &content);
        let at = at % file.len();
        if let Some(byte) = file.get_mut(at) { *byte ^= 1 << bit }
        prop_assert!(opened(&keys(1), &file).is_err());
    }

    #[test]
    fn an_envelope_that_was_cut_is_told(length in 0usize..1000) {
        let file = sealed(&keys(1).public(), &[7; 300]);
        let length = length % file.len();
        prop_assert!(opened(&keys(1), file.get(..length).unwrap()).is_err());
    }

    #[test]
    fn nothing_from_outside_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Signature::parse(&bytes).map(|signature| signature.verify(b"", &keys(1).public()));
        let text = String::from_utf8_lossy(&bytes);
        let _ = NodeKeys::from_file(&text);
        let _ = text.parse::<PublicKeys>();
        prop_assert!(opened(&keys(1), &[MAGIC, &bytes].concat()).is_err());
    }
}

/// The tools that people have understand what is made here.
#[test]
fn age_and_minisign_open_and_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, content: &[u8]| std::fs::write(path(name), content).unwrap();
    write("keys", keys(1).to_file().as_bytes());
    write("sealed", &sealed(&keys(1).public(), b"what is in it"));
    write("manifest", b"manifest");
    write("manifest.minisig", keys(1).sign(b"manifest", "hq.alice.1.2").unwrap().as_bytes());
    let Ok(opened) = Command::new("age").args(["-d", "-i"]).args([path("keys"), path("sealed")]).output() else {
        assert!(std::env::var_os("PACKHORSE_TESTS_INSIST").is_none(), "age is not installed");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&opened.stdout), "what is in it", "{opened:?}");
    let key = keys(1).public().minisign();
    let verified = Command::new("minisign").args(["-V", "-P", &key, "-m"]).arg(path("manifest")).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && said.contains("Trusted comment: hq.alice.1.2"), "{verified:?}");
}
