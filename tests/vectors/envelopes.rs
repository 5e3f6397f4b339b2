//! Files that are sealed: to a node's keys or with a passphrase, and signed; or not, where they must be.

use packhorse_shared::keys::envelope::SealedTo;
use packhorse_shared::keys::{NodeKeys, Passphrase};

use super::bundles::{listed, one, right};
use super::container::{enveloped, member, signed, with_signature};
use super::manifests::Draft;
use super::{PURPOSE, Reading, Vector, alice, bob, hub, passphrase};

/// What a signature is said to be for, in the package below.
const OF_THE_PACKAGE: &str = "package from hq for alice";

/// A signed archive: by whom, of which manifest, for what.
fn archive(by: &NodeKeys, alter: impl Fn(&[u8]) -> Vec<u8>, purpose: &str) -> Vec<u8> {
    let (name, content) = one();
    let manifest = Draft::bundle(&listed(&[one()])).bytes();
    signed(&manifest, &[member(name, &content)], by, &alter(&manifest), purpose)
}

fn to(keys: &NodeKeys, archive: &[u8]) -> Vec<u8> {
    enveloped(SealedTo::Keys(&keys.public()), archive)
}

/// All of them.
pub fn vectors() -> Vec<Vector> {
    let sealed = of_the_signature().into_iter().chain(of_the_envelope());
    let sealed = sealed.map(|(name, bytes)| Vector::new("bundle-sealed", name, Reading::Sealed, bytes));
    sealed.chain(of_a_package()).collect()
}

type Named = (&'static str, Vec<u8>);

fn of_the_signature() -> Vec<Named> {
    let same = |manifest: &[u8]| manifest.to_vec();
    let right_one = archive(&hub(), same, PURPOSE);
    let impostor = NodeKeys::from_secret(hub().number(), [9; 32]);
    let newer = Draft::bundle(&[]).set("format", super::msgpack::number(2)).bytes();
    let unknown = |by: &NodeKeys| to(&alice(), &signed(&newer, &[], by, &newer, PURPOSE));
    let (name, content) = one();
    let manifest = Draft::bundle(&listed(&[one()])).bytes();
    let with = |signature: &[u8]| to(&alice(), &with_signature(&manifest, &[member(name, &content)], signature));
    let signature = hub().sign(&manifest, PURPOSE).expect("a signature");
    vec![
        ("good-sealed-and-signed", to(&alice(), &right_one)),
        ("bad-not-sealed", right(&[one()])),
        ("bad-signed-but-not-sealed", right_one.clone()),
        ("bad-not-signed", to(&alice(), &right(&[one()]))),
        ("bad-signed-by-another-remote", to(&alice(), &archive(&bob(), same, PURPOSE))),
        ("bad-signed-in-the-hub-s-name", to(&alice(), &archive(&impostor, same, PURPOSE))),
        ("bad-signed-is-another-manifest", to(&alice(), &archive(&hub(), |_| newer.clone(), PURPOSE))),
        ("bad-signed-for-another-bundle", to(&alice(), &archive(&hub(), same, "hq.alice.674102f0.000043"))),
        ("bad-signed-for-another-receiver", to(&alice(), &archive(&hub(), same, "hq.bob.674102f0.000042"))),
        ("bad-signature-is-none", with(b"untrusted comment: x\nx\ntrusted comment: x\nx\n")),
        ("bad-signature-is-followed-by-more", with(format!("{signature}\n").as_bytes())),
        ("bad-signature-too-long", with(&[signature.as_bytes(), &[b'\n'; 1024]].concat())),
        ("bad-format-newer-and-signed", unknown(&hub())),
        ("bad-format-newer-and-signed-by-another", unknown(&bob())),
    ]
}

fn of_the_envelope() -> Vec<Named> {
    let archive = archive(&hub(), <[u8]>::to_vec, PURPOSE);
    let whole = to(&alice(), &archive);
    let with = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let header = whole.windows(4).position(|part| part == b"\n---").expect("the header's end");
    vec![
        ("bad-sealed-to-another-remote", to(&bob(), &archive)),
        ("bad-envelope-changed-in-the-header", with(30)),
        ("bad-envelope-changed-in-the-header-s-checksum", with(header + 10)),
        ("bad-envelope-changed-in-the-content", with(whole.len() - 60)),
        ("bad-envelope-changed-in-the-last-byte", with(whole.len() - 1)),
        ("bad-envelope-cut-in-the-header", whole[..header].to_vec()),
        ("bad-envelope-cut-before-the-content", whole[..header + 49].to_vec()),
        ("bad-envelope-cut-in-the-content", whole[..whole.len() - 60].to_vec()),
        ("bad-envelope-followed-by-more", [&whole[..], &[0]].concat()),
        ("bad-envelope-of-another-version", [b"age-encryption.org/v2\n", &whole[22..]].concat()),
        ("bad-envelope-in-an-envelope", to(&alice(), &whole)),
    ]
}

/// Packages with a passphrase, read as by whom who is told it, or another one, or none.
fn of_a_package() -> Vec<Vector> {
    let members = [("database", b"SQLite".to_vec()), ("link", vec![0x80])];
    let manifest = Draft::package(&listed(&members)).bytes();
    let blocks: Vec<_> = members.iter().map(|(name, content)| member(name, content)).collect();
    let archive = signed(&manifest, &blocks, &hub(), &manifest, OF_THE_PACKAGE);
    let with = |text: &str| enveloped(SealedTo::Passphrase(&Passphrase::given(text).expect("a passphrase")), &archive);
    let right = with(passphrase().reveal());
    let mut harder = right.clone();
    let work = harder.windows(4).position(|part| part == b" 18\n").expect("the work that it takes");
    harder[work + 1] = b'2';
    let vector = |name, bytes| Vector::new("package", name, Reading::Passphrase, bytes);
    vec![
        vector("good-sealed-with-a-passphrase", right.clone()),
        vector("bad-another-passphrase", with("another")),
        vector("bad-more-work-than-ours", harder),
        vector("bad-cut", right[..right.len() - 1].to_vec()),
        vector("bad-sealed-to-other-keys", to(&bob(), &archive)),
        Vector::new("package", "bad-passphrase-not-given", Reading::Sealed, right),
    ]
}
