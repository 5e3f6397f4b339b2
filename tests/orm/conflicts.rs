//! The same records changed at two nodes, through an ORM that writes all columns of what it saves.

use super::office::{NODES, Office};

/// Who saves a record writes every column of it; only what has another value since counts as an edit.
#[test]
fn what_an_orm_saves_whole_is_merged_by_field_and_what_lost_is_told() {
    let Some(office) = Office::open() else { return };
    let edit =
        |phone, more| format!("one = customer('1.alice@example.org'); one.phone = '{phone}'; {more}; one.save()");
    office.does("hq", &edit("555 hq", "one.discount = Decimal('0.125'); one.details['ship'] = 'Argo'"));
    office.does("alice", &edit("555 alice", "one.active = False; one.name = 'Ada Bell'"));
    office.come_together();
    let read = "one = customer('1.alice@example.org'); \
                print(one.name, one.phone, one.active, repr(one.discount), one.details['ship'], one.details['hours'])";
    for node in ["hq", "alice"] {
        let told = office.does(node, read);
        assert_eq!(told, "Ada Bell 555 alice False Decimal('0.125') Argo [9, 17.5]", "{node}");
        let all = office.listed(node, "conflicts");
        let phone = all.iter().find(|one| one["column"] == "phone").expect("a conflict about it");
        assert_eq!(
            (&phone["kept"]["value"], &phone["lost"]["value"]),
            (&"555 alice".into(), &"555 hq".into()),
            "{node}"
        );
        assert_eq!(phone["title"], "1.alice@example.org");
        // The application itself writes when it has saved a record: that is a field like any other.
        let columns: Vec<&str> = all.iter().filter_map(|one| one["column"].as_str()).collect();
        assert_eq!(columns, ["changed", "phone"], "{node}: {all:#?}");
    }
    assert!(office.listed("bob", "conflicts").is_empty());
    let key = office.does("alice", "print(customer('1.alice@example.org').pk)");
    let told = office.scene.packhorse("alice", &["trace", "trade_customer", &key]).expect(0).out;
    assert!(told.contains("'555 hq'") && told.contains("was overruled by '555 alice', unseen"), "{told}");
    put_back(&office);
}

/// A person decides for what lost, and the application reads that everywhere.
fn put_back(office: &Office) {
    let all = office.listed("hq", "conflicts");
    let phone = all.iter().find(|one| one["column"] == "phone").expect("a conflict about it");
    office.scene.packhorse("hq", &["conflicts", "resolve", &phone["id"].to_string(), "--keep", "ours"]).expect(0);
    office.come_together();
    assert_eq!(office.does("alice", "print(customer('1.alice@example.org').phone)"), "555 hq");
}

/// An ORM that computes in the database says what came of it: of two differences that were made apart the later counts.
#[test]
fn a_number_that_is_computed_apart_is_told_as_a_conflict() {
    let Some(office) = Office::open() else { return };
    let sell = |count| format!("Product.objects.filter(code='tea').update(stock=F('stock') - {count})");
    let before: i64 = office.does("hq", "print(product('tea').stock)").parse().expect("a number");
    office.does("hq", &sell(10));
    office.does("bob", &sell(1));
    office.come_together();
    for node in NODES {
        assert_eq!(office.does(node, "print(product('tea').stock)"), (before - 1).to_string(), "{node}");
    }
    for node in ["hq", "bob"] {
        let all = office.listed(node, "conflicts");
        let told = (&all[0]["column"], &all[0]["lost"]["value"], &all[0]["lost"]["node"]);
        assert_eq!(told, (&"stock".into(), &(before - 10).into(), &"hq".into()), "{node}: {all:#?}");
    }
}
