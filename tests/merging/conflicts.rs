//! Conflicts: kept at both ends, with both values, and put back by one command.

use super::{come_to_rest, edit_apart, listed, scene, sync};

const HQ: &str = "UPDATE people SET phone = '555 hq' WHERE id = 1";
const ALICE: &str = "UPDATE people SET phone = '555 alice' WHERE id = 1";

/// Whoever loses a value hears of it, whichever end it was that overwrote.
#[test]
fn both_ends_keep_a_conflict_whichever_of_them_found_it_and_whoever_won() {
    for (first, second, winner) in [(("hq", HQ), ("alice", ALICE), "alice"), (("alice", ALICE), ("hq", HQ), "hq")] {
        for order in [["alice", "hq", "alice", "hq"], ["hq", "alice", "hq", "alice"]] {
            let scene = scene("[table.people]\ntitle = \"name\"", &["alice"]);
            edit_apart(&scene, first, second);
            sync(&scene, &order);
            come_to_rest(&scene, &order[..2]);
            for node in ["hq", "alice"] {
                let about = format!("{winner} wins, {order:?}, at {node}");
                let all = listed(&scene, node, &[]);
                assert_eq!(all.len(), 1, "{about}: {all:#?}");
                let one = &all[0];
                let loser = if winner == "hq" { "alice" } else { "hq" };
                assert_eq!(one["kept"]["value"], format!("555 {winner}"), "{about}: {one:#}");
                assert_eq!(one["lost"]["value"], format!("555 {loser}"), "{about}: {one:#}");
                assert_eq!((&one["kept"]["node"], &one["lost"]["node"]), (&winner.into(), &loser.into()), "{about}");
                assert_eq!(one["stands"], if node == winner { "ours" } else { "theirs" }, "{about}");
                assert_eq!(
                    (&one["table"], &one["key"][0], &one["column"]),
                    (&"people".into(), &1.into(), &"phone".into())
                );
                assert_eq!(one["title"], "Ada Bell", "{about}");
                let status = scene.packhorse(node, &["status", "--json"]).expect(0).json();
                assert_eq!(status["links"][0]["conflicts"], 1, "{about}");
            }
        }
    }
}

#[test]
fn to_resolve_one_is_an_edit_that_travels_and_settles_it_everywhere() {
    for (at, keep, comes) in [("hq", "theirs", "555 hq"), ("alice", "ours", "555 hq"), ("alice", "theirs", "555 alice")]
    {
        let (keep, value) = match (at, keep) {
            ("hq", _) => ("ours", comes),
            (_, "ours") => ("theirs", comes),
            _ => ("ours", comes),
        };
        let scene = scene("", &["alice", "bob"]);
        edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
        sync(&scene, &["alice", "hq", "alice"]);
        let id = listed(&scene, at, &[])[0]["id"].to_string();
        let run = scene.packhorse(at, &["conflicts", "resolve", &id, "--keep", keep]).expect(0);
        assert!(run.out.contains(&format!("people 1: phone is '{value}' from now on")), "{run:#?}");
        come_to_rest(&scene, &[at, "hq", "alice", "bob"]);
        for node in ["hq", "alice", "bob"] {
            assert_eq!(scene.sql(node, "SELECT phone FROM people WHERE id = 1"), value, "{at} {keep}, at {node}");
            assert!(listed(&scene, node, &[]).is_empty(), "{at} {keep}, at {node}");
        }
        for node in ["hq", "alice"] {
            assert_eq!(listed(&scene, node, &["--all"])[0]["open"], false, "{at} {keep}, at {node}");
        }
        // Only who was part of it hears of it.
        assert!(listed(&scene, "bob", &["--all"]).is_empty());
    }
}

#[test]
fn another_value_or_none_can_be_given() {
    for (words, comes) in [(vec!["--value", "555 both"], "555 both"), (vec!["--null"], "")] {
        let scene = scene("", &["alice"]);
        edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
        sync(&scene, &["alice", "hq"]);
        let id = listed(&scene, "hq", &[])[0]["id"].to_string();
        scene.packhorse("hq", &[&["conflicts", "resolve", &id], words.as_slice()].concat()).expect(0);
        sync(&scene, &["hq", "alice", "hq"]);
        assert_eq!(scene.sql("alice", "SELECT phone FROM people WHERE id = 1"), comes);
    }
}

#[test]
fn what_the_table_does_not_take_is_refused_and_changes_nothing() {
    let scene = scene("", &["alice"]);
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET boss = 2 WHERE id = 1"),
        ("alice", "UPDATE people SET boss = 1 WHERE id = 1"),
    );
    sync(&scene, &["alice", "hq"]);
    let id = listed(&scene, "hq", &[])[0]["id"].to_string();
    let run = scene.packhorse("hq", &["conflicts", "resolve", &id, "--value", "77"]).expect(1);
    run.says("it would refer to people 77, which is not here").says("give another value");
    assert_eq!(listed(&scene, "hq", &[]).len(), 1);
    assert_eq!(scene.sql("hq", "SELECT boss FROM people WHERE id = 1"), "1");
}

