//! Unique columns: what two nodes make under one name is held until the application makes room, or is one record.

use super::office::{NODES, Office};

/// A customer whom two representatives take on, with an order and tags each.
#[test]
fn a_customer_who_is_taken_on_twice_waits_with_all_that_is_theirs_until_the_application_changes_one() {
    let Some(office) = Office::open() else { return };
    for login in ["alice", "bob"] {
        let script = format!(
            "take_on('{login}', 'same@example.org', 'vip', 'by {login}'); \
             order('same@example.org', 'order of {login}', tea=1, rope=2)"
        );
        office.does(login, &script);
    }
    office.sync(&["alice", "bob", "hq", "bob", "alice"]);
    let held = office.listed("hq", "held");
    assert!(held.iter().any(|one| one["table"] == "trade_customer" && one["node"] == "bob"), "{held:#?}");
    let words = office.scene.packhorse("hq", &["held", "list"]).expect(0).out;
    assert!(words.contains("another record here has the same email, which must be unique"), "{words}");
    assert_eq!(office.does("bob", "print(customer('same@example.org').rep.username)"), "bob", "he goes on working");
    office.does("bob", "one = customer('same@example.org'); one.email = 'other@example.org'; one.save()");
    office.come_together();
    for (node, emails) in [("hq", ["same", "other"].as_slice()), ("alice", &["same", "other"]), ("bob", &["other"])] {
        for email in emails {
            let whole = format!(
                "one = customer('{email}@example.org'); it = one.order_set.get(); \
                 print(one.rep.username, one.tags.count(), it.number, it.line_set.count())"
            );
            let rep = if *email == "same" { "alice" } else { "bob" };
            assert_eq!(office.does(node, &whole), format!("{rep} 2 order of {rep} 2"), "{email} at {node}");
        }
    }
}

/// `get_or_create` at every node makes the same tag three times, and the same tag is put on one customer twice.
#[test]
fn tags_that_are_made_apart_are_one_and_so_is_what_joins_them_to_a_customer() {
    let Some(office) = Office::open() else { return };
    office.does("hq", "label('1.bob@example.org', 'new here', 'vip'); label('1.alice@example.org', 'new here')");
    office.does("alice", "label('1.alice@example.org', 'new here'); label('2.alice@example.org', 'new here')");
    office.does(
        "bob",
        "label('1.bob@example.org', 'new here', 'late payer'); customer('2.bob@example.org').tags.clear()",
    );
    office.come_together();
    let read = "print(Tag.objects.filter(name='new here').count(), *(f'{one.email}: {one.tags.count()}' \
                for one in Customer.objects.filter(tags__name='new here').order_by('email')), sep=', ')";
    let all = "1, 1.alice@example.org: 2, 1.bob@example.org: 3, 2.alice@example.org: 2";
    assert_eq!(office.does("hq", read), all);
    assert_eq!(office.does("alice", read), all);
    assert_eq!(office.does("bob", read), "1, 1.bob@example.org: 3");
}

/// Two nodes put one product into one order: a line each, of which the schema allows one.
#[test]
fn a_product_that_is_added_twice_to_an_order_is_one_line() {
    let Some(office) = Office::open() else { return };
    let add =
        |quantity| format!("add_line(customer('1.bob@example.org').order_set.get(), product('salt'), {quantity})");
    office.does("hq", &add(20));
    office.does("bob", &add(30));
    office.come_together();
    for node in NODES {
        let read = "print(*Line.objects.filter(product__code='salt').values_list('quantity', flat=True))";
        assert_eq!(office.does(node, read), "30", "{node}");
    }
    let all = office.listed("hq", "conflicts");
    let lost = all.iter().find(|one| one["table"] == "trade_line" && one["column"] == "quantity");
    assert_eq!(lost.map(|one| &one["lost"]["value"]), Some(&20.into()), "{all:#?}");
}

#[test]
fn customers_who_swap_their_addresses_pass() {
    let Some(office) = Office::open() else { return };
    let swap = "one, other = customer('1.bob@example.org'), customer('2.bob@example.org')\n\
                with transaction.atomic():\n    for them, email in [(one, 'x@example.org'), (other, '1.bob@example.org'), \
                (one, '2.bob@example.org')]:\n        them.email = email\n        them.save(update_fields=['email'])";
    office.does("bob", swap);
    office.does("hq", "Customer.objects.filter(email='2.bob@example.org').update(phone='second')");
    office.come_together();
    for node in NODES {
        assert_eq!(office.does(node, "print(customer('1.bob@example.org').phone)"), "second", "{node}");
    }
}
