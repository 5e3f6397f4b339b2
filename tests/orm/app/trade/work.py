"""What people at the wholesaler's do."""
import time
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from .models import Customer, Line, Order, Product, Remark, Tag


def user(login):
    return get_user_model().objects.get(username=login)


def customer(email):
    return Customer.objects.get(email=email)


def product(code):
    return Product.objects.get(code=code)


def found(reps):
    """The first day: people, goods, and two customers each."""
    for login in reps:
        get_user_model().objects.create_user(login)
    Tag.objects.bulk_create(Tag(name=name) for name in ["vip", "late payer"])
    goods = [("tea", "4.50"), ("rum", "17.95"), ("salt", "0.89"), ("rope", "12"), ("sail", "1999.99")]
    Product.objects.bulk_create(
        Product(code=code, name=code.title(), price=Decimal(price), stock=100) for code, price in goods
    )
    for login in reps:
        for number in (1, 2):
            take_on(login, f"{number}.{login}@example.org", "vip")
        remark(order(f"1.{login}@example.org", tea=3, rum=1), login, "the first order")


@transaction.atomic
def take_on(login, email, *tags, referred_by=None):
    one = Customer.objects.create(
        name=email.split("@")[0].title(), email=email, rep=user(login), referred_by=referred_by,
        details={"since": "today", "hours": [9, 17.5], "ship": None},
    )
    label(email, *tags)
    return one


def label(email, *tags):
    customer(email).tags.add(*(Tag.objects.get_or_create(name=name)[0] for name in tags))


def remark(about, login, text):
    return Remark.objects.create(about=about, author=user(login), text=text)


def order(email, number=None, **quantities):
    """An order with what of it is in stock; each product in a savepoint of its own."""
    buyer, goods = customer(email), [(product(code), quantity) for code, quantity in quantities.items()]
    with transaction.atomic():
        made = Order.objects.create(customer=buyer, number=number, due=timezone.now() + timedelta(days=14))
        for one, quantity in goods:
            add_line(made, one, quantity)
    return made


def add_line(to, one, quantity):
    try:
        with transaction.atomic():
            Line.objects.create(order=to, product=one, quantity=quantity, price=one.price)
            # The database refuses a stock below zero.
            Product.objects.filter(pk=one.pk).update(stock=F("stock") - quantity)
    except IntegrityError:
        to.missing = f"{to.missing} {quantity} {one.code}".strip()
        to.save(update_fields=["missing", "changed"])


def keep_busy(seconds, email):
    """Does what an application does all day, one thing after another; how many orders were made."""
    end, made = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        order(email, tea=1, salt=1)
        made += 1
        with transaction.atomic():
            # It begins with a write: what is read after that nobody changes meanwhile.
            Customer.objects.filter(email=email).update(phone=str(made))
            label(email, f"tag {made % 7}")
            if made % 5 == 0:
                Order.objects.filter(customer__email=email).earliest("id").delete()
    return made
