//! `set try`: what a set would move, told before anything is changed.

use super::{configure, each_has_its_own, join, rest, sales};

#[test]
fn what_would_enter_and_leave_is_told_and_nothing_is_changed() {
    let scene = sales();
    let try_it = |words: &[&str]| scene.packhorse("hq", &[&["set", "try"], words].concat()).expect(0);
    assert!(try_it(&["sales"]).out.contains("nothing would move"));
    let condition = "manager IS NULL OR manager = :user";
    let run = try_it(&["sales", "--table", "companies", "--where", condition, "--json"]);
    let told = run.json();
    assert_eq!((told[0]["remote"].as_str(), told[1]["remote"].as_str()), (Some("alice"), Some("bob")));
    for (at, table) in ["companies", "contacts", "notes"].iter().enumerate() {
        let moved = &told[0]["tables"][at];
        assert_eq!(moved["table"], *table);
        assert_eq!((moved["entering"]["records"].as_u64(), moved["leaving"]["records"].as_u64()), (Some(1), Some(0)));
        assert!(moved["entering"]["bytes"].as_u64() > Some(5), "{told}");
    }
    configure(&scene, "[[set.few.table]]\nname = \"companies\"\nwhere = \"id = 3\"\n");
    let few = try_it(&["few", "--remote", "alice"]).out;
    assert!(few.contains("companies") && few.contains("1 record") && few.contains("would leave"), "{few}");
    assert!(
        few.lines().any(|line| line.contains("notes") && line.contains("1 record") && line.contains("would leave"))
    );
    scene.packhorse("hq", &["remote", "add", "new", "--set", "few"]).expect(0);
    assert!(try_it(&["few"]).out.contains("1 record"));
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    let same = scene.sql("hq", "SELECT count(*) FROM _packhorse_memberships");
    assert_eq!(same, "2");
}

#[test]
fn what_is_told_is_what_moves() {
    let scene = sales();
    join(&scene, "carol", "everything", &[]);
    let told = scene.packhorse("hq", &["set", "try", "sales", "--remote", "carol"]).expect(2);
    assert!(told.err.contains(":user"), "{told:#?}");
    super::reconfigure(
        &scene,
        "[remote.carol]\nset = \"everything\"\n",
        "[remote.carol]\nset = \"sales\"\nparams = { user = \"bob\" }\n",
    );
    let told = scene.packhorse("hq", &["set", "try", "sales", "--remote", "carol", "--json"]).expect(0).json();
    let leaving: u64 = (0..3).filter_map(|at| told[0]["tables"][at]["leaving"]["records"].as_u64()).sum();
    assert_eq!(leaving, 6);
    scene.packhorse("hq", &["bundle", "--now", "carol"]).expect(0).says("6 records");
    rest(&scene, &["hq", "carol"]);
    scene.same("notes", "bob", "bob");
    assert_eq!(scene.rows("carol", "notes"), ["200|20|'of Bea'"]);
}

#[test]
fn a_set_that_does_not_fit_is_refused() {
    let scene = sales();
    let wrong = ["set", "try", "sales", "--table", "companies", "--where", "nonsense = 1"];
    scene.packhorse("hq", &wrong).expect(2).says("nonsense");
    scene.packhorse("hq", &["set", "try", "none"]).expect(2).says("there is no set \"none\"");
    scene.packhorse("hq", &["set", "try", "sales", "--remote", "zoe"]).expect(2).says("no remote \"zoe\"");
}
