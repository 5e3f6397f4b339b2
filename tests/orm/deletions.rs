//! Deletions that Django cascades itself, against what other nodes do with the same records.

use super::office::{NODES, Office};

#[test]
fn what_the_orm_deletes_with_a_customer_is_gone_everywhere() {
    let Some(office) = Office::open() else { return };
    office.does("alice", "order('1.bob@example.org', salt=1); customer('1.bob@example.org').delete()");
    office.come_together();
    for node in NODES {
        let left = "print(Customer.objects.filter(rep=user('bob')).count(), \
                    Line.objects.filter(order__customer__rep=user('bob')).count(), \
                    Remark.objects.filter(author=user('bob')).count())";
        assert_eq!(office.does(node, left), "1 0 0", "{node}");
    }
    assert!(NODES.iter().all(|node| office.listed(node, "notices").is_empty()));
}

/// Nobody's work vanishes: whoever orders for a customer who is deleted elsewhere brings them back.
#[test]
fn an_order_brings_back_the_customer_whom_another_node_deleted() {
    let Some(office) = Office::open() else { return };
    office.does("hq", "customer('1.bob@example.org').delete()");
    office.does("bob", "order('1.bob@example.org', 'again', salt=7)");
    office.come_together();
    for node in NODES {
        let read = "one = Order.objects.get(number='again'); print(one.customer.email, one.customer.name, \
                    one.customer.rep.username, one.line_set.get().quantity, one.customer.order_set.count())";
        assert_eq!(office.does(node, read), "1.bob@example.org 1.Bob bob 7 1", "{node}");
    }
    // It is told to whoever brought them back.
    let told = office.scene.packhorse("bob", &["notices", "list"]).expect(0).out;
    assert!(told.contains("was deleted elsewhere but is kept: trade_order"), "{told}");
}

/// Django looks for what protects a product, and there is nothing here yet.
#[test]
fn a_product_that_another_node_sells_is_not_lost() {
    let Some(office) = Office::open() else { return };
    assert_eq!(office.does("hq", "print(Product.objects.filter(code='rope').delete()[0])"), "1");
    office.does("alice", "order('2.alice@example.org', 'ropes', rope=3)");
    office.come_together();
    for node in NODES {
        assert_eq!(office.does(node, "print(product('rope').name, product('rope').stock)"), "Rope 97", "{node}");
    }
    let refuses = "from django.db.models import ProtectedError\ntry:\n    product('rope').delete()\n\
                   except ProtectedError:\n    print('protected')";
    assert_eq!(office.does("hq", refuses), "protected");
}

/// Django sets to NULL what referred to a customer, and then deletes; elsewhere somebody else was referred by them.
#[test]
fn a_reference_that_is_set_to_null_and_one_that_is_made_meanwhile() {
    let Some(office) = Office::open() else { return };
    office.does("alice", "take_on('alice', 'a@example.org', referred_by=customer('2.hq@example.org'))");
    office.come_together();
    office.does("hq", "customer('2.hq@example.org').delete()");
    office.come_together();
    let read = |email: &str| format!("print(getattr(customer('{email}').referred_by, 'email', None))");
    assert_eq!(office.does("alice", &read("a@example.org")), "None");
    office.does("hq", "customer('1.hq@example.org').delete()");
    office.does("alice", "take_on('alice', 'b@example.org', referred_by=customer('1.hq@example.org'))");
    office.come_together();
    for node in ["hq", "alice"] {
        assert_eq!(office.does(node, &read("b@example.org")), "1.hq@example.org", "{node}");
    }
}

/// The later of an edit and a deletion counts, of each record by itself.
#[test]
fn an_order_that_is_edited_later_than_it_was_deleted_elsewhere_stands() {
    let Some(office) = Office::open() else { return };
    office.does("bob", "customer('1.bob@example.org').delete()");
    office.does("hq", "one = customer('1.bob@example.org').order_set.get(); one.number = 'kept'; one.save()");
    office.come_together();
    for node in NODES {
        let read = "one = Order.objects.get(number='kept'); print(one.customer.email, one.line_set.count())";
        assert_eq!(office.does(node, read), "1.bob@example.org 0", "{node}");
    }
}
