//! Whole files, as they may lie on a relay.

use packhorse_shared::bundle::{BundleName, ShortDigest};
use packhorse_shared::id::Digest;

use super::container::{BLOCK, END, bomb, file, frame, frame_with, header_alone, member, member_with, sealed};
use super::manifests::{Draft, entry};
use super::{Reading, Vector, changes};

/// A member's name and content.
type Member = (&'static str, Vec<u8>);

/// What the manifest promises of members that are as they must be.
pub fn listed(members: &[Member]) -> Vec<Vec<u8>> {
    members.iter().map(|(name, content)| truth(name, content, false)).collect()
}

fn truth(name: &str, content: &[u8], optional: bool) -> Vec<u8> {
    entry(name, content.len() as u64, &Digest::of(content).0, optional)
}

/// One changed field.
pub fn one() -> Member {
    ("changes/contacts", changes::one_field())
}

fn other() -> Member {
    ("changes/t", changes::of_table("t"))
}

fn blocks(members: &[Member]) -> Vec<Vec<u8>> {
    members.iter().map(|(name, content)| member(name, content)).collect()
}

/// A right one of these members.
pub fn right(members: &[Member]) -> Vec<u8> {
    file(&Draft::bundle(&listed(members)).bytes(), &blocks(members))
}

/// All that are not sealed.
pub fn vectors() -> Vec<Vector> {
    let all = [good(), of_the_file(), of_the_members(), of_the_archive(), of_the_limits()].concat();
    let plain = all.into_iter().map(|(name, bytes)| Vector::new("bundle", name, Reading::Plain, bytes));
    let package = listed(&[("database", b"SQLite".to_vec()), ("link", vec![0x80])]);
    let package =
        file(&Draft::package(&package).bytes(), &blocks(&[("database", b"SQLite".to_vec()), ("link", vec![0x80])]));
    plain.chain([Vector::new("bundle", "good-package", Reading::Plain, package)]).chain(named()).collect()
}

type Named = (&'static str, Vec<u8>);

fn good() -> Vec<Named> {
    let optional = [truth(one().0, &one().1, false), truth("notices", b"later", true)];
    let optional = file(&Draft::bundle(&optional).bytes(), &blocks(&[one(), ("notices", b"later".to_vec())]));
    vec![
        ("good-one-field", right(&[one()])),
        ("good-two-tables", right(&[one(), other()])),
        ("good-no-members", right(&[])),
        ("good-no-records", right(&[("changes/empty", changes::no_records())])),
        ("good-large-values", right(&[("changes/large", changes::large_values())])),
        ("good-unknown-but-optional", optional),
        ("good-every-kind-of-member", right(&changes::in_every_folder())),
    ]
}

/// What is wrong with the frames and the seal, and where the file may end.
fn of_the_file() -> Vec<Named> {
    let whole = right(&[one()]);
    let first = frame(&member("manifest", &Draft::bundle(&listed(&[one()])).bytes()));
    let cut = |length: usize| whole[..length].to_vec();
    let with = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let archive = [blocks(&[one()]).concat(), END.to_vec()].concat();
    let skippable = [0x51, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    vec![
        ("bad-nothing", Vec::new()),
        ("bad-another-kind-of-file", b"PK\x03\x04 and so on".to_vec()),
        ("bad-magic", with(0)),
        ("bad-cut-in-the-magic", cut(3)),
        ("bad-cut-in-the-first-frame", cut(first.len() / 2)),
        ("bad-cut-before-the-first-checksum", cut(first.len() - 4)),
        ("bad-cut-between-the-frames", cut(first.len())),
        ("bad-cut-in-the-second-frame", cut(first.len() + 40)),
        ("bad-cut-before-the-seal", cut(whole.len() - 16)),
        ("bad-cut-in-the-seal", cut(whole.len() - 8)),
        ("bad-cut-of-the-last-byte", cut(whole.len() - 1)),
        ("bad-trailing-byte", [&whole[..], &[0]].concat()),
        ("bad-trailing-frame", [&whole[..], &frame(b"")].concat()),
        ("bad-trailing-bundle", [&whole[..], &whole].concat()),
        ("bad-seal-of-other-bytes", with(whole.len() - 1)),
        ("bad-frame-before-the-first", [&skippable[..], &whole].concat()),
        ("bad-frame-between", sealed(&[&first[..], &skippable].concat(), &frame(&archive))),
        (
            "bad-one-frame-for-both",
            sealed(&frame(&[member("manifest", &Draft::bundle(&[]).bytes()), END.to_vec()].concat()), &[]),
        ),
        ("bad-checksum-of-a-frame", sealed(&first, &flipped(&frame(&archive)))),
    ]
}

/// With the last byte, which is of the checksum, another.
fn flipped(frame: &[u8]) -> Vec<u8> {
    let (last, rest) = frame.split_last().expect("a frame");
    [rest, &[last ^ 1]].concat()
}

/// Members that are not those that the manifest promises.
fn of_the_members() -> Vec<Named> {
    let list = Draft::bundle(&listed(&[one(), other()])).bytes();
    let [a, b] = [one(), other()].map(|(name, content)| member(name, &content));
    let of_one = |entry: Vec<u8>| file(&Draft::bundle(&[entry]).bytes(), &blocks(&[one()]));
    let (name, content) = one();
    let length = content.len() as u64;
    let digest = Digest::of(&content).0;
    vec![
        ("bad-member-unknown", right(&[("letters", b"later".to_vec())])),
        ("bad-member-missing", file(&list, std::slice::from_ref(&a))),
        ("bad-members-missing", file(&list, &[])),
        ("bad-member-doubled", file(&list, &[a.clone(), a.clone(), b.clone()])),
        ("bad-member-listed-twice", file(&Draft::bundle(&listed(&[one(), one()])).bytes(), &[a.clone(), a.clone()])),
        ("bad-members-out-of-order", file(&list, &[b.clone(), a.clone()])),
        ("bad-member-more", file(&list, &[a.clone(), b.clone(), member("changes/u", b"")])),
        ("bad-member-under-another-name", file(&list, &[a.clone(), member("changes/u", &other().1)])),
        ("bad-digest", of_one(entry(name, length, &[7; 32], false))),
        ("bad-length-shorter", of_one(entry(name, length - 1, &digest, false))),
        ("bad-length-longer", of_one(entry(name, length + 1, &digest, false))),
        ("bad-end-between-members", file(&list, &[a.clone(), END.to_vec(), b.clone()])),
        ("bad-more-after-the-end", file(&list, &[a.clone(), b.clone(), END.to_vec()])),
        ("bad-changes-of-a-table", right(&[("changes/t", vec![0x99])])),
    ]
}

/// What tar can say and a bundle must not.
fn of_the_archive() -> Vec<Named> {
    let (name, content) = one();
    let list = Draft::bundle(&listed(&[one()])).bytes();
    let odd = |alter: &dyn Fn(&mut tar::Header)| file(&list, &[member_with(name, &content, alter)]);
    let of_kind = |kind| odd(&|header: &mut tar::Header| header.set_entry_type(kind));
    let called = |name: &'static str| {
        let called = ("", content.clone());
        file(&Draft::bundle(&[truth(name, &called.1, false)]).bytes(), &[member(name, &content)])
    };
    let whole = [member(name, &content), END.to_vec()].concat();
    let first = frame(&member("manifest", &list));
    let ended = |archive: &[u8]| sealed(&first, &frame(archive));
    let mut padded = whole.clone();
    padded[2 * BLOCK - 1] = 1;
    let no_manifest = |name: &str| sealed(&frame(&member(name, &list)), &frame(&whole));
    vec![
        ("bad-path-above", called("../contacts")),
        ("bad-path-within", called("changes/../../contacts")),
        ("bad-path-absolute", called("/etc/contacts")),
        ("bad-path-of-windows", called("C:\\contacts")),
        (
            "bad-tar-symbolic-link",
            odd(&|header| {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name("/etc/passwd").expect("a short name");
            }),
        ),
        ("bad-tar-hard-link", of_kind(tar::EntryType::Link)),
        ("bad-tar-folder", of_kind(tar::EntryType::Directory)),
        ("bad-tar-device", of_kind(tar::EntryType::Char)),
        ("bad-tar-extension", of_kind(tar::EntryType::XHeader)),
        ("bad-tar-long-name", of_kind(tar::EntryType::GNULongName)),
        ("bad-tar-mode", odd(&|header| header.set_mode(0o4755))),
        ("bad-tar-owner", odd(&|header| header.set_uid(1000))),
        ("bad-tar-time", odd(&|header| header.set_mtime(1))),
        ("bad-tar-link-name-of-a-file", odd(&|header| header.set_link_name("x").expect("a short name"))),
        ("bad-tar-padding", ended(&padded)),
        ("bad-tar-end-missing", ended(&whole[..2 * BLOCK])),
        ("bad-tar-end-of-one-block", ended(&whole[..3 * BLOCK])),
        ("bad-tar-cut-in-a-header", ended(&whole[..100])),
        ("bad-tar-cut-in-a-member", ended(&whole[..BLOCK + 9])),
        ("bad-first-member-is-no-manifest", no_manifest("manifests")),
        ("bad-first-member-is-absolute", no_manifest("/manifest")),
        ("bad-no-archive", sealed(&frame(&[7; 2 * BLOCK]), &frame(&whole))),
    ]
}

/// What would take more memory or time than a file is worth.
fn of_the_limits() -> Vec<Named> {
    let list = Draft::bundle(&listed(&[one()])).bytes();
    let first = frame(&member("manifest", &list));
    let whole = [blocks(&[one()]).concat(), END.to_vec()].concat();
    let wide = |content: &[u8], log| {
        frame_with(content, |encoder| {
            encoder.set_pledged_src_size(None).expect("no size");
            encoder.window_log(log).expect("a window");
        })
    };
    let declared = |lengths: &[u64]| {
        let entries: Vec<_> =
            lengths.iter().zip(["a", "b"]).map(|(length, name)| entry(name, *length, &[0; 32], false)).collect();
        file(&Draft::bundle(&entries).bytes(), &[])
    };
    let many: Vec<_> = (0..10_001).map(|at| entry(&format!("c/{at}"), 0, &[0; 32], false)).collect();
    vec![
        ("bad-window-of-the-first-frame", sealed(&wide(&member("manifest", &list), 22), &frame(&whole))),
        ("bad-window-of-the-second-frame", sealed(&first, &wide(&whole, 28))),
        ("bad-bomb-of-1-gib", sealed(&first, &bomb(8_192))),
        ("bad-bomb-for-a-manifest", sealed(&bomb(8_192), &frame(&whole))),
        ("bad-bomb-for-a-member", bomb_for_a_member()),
        ("bad-manifest-too-long", sealed(&frame(&header_alone("manifest", 2 << 20)), &frame(&whole))),
        ("bad-member-too-long", declared(&[(256 << 20) + 1])),
        ("bad-member-longer-than-any", declared(&[u64::MAX])),
        ("bad-members-too-long-together", declared(&[200 << 20, 100 << 20])),
        ("bad-members-too-many", file(&Draft::bundle(&many).bytes(), &[])),
    ]
}

/// A member as long as is accepted, of zeros, with another digest: all of it is read, and none of it is taken.
fn bomb_for_a_member() -> Vec<u8> {
    let length = 64 << 20;
    let list = Draft::bundle(&[entry("changes/t", length, &[0; 32], false)]).bytes();
    let mut archive = header_alone("changes/t", length);
    archive.resize(archive.len() + length as usize, 0);
    archive.extend(END);
    sealed(&frame(&member("manifest", &list)), &frame(&archive))
}

/// Files whose names are bundles' names.
fn named() -> Vec<Vector> {
    let bytes = right(&[one()]);
    let name = |digest| {
        let name = "hq.alice.674102f0.000042.0000000000000000.bundle".parse::<BundleName>().expect("a name");
        BundleName { digest, ..name }.to_string()
    };
    let own = ShortDigest::of(bytes.as_slice()).expect("memory can be read");
    [own, ShortDigest(own.0 ^ 1)]
        .map(|digest| Vector::new("bundle-named", &name(digest), Reading::Named, bytes.clone()))
        .to_vec()
}
