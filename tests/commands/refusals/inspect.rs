//! `inspect`: whatever is no bundle and no package, or no sound one.

use super::catalogue::Catalogue;
use super::foreign::{FOREIGN, scatter};
use super::restore::spoil;
use super::scenes::pair;

#[test]
fn inspect() {
    let mut book = Catalogue::of("inspect");
    let scene = pair();
    scatter(&scene);
    spoil(&scene);
    book.case(&scene).typed("no file", &["inspect"]);
    let more = [
        ("a package cut short", "odd/cut.rdb"),
        ("a package with a bit flipped", "odd/flipped.rdb"),
        ("a package of a later format", "odd/newer.rdb"),
    ];
    for (what, path) in FOREIGN.into_iter().chain(more) {
        book.case(&scene).typed(what, &["inspect", path]);
    }
    book.case(&scene).typed("a letter, for JSON", &["inspect", "--json", "odd/letter.txt"]);
    book.close();
}
