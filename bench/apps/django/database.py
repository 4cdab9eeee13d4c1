"""Django's own sessions, in an SQLite database as its project template has it."""

from django.core.management import call_command

from bench.apps.django.pages import application
from bench.apps.store import STORE

app = application(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STORE.removeprefix("sqlite:///"),
        }
    },
    INSTALLED_APPS=["django.contrib.sessions"],
)
call_command("migrate", verbosity=0)