/// Whoever edits a field having seen what stands there has decided.
#[test]
fn a_later_edit_in_sight_of_what_stands_settles_a_conflict() {
    let scene = scene("", &["alice"]);
    edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
    sync(&scene, &["alice", "hq", "alice"]);
    scene.sql("alice", "UPDATE people SET phone = '555 new' WHERE id = 1");
    sync(&scene, &["alice", "hq", "alice"]);
    for node in ["hq", "alice"] {
        assert!(listed(&scene, node, &[]).is_empty(), "{node}");
    }
    // What nobody has seen yet is a conflict of its own, and the first is not forgotten over it.
    edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
    sync(&scene, &["alice", "hq", "alice"]);
    edit_apart(&scene, ("hq", "UPDATE people SET name = 'x' WHERE id = 2"), ("hq", "DELETE FROM people WHERE id = 2"));
    sync(&scene, &["hq", "alice", "hq"]);
    assert_eq!(listed(&scene, "hq", &[]).len(), 1);
}

#[test]
fn what_was_overruled_unseen_by_three_stays_open_with_all_its_values() {
    let scene = scene("", &["alice", "bob"]);
    scene.sql("hq", HQ);
    std::thread::sleep(std::time::Duration::from_millis(5));
    edit_apart(&scene, ("alice", ALICE), ("bob", "UPDATE people SET phone = '555 bob' WHERE id = 1"));
    sync(&scene, &["alice", "hq", "bob", "hq", "alice", "bob"]);
    let all = listed(&scene, "hq", &[]);
    let lost: Vec<&str> = all.iter().filter_map(|one| one["lost"]["value"].as_str()).collect();
    assert_eq!(lost, ["555 hq", "555 alice"], "{all:#?}");
    let id = all[0]["id"].to_string();
    scene.packhorse("hq", &["conflicts", "resolve", &id, "--keep", "ours"]).expect(0);
    assert!(listed(&scene, "hq", &[]).is_empty(), "the field is decided");
    assert_eq!(scene.sql("hq", "SELECT phone FROM people WHERE id = 1"), "555 hq");
}

#[test]
fn a_conflict_goes_with_its_record_to_another_number() {
    let scene = scene("", &["alice"]);
    scene.sql("alice", "INSERT INTO people (name, phone) VALUES ('New', '1')");
    sync(&scene, &["alice", "hq"]);
    // The hub has given it a number that alice has not heard of yet.
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET phone = '2' WHERE name = 'New'"),
        ("alice", "UPDATE people SET phone = '3' WHERE name = 'New'"),
    );
    sync(&scene, &["alice", "hq", "alice", "hq"]);
    for node in ["hq", "alice"] {
        let number = scene.sql(node, "SELECT id FROM people WHERE name = 'New'");
        let all = listed(&scene, node, &[]);
        assert_eq!(all.len(), 1, "{node}: {all:#?}");
        assert_eq!(all[0]["key"][0].to_string(), number, "{node}");
        assert_eq!(all[0]["lost"]["value"], "2", "{node}");
    }
    let id = listed(&scene, "alice", &[])[0]["id"].to_string();
    scene.packhorse("alice", &["conflicts", "resolve", &id, "--keep", "theirs"]).expect(0);
    sync(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT phone FROM people WHERE name = 'New'"), "2");
}

#[test]
fn of_a_record_that_is_gone_there_is_nothing_to_decide() {
    let scene = scene("", &["alice"]);
    edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
    sync(&scene, &["alice", "hq", "alice"]);
    let id = listed(&scene, "hq", &[])[0]["id"].to_string();
    scene.sql("hq", "DELETE FROM people");
    assert!(listed(&scene, "hq", &[]).is_empty());
    let run = scene.packhorse("hq", &["conflicts", "resolve", &id, "--keep", "theirs"]).expect(1);
    run.says("people 1 does not stand any more");
}

#[test]
fn a_conflict_is_shown_with_both_values_and_what_can_be_typed() {
    let scene = scene("[table.people]\ntitle = \"name\"", &["alice"]);
    edit_apart(&scene, ("hq", HQ), ("alice", ALICE));
    sync(&scene, &["alice", "hq", "alice"]);
    let list = scene.packhorse("hq", &["conflicts", "list"]).expect(0).out;
    let line = "1  people 1 (Ada Bell)  phone  '555 alice' by alice stands  '555 hq' by hq was overruled  ";
    assert!(list.starts_with(line), "{list}");
    let shown = scene.packhorse("hq", &["conflicts", "show", "1"]).expect(0).out;
    for words in [
        "1  people 1 (Ada Bell), phone",
        "ours        '555 hq' (",
        "theirs      '555 alice' (",
        "by alice, stood)",
        "resolve 1 --keep ours",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }
}
