//! Files of other kinds, and what is no file: what people name by mistake, and what a failing disk leaves.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Scene, sqlite};

/// What may stand anywhere instead of a file of ours, each with its name below the scene's folder.
pub const FOREIGN: [(&str, &str); 4] = [
    ("a photo", "odd/photo.jpg"),
    ("an empty file", "odd/empty"),
    ("a folder", "odd/folder"),
    ("what is not there", "odd/missing"),
];

/// Puts them there, and beside them other files, a link to itself, and databases in several states.
pub fn scatter(scene: &Scene) {
    let at = |name: &str| scene.path("odd").join(name);
    fs::create_dir_all(at("folder")).expect("a folder");
    let write = |name: &str, content: &[u8]| fs::write(at(name), content).expect("a file");
    write("photo.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00");
    write("archive.zip", &[b"PK\x03\x04\x14\x00\x00\x00\x08\x00", &[7; 500][..]].concat());
    write("letter.txt", "Dear Sir or Madam, ".repeat(300).as_bytes());
    write("empty", b"");
    write("random", &noise(20_000));
    symlink("loop", at("loop")).expect("a link");
    sqlite(&at("plain.db"), super::scenes::SCHEMA);
    let whole = fs::read(at("plain.db")).expect("the database");
    write("cut.db", &whole[..5000]);
    write("later.db", &of_later_sqlite(whole));
    sqlite(
        &at("useless.db"),
        "CREATE TABLE a (b); CREATE VIRTUAL TABLE v USING fts5(a); CREATE VIEW w AS SELECT b FROM a",
    );
}

/// A database that every SQLite of today may read and none may write: the header's write version is a later one
/// (<https://sqlite.org/fileformat2.html>).
fn of_later_sqlite(mut database: Vec<u8>) -> Vec<u8> {
    database[18] = 3;
    database
}

/// Bytes in which nothing is to be seen, the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next(&mut state)).collect()
}
