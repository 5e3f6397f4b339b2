//! Manifests that are right, and manifests that are wrong in one respect.

use super::msgpack::{NIL, TRUE, bin, list, map, number, text};
use super::{Reading, Vector};

/// A manifest that can be altered key by key.
#[derive(Clone)]
pub struct Draft(Vec<(Vec<u8>, Vec<u8>)>);

impl Draft {
    /// A bundle's, of these members.
    pub fn bundle(members: &[Vec<u8>]) -> Self {
        let clock = 1_795_253_400_123 << 16;
        let base = list(&[number(41), number(7)]);
        let ack = list(&[number(0x6741_1b22), number(17), number(8)]);
        let link = list(&[number(0x6741_02f0), number(42), number(9), base, ack, number(clock)]);
        let all = if members.len() < 16 { list(members) } else { many(members) };
        let mut draft = Self(Vec::new());
        draft.set("format", number(1)).set("net", number(5)).set("from", text("hq")).set("to", text("alice"));
        draft.set("node", number(77)).set("link", link).set("schema", number(3)).set("set", number(4));
        draft.set("members", all);
        draft
    }

    /// A package's.
    pub fn package(members: &[Vec<u8>]) -> Self {
        let mut draft = Self::bundle(members);
        draft.drop("link").set("kind", text("package"));
        draft
    }

    /// Gives a key another value, or the map another key.
    pub fn set(&mut self, key: &str, value: Vec<u8>) -> &mut Self {
        let key = text(key);
        match self.0.iter_mut().find(|(found, _)| *found == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
        self
    }

    /// Takes a key away.
    pub fn drop(&mut self, key: &str) -> &mut Self {
        self.0.retain(|(found, _)| *found != text(key));
        self
    }

    /// Puts a key in, whether it is there or not.
    pub fn push(&mut self, key: Vec<u8>, value: Vec<u8>) -> &mut Self {
        self.0.push((key, value));
        self
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        map(&self.0)
    }
}

fn many(things: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(things.len()).expect("a list");
    [&[0xdc][..], &count.to_be_bytes(), &things.concat()].concat()
}

/// What a manifest promises of a member.
pub fn entry(name: &str, length: u64, digest: &[u8], optional: bool) -> Vec<u8> {
    list(&[text(name), number(length), bin(digest), vec![if optional { TRUE } else { 0xc2 }]])
}

fn link_with(at: usize, value: Vec<u8>) -> Vec<u8> {
    let base = list(&[number(0), vec![NIL]]);
    let mut parts = [number(1), number(1), number(9), base, vec![NIL], number(5)];
    parts[at] = value;
    list(&parts)
}

/// All of them.
pub fn vectors() -> Vec<Vector> {
    let draft = Draft::bundle(&[]);
    let with = |key: &str, value: Vec<u8>| draft.clone().set(key, value).bytes();
    let member = |entry: Vec<u8>| Draft::bundle(&[entry]).bytes();
    let pushed = |key: Vec<u8>, value: Vec<u8>| draft.clone().push(key, value).bytes();
    let whole = draft.bytes();
    let values = list(&draft.0.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>());
    let nested = |depth: usize| [vec![0x91; depth], vec![NIL]].concat();
    let above = 1u64 << 63;
    [
        ("good-bundle", whole.clone()),
        ("good-package", Draft::package(&[entry("database", 9, &[1; 32], false)]).bytes()),
        ("good-unknown-key", with("colour", nested(20))),
        ("good-another-order", map(&draft.0.iter().rev().cloned().collect::<Vec<_>>())),
        ("good-first-of-an-epoch", with("link", link_with(4, vec![NIL]))),
        ("good-lives", with("lives", many(&[number(1), number(u64::MAX)]))),
        ("bad-empty", Vec::new()),
        ("bad-cut", whole[..whole.len() - 1].to_vec()),
        ("bad-trailing-byte", [&whole[..], &[NIL]].concat()),
        ("bad-list-for-a-map", values),
        ("bad-number-for-a-key", pushed(number(9), vec![NIL])),
        ("bad-key-twice", pushed(text("set"), number(4))),
        ("bad-unknown-key-twice", draft.clone().push(text("x"), number(1)).push(text("x"), number(1)).bytes()),
        ("bad-nested-too-deep", with("colour", nested(40))),
        ("bad-nested-very-deep", with("colour", nested(4_000))),
        ("bad-format-missing", draft.clone().drop("format").bytes()),
        ("bad-format-0", with("format", number(0))),
        ("bad-format-newer", with("format", number(2))),
        ("bad-format-newer-and-all-else-other", map(&[(text("format"), number(2)), (text("net"), text("none"))])),
        ("bad-format-beyond-32-bits", with("format", number(1 << 32))),
        ("bad-kind-unknown", with("kind", text("letter"))),
        ("bad-kind-that-moves-the-cursor", with("kind", text("\u{1b}[2J"))),
        ("bad-name-of-a-node", with("from", text("Alice"))),
        ("bad-name-that-moves-the-cursor", with("from", text("\u{1b}[2J"))),
        ("bad-text-for-a-number", with("net", text("5"))),
        ("bad-number-for-a-text", with("from", number(5))),
        ("bad-link-missing", draft.clone().drop("link").bytes()),
        ("bad-link-in-a-package", with("kind", text("package"))),
        ("bad-nack-in-a-package", Draft::package(&[]).set("nack", vec![TRUE]).bytes()),
        ("bad-link-of-seven", with("link", list(&vec![number(1); 7]))),
        ("bad-epoch-beyond-the-range", with("link", link_with(0, number(above)))),
        ("bad-sequence-0", with("link", link_with(1, number(0)))),
        ("bad-sequence-beyond-the-range", with("link", link_with(1, number(above)))),
        ("bad-base-beyond-the-range", with("link", link_with(3, list(&[number(above), vec![NIL]])))),
        ("bad-ack-beyond-the-range", with("link", link_with(4, list(&[number(above), number(1), vec![NIL]])))),
        ("bad-clock-beyond-the-range", with("link", link_with(5, number(above)))),
        ("bad-complete-beyond-the-range", with("complete", number(above))),
        ("bad-ask-beyond-the-range", with("ask", number(above))),
        ("bad-horizon-beyond-the-range", with("horizon", number(u64::MAX))),
        ("bad-lives-too-many", with("lives", many(&vec![number(1); 65]))),
        ("bad-digest-short", member(entry("a", 1, &[1; 31], false))),
        ("bad-member-of-three-parts", member(list(&[text("a"), number(1), bin(&[1; 32])]))),
        ("bad-member-s-name-is-a-path", member(entry("../a", 1, &[1; 32], false))),
        ("bad-member-s-name-is-absolute", member(entry("/etc/a", 1, &[1; 32], false))),
        ("bad-member-s-name-is-the-manifest-s", member(entry("manifest", 1, &[1; 32], false))),
        ("bad-member-twice", Draft::bundle(&vec![entry("a", 1, &[1; 32], false); 2]).bytes()),
        ("bad-member-too-long", member(entry("a", (256 << 20) + 1, &[1; 32], false))),
        ("bad-members-too-long-together", too_long_together()),
    ]
    .into_iter()
    .map(|(name, bytes)| Vector::new("manifest", name, Reading::Manifest, bytes))
    .collect()
}

fn too_long_together() -> Vec<u8> {
    Draft::bundle(&["a", "b"].map(|name| entry(name, 200 << 20, &[1; 32], false))).bytes()
}
