"""A wholesaler's order book. All that is not said here is as Django has it by default, the database's time-out among it."""
import os

SECRET_KEY = "nobody logs in here"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "trade"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["TRADE_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
