//! `relay check`: addresses that are none, and homes that name no relay. What it finds out is its result, not a refusal.

use super::catalogue::Catalogue;
use super::scenes::{config, configure, hub};

#[test]
fn relay_check() {
    let mut book = Catalogue::of("checks");
    let scene = hub();
    book.case(&scene).typed("no relay and no home", &["relay", "check"]);
    for (what, relay) in [("no address", "http://127.0.0.1/relay"), ("an empty one", "")] {
        book.at(&scene, "hq").typed(&format!("the relay is {what}"), &["relay", "check", relay]);
    }
    configure(&scene, "hq", config(&scene, "hq").replace("relay = ", "# relay = "));
    book.at(&scene, "hq").typed("a home that names none", &["relay", "check"]);
    book.close();
}
