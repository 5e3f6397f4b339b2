"""All that is known, told by what things are and not by their numbers; and whether all of it is sound."""
import json

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection

from .models import Customer, Order, Product, Remark, Tag


def plain(record, *left_out):
    """A record's own fields."""
    fields = [field for field in record._meta.concrete_fields if not field.is_relation and not field.primary_key]
    return {field.name: getattr(record, field.name) for field in fields if field.name not in left_out}


def remarks(of):
    return sorted([remark.text, remark.author.username if remark.author else "", remark.made] for remark in of.all())


def told_order(order):
    lines = sorted([line.product.code, line.quantity, line.price] for line in order.line_set.all())
    return {**plain(order), "lines": lines}


def told_customer(customer):
    return {
        **plain(customer),
        "rep": customer.rep.username,
        "tags": sorted(tag.name for tag in customer.tags.all()),
        "orders": [told_order(order) for order in customer.order_set.order_by("made", "number")],
    }


def of_rep(login):
    """What a representative has to know."""
    return {
        "users": [plain(user) for user in get_user_model().objects.order_by("username")],
        "tags": [tag.name for tag in Tag.objects.order_by("name")],
        "products": [plain(product) for product in Product.objects.order_by("code")],
        "customers": [told_customer(one) for one in Customer.objects.filter(rep__username=login).order_by("email")],
    }


def everything():
    """That of all representatives, and what is known beyond it."""
    referred = Customer.objects.filter(referred_by__isnull=False).order_by("email")
    abouts = [*Product.objects.order_by("code"), *Customer.objects.order_by("email"), *Order.objects.order_by("made")]
    return {
        "by_rep": {user.username: of_rep(user.username) for user in get_user_model().objects.all()},
        "referred": [[one.email, one.referred_by.email] for one in referred],
        "remarks": [[type(about).__name__, plain(about), remarks(about.remarks)] for about in abouts],
    }


def tell():
    print(json.dumps(everything(), default=str, indent=1))


def inspect():
    """Looks at every record as a form would on saving it, and at every reference."""
    connection.check_constraints()
    for model in apps.get_models():
        for record in model._default_manager.all():
            record.full_clean()
    lost = [remark.text for remark in Remark.objects.all() if remark.about is None]
    assert not lost, f"nobody knows what these are about: {lost}"
