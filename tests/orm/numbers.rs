//! Integer keys that are taken at all nodes at once.

use super::office::{NODES, Office};

/// What a representative makes on a day: records in every table, which refer to each other.
fn make(login: &str) -> String {
    format!(
        "one = take_on('{login}', 'new@{login}.example', 'of {login}', 'vip', referred_by=customer('1.{login}@example.org'))\n\
         order('new@{login}.example', '{login}-1', tea=2, rope=1000, sail=1)\n\
         print(one.pk, Order.objects.latest('pk').pk, Line.objects.latest('pk').pk, Tag.objects.latest('pk').pk)"
    )
}

#[test]
fn records_that_two_remotes_make_under_the_same_numbers_are_told_apart_by_everybody() {
    let Some(office) = Office::open() else { return };
    let numbers = NODES.map(|node| office.does(node, &make(node)));
    assert_eq!(numbers[1], "1000000001 1000000001 1000000002 1000000001");
    assert_eq!(numbers[1], numbers[2], "taken twice");
    // A generic key is a number beside the number of a type; the representatives at remotes with a set have none.
    for node in ["hq", "alice"] {
        office.does(node, &format!("remark(Order.objects.latest('pk'), '{node}', 'the latest of {node}')"));
    }
    office.come_together();
    for (node, known) in [("hq", 3), ("alice", 3), ("bob", 1)] {
        let told = office.does(
            node,
            "print(Customer.objects.filter(email__startswith='new@').count(), Customer.objects.latest('pk').pk < 100)",
        );
        assert_eq!(told, format!("{known} True"), "{node}: all have their numbers from the hub");
    }
    let who = "one = Order.objects.get(number='bob-1'); \
               print(one.number, one.customer.email, one.missing, *one.line_set.order_by('product__code').values_list('product__code', flat=True))";
    for node in NODES {
        assert_eq!(office.does(node, who), "bob-1 new@bob.example 1000 rope sail tea", "{node}");
    }
    let about = "one = Remark.objects.get(text='the latest of alice'); print(one.about.number, one.author.username)";
    assert_eq!(office.does("hq", about), "alice-1 alice");
    // And on they go, under numbers that nobody had.
    for node in NODES {
        office.does(node, &make(node).replace("new@", "next@").replace("-1'", "-2'"));
    }
    office.come_together();
    assert_eq!(office.does("hq", "print(Customer.objects.count(), Order.objects.count())"), "12 9");
}
