//! The changes of a table, in the one form that they have and in others that say the same or nothing.

use packhorse_shared::change::Passage;
use packhorse_shared::clock::Reading as Clock;

use super::msgpack::{NIL, TRUE, bin, list, number, text};
use super::{Reading, Vector};

/// A time of all stamps, in milliseconds.
const TIME: i64 = 1_795_253_399_481;

const TABLE: usize = 0;
const KEY_COLUMNS: usize = 1;
const NODES: usize = 2;
const COUNT: usize = 3;
const KEYS: usize = 4;
const BIRTHS: usize = 5;
const DEATHS: usize = 6;
const WHOLE: usize = 7;
const COLUMNS: usize = 8;

/// The nine parts of a member.
#[derive(Clone)]
struct Draft([Vec<u8>; 9]);

impl Draft {
    /// So many records of a table with the keys 1, 2, and so on, of which one column has changed.
    fn of(table: &str, count: usize) -> Self {
        let values: Vec<Vec<u8>> = (0..count).map(|_| text("x")).collect();
        Self([
            text(table),
            list(&[text("id")]),
            bin(&[]),
            number(count as u64),
            list(&[bin(&vec![2; count])]),
            vec![NIL],
            vec![NIL],
            vec![NIL],
            list(&[column("v", vec![TRUE], &values, stamps(count))]),
        ])
    }

    fn with(&self, part: usize, bytes: Vec<u8>) -> Vec<u8> {
        self.clone().set(part, bytes).bytes()
    }

    fn set(&mut self, part: usize, bytes: Vec<u8>) -> &mut Self {
        self.0[part] = bytes;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        list(&self.0)
    }
}

fn column(name: &str, positions: Vec<u8>, values: &[Vec<u8>], stamps: Vec<u8>) -> Vec<u8> {
    list(&[text(name), positions, list(values), stamps])
}

/// So many stamps of one time, by the sender.
fn stamps(count: usize) -> Vec<u8> {
    stamps_of(&times(count), vec![NIL], vec![NIL])
}

fn stamps_of(times: &[u8], counters: Vec<u8>, nodes: Vec<u8>) -> Vec<u8> {
    list(&[bin(times), counters, nodes])
}

/// The first time, and no difference between it and the others.
fn times(count: usize) -> Vec<u8> {
    let mut times = zigzag(TIME);
    times.resize(times.len() + count - 1, 0);
    times
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

/// The member with one changed field.
pub fn one_field() -> Vec<u8> {
    Draft::of("contacts", 1).bytes()
}

/// A member of another table.
pub fn of_table(table: &str) -> Vec<u8> {
    Draft::of(table, 2).bytes()
}

/// A member that says nothing.
pub fn no_records() -> Vec<u8> {
    of_none("empty", NIL, &[text("v")])
}

/// A member without records, with this for the list of those that are whole.
fn of_none(table: &str, whole: u8, columns: &[Vec<u8>]) -> Vec<u8> {
    let (key_columns, keys, none) = (list(&[text("id")]), list(&[bin(&[])]), vec![NIL]);
    list(&[text(table), key_columns, bin(&[]), number(0), keys, none.clone(), none, vec![whole], list(columns)])
}

/// A blob whose length takes 32 bits, a text whose length takes 16, and a text that is not UTF-8.
pub fn large_values() -> Vec<u8> {
    let text = "ä".repeat(150);
    let text = [&[0xda][..], &300u16.to_be_bytes(), text.as_bytes()].concat();
    let values = [bin(&vec![7; 66_000]), text, vec![0xd4, 1, 0xff]];
    Draft::of("large", 3).with(COLUMNS, list(&[column("v", vec![TRUE], &values, stamps(3))]))
}

/// What comes in: whole, with the word since when.
fn entered() -> Draft {
    let mut draft = Draft::of("t", 2);
    draft.set(DEATHS, list(&[vec![TRUE], stamps(2)])).set(WHOLE, vec![TRUE]);
    draft.set(
        COLUMNS,
        list(&[column("v", vec![TRUE], &[text("x"), text("x")], stamps_of(&[0, 0], vec![NIL], vec![NIL]))]),
    );
    draft
}

/// What leaves: keys and nothing else.
fn withdrawn() -> Draft {
    let mut draft = Draft::of("t", 2);
    draft.set(COLUMNS, list(&[]));
    draft
}

/// A member of each folder.
pub fn in_every_folder() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("changes/t", of_table("t")),
        ("entered/t", entered().bytes()),
        ("withdrawn/t", withdrawn().bytes()),
        ("limbo/t", Draft::of("t", 1).with(WHOLE, vec![TRUE])),
    ]
}

