"""Customers of sales representatives, what they order, and what is remarked about all of it."""
from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Timed(models.Model):
    made = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Tag(models.Model):
    name = models.CharField(max_length=40, unique=True)


class Remark(Timed):
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveIntegerField()
    about = GenericForeignKey()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    text = models.TextField()


class Product(Timed):
    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=80)
    price = models.DecimalField(max_digits=9, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    remarks = GenericRelation(Remark)


class Customer(Timed):
    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=40, blank=True)
    active = models.BooleanField(default=True)
    discount = models.DecimalField(max_digits=5, decimal_places=3, default=0)
    details = models.JSONField(default=dict, blank=True)
    rep = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    referred_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL)
    tags = models.ManyToManyField(Tag, blank=True)
    remarks = GenericRelation(Remark)


class Order(Timed):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    number = models.CharField(max_length=20, unique=True, null=True, blank=True)
    due = models.DateTimeField(null=True, blank=True)
    missing = models.TextField(blank=True)
    remarks = GenericRelation(Remark)


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=9, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "product"], name="a_product_once_in_an_order")]