/// All of them.
pub fn vectors() -> Vec<Vector> {
    let within =
        [good(), of_the_frame(), of_the_keys(), of_the_positions(), of_the_stamps(), of_the_columns()].concat();
    let within = within.into_iter().map(|(name, bytes)| (name, Passage::Within, bytes));
    let vector = |(name, passage, bytes)| Vector::new("changes", name, Reading::Changes(passage), bytes);
    within.chain(of_the_folders()).map(vector).collect()
}

type Named = (&'static str, Vec<u8>);

fn good() -> Vec<Named> {
    let mut all = Draft::of("Order Details", 2);
    all.set(NODES, bin(&[[0; 7].as_slice(), &[5], &[0; 7], &[6]].concat()));
    let birth = stamps_of(&zigzag(TIME), bin(&[9]), bin(&[1, 1]));
    all.set(BIRTHS, list(&[bin(&[1]), birth]));
    all.set(DEATHS, list(&[bin(&[0]), stamps_of(&[3], vec![NIL], bin(&[2, 1]))]));
    let mut fields =
        column("v", vec![TRUE], &[vec![NIL], number(1 << 40)], stamps_of(&[1, 2], bin(&[0, 1]), bin(&[0, 1, 2, 1])));
    fields[0] = 0x95;
    fields.extend(list(&[bin(&[1]), stamps_of(&[0], vec![NIL], vec![NIL])]));
    all.set(COLUMNS, list(&[text("unchanged"), fields]));
    vec![
        ("good-one-field", one_field()),
        ("good-no-records", no_records()),
        ("good-everything-that-can-be-said", all.bytes()),
        ("good-keys-that-are-no-integers", Draft::of("t", 2).with(KEYS, list(&[list(&[number(1), text("1")])]))),
        ("good-large-values", large_values()),
        ("good-latest-stamp", one_with_stamps(stamps_of(&zigzag((1 << 47) - 1), bin(&varint(0xffff)), vec![NIL]))),
    ]
}

fn one_with_stamps(stamps: Vec<u8>) -> Vec<u8> {
    Draft::of("t", 1).with(COLUMNS, list(&[column("v", vec![TRUE], &[text("x")], stamps)]))
}

fn one_with_value(value: &[u8]) -> Vec<u8> {
    Draft::of("t", 1).with(COLUMNS, list(&[column("v", vec![TRUE], &[value.to_vec()], stamps(1))]))
}

fn of_the_frame() -> Vec<Named> {
    let whole = one_field();
    let two = Draft::of("t", 2);
    vec![
        ("bad-empty", Vec::new()),
        ("bad-cut", whole[..whole.len() - 1].to_vec()),
        ("bad-trailing-byte", [&whole[..], &[NIL]].concat()),
        ("bad-eight-parts", list(&two.0[..8])),
        ("bad-table-that-is-no-text", two.with(TABLE, number(1))),
        ("bad-table-that-is-not-utf-8", two.with(TABLE, vec![0xa1, 0xff])),
        ("bad-table-of-a-long-length", two.with(TABLE, vec![0xd9, 1, b't'])),
        ("bad-nan", one_with_value(&[&[0xcb][..], &f64::NAN.to_bits().to_be_bytes()].concat())),
        ("bad-float-of-32-bits", one_with_value(&[0xca, 0, 0, 0, 0])),
        ("bad-integer-of-a-long-form", one_with_value(&[0xcc, 5])),
        ("bad-integer-that-is-not-negative-as-signed", one_with_value(&[0xd1, 1, 0])),
        ("bad-integer-beyond-64-bits-signed", one_with_value(&number(1 << 63))),
        ("bad-utf-8-as-raw-text", one_with_value(&[0xd4, 1, b'a'])),
        ("bad-raw-text-as-utf-8", one_with_value(&[0xa1, 0xff])),
        ("bad-extension-of-another-type", one_with_value(&[0xd4, 2, 0xff])),
        ("bad-truth-for-a-value", one_with_value(&[TRUE])),
        ("bad-length-beyond-the-bytes", one_with_value(&[0xc6, 0xff, 0xff, 0xff, 0xff])),
    ]
}

fn of_the_keys() -> Vec<Named> {
    let two = Draft::of("t", 2);
    let keys = |differences: &[u8]| two.with(KEYS, list(&[bin(differences)]));
    vec![
        ("bad-no-key-column", two.clone().set(KEY_COLUMNS, list(&[])).set(KEYS, list(&[])).bytes()),
        (
            "bad-key-column-twice",
            two.clone()
                .set(KEY_COLUMNS, list(&[text("id"), text("id")]))
                .set(KEYS, list(&[bin(&[2, 2]), bin(&[2, 2])]))
                .bytes(),
        ),
        ("bad-keys-of-too-few-columns", two.with(KEY_COLUMNS, list(&[text("id"), text("other")]))),
        ("bad-keys-out-of-order", keys(&[4, 1])),
        ("bad-keys-equal", keys(&[2, 0])),
        ("bad-keys-too-few", keys(&[2])),
        ("bad-keys-too-many", keys(&[2, 2, 2])),
        ("bad-key-with-a-varint-of-a-long-form", keys(&[2, 0x82, 0])),
        ("bad-key-with-a-varint-beyond-64-bits", keys(&[[2].as_slice(), &[0xff; 9], &[2]].concat())),
        ("bad-key-with-a-varint-cut", keys(&[2, 0x82])),
        ("bad-integer-keys-as-a-list", two.with(KEYS, list(&[list(&[number(1), number(2)])]))),
        ("bad-keys-unsorted-by-kind", two.with(KEYS, list(&[list(&[text("1"), number(1)])]))),
        ("bad-count-negative", two.with(COUNT, vec![0xff])),
        ("bad-count-beyond-the-bytes", two.with(COUNT, number(1 << 20))),
        ("bad-count-beyond-the-limit", two.with(COUNT, number((1 << 20) + 1))),
    ]
}

fn of_the_positions() -> Vec<Named> {
    let two = Draft::of("t", 2);
    let whole = |positions: Vec<u8>| two.with(WHOLE, positions);
    vec![
        ("bad-positions-of-all-one-by-one", whole(bin(&[0, 0]))),
        ("bad-positions-of-none-as-bytes", whole(bin(&[]))),
        ("bad-positions-beyond-the-records", whole(bin(&[2]))),
        ("bad-positions-with-a-varint-of-a-long-form", whole(bin(&[0x80, 0]))),
        ("bad-positions-that-are-false", whole(vec![0xc2])),
        ("bad-positions-of-all-of-none", of_none("t", TRUE, &[])),
        ("bad-births-of-none", two.with(BIRTHS, list(&[vec![NIL], stamps_of(&[], vec![NIL], vec![NIL])]))),
        ("bad-births-of-three-parts", two.with(BIRTHS, list(&[vec![TRUE], stamps(2), vec![NIL]]))),
    ]
}

fn of_the_stamps() -> Vec<Named> {
    let node = |last: u8| [[0; 7].as_slice(), &[last]].concat();
    let of_node = |nodes: Vec<u8>, runs: &[u8]| {
        let stamps = stamps_of(&times(2), vec![NIL], bin(runs));
        let columns = list(&[column("v", vec![TRUE], &[text("x"), text("x")], stamps)]);
        Draft::of("t", 2).set(NODES, bin(&nodes)).set(COLUMNS, columns).bytes()
    };
    let counters = |counters: &[u8]| one_with_stamps(stamps_of(&times(1), bin(counters), vec![NIL]));
    vec![
        ("bad-stamp-beyond-the-range", one_with_stamps(stamps_of(&zigzag(1 << 47), vec![NIL], vec![NIL]))),
        ("bad-stamp-before-1970", one_with_stamps(stamps_of(&zigzag(-1), vec![NIL], vec![NIL]))),
        ("bad-stamp-with-a-varint-of-a-long-form", one_with_stamps(stamps_of(&[0x82, 0], vec![NIL], vec![NIL]))),
        ("bad-stamps-too-many", one_with_stamps(stamps(2))),
        ("bad-stamps-of-two-parts", one_with_stamps(list(&[bin(&times(1)), vec![NIL]]))),
        ("bad-counter-beyond-the-range", counters(&varint(0x1_0000))),
        ("bad-counters-that-are-all-0", counters(&[0])),
        ("bad-counters-too-many", counters(&[1, 1])),
        ("bad-node-without-a-number", of_node(node(5), &[2, 2])),
        ("bad-node-that-has-no-stamp", of_node([node(5), node(6)].concat(), &[1, 2])),
        ("bad-nodes-out-of-order", of_node([node(6), node(5)].concat(), &[1, 1, 2, 1])),
        ("bad-node-that-is-the-sender", of_node(node(77), &[1, 2])),
        ("bad-nodes-of-nine-bytes", of_node([node(5), vec![0]].concat(), &[1, 2])),
        ("bad-runs-that-are-all-the-sender-s", of_node(Vec::new(), &[0, 2])),
        ("bad-runs-that-could-be-one", of_node(node(5), &[1, 1, 1, 1])),
        ("bad-run-of-none", of_node(node(5), &[1, 0, 1, 2])),
        ("bad-run-beyond-the-stamps", of_node(node(5), &[1, 3])),
    ]
}

fn of_the_columns() -> Vec<Named> {
    let two = Draft::of("t", 2);
    let columns = |columns: &[Vec<u8>]| two.with(COLUMNS, list(columns));
    let values = [text("x"), text("x")];
    let refers = |last: Vec<u8>| {
        let mut fields = column("v", vec![TRUE], &values, stamps(2));
        fields[0] = 0x95;
        columns(&[[fields, last].concat()])
    };
    let many = [&[0xdc, 0x80, 0x00][..], &text("c").repeat(0x8000)].concat();
    vec![
        ("bad-column-twice", columns(&[text("v"), text("v")])),
        ("bad-column-of-three-parts", columns(&[list(&[text("v"), vec![TRUE], list(&values)])])),
        ("bad-column-of-no-fields", columns(&[column("v", vec![NIL], &[], stamps_of(&[], vec![NIL], vec![NIL]))])),
        ("bad-column-of-too-few-values", columns(&[column("v", vec![TRUE], &values[..1], stamps(2))])),
        ("bad-column-of-too-many-values", columns(&[column("v", bin(&[1]), &values, stamps(1))])),
        ("bad-column-that-refers-to-nothing", refers(vec![NIL])),
        ("bad-columns-that-are-no-list", two.with(COLUMNS, text("v"))),
        ("bad-columns-beyond-the-bytes", two.with(COLUMNS, vec![0xdd, 0, 0, 0x7f, 0xff])),
        ("bad-columns-beyond-the-limit", two.with(COLUMNS, many)),
    ]
}

fn of_the_folders() -> Vec<(&'static str, Passage, Vec<u8>)> {
    let comes = Passage::Entered { since: Clock(0) };
    let another = list(&[vec![TRUE], stamps_of(&times(2), vec![NIL], bin(&[1, 2]))]);
    let another = entered().set(NODES, bin(&[0, 0, 0, 0, 0, 0, 0, 5])).set(DEATHS, another).bytes();
    let keys = withdrawn().with(COLUMNS, list(&[column("id", bin(&[1]), &[number(2)], stamps(1))]));
    let dead = Draft::of("t", 2).with(DEATHS, list(&[bin(&[0]), stamps(1)]));
    vec![
        ("good-entered", comes, entered().bytes()),
        ("good-withdrawn", Passage::Withdrawn, withdrawn().bytes()),
        ("good-withdrawn-with-a-reference-of-the-key", Passage::Withdrawn, keys),
        ("good-limbo", Passage::Limbo, Draft::of("t", 2).with(WHOLE, vec![TRUE])),
        ("bad-entered-without-since-when", comes, entered().with(DEATHS, vec![NIL])),
        ("bad-entered-in-parts", comes, entered().with(WHOLE, bin(&[0]))),
        ("bad-entered-by-another-s-word", comes, another),
        ("bad-withdrawn-with-other-fields", Passage::Withdrawn, Draft::of("t", 2).bytes()),
        ("bad-withdrawn-and-dead", Passage::Withdrawn, dead.clone()),
        ("bad-withdrawn-and-whole", Passage::Withdrawn, withdrawn().with(WHOLE, vec![TRUE])),
        ("bad-limbo-and-dead", Passage::Limbo, dead.clone()),
        ("good-overruled", Passage::Overruled, Draft::of("t", 2).bytes()),
        ("bad-overruled-and-dead", Passage::Overruled, dead),
        ("good-refused", Passage::Refused, Draft::of("t", 2).with(DEATHS, list(&[bin(&[0]), stamps(1)]))),
        ("bad-refused-and-whole", Passage::Refused, Draft::of("t", 2).with(WHOLE, vec![TRUE])),
        ("bad-overruled-and-whole", Passage::Overruled, Draft::of("t", 2).with(WHOLE, vec![TRUE])),
    ]
}
